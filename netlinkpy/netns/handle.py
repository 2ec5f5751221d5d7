"""Netns: one open network namespace, found by name, path, process or descriptor."""

from __future__ import annotations

import errno
import os
from _io import FileIO
from itertools import tee

from ..closing import Closing
from ..os_error import explained
from ..uapi.nsfs import NS_GET_NSTYPE, THREAD_NETNS
from ..uapi.sched import CLONE_NEWNET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    #: A namespace as callers name it: a name in /run/netns or a path, a process id, or an open one.
    Target: TypeAlias = "str | int | os.PathLike[str] | Netns"

RUN_DIRECTORY = "/run/netns"  # where iproute2 keeps named ones (as /var/run/netns)


class Netns(Closing):
    """An open network namespace. It lives at least as long as the descriptor does; close it, or use
    `with`."""

    __slots__ = ("_file", "label")

    # A FileIO owns the descriptor from the system call on: no exception comes in between.
    def __init__(self, file: FileIO, label: str) -> None:
        self._file = file
        self.label = label

    @classmethod
    def open(cls, target: Target) -> Netns:
        """Open a namespace: a str is a name in /run/netns, or a path if it holds a slash; an os.PathLike is a
        path; an int a process id. A Netns is opened once more.

        Raise FileNotFoundError or ProcessLookupError if there is none, ValueError for an impossible name,
        OSError (EINVAL) for a file that is no network namespace."""
        if isinstance(target, Netns):
            return cls(_duplicate(target.fileno(), target.label), target.label)
        if isinstance(target, int) and not isinstance(target, bool):
            return cls._open_process(target)
        if isinstance(target, str):
            path = target if "/" in target else named_path(target)
        elif isinstance(target, os.PathLike):
            path = os.fsdecode(target)
        else:
            raise TypeError(f"a namespace is a name, a path, a process id or a Netns, not {target!r}")
        label = label_of(target)
        return cls._checked(_open(path, label), label)

    @classmethod
    def from_fd(cls, fd: int) -> Netns:
        """Open the namespace of a descriptor, which stays the caller's: it is duplicated. Raise OSError if it
        is no network namespace."""
        label = f"namespace of descriptor {fd}"
        return cls._checked(_duplicate(fd, label), label)

    @classmethod
    def current(cls) -> Netns:
        """Open the namespace of the calling thread."""
        label = "the caller's namespace"
        try:
            return cls(FileIO(THREAD_NETNS), label)
        except OSError as error:
            raise explained(error, f"open {label}") from None

    @classmethod
    def _open_process(cls, pid: int) -> Netns:
        if not 0 < pid <= 0x7FFFFFFF:
            raise ValueError(f"{pid} is no process id")
        try:
            return cls(_open(f"/proc/{pid}/ns/net", f"process {pid}"), f"process {pid}")
        except FileNotFoundError as error:
            if not os.path.exists("/proc/self"):
                raise explained(error, f"open process {pid}") from None
            raise ProcessLookupError(errno.ESRCH, f"there is no process {pid}") from None
        except PermissionError:
            text = f"not permitted to look at process {pid}: it is another's, or more privileged (ptrace(2))"
            raise PermissionError(errno.EACCES, text) from None

    @classmethod
    def _checked(cls, file: FileIO, label: str) -> Netns:
        if not is_network_namespace(file.fileno()):
            file.close()
            raise _no_namespace(label)
        return cls(file, label)

    def fileno(self) -> int:
        """Return the descriptor. Raise ValueError once closed."""
        if self._file.closed:
            raise ValueError(f"{self.label} is closed")
        return self._file.fileno()

    @property
    def identity(self) -> tuple[int, int]:
        """(device, inode) of the namespace: equal for two handles exactly if they are of the same one."""
        try:
            status = os.fstat(self.fileno())
        except OSError as error:
            raise explained(error, f"look at {self.label}") from None
        return status.st_dev, status.st_ino

    def close(self) -> None:
        """Close the descriptor; a second time does nothing."""
        self._file.close()

    def __repr__(self) -> str:
        return f"<Netns {self.label}{', closed' if self._file.closed else ''}>"


def label_of(target: Target) -> str:
    """Return what to call a namespace in errors: "process 2778", "namespace blue"."""
    if isinstance(target, int):
        return f"process {target}"
    if isinstance(target, str):
        return f"namespace {target}"
    if isinstance(target, os.PathLike):
        return f"namespace {os.fsdecode(target)}"
    return str(getattr(target, "label", None) or repr(target))


def _no_namespace(label: str) -> OSError:
    return OSError(errno.EINVAL, f"{label} is not a network namespace")


def open_at_once(path: str, flags: int = 0) -> FileIO:
    """Open a file that a stranger may have put there, for reading: no FIFO and no terminal makes us wait, or
    is taken over."""
    flags |= os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    return _owned(map(os.open, (path,), (flags,)))


def _owned(opened: Iterator[int]) -> FileIO:
    """Return a file that owns the one descriptor which an iterator opens. No line of Python runs in between:
    an exception out of a signal handler finds nothing open, or a file that closes it."""
    numbers, again = tee(opened)
    try:
        (file,) = map(FileIO, numbers)
    except IsADirectoryError:
        for number in again:
            os.close(number)
        raise
    return file


def _open(path: str, label: str) -> FileIO:
    try:
        return open_at_once(path)
    except FileNotFoundError:
        dangling = ": its link dangles, the process is gone" if os.path.islink(path) else ""
        raise FileNotFoundError(errno.ENOENT, f"there is no {label}{dangling}", path) from None
    except IsADirectoryError:
        raise _no_namespace(label) from None
    except OSError as error:
        raise explained(error, f"open {label}") from None


def _duplicate(fd: int, label: str) -> FileIO:
    try:
        return _owned(map(os.dup, (fd,)))
    except OSError as error:
        raise explained(error, f"open {label}") from None


def is_network_namespace(fd: int) -> bool:
    """Return whether a descriptor is of a network namespace (ioctl_ns(2))."""
    from fcntl import ioctl

    try:
        return bool(ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET)
    except OSError:
        return False


def named_path(name: str) -> str:
    """Return the path of a named namespace. Raise ValueError if the name cannot be one."""
    if not name or name in (".", "..") or "/" in name or "\0" in name:
        raise ValueError(f"{name!r} cannot name a namespace: no slash, not empty, not . or ..")
    if len(os.fsencode(name)) > 255:
        raise ValueError(f"the name of a namespace has at most 255 bytes, {name[:20]!r}... has more")
    return f"{RUN_DIRECTORY}/{name}"
