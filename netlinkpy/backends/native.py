"""The `native` backend: the shim by its own door, which needs neither cffi nor ctypes."""

from __future__ import annotations

from netlinkpy.backends.interface import Backend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _open_door() -> Any:
    """Load the shared object that cffi's door is in as a module of its own.

    Its name ends in _native, so that PyInit__native is called. importlib would find nothing under that
    name, and is not worth its import: the frozen modules that it is made of are there already.
    """
    from _frozen_importlib import ModuleSpec, module_from_spec
    from _frozen_importlib_external import EXTENSION_SUFFIXES, ExtensionFileLoader
    from os import stat

    for suffix in EXTENSION_SUFFIXES:
        path = f"{__file__.rpartition('/')[0]}/_shim{suffix}"
        try:
            stat(path)
        except OSError:
            continue
        name = "netlinkpy.backends._native"
        loader = ExtensionFileLoader(name, path)
        module = module_from_spec(ModuleSpec(name, loader, origin=path))
        loader.exec_module(module)
        return module
    raise ImportError("the shim was not built for this Python: there is no netlinkpy/backends/_shim*.so")


BACKEND = Backend("native", _open_door())
