"""Abstract names of unix sockets, and whose they are: anybody may bind one (unix(7))."""

from __future__ import annotations

import os
from _socket import AF_UNIX

from ..os_error import explained
from ..record import Record
from ..transport.socket import Socket
from ..uapi.net import SO_ACCEPTCON
from ..uapi.netlink import NETLINK_SOCK_DIAG
from ..uapi.sock_diag import SOCK_DIAG_BY_FAMILY
from ..uapi.unix_diag import UDIAG_SHOW_NAME, UDIAG_SHOW_UID
from ..wire.sock_diag import UNIX_QUESTION, UNIX_SOCKET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_LISTENS, _BOUND = 10, 7  # TCP_LISTEN and TCP_CLOSE, net/tcp_states.h: unix sockets borrow them


class UnixName(Record):
    """A bound abstract name (without its leading NUL), whether its socket listens, and the user who made
    that; None where the kernel tells no users."""

    name: str
    listening: bool
    uid: int | None

    def believed(self) -> bool:
        """Return whether root or the caller's user made it, or nobody can tell."""
        return self.uid in (None, 0, os.geteuid())


def bound(prefix: str, *, timeout: float = 5.0) -> list[UnixName]:
    """Return the abstract names in the caller's network namespace that begin so, in their order. timeout:
    seconds for the question. A kernel without CONFIG_UNIX_DIAG, or older than 5.3, tells no users."""
    try:
        found = _told(prefix, timeout)
    except TimeoutError:
        raise
    except OSError:  # no such protocol or family, or it may not be asked here
        found = list(_listed(prefix))
    return sorted(found, key=lambda one: one.name)


def _told(prefix: str, timeout: float) -> list[UnixName]:
    start = b"\0" + os.fsencode(prefix)
    asked = {
        "family": AF_UNIX,
        "states": 1 << _LISTENS | 1 << _BOUND,
        "show": UDIAG_SHOW_NAME | UDIAG_SHOW_UID,
        "cookie": 0xFFFFFFFFFFFFFFFF,
    }
    with Socket(NETLINK_SOCK_DIAG, timeout=timeout) as sock:
        replies = sock.dump_bodies(UNIX_QUESTION, SOCK_DIAG_BY_FAMILY, asked, verb="list unix sockets")
    found = []
    for reply in replies:
        if start in reply.body:  # few of many are worth parsing
            told = UNIX_SOCKET.parse(reply.body)
            if told.get("name", b"").startswith(start):
                name = os.fsdecode(told["name"][1:])
                found.append(UnixName(name, told["state"] == _LISTENS, told.get("uid")))
    return found


def _listed(prefix: str) -> Iterator[UnixName]:
    """Yield what proc_net(5) lists: without users."""
    try:
        table = open("/proc/thread-self/net/unix", errors="surrogateescape")  # noqa: SIM115
    except OSError as error:
        raise explained(error, "list unix sockets") from None
    with table:
        for line in table:
            columns = line.rstrip("\n").split(None, 7)
            if len(columns) == 8 and columns[7].startswith(f"@{prefix}"):
                yield UnixName(columns[7][1:], bool(int(columns[3], 16) & SO_ACCEPTCON), None)
