"""Processes: namespaces of the calling thread, mounts and capabilities, by `os` if it has the call, else by
ctypes."""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CAPABILITY_VERSION_3 = 0x20080522  # linux/capability.h


def _libc(name: str, *arguments: int | bytes | None) -> int:
    """Call a libc function; return what it returns, or -errno. Raise OSError (ENOSYS) if ctypes is
    missing."""
    try:
        import ctypes
    except ImportError:
        raise OSError(
            errno.ENOSYS,
            f"this Python has neither the shim, nor os.{name}, nor ctypes: {name}() cannot be called",
        ) from None
    function: Any = getattr(ctypes.CDLL(None, use_errno=True), name)
    words = [ctypes.c_ulong(a) if isinstance(a, int) else a for a in arguments]
    result: int = function(*words)
    return -ctypes.get_errno() if result == -1 else result


def setns(fd: int, nstype: int) -> int:
    call = getattr(os, "setns", None)  # from Python 3.12 on
    if call is None:
        return _libc("setns", fd, nstype)
    if fd < 0:  # os.setns() raises ValueError, but the result is to be that of setns(2)
        return -errno.EBADF
    call(fd, nstype)
    return 0


def unshare(flags: int) -> int:
    call = getattr(os, "unshare", None)  # from Python 3.12 on
    if call is None:
        return _libc("unshare", flags)
    call(flags)
    return 0


def mount(flags: int, source: bytes, target: bytes, fstype: bytes) -> int:
    return _libc("mount", source, target, fstype or None, flags, None)


def umount(flags: int, target: bytes) -> int:
    return _libc("umount2", target, flags)


def prctl(option: int, second: int, third: int, fourth: int, fifth: int) -> int:
    return _libc("prctl", option, second, third, fourth, fifth)


def capset(effective: int, permitted: int, inheritable: int) -> int:
    from struct import pack

    sets = (effective, permitted, inheritable)
    halves = pack("=6I", *[word & 0xFFFFFFFF for word in sets], *[word >> 32 for word in sets])
    return _libc("capset", pack("=Ii", CAPABILITY_VERSION_3, 0), halves)
