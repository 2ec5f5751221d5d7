"""Leftovers: what dead calls left half made or half removed.

A bridge that is just being made or removed is in a staging group (wiring/link_group.py), whose number is free
again when the maker dies. remove() puts the bridge into one before it looks for ports, and attach() looks at
the bridge's group after it made its port: so at least one of two that meet sees the other."""

from __future__ import annotations

from time import monotonic, sleep

from ..nat import Nat
from ..wiring.link_group import StagingGroup, is_staging, regroup
from . import boundary
from .firewall import serve, withdraw_networks
from .lookup import read_network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..rtnl.link import Link
    from ..rtnl.netlink import RTNetlink
    from .network_record import NetworkRecord

_LOOK_EVERY = 0.005  # seconds between two looks at a bridge that is being removed


def is_leftover(link: Link) -> bool:
    """Return whether a link was left unfinished by a dead call."""
    if not is_staging(link.group):
        return False
    group = StagingGroup.of_dead(link.group)
    if group is None:
        return False
    group.close()
    return True


def clear_dead(host: RTNetlink) -> list[Link]:
    """Remove all that dead calls left unfinished; return what is gone."""
    links = [link for link in host.links.list() if is_staging(link.group)]
    foreign = {link.group for link in links if link.kind not in ("bridge", "veth")}  # we make no others
    links = [link for link in links if link.group not in foreign]
    dead = {group for group in {link.group for link in links} if clear_group(host, group)}
    cleared = [link for link in links if link.group in dead]
    return [link for link in cleared if link.kind != "bridge" or host.links.find(link.index) is None]


def clear_group(host: RTNetlink, number: int) -> bool:
    """Remove what a dead call left in its staging group; return False if that call is alive. A bridge that
    has ports was about to be removed: it is served again, and taken out of the group then."""
    group = StagingGroup.of_dead(number)
    if group is None:
        return False
    with group:
        bridges = [link for link in host.links.list(kind="bridge") if link.group == group.number]
        used = [link for link in bridges if host.links.list(master=link.index)]
        for link in used:
            network = read_network(link)
            if network is not None:
                serve_again(host, network)
        regroup(group.socket, [link.index for link in used], 0)
        unused = [link for link in bridges if link not in used]
        if unused:
            withdraw_networks(link.index for link in unused)
        for network in filter(None, map(read_network, unused)):
            boundary.drop(host, network)
        group.delete_members()
    return True


def serve_again(host: RTNetlink, network: NetworkRecord) -> None:
    """Have the packet filter serve a network that is not removed after all, and close its boundary; do
    nothing if it is gone. Raise NetlinkError (EADDRINUSE) if another has its subnets by now."""
    if host.links.find(network.index) is not None:
        with Nat() as nat:
            serve(nat, network)
        boundary.lay(host, network)


def parting(host: RTNetlink, index: int) -> str:
    """Return what happens to a network's bridge, now that we have a port on it; "" if it stays. Wait for a
    caller that is making it or removing it, who may or may not see our port."""
    deadline = monotonic() + host.socket.timeout
    while True:
        link = host.links.find(index)
        if link is None:
            return "was removed meanwhile"
        if not is_staging(link.group) or clear_group(host, link.group):
            return ""
        if monotonic() > deadline:
            return "is just being made or removed by another process"
        sleep(_LOOK_EVERY)
