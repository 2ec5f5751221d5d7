"""The packet filter (nat/) of networks: serve a new network, withdraw a removed one and the ports of
containers that are gone."""

from __future__ import annotations

from ..nat import Nat
from ..rtnl.claims import claimed_address
from ..rtnl.values import parse_ip
from ..wiring.link_group import is_staging
from .altnames import name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..nat.records import NatNetwork
    from ..rtnl.link import Link
    from ..rtnl.netlink import RTNetlink


def serve(
    host: RTNetlink, bridge: str, subnets: Iterable[str], internal: bool, isolate: bool, masquerade: bool
) -> list[str]:
    """Let the packet filter serve a network whose bridge exists. Return, in sentences, what else was changed
    on the host, and whose rules block the network."""
    with Nat() as nat:
        follow_bridges(host, nat)
        settings = nat.add_network(bridge, subnets, internal=internal, isolate=isolate, masquerade=masquerade)
        drops = [] if internal else nat.foreign_drops([bridge])
    return [str(one) for one in (*settings, *drops)]


def withdraw_networks(host: RTNetlink, bridges: Iterable[str]) -> None:
    """Withdraw networks, and the ports published for their addresses, from the packet filter."""
    with Nat() as nat:
        follow_bridges(host, nat)
        for bridge in bridges:
            nat.remove_network(bridge)


def withdraw_ports(addresses: Iterable[str], timeout: float = 10.0) -> None:
    """Withdraw the ports still published for the previous owners of these addresses."""
    with Nat(timeout=timeout) as nat:
        nat.forget(addresses)


def follow_bridges(host: RTNetlink, nat: Nat) -> None:
    """Serve every network under the present name of its bridge, since rules go by names, and withdraw those
    whose bridge somebody else removed."""
    served = nat.networks()
    if not served:
        return
    # One that is just being made, and perhaps refused for its subnets, is in a staging group and down.
    links = [link for link in host.links.list(kind="bridge") if link.up or not is_staging(link.group)]
    bridges = [link for link in links if name_of(link.altnames)]
    renamed: dict[str, str] = {}
    for network in served:
        bridge = next((link.name for link in bridges if _is_of(link, network)), None)
        # A bridge is made before the filter knows its network, and removed after: so a known network without
        # a bridge is gone.
        if bridge is None and host.links.find(network.bridge) is None:
            nat.remove_network(network.bridge)
        elif bridge is not None and bridge != network.bridge:
            renamed[network.bridge] = bridge
    if renamed:
        nat.rename_networks(renamed)


def _is_of(bridge: Link, network: NatNetwork) -> bool:
    """Return whether a bridge claims an address of a network, as it does whatever its name is."""
    claimed = (claimed_address(altname, bridge.index) for altname in bridge.altnames)
    return any(text is not None and network.holds(parse_ip(text)) for text in claimed)


def drop_unclaimed(host: RTNetlink) -> None:
    """Withdraw networks without a bridge, and the ports of containers that are gone; serve a network whose
    bridge was renamed under its new name."""
    with Nat() as nat:
        follow_bridges(host, nat)
        forget_unclaimed(host, nat, {port.address for port in nat.ports()})


def forget_unclaimed(host: RTNetlink, nat: Nat, addresses: set[str]) -> bool:
    """Withdraw the ports that lead to those of the addresses that no container has any more. Return whether
    there were any."""
    if not addresses:
        return False
    # A container claims its address before a port is published for it.
    names = (name for link in host.links.list() for name in link.altnames)
    claimed = {name.split(":", 2)[2] for name in names if name.startswith("ip:")}
    return bool(nat.forget(addresses - claimed))
