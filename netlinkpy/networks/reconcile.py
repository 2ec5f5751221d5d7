"""Put back what others took from networks: reload() all of it, receive() what new containers rely on.

A verb puts the packet filter, forwarding and published ports back by itself, and tells. A bridge that is
down, without its address or with another MAC it refuses (attaching.py): somebody may have meant that."""

from __future__ import annotations

from ..nat.forwarding import Ways
from .announce_mark import announces
from .audit import of_bridge, of_filter
from .bridge_setup import configure
from .firewall import drop_stale, nat_network, serve
from .lookup import find_network_link, list_network_links, read_network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..nat import Nat
    from ..rtnl.link import Link
    from ..rtnl.netlink import RTNetlink
    from .network_record import NetworkRecord

    Found = tuple[Link, NetworkRecord]


def reload(host: RTNetlink, nat: Nat, name: str) -> list[str]:
    """Make a network again what it was made as, published ports included; return, in sentences, what was put
    back, and what still stands in its way. Containers keep their links.

    Raise NetlinkError if there is no such network (ENOENT), OSError if something cannot be put back; what was
    put back until then stays."""
    link, network = find_network_link(host, name)
    notes = [str(one) for one in of_bridge(link, host.addresses.list(dev=link.index))]
    snooping = int(network.mcast_snooping)
    host.links.set(link.index, kind="bridge", address=network.mac, mcast_snooping=snooping)
    configure(host, link.index, [subnet.cidr for subnet in network.subnets])
    notes += put_back(host, nat, [(link, network)])
    host.links.set(link.index, up=True)
    if not network.internal:
        notes += [str(one) for one in nat.foreign_drops([link.name])]
    return notes


def put_back(host: RTNetlink, nat: Nat, found: Iterable[Found]) -> list[str]:
    """Put back what the packet filter and forwarding lack for networks, and the ports published for all;
    return it in sentences."""
    notes: list[str] = []
    state = nat.look()
    for _, network in found:
        lacking = of_filter(state, network)
        notes += [f"network {network.name}: {one}; put back" for one in lacking]
        if lacking:
            serve(nat, network)
    notes += [str(one) for one in nat.forward()]
    back, out = nat.restore_ports()
    notes += [f"published port {port} was gone from the packet filter; put back" for port in back]
    notes += [f"published port {port} is not put back: another has its place" for port in out]
    nat.sweep()
    return notes


def put_all_back(host: RTNetlink, nat: Nat) -> list[str]:
    """put_back() for every network of the host; what the packet filter holds for those that are gone goes."""
    drop_stale(nat)
    return put_back(host, nat, list_network_links(host))


def receive(
    host: RTNetlink, nat: Nat, index: int, addresses: Iterable[str], differs: bool
) -> tuple[bool, list[str]]:
    """Make a network ready for containers that own their addresses since now: withdraw the ports that still
    lead to these, and put back what the packet filter and forwarding lack. Return whether the containers must
    announce their addresses (announce_mark.py), and in sentences what was put back.

    index: the network's bridge; differs: one has a MAC that does not follow from its address."""
    ways = Ways(host, index)
    link = ways.bridge
    network = None if link is None else read_network(link)
    if link is None or network is None:  # it is gone, or a network no more
        nat.forget(addresses)
        return False, []
    served = nat.receive(nat_network(network), addresses)
    versions = {4 if len(subnet.packed[0]) == 4 else 6 for subnet in network.subnets}
    stands = served and (network.internal or all(map(ways.forward, versions)))
    notes = [] if stands else put_all_back(host, nat)
    return announces(host, link, differs), notes
