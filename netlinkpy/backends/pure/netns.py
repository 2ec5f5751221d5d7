"""The pure twin's namespace calls. A throw-away thread enters the other namespace; the caller's thread
never does."""

from __future__ import annotations

import errno
import os

from netlinkpy.backends.shared import MAX_NETNS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeVar

    T = TypeVar("T")

CLONE_NEWNET = 0x40000000  # linux/sched.h
MS_BIND = 0x1000  # linux/mount.h
CAPABILITY_VERSION_3 = 0x20080522  # linux/capability.h
THREAD_NETNS = "/proc/thread-self/ns/net"  # /proc/self would be the main thread's


def _libc(name: str, *arguments: int | bytes | None, path: str | bytes | None = None) -> int:
    """Call a libc function; gives what it gives. OSError where that is -1, ENOSYS where ctypes is missing."""
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
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), path)
    return result


def setns(fd: int, nstype: int, /) -> None:
    """See `netlinkpy.backends.interface.Backend.setns`."""
    call = getattr(os, "setns", None)  # from Python 3.12 on
    if call is None:
        _libc("setns", fd, nstype)
    elif fd < 0:  # a ValueError for Python, but what setns(2) says is wanted
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    else:
        call(fd, nstype)


def unshare(flags: int, /) -> None:
    """See `netlinkpy.backends.interface.Backend.unshare`."""
    call = getattr(os, "unshare", None)  # from Python 3.12 on
    if call is not None:
        call(flags)
    else:
        _libc("unshare", flags)


def _path(path: str | bytes) -> bytes:
    """A path as C takes it, where a NUL would end it early."""
    encoded = os.fsencode(path)
    if b"\0" in encoded:
        raise ValueError("embedded null byte")
    return encoded


def mount(source: str | bytes, target: str | bytes, fstype: str | bytes | None, flags: int, /) -> None:
    """See `netlinkpy.backends.interface.Backend.mount`."""
    kind = None if fstype is None else _path(fstype)
    _libc("mount", _path(source), _path(target), kind, flags, None, path=target)


def umount(target: str | bytes, flags: int, /) -> None:
    """See `netlinkpy.backends.interface.Backend.umount`."""
    _libc("umount2", _path(target), flags, path=target)


def prctl(option: int, second: int, third: int, fourth: int, fifth: int, /) -> int:
    """See `netlinkpy.backends.interface.Backend.prctl`."""
    if min(second, third, fourth, fifth) < 0:
        raise OverflowError("an argument of prctl() is not negative")
    return _libc("prctl", option, second, third, fourth, fifth)


def capset(effective: int, permitted: int, inheritable: int, /) -> None:
    """See `netlinkpy.backends.interface.Backend.capset`."""
    from struct import pack

    sets = (effective, permitted, inheritable)
    if min(sets) < 0 or max(sets) > 0xFFFFFFFFFFFFFFFF:
        raise OverflowError("a set of capabilities has 64 bits")
    halves = pack("=6I", *(word & 0xFFFFFFFF for word in sets), *(word >> 32 for word in sets))
    _libc("capset", pack("=Ii", CAPABILITY_VERSION_3, 0), halves)


def elsewhere(work: Callable[[], T], undo: Callable[[T], None] | None = None) -> T:
    """Run `work` on a thread that ends with it; gives or raises what it does.

    What a signal handler raises meanwhile is raised when the work is done, after `undo` of its result: no
    thread and no descriptor is left behind.
    """
    import _thread

    outcome: list[T] = []
    errors: list[BaseException] = []
    ended = _thread.allocate_lock()
    ended.acquire()

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            errors.append(error)
        finally:
            ended.release()

    try:
        _thread.start_new_thread(run, ())
    except RuntimeError as error:
        raise OSError(errno.EAGAIN, str(error)) from None
    interrupted: BaseException | None = None
    while True:
        try:
            # Not until the lock is had: a signal that comes just then would wait for it once more, for ever.
            if outcome or errors:
                break
            ended.acquire()
        except BaseException as error:
            interrupted = error
    if interrupted is not None:
        if outcome and undo is not None:
            undo(outcome[0])
        raise interrupted
    if errors:
        raise errors[0]
    return outcome[0]


def open_socket(netns_fd: int, family: int, type: int, protocol: int, /) -> int:
    """See `netlinkpy.backends.interface.Backend.open_socket`."""
    from _socket import socket

    def work() -> int:
        setns(netns_fd, CLONE_NEWNET)
        return socket(family, type, protocol).detach()

    return elsewhere(work, os.close)


def make_netns(count: int, /) -> list[int]:
    """See `netlinkpy.backends.interface.Backend.make_netns`."""
    if not 0 <= count <= MAX_NETNS:
        raise ValueError(f"a number of namespaces lies between 0 and {MAX_NETNS}")

    def close_all(descriptors: list[int]) -> None:
        for descriptor in descriptors:
            os.close(descriptor)

    def work() -> list[int]:
        made: list[int] = []
        try:
            for _ in range(count):
                unshare(CLONE_NEWNET)
                made.append(os.open(THREAD_NETNS, os.O_RDONLY | os.O_CLOEXEC))
        except BaseException:
            close_all(made)
            raise
        return made

    return elsewhere(work, close_all)


def make_netns_at(paths: Sequence[str | bytes], /) -> list[int]:
    """See `netlinkpy.backends.interface.Backend.make_netns_at`."""
    if len(paths) > MAX_NETNS:
        raise ValueError(f"a number of namespaces lies between 0 and {MAX_NETNS}")

    def one(path: bytes) -> int:
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0))
        except OSError as error:
            return error.errno or errno.EIO
        try:
            unshare(CLONE_NEWNET)
            mount(THREAD_NETNS, path, None, MS_BIND)
        except OSError as error:
            os.unlink(path)
            return error.errno or errno.EIO
        return 0

    encoded = [_path(path) for path in paths]
    return elsewhere(lambda: [one(path) for path in encoded])
