"""Put back what others took from networks: reload() all of it, receive() what new containers rely on.

A verb puts the packet filter, forwarding and published ports back by itself, and tells. A bridge that is
down, without its address or with another MAC it refuses (attaching.py): somebody may have meant that."""

from __future__ import annotations

from ..nat.forwarding import Ways
from . import boundary, firewall
from .announce_mark import announces
from .audit import of_bridge, of_filter
from .bridge_setup import configure
from .lookup import find_network_link, list_networks, read_network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..nat import Nat
    from ..rtnl.netlink import RTNetlink


def reload(host: RTNetlink, nat: Nat, name: str) -> list[str]:
    """Make a network again what it was made as, published ports included; return, in sentences, what was put
    back, there and for others. Containers keep their links.

    Raise NetlinkError if there is no such network (ENOENT), OSError if something cannot be put back; what was
    put back until then stays."""
    link, network = find_network_link(host, name)
    notes = [str(one) for one in of_bridge(link, host.addresses.list(dev=link.index))]
    snooping = int(network.mcast_snooping)
    host.links.set(link.index, kind="bridge", address=network.mac, mcast_snooping=snooping)
    why = configure(host, link.index, link.name, [subnet.cidr for subnet in network.subnets])
    notes += [f"bridge {link.name}: {why}"] if why else []
    notes += put_all_back(host, nat)
    host.links.set(link.index, up=True)
    return notes


def put_all_back(host: RTNetlink, nat: Nat) -> list[str]:
    """Put back what the packet filter, routing rules and forwarding lack for the networks of the host, and
    published ports; return it in sentences. What is there for networks and containers that are gone goes."""
    notes: list[str] = []
    firewall.drop_stale(nat)
    boundary.drop_stale(host)
    state = nat.look()
    for network in list_networks(host):
        lacking = of_filter(state, network)
        notes += [f"network {network.name}: {one}; put back" for one in lacking]
        if lacking:
            firewall.serve(nat, network)
        gone = boundary.lacking(host, network)
        notes += [f"network {network.name}: the {boundary.sentence(one)} was gone; put back" for one in gone]
        if gone:
            boundary.lay(host, network)
    notes += [str(one) for one in nat.forward()]
    back, out = nat.restore_ports()
    notes += [f"published port {port} was gone from the packet filter; put back" for port in back]
    notes += [f"published port {port} is not put back: another has its place" for port in out]
    nat.sweep()
    return notes


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
    served = nat.receive(firewall.nat_network(network), addresses)
    versions = {4 if len(subnet.packed[0]) == 4 else 6 for subnet in network.subnets}
    stands = served and not boundary.lacking(host, network)
    stands = stands and (network.internal or all(map(ways.forward, versions)))
    notes = [] if stands else put_all_back(host, nat)
    return announces(host, link, differs), notes
