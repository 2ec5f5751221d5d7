"""Containers: the network namespaces of a call's rows, and the sockets kept inside them."""

from __future__ import annotations

import errno
import os
from struct import Struct

from ..backends import load
from ..backends.interface import Descriptors
from ..netns.handle import Netns
from ..uapi.nsfs import THREAD_NETNS
from .errors import failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeAlias

    from ..backends.interface import Ahead
    from ..netns.handle import Target
    from .errors import Failures
    from .row import Row
    from .shape import Shape

    #: work(rows of one shape, the namespace of each: None if the row has a socket inside).
    Work: TypeAlias = Callable[[list[Row], Sequence[Netns | None]], None]

AT_A_TIME = 64  # rows in one call of the shim: signals are served in between
MAX_SOCKETS = 256  # rows of a call that keep their socket between steps: a process often has 1024 descriptors
_FEW_SOCKETS = 16
_FD = Struct("=i")


class Containers:
    """Owns every descriptor that a call opens for its containers, from the moment it exists until close().

    here: (device, inode) of the caller's namespace."""

    def __init__(self, failures: Failures) -> None:
        self._failures = failures
        self._ahead: Ahead | None = None
        self._alone: Netns | None = None
        self._sockets: list[Descriptors] = []
        self._seen: dict[object, int] = {}  # (namespace, ifname): the row's position
        self.here = (0, 0)

    def find_here(self) -> None:
        """Learn which namespace is the caller's: the first thing to do."""
        try:
            status = os.stat(THREAD_NETNS)
            self.here = status.st_dev, status.st_ino
        except OSError:
            with Netns.current() as here:  # which says what is wrong
                self.here = here.identity

    def open_ahead(self, target: Target) -> None:
        """Let a thread open the socket inside the one container of the call meanwhile. What fails here is
        tried again, and reported, when the container is entered."""
        try:
            self._alone = Netns.open(target)
            self._ahead = load().open_ahead(self._alone.fileno())
        except (OSError, ValueError, TypeError):
            return

    def reserve(self, rows: int) -> None:
        """Grow the process's table of descriptors at once for the rows' sockets. While a second thread shares
        it, each doubling waits for an RCU grace period of some milliseconds."""
        if rows < _FEW_SOCKETS:
            return
        from fcntl import F_DUPFD_CLOEXEC, fcntl

        with Netns.current() as newest:
            fd = newest.fileno()
            try:
                os.close(fcntl(fd, F_DUPFD_CLOEXEC, fd + min(rows, MAX_SOCKETS) + 2 * AT_A_TIME))
            except OSError:  # the limit is lower: it grows as needed
                return

    def sockets_for(self, rows: list[Row]) -> bytearray | None:
        """Return the sockets of rows that are visited together, as a visit takes them; None if the rows keep
        none. This object owns what the visit opens from the moment it is opened."""
        if len(rows) == 1 and rows[0].socket >= 0:
            return bytearray(_FD.pack(rows[0].socket))
        if rows[0].socket >= 0:
            return bytearray(b"".join([_FD.pack(row.socket) for row in rows]))
        place = rows[-1].position
        if place >= _FEW_SOCKETS and place >= _share_of_files(MAX_SOCKETS, 4):
            return None
        self._sockets.append(Descriptors(len(rows)))
        return self._sockets[-1].numbers

    def unhush(self) -> None:
        """Put back the default that was changed while the one interface was made (advertisements.py)."""
        if self._ahead is not None:
            self._ahead.hush.close()

    def enter(self, rows: list[Row], work: Work, *, namespaces: bool = False) -> None:
        """Call work() for rows of one shape at a time, 64 at most. namespaces: work() needs the namespaces
        themselves; otherwise that of a row with a socket inside is not opened. Note a failure for each
        namespace that cannot be opened, or is not the same as before."""
        if self._alone is not None:
            handle = self.enter_alone(rows[0])
            if handle is not None:
                work(rows, [handle])
            return
        talking = [] if namespaces else [row for row in rows if row.socket >= 0]
        for alike in _alike(talking):
            work(alike, [None] * len(alike))
        for alike in _alike([row for row in rows if namespaces or row.socket < 0]):
            opened: list[Netns] = []
            present: list[Row] = []
            try:
                for row in alike:
                    try:
                        handle = Netns.open(row.endpoint.netns)
                    except (OSError, ValueError) as error:
                        text = getattr(error, "strerror", "") or str(error)
                        number = getattr(error, "errno", errno.EINVAL) or errno.EIO
                        self._failures.add(failure(row, number, "attach", text=text))
                        continue
                    if self.may_enter(row, handle):
                        present.append(row)
                        opened.append(handle)
                    else:
                        handle.close()
                if present:
                    work(present, opened)
            finally:
                for handle in opened:
                    handle.close()

    def enter_alone(self, row: Row) -> Netns | None:
        """Return the namespace of the one container of the call; None if it may not be entered, or there are
        several."""
        handle = self._alone
        if handle is not None and row.identity is None:
            if not self.may_enter(row, handle):
                return None
            if self._ahead is not None:
                try:
                    self._ahead.wait()
                except OSError:
                    self._ahead = None
                else:
                    (row.socket,) = _FD.unpack(self._ahead.sockets)
        return handle

    def may_enter(self, row: Row, handle: Netns) -> bool:
        """Return whether this namespace is a container's, the same as before, and no other row's; note a
        failure if not."""
        identity = handle.identity
        if row.identity is not None:
            if row.identity != identity:
                text = "its namespace is another than at the beginning of the call"
                self._failures.refuse(row, errno.ESTALE, text)
            return row.identity == identity
        if identity == self.here:
            self._failures.refuse(row, errno.EINVAL, "this is the host's own network namespace")
            return False
        first = self._seen.setdefault((identity, row.wanted.ifname), row.position)
        if first != row.position:
            text = f"endpoint {first} is the same container and has the same ifname {row.wanted.ifname}"
            self._failures.refuse(row, errno.EEXIST, text)
            return False
        row.identity = identity
        return True

    def close(self) -> None:
        """Close every descriptor."""
        if self._ahead is not None:
            self._ahead.close()
        if self._alone is not None:
            self._alone.close()
        for sockets in self._sockets:
            sockets.close()


def _alike(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Yield the rows in lists of one shape, at most 64 in each."""
    shapes: dict[Shape, list[Row]] = {}
    for row in rows:
        shapes.setdefault(row.shape, []).append(row)
    for alike in shapes.values():
        size = AT_A_TIME if len(alike) < _FEW_SOCKETS else _share_of_files(AT_A_TIME, 8)
        for start in range(0, len(alike), size):
            yield alike[start : start + size]


def _share_of_files(most: int, part: int) -> int:
    """Return `most`, or 1/part of the descriptors that this process may have, if that is less."""
    from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit

    soft = getrlimit(RLIMIT_NOFILE)[0]
    return most if soft == RLIM_INFINITY else max(min(most, soft // part), 1)
