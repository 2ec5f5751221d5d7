"""The `native` backend: the shim by its own door, which needs neither cffi nor ctypes."""

from __future__ import annotations

from netlinkpy.backends.shared import ExchangeError, Script, compile_plan, compile_script

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from typing_extensions import Buffer

    from netlinkpy.backends.interface import Failure, Visited

NAME = "native"


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


_native = _open_door()
setns = _native.setns
unshare = _native.unshare
mount = _native.mount
umount = _native.umount
prctl = _native.prctl
capset = _native.capset
open_socket = _native.open_socket
make_netns = _native.make_netns
make_netns_at = _native.make_netns_at
stamp = _native.stamp
gather = _native.gather
open_ahead = _native.open_ahead
opened = _native.opened


def exchange(
    fd: int,
    buffer: Buffer,
    length: int,
    first_sequence: int,
    rows: int,
    chunk_bytes: int,
    chunk_rows: int,
    timeout_ns: int,
    /,
) -> list[Failure]:
    """See `netlinkpy.backends.interface.Backend.exchange`."""
    failures: list[Failure]
    code, done, failures = _native.exchange(
        fd, buffer, length, first_sequence, rows, chunk_bytes, chunk_rows, timeout_ns
    )
    if code:
        raise ExchangeError(code, done, rows, failures)
    return failures


def visit(
    script: Script,
    datagrams: Buffer,
    netns_fds: Buffer,
    sockets: Buffer | None,
    beside: int,
    timeout_ns: int,
    results: bytearray | None = None,
    /,
) -> list[Visited]:
    """See `netlinkpy.backends.interface.Backend.visit`."""
    if results is None:
        results = script.room(memoryview(netns_fds).nbytes // 4)
    _native.visit(script.data, datagrams, netns_fds, sockets, beside, timeout_ns, results)
    return script.read(results)


__all__ = [
    "NAME",
    "capset",
    "compile_plan",
    "compile_script",
    "exchange",
    "gather",
    "make_netns",
    "make_netns_at",
    "mount",
    "open_ahead",
    "open_socket",
    "opened",
    "prctl",
    "setns",
    "stamp",
    "umount",
    "unshare",
    "visit",
]
