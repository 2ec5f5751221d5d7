"""What a bench works on: a host namespace of its own, container namespaces, and bridges."""

from __future__ import annotations

import errno
import os
from _io import FileIO

from ..backends import load
from ..netns.handle import Netns
from ..rtnl.netlink import RTNetlink
from ..uapi.if_bridge import BR_MAX_PORTS
from ..uapi.sched import CLONE_NEWNET, CLONE_NEWUSER
from ..wiring.containers import AT_A_TIME, MAX_SOCKETS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PORTS_PER_BRIDGE = 1000  # of the 1023 a bridge takes
_SPARE_DESCRIPTORS = 64


def enter_own_host() -> None:
    """Move this process (which must have one thread) into a network namespace of its own; as an ordinary user
    by way of a user namespace in which it is root. Raise OSError, which says why not."""
    backend = load()
    try:
        backend.unshare(CLONE_NEWNET)
    except OSError as error:
        if error.errno != errno.EPERM:
            raise
    else:
        return
    uid, gid = os.geteuid(), os.getegid()
    try:
        backend.unshare(CLONE_NEWUSER | CLONE_NEWNET)
    except OSError as error:
        text = f"no namespace of its own can be had here, not even by a user namespace: {error.strerror}"
        raise OSError(error.errno, text) from None
    # A process may map itself alone, and must give up setgroups() for that (user_namespaces(7)).
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def make_containers(count: int, progress: Callable[[int, int], None]) -> list[Netns]:
    """Make anonymous network namespaces. Raise OSError (EMFILE) if the limit of open files does not allow so
    many."""
    from resource import RLIMIT_NOFILE, getrlimit, setrlimit

    soft, hard = getrlimit(RLIMIT_NOFILE)
    needed = count + MAX_SOCKETS + 2 * AT_A_TIME + _SPARE_DESCRIPTORS  # attach_many() opens them besides
    if soft < needed:
        if hard < needed:
            raise OSError(
                errno.EMFILE, f"{count} containers need {needed} open files, and {hard} are allowed"
            )
        setrlimit(RLIMIT_NOFILE, (needed, hard))
    made: list[Netns] = []
    while len(made) < count:
        for fd in load().make_netns(min(AT_A_TIME, count - len(made))):
            made.append(Netns(FileIO(fd), f"container {len(made)}"))
        progress(len(made), count)
    return made


def make_bridges(containers: int) -> list[str]:
    """Make as many bridges as the containers need, br0 with 172.17.42.1/16 and so on, and return their
    names."""
    names = []
    with RTNetlink() as rt:
        rt.links.set("lo", up=True)
        for number in range((containers - 1) // PORTS_PER_BRIDGE + 1):
            name = f"br{number}"
            rt.links.add(name, kind="bridge", up=True)
            rt.addresses.add(f"{gateway_of(number)}/16", dev=name)
            names.append(name)
    return names


def gateway_of(bridge: int) -> str:
    """Return the address of a bridge of the bench."""
    return f"172.{17 + bridge}.42.1"


def address_of(container: int) -> str:
    """Return the address of a container of the bench, on the bridge that it belongs to."""
    bridge, place = divmod(container, PORTS_PER_BRIDGE)
    return f"172.{17 + bridge}.{place // 250}.{place % 250 + 2}"


assert PORTS_PER_BRIDGE <= BR_MAX_PORTS
