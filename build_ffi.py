"""The cffi builder of the shim: setup.py names it to setuptools, which makes netlinkpy/backends/_shim.abi3.so
of it.

The one shared object has two doors: cffi's own (PyInit__shim) and that of csrc/native.c (PyInit__native).
What cffi must know is read from csrc/shim.h, between its two marks, so it is written down once.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

MODULE = "netlinkpy.backends._shim"
SOURCES = [
    f"csrc/{name}.c"
    for name in (
        "shim",
        "netns",
        "bulk",
        "talk",
        "exchange",
        "script",
        "visit",
        "native",
        "native_arguments",
        "native_bulk",
    )
]
HEADERS = [f"csrc/{name}.h" for name in ("shim", "framing", "bulk", "talk", "script", "thread", "native")]


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
    """The part of csrc/shim.h that is for cffi."""
    header = (Path(__file__).parent / "csrc" / "shim.h").read_text()
    return header.split("/* cffi reads from here ... */")[1].split("/* ... to here. */")[0]


def ffibuilder() -> object:
    """The builder that setup.py's cffi_modules asks for."""
    from cffi import FFI

    ffi = FFI()
    ffi.cdef(declarations())
    ffi.set_source(MODULE, '#include "shim.h"', **extension_arguments())
    return ffi
