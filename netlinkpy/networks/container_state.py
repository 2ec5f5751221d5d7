"""ContainerState: what a container already has, with which its next interface must not conflict."""

from __future__ import annotations

from ..netns.handle import Netns
from ..record import Record
from ..rtnl.netlink import RTNetlink
from ..rtnl.values import BITS
from ..uapi.rtnetlink import RT_TABLE_MAIN
from ..wiring.existing import host_end
from ..wiring.link_group import is_staging

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..netns.handle import Target


class ContainerState(Record):
    """What a container has already.

    free_ifname: the first ethN that no interface has (one that a dead call left unfinished counts as free:
    attach() removes it); default_families: the lengths in bytes of the addresses of the families that have a
    default route; wired: by the names of the host's bridges that it is wired to, the interface."""

    free_ifname: str
    default_families: tuple[int, ...]
    wired: dict[str, str]


def look_inside(netns: Target) -> ContainerState:
    """Look at the interfaces and routes of a container. Raise OSError if it cannot be entered."""
    taken: set[str] = set()
    unfinished: set[int] = set()
    masters: dict[int, str] = {}
    with Netns.open(netns) as handle, RTNetlink(handle) as inside, RTNetlink() as host:
        for link in inside.links.list():
            outer = host_end(link, inside, host) if link.kind == "veth" else None
            if outer is not None and is_staging(outer.group):
                unfinished.add(link.index)
                continue
            taken.add(link.name)
            if outer is not None and outer.master:
                masters.setdefault(outer.master, link.name)
        wired = {host.links.get(master).name: ifname for master, ifname in masters.items()}
        routes = [route for route in inside.routes.list(table=None) if route.table == RT_TABLE_MAIN]
    families = {
        BITS[route.family] // 8
        for route in routes
        if route.destination == "default" and route.index not in unfinished
    }
    number = 0
    while f"eth{number}" in taken:
        number += 1
    return ContainerState(f"eth{number}", tuple(sorted(families)), wired)
