"""What pyproject.toml cannot say: the shim by cffi, or without cffi, or not at all; and the wheel is abi3."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path
from typing import Any

from setuptools import Extension, setup

sys.path.insert(0, str(Path(__file__).parent))

import build_ffi

# The limited API does not exist (yet) on free-threaded builds.
ABI3 = not sysconfig.get_config_var("Py_GIL_DISABLED")


def shim() -> dict[str, Any]:
    """The two doors by cffi; where there is no cffi only our own, in a shared object of the same name."""
    try:
        import cffi  # noqa: F401
    except ImportError:
        own_door = Extension(build_ffi.MODULE, py_limited_api=ABI3, **build_ffi.extension_arguments())
        return {"ext_modules": [own_door]}
    return {"cffi_modules": ["build_ffi.py:ffibuilder"]}


setup(options={"bdist_wheel": {"py_limited_api": "cp311"}} if ABI3 else {}, **shim())
