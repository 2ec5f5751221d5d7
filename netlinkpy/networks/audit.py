"""What of a network is not as it was made: its alternative names say how that was, the kernel how it is now.

Others may change all of it at any time: a reload of the host's firewall (`nft flush ruleset`) empties the
packet filter, `sysctl` turns forwarding off, `ip` takes an address away. Nothing here changes anything
(reconcile.py does). That the bridge was renamed is no difference: everything knows it by its index."""

from __future__ import annotations

from ..nat.forwarding import turned_off
from ..record import Record
from ..rtnl.values import format_mac, parse_ip, parse_mac, parse_prefix
from .altnames import MadeAs
from .boundary import needed, ours, sentence
from .bridge_setup import bridge_addresses
from .firewall import nat_network
from .lookup import list_network_links

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from ..nat import Nat, Port, TableState
    from ..rtnl.address import Address
    from ..rtnl.link import Link
    from ..rtnl.netlink import RTNetlink
    from .network_record import NetworkRecord


class Difference(Record):
    """One thing that is not as it was made. text: a sentence; cuts: it is the bridge's, and cuts its
    containers off: no verb but a reload mends it, for somebody may have meant it."""

    text: str
    cuts: bool = False

    def __str__(self) -> str:
        return self.text


class Audit:
    """All networks of a host, and what the kernel has for them, looked at once."""

    def __init__(self, host: RTNetlink, nat: Nat) -> None:
        self._networks = {link.index: (link, network) for link, network in list_network_links(host)}
        self._state = nat.look()
        self._lost, self._orphans = nat.compare_ports()
        self._rules = ours(host)
        self._addresses: dict[int, list[Address]] = {}
        for address in host.addresses.list() if self._networks else ():
            self._addresses.setdefault(address.index, []).append(address)
        self._off: dict[int, list[str]] = {}  # by the size of the addresses of an IP version
        for size in (4, 16):
            links = [link for link, network in self._networks.values() if size in _forwarded(network)]
            self._off[size] = turned_off(host, links, [4 if size == 4 else 6]) if links else []

    def found(self) -> list[tuple[NetworkRecord, list[Difference]]]:
        """Return the networks by name, each with all that is not as it was made."""
        return [(network, self._of(link, network)) for link, network in self._networks.values()]

    def of(self, network: NetworkRecord) -> list[Difference]:
        """Return what is not as a network was made."""
        return self._of(*self._networks[network.index])

    def _of(self, link: Link, network: NetworkRecord) -> list[Difference]:
        found = of_bridge(link, self._addresses.get(link.index, ()))
        found += of_filter(self._state, network)
        found += [
            Difference(f"the routing rule is gone: {sentence(rule)}")
            for rule in needed(network)
            if rule not in self._rules
        ]
        bridges = [f".conf.{one.name}." for one, _ in self._networks.values() if one.index != link.index]
        off = [name for size in _forwarded(network) for name in self._off[size]]
        found += [
            Difference(f"{name} is 0: packets are not forwarded there")
            for name in off
            if not any(bridge in name for bridge in bridges)
        ]
        found += [
            Difference(f"published port {port} is not in the packet filter")
            for port in _within(network, self._lost)
        ]
        return found + [
            Difference(f"published port {port} leads to {port.address}, which no container has")
            for port in _within(network, self._orphans)
        ]


def of_bridge(link: Link, addresses: Iterable[Address]) -> list[Difference]:
    """Return how the bridge of a network differs from what it was made with. addresses: the bridge's."""
    made = MadeAs.read(link.altnames)
    if made is None:
        return []
    there = {parse_prefix(address.cidr) for address in addresses}
    texts = cut_off(link.name, link.up, parse_mac(link.address), there, made)
    found = [Difference(text, cuts=True) for text in texts]
    snoops = bool(link.data.get("mcast_snooping"))
    if snoops != ("mcast-snooping" in made.words):
        word = "on" if snoops else "off"
        found.append(Difference(f"multicast snooping of bridge {link.name} is {word}, it was made otherwise"))
    return found


def cut_off(
    bridge: str, up: bool, mac: bytes, addresses: Collection[tuple[bytes, int]], made: MadeAs
) -> list[str]:
    """Return, in sentences, what cuts the containers of a bridge off. bridge: its name; mac, addresses (with
    prefix lengths): what it has; made: what it was made with."""
    found = []
    if not up:
        found.append(f"bridge {bridge} is down")
    if made.mac and mac != parse_mac(made.mac):
        found.append(f"bridge {bridge} has the MAC {format_mac(mac)}, it was made with {made.mac}")
    return found + [
        f"bridge {bridge} has lost its address {cidr}"
        for cidr in bridge_addresses(made.gateways)
        if parse_prefix(cidr) not in addresses
    ]


def of_filter(state: TableState, network: NetworkRecord) -> list[Difference]:
    """Return how the packet filter differs from what a network needs."""
    served = {one.index: one for one in state.networks}.get(network.index)
    if served is None:
        return [Difference("the packet filter does not know the network: another program emptied it")]
    found = []
    if not state.intact:
        found.append(Difference("chains or rules of the table inet netlinkpy are missing"))
    if served != nat_network(network):
        found.append(Difference("the packet filter serves the network otherwise than it was made"))
    return found


def _forwarded(network: NetworkRecord) -> set[int]:
    """Return the sizes of the addresses that a network has packets forwarded for."""
    return set() if network.internal else {len(subnet.packed[0]) for subnet in network.subnets}


def _within(network: NetworkRecord, ports: Iterable[Port]) -> list[Port]:
    return [port for port in ports if network.subnet_of(parse_ip(port.address)) is not None]
