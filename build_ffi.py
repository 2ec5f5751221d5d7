"""The cffi builder of the shim: setup.py names it to setuptools, which makes netlinkpy/backends/_shim.abi3.so
of it.

The one shared object has two doors: cffi's own (PyInit__shim) and that of csrc/native.c (PyInit__native).
What cffi must know is read from csrc/shim.h, so it is written down once.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import Any

MODULE = "netlinkpy.backends._shim"
_PARTS = ("process", "netns", "columns", "talk", "exchange", "program", "visit", "native")
SOURCES = [f"csrc/{name}.c" for name in _PARTS]
HEADERS = [f"csrc/{name}.h" for name in ("shim", "framing", "netns", "columns", "talk", "program", "thread")]


def extension_arguments() -> dict[str, Any]:
    """How the C is compiled, with cffi or without. NETLINKPY_CFLAGS adds flags (CI adds warnings that are
    errors)."""
    return {
        "sources": SOURCES,
        "depends": HEADERS,
        "include_dirs": ["csrc"],
        "extra_compile_args": [
            "-std=gnu11",
            "-O2",
            "-fvisibility=hidden",
            "-pthread",
            *shlex.split(os.environ.get("NETLINKPY_CFLAGS", "")),
        ],
        "extra_link_args": ["-pthread"],
        # Where it cannot be compiled the package goes without: netlinkpy then uses its pure Python twin.
        "optional": True,
    }


def declarations() -> str:
    """What cffi must know of csrc/shim.h: the part between the marks, and every call."""
    header = (Path(__file__).parent / "csrc" / "shim.h").read_text()
    marked = header.split("/* cffi reads from here ... */")[1].split("/* ... to here")[0]
    calls = re.findall(r"^    CALL\((\w+), ", header, re.MULTILINE)
    arguments = "const int64_t *, const struct nlp_span *, const struct nlp_span *, size_t"
    return marked + "".join([f"int64_t nlp_{name}({arguments});\n" for name in calls])


def ffibuilder() -> object:
    """The builder that setup.py's cffi_modules asks for."""
    from cffi import FFI

    ffi = FFI()
    ffi.cdef(declarations())
    ffi.set_source(MODULE, '#include "shim.h"', **extension_arguments())
    return ffi
