"""Namespaces: make them, and open sockets inside. A throw-away thread enters the other namespace; the
caller's thread never does."""

from __future__ import annotations

import errno
import os
from _socket import SOCK_RAW, socket
from struct import Struct

from netlinkpy.backends.interface import checked
from netlinkpy.backends.pure.process import mount, setns, unshare
from netlinkpy.thread import Thread
from netlinkpy.uapi.mount import MS_BIND
from netlinkpy.uapi.netlink import (
    AF_NETLINK,
    NETLINK_CAP_ACK,
    NETLINK_EXT_ACK,
    NETLINK_GET_STRICT_CHK,
    NETLINK_ROUTE,
    SOL_NETLINK,
)
from netlinkpy.uapi.nsfs import THREAD_NETNS
from netlinkpy.uapi.sched import CLONE_NEWNET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

FD = Struct("=i")
AHEAD = Struct("=ii")  # whether there is one, and its descriptor or -errno
HUSH = Struct("=ii")  # an open descriptor of the setting, and the character that it had
ACCEPT_RA = "/proc/sys/net/ipv6/conf/default/accept_ra"


def elsewhere(work: Callable[[], T], undo: Callable[[T], None] | None = None) -> T:
    """Run `work` on a thread of its own; return what it returns, raise what it raises.

    What a signal handler raises meanwhile is raised after the work is done and its result undone by `undo`:
    no thread and no descriptor is left behind. Raise OSError if the thread cannot be started.
    """
    outcome: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            errors.append(error)

    thread = Thread(run)

    def wait() -> None:
        interrupted: BaseException | None = None
        while True:
            try:
                thread.wait()
                break
            except BaseException as error:
                interrupted = error
        if interrupted is not None:
            raise interrupted

    try:
        thread.start()
        wait()
    except BaseException:
        wait()
        if outcome and undo is not None:
            undo(outcome[0])
        raise
    if errors:
        raise errors[0]
    if not outcome:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))  # it could not even begin
    return outcome[0]


def open_socket(netns_fd: int, family: int, type: int, protocol: int, place: int) -> int:
    def work() -> int:
        checked(setns(netns_fd, CLONE_NEWNET))
        opened = socket(family, type, protocol)
        os.dup2(opened.fileno(), place, inheritable=False)
        opened.close()
        return 0

    return elsewhere(work)


def open_route_socket(netns_fd: int, hush: bytearray | None = None) -> int:
    """Move the calling thread into a network namespace and open a socket for a visit there. Return the
    descriptor, or -errno. hush: see csrc/netns.h."""
    try:
        checked(setns(netns_fd, CLONE_NEWNET))
        sock = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)
        sock.settimeout(None)  # whatever socket.setdefaulttimeout() says
        for option in (NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK):
            sock.setsockopt(SOL_NETLINK, option, 1)
        if hush is not None:
            _hush_advertisements(hush)
        return int(sock.detach())
    except OSError as error:
        return -(error.errno or errno.EIO)


def _hush_advertisements(hush: bytearray) -> None:
    try:
        fd = os.open(ACCEPT_RA, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return
    try:
        was = os.pread(fd, 1, 0)
        if was not in (b"", b"0") and os.pwrite(fd, b"0", 0):
            HUSH.pack_into(hush, 0, fd, was[0])
            return
    except OSError:
        pass
    os.close(fd)


_hushes: dict[int, bytearray] = {}  # by the descriptor of a socket opened ahead


def open_ahead(netns_fd: int, known_by: bytearray) -> int:
    """Open the socket at once."""

    def work() -> None:
        hush = bytearray(HUSH.pack(-1, -1))
        fd = open_route_socket(netns_fd, hush)
        if fd >= 0:
            _hushes[fd] = hush
        AHEAD.pack_into(known_by, 0, 1, fd)

    elsewhere(work)
    return 0


def opened(known_by: bytearray, sockets: bytearray, hush: bytearray) -> int:
    there, fd = AHEAD.unpack(known_by)
    if not there:
        raise ValueError("its socket was opened already")
    sockets[:] = FD.pack(max(fd, -1))
    known_by[:] = bytes(len(known_by))
    hush[:] = _hushes.pop(fd, hush)
    return int(min(fd, 0))


def make_netns(made: bytearray) -> int:
    def work() -> bool:
        for place in range(0, len(made), FD.size):
            checked(unshare(CLONE_NEWNET))
            FD.pack_into(made, place, os.open(THREAD_NETNS, os.O_RDONLY | os.O_CLOEXEC))
        return True

    elsewhere(work)
    return 0


def make_netns_at(paths: bytes, errors: bytearray) -> int:
    def one(path: bytes) -> int:
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0))
        except OSError as error:
            return error.errno or errno.EIO
        try:
            checked(unshare(CLONE_NEWNET))
            checked(mount(MS_BIND, THREAD_NETNS.encode(), path, b""))
        except OSError as error:
            os.unlink(path)
            return error.errno or errno.EIO
        return 0

    each = paths.split(b"\0")[:-1]
    if len(errors) != FD.size * len(each):
        raise ValueError("the outcomes are not those of the paths")

    def work() -> bool:
        for place, path in enumerate(each):
            FD.pack_into(errors, place * FD.size, one(path))
        return True

    elsewhere(work)
    return 0
