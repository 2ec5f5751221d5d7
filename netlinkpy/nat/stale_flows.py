"""Stale flows: the kernel keeps a tracked flow on the path of its first packet, so if ports come or go their
flows are forgotten."""

from __future__ import annotations

from ..rtnl.values import parse_ip
from .records import PROTOCOLS, protocol_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from ..nft.conntrack import Conntrack, Flow
    from .records import Port


def end_of_ports(conntrack: Conntrack, ports: Iterable[Port]) -> None:
    """Forget the flows that came by ports that are withdrawn."""
    ended = {
        (protocol_number(port.protocol), port.port, parse_ip(port.address), port.target) for port in ports
    }
    if not ended:
        return
    addresses = {address for _, _, address, _ in ended}

    def match(flow: Flow) -> bool:
        came_by = flow.protocol, flow.destination_port, flow.reply_source, flow.reply_source_port
        return came_by in ended

    alone = next(iter(addresses)) if len(addresses) == 1 else b""
    conntrack.purge(match, answered_by=alone, holding=addresses)


def end_of_addresses(conntrack: Conntrack, addresses: Collection[bytes]) -> None:
    """Forget all flows that these addresses began or answer."""

    def match(flow: Flow) -> bool:
        return flow.source in addresses or flow.reply_source in addresses

    conntrack.purge(match, holding=addresses)


def end_of_bypasses(
    conntrack: Conntrack, ports: Iterable[Port], own_addresses: Callable[[], Collection[bytes]]
) -> None:
    """Forget the UDP flows to the host itself at ports that were just published: a sender who continues would
    stay with the destination of the first packet (TCP connects again from another port)."""
    udp = {port.port for port in ports if port.protocol == "udp"}
    if not udp or not conntrack.count():
        return
    own = own_addresses()

    def match(flow: Flow) -> bool:
        if flow.protocol != PROTOCOLS["udp"] or flow.destination_port not in udp:
            return False
        to_the_host = flow.destination in own or (len(flow.destination) == 4 and flow.destination[0] == 127)
        return to_the_host and flow.reply_source == flow.destination

    conntrack.purge(match)
