"""The `native` backend: the shim through its own door, which needs neither cffi nor ctypes."""

from __future__ import annotations

from netlinkpy.backends.interface import Backend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _open_door() -> Any:
    """Load the shared object that holds both doors as a module of its own.

    The module's name ends in _native, so that PyInit__native is called. importlib would find no file of that
    name, and costs time to import: the frozen modules beneath it are loaded already. Raise ImportError if the
    shim was not built.
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
