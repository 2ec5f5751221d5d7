"""The interfaces in a container that are wired to the host."""

from __future__ import annotations

from ..rtnl.address import Address
from ..rtnl.netlink import RTNetlink
from ..rtnl.values import format_ip
from ..uapi.rtnetlink import RT_SCOPE_LINK, RT_TABLE_MAIN, RTM_GETADDR, RTM_GETROUTE
from ..wire.rtnetlink.address import ADDRESS
from ..wire.rtnetlink.route import ROUTE
from .model import Interface

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..netns.handle import Netns
    from ..rtnl.link import Link

_SCOPE_AT = 3  # in struct ifaddrmsg, linux/if_addr.h
_LENGTH_AT = 1  # of the destination, in struct rtmsg


def wired(netns: Netns, host: Netns) -> list[tuple[int, Interface]]:
    """Return (index of the host's interface, the container's) for each wire to the host: a veth whose other
    end is there, or a macvlan that stands on a link there. Raise OSError if the container goes meanwhile."""
    with RTNetlink(netns) as inside:
        links = [link for link in inside.links.list() if link.link and link.link_nsid is not None]
        if not links:
            return []
        number = inside.nsids.get(host)
        links = [link for link in links if link.link_nsid == number]
        seen = interfaces(inside, links) if links else []
    return [(link.link or 0, interface) for link, interface in zip(links, seen, strict=True)]


def interfaces(rt: RTNetlink, links: Iterable[Link]) -> list[Interface]:
    """Return links with their addresses and default gateways."""
    addresses, gateways = _addresses(rt), _gateways(rt)
    return [
        Interface(
            index=link.index,
            name=link.name,
            kind=link.kind,
            up=link.up,
            mac=link.address,
            mtu=link.mtu,
            addresses=tuple(addresses.get(link.index, ())),
            gateways=tuple(gateways.get(link.index, ())),
        )
        for link in links
    ]


# One picture may look into a thousand containers, so it passes over unread what it does not show: an address
# by its scope, a route by the length of its destination, both in the fixed header.


def _addresses(rt: RTNetlink) -> dict[int, list[str]]:
    """Return the addresses that others reach, by interface."""
    found: dict[int, list[str]] = {}
    for reply in rt.socket.dump_bodies(ADDRESS, RTM_GETADDR, {}, verb="list addresses"):
        if reply.body[_SCOPE_AT] < RT_SCOPE_LINK:
            address = Address.from_body(reply.body)
            found.setdefault(address.index, []).append(address.cidr)
    return found


def _gateways(rt: RTNetlink) -> dict[int, list[str]]:
    """Return the gateways of the default routes, by interface."""
    found: dict[int, list[str]] = {}
    asked = {"table": RT_TABLE_MAIN}
    for reply in rt.socket.dump_bodies(ROUTE, RTM_GETROUTE, asked, verb="list routes"):
        if reply.body[_LENGTH_AT] == 0:
            route = ROUTE.parse(reply.body)
            for way in route.get("multipath") or [route]:
                gateway = way.get("gateway") or way.get("via", b"")[2:]
                index = way.get("oif") or way.get("rtnh_ifindex")
                if index:
                    found.setdefault(index, []).append(format_ip(gateway))
    return found
