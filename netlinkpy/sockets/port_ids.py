"""Port ids of NETLINK_ROUTE sockets, and whose they are: anybody may bind one (netlink(7))."""

from __future__ import annotations

import os

from ..transport.socket import Socket
from ..uapi.netlink import AF_NETLINK, NETLINK_ROUTE, NETLINK_SOCK_DIAG
from ..uapi.sock_diag import SOCK_DIAG_BY_FAMILY
from ..wire.sock_diag import NETLINK_QUESTION, NETLINK_SOCKET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_FIRST_PIDS = 0xEFFFFFFC  # the PID namespace that holds all processes (PROC_PID_INIT_INO, linux/proc_ns.h)
_ALL_USERS = ["0", "0", "4294967295"]  # uid_map of the initial user namespace


def is_strangers(port: int, *, timeout: float = 5.0) -> bool:
    """Return whether a port id of the caller's network namespace is bound, and surely by nobody who may wire
    here: by processes of users that are neither root nor the caller's. Where that cannot be known (a kernel
    without CONFIG_NETLINK_DIAG, processes that we do not see) it is not sure. timeout: seconds for the
    question."""
    try:
        inode = _inode(port, timeout)
        if not inode:
            return False
        holders = set(_holders(inode))
        unknown = _unknown_user()
        seen = os.stat("/proc/self/ns/pid").st_ino == _FIRST_PIDS and os.geteuid() == 0 and unknown < 0
    except OSError:
        return False
    if not holders:  # under way in a unix socket (SCM_RIGHTS), unless there are processes that we do not see
        return seen
    return not holders & {0, os.geteuid(), unknown}


def _inode(port: int, timeout: float) -> int:
    asked = {"family": AF_NETLINK, "protocol": NETLINK_ROUTE, "cookie": 0xFFFFFFFFFFFFFFFF}
    with Socket(NETLINK_SOCK_DIAG, timeout=timeout) as sock:
        for reply in sock.dump_bodies(
            NETLINK_QUESTION, SOCK_DIAG_BY_FAMILY, asked, verb="list netlink sockets"
        ):
            told = NETLINK_SOCKET.parse(reply.body)
            if told["portid"] == port:
                return int(told["ino"])
    return 0


def _holders(inode: int) -> Iterator[int]:
    """Yield the effective user of each process that has the socket open (proc_pid_fd(5))."""
    wanted = f"socket:[{inode}]"
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if any(_leads_to(f"/proc/{pid}/fd/{fd}", wanted) for fd in os.listdir(f"/proc/{pid}/fd")):
                with open(f"/proc/{pid}/status") as status:
                    yield next(int(line.split()[2]) for line in status if line.startswith("Uid:"))
        except OSError:  # it has ended, or is not ours to look at
            continue


def _leads_to(path: str, wanted: str) -> bool:
    try:
        return os.readlink(path) == wanted
    except OSError:
        return False


def _unknown_user() -> int:
    """Return the user that stands for all who have no number in our user namespace, root perhaps; -1 in the
    initial one, where each has a number."""
    with open("/proc/self/uid_map") as table:
        if table.read().split() == _ALL_USERS:
            return -1
    with open("/proc/sys/kernel/overflowuid") as number:
        return int(number.read())
