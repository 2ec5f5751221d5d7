"""What exists already: the two ends of a container's interface, compared with the endpoint wanted.

EEXIST comes without a text, so we ask who holds the name: an identical, complete endpoint is no error, one
that a dead call left unfinished is removed, and anything else is reported to the caller."""

from __future__ import annotations

import errno
from _socket import AF_INET6

from ..netns.handle import Netns
from ..rtnl.claims import claim_name
from ..rtnl.netlink import RTNetlink
from ..rtnl.values import format_ip, format_mac
from ..uapi.if_bridge import PORT_STATES
from ..uapi.rtnetlink import RT_SCOPE_LINK
from ..wire.errors import NetlinkError, meaning
from .attachment import Attachment
from .link_group import StagingGroup, is_staging

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..netns.handle import Target
    from ..rtnl.link import Link
    from ..rtnl.route import Route
    from .bridge import Bridge
    from .endpoint import CheckedEndpoint
    from .row import Row

RT6_METRIC = 1024  # of an IPv6 route that was given none (IP6_RT_PRIO_USER, net/ip6_route.h)


def find(netns: Target, ifname: str) -> Attachment:
    """See Attachment.find()."""
    with Netns.open(netns) as handle, RTNetlink(handle) as inside, RTNetlink() as host:
        link = inside.links.get(ifname)
        host_link = host_end(link, inside, host)
        if host_link is None:
            raise NetlinkError(
                errno.EINVAL,
                f"find the host end of {ifname}",
                where=handle.label,
                text=f"{ifname} is not a veth whose other end is in this namespace",
            )
        return _attachment(handle.label, link, host_link, inside, host)


def find_all(netns: Target) -> list[Attachment]:
    """See Attachment.find_all()."""
    with Netns.open(netns) as handle, RTNetlink(handle) as inside, RTNetlink() as host:
        pairs = [(link, host_end(link, inside, host)) for link in inside.links.list(kind="veth")]
        return [
            _attachment(handle.label, link, host_link, inside, host)
            for link, host_link in pairs
            if host_link is not None and host_link.master and not is_staging(host_link.group)
        ]


def _attachment(label: str, link: Link, host_link: Link, inside: RTNetlink, host: RTNetlink) -> Attachment:
    addresses = [
        address for address in inside.addresses.list(dev=link.index) if address.scope < RT_SCOPE_LINK
    ]
    defaults = [route for route in inside.routes.list(dev=link.index) if route.destination == "default"]
    return Attachment(
        netns=label,
        bridge=host.links.get(host_link.master).name if host_link.master else "",
        ifname=link.name,
        index=link.index,
        mac=link.address,
        addresses=tuple(address.cidr for address in addresses),
        gateways=tuple(route.gateway for route in defaults),
        host_ifname=host_link.name,
        host_index=host_link.index,
        port=PORT_STATES[host_link.port["state"]] if "state" in host_link.port else "none",
        changed=False,
    )


def host_end(link: Link, inside: RTNetlink, host: RTNetlink) -> Link | None:
    """Return the host end of a container's end; None if it is not in the caller's namespace."""
    if link.kind != "veth" or link.peer is None or link.peer_nsid is None:
        return None
    with Netns.current() as here:
        if inside.nsids.get(here) != link.peer_nsid:
            return None
    try:
        return host.links.get(link.peer)
    except NetlinkError:
        return None  # it is being removed


class Conflicts:
    """Finds out what is in the way of endpoints whose create was refused with EEXIST."""

    def __init__(self, host: RTNetlink) -> None:
        self._host = host
        self._groups: dict[int, StagingGroup] = {}

    def resolve(
        self, row: Row, handle: Netns, wish: Callable[[Row, Attachment], CheckedEndpoint]
    ) -> Attachment | str | None:
        """Return the Attachment if all of it is there already; None if a leftover is in the way, which
        remove_leftovers() removes; otherwise a sentence that says why it is an error. wish(row, attachment)
        returns the endpoint with which an attachment is compared."""
        wanted = row.wanted
        with RTNetlink(handle) as inside:
            link = inside.links.find(wanted.ifname)
            if link is not None:
                host_link = host_end(link, inside, self._host)
                if host_link is None:
                    kind = link.kind or "no kind"
                    return f"the name {wanted.ifname} is taken in the container by link {link.index} ({kind})"
                verdict = self._leftover(host_link)
                if verdict is None or verdict:
                    return verdict
                found = _attachment(wanted.label, link, host_link, inside, self._host)
                wanted = wish(row, found)
                if why := _difference(wanted, link, host_link, inside, row.bridge):
                    return f"{wanted.ifname} is there already, but {why}"
                return found.replace(addresses=wanted.address_texts, gateways=wanted.gateway_texts)
        host_link = self._host.links.find(row.host_ifname)
        if host_link is not None:
            verdict = self._leftover(host_link)
            if verdict is None or verdict:
                return verdict
            kind = host_link.kind or "no kind"
            return f"the name {row.host_ifname} is taken on the host by link {host_link.index} ({kind})"
        return f"{wanted.ifname} or {row.host_ifname} was taken, and is free again: try once more"

    def resolve_claim(self, row: Row, packed: bytes, number: int) -> str | None:
        """Return None if the address whose claim was refused with errno `number` is held by a leftover or is
        free again; otherwise a sentence that names its holder."""
        if number != errno.EEXIST:
            return meaning(number)
        host_link = self._host.links.find(claim_name(row.bridge.index, packed))
        if host_link is None:
            return None  # free again
        verdict = self._leftover(host_link)
        if verdict is None or verdict:
            return verdict
        return f"address {format_ip(packed)} is taken on {row.bridge.name} by {host_link.name}"

    def _leftover(self, host_link: Link) -> str | None:
        """Return None if a host end is a leftover (and note its group), an empty string if it is finished,
        or a sentence if another process is making it. A bridge is none: whose removal of a network died left
        it there, perhaps with containers."""
        if host_link.kind != "veth" or not is_staging(host_link.group):
            return ""
        if host_link.group not in self._groups:
            group = StagingGroup.of_dead(host_link.group)
            if group is None:
                return f"another process is just attaching it (its host end {host_link.name} is not finished)"
            self._groups[host_link.group] = group
        return None

    def remove_leftovers(self) -> None:
        """Remove what dead calls left: their whole staging groups, whose numbers we hold now."""
        for group in self._groups.values():
            group.delete_members()
            group.close()
        self._groups.clear()

    def close(self) -> None:
        """Release the numbers of the staging groups."""
        for group in self._groups.values():
            group.close()
        self._groups.clear()


def _difference(
    wanted: CheckedEndpoint, link: Link, host_link: Link, inside: RTNetlink, bridge: Bridge
) -> str:
    """Return how a complete attachment differs from the endpoint, in words; empty if it does not."""
    if not (link.up and host_link.up):
        return "one of its ends is down"
    if host_link.master != bridge.index:
        return f"its host end {host_link.name} is no port of bridge {bridge.name}"
    if wanted.host_ifname is not None and host_link.name != wanted.host_ifname:
        return f"its host end is called {host_link.name}, not {wanted.host_ifname}"
    addresses = set(wanted.address_texts)
    found = [
        address.cidr
        for address in inside.addresses.list(dev=link.index)
        if address.scope < RT_SCOPE_LINK or address.cidr in addresses  # the kernel makes link-local ones
    ]
    if addresses != set(found):
        return f"its addresses are {', '.join(found) or 'none'}"
    if wanted.fixed_mac and link.address != format_mac(wanted.mac):  # which follows from the addresses
        return f"its MAC is {link.address}, not {format_mac(wanted.mac)}"
    if wanted.mtu is not None and link.mtu != wanted.mtu:
        return f"its MTU is {link.mtu}, not {wanted.mtu}"
    return _route_difference(wanted, inside.routes.list(dev=link.index))


def _route_difference(wanted: CheckedEndpoint, routes: list[Route]) -> str:
    defaults = [route for route in routes if route.destination == "default"]
    if set(wanted.gateway_texts) != {route.gateway for route in defaults}:
        return f"its default gateways are {', '.join(route.gateway for route in defaults) or 'none'}"
    for route in defaults:
        usual = RT6_METRIC if route.family == AF_INET6 else 0
        metric = usual if wanted.metric is None else wanted.metric
        if route.metric != metric:
            return f"the metric of its default route is {route.metric}, not {metric}"
    present = {(route.destination, route.gateway) for route in routes}
    for packed, length, via in wanted.routes:
        destination = f"{format_ip(packed)}/{length}" if length else "default"
        gateway = "" if via is None else format_ip(via)
        if (destination, gateway) not in present:
            return f"it has no route {destination}{f' via {gateway}' if gateway else ''}"
    return ""
