"""What the packet filter (nat/) is told of a network when it comes and goes, and what is withdrawn there for
networks and containers that are gone."""

from __future__ import annotations

from ..nat import Nat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..rtnl.netlink import RTNetlink


def serve(
    host: RTNetlink, bridge: str, subnets: Iterable[str], internal: bool, isolate: bool, masquerade: bool
) -> list[str]:
    """Have the packet filter serve a network whose bridge is there. Return, in sentences, what was changed on
    the host besides, and whose rules stand in the way."""
    with Nat() as nat:
        drop_stale(host, nat)
        settings = nat.add_network(bridge, subnets, internal=internal, isolate=isolate, masquerade=masquerade)
        drops = [] if internal else nat.foreign_drops([bridge])
    return [str(one) for one in (*settings, *drops)]


def withdraw_networks(bridges: Iterable[str]) -> None:
    """Have the packet filter forget networks, and the ports published for their addresses."""
    with Nat() as nat:
        for bridge in bridges:
            nat.remove_network(bridge)


def withdraw_ports(addresses: Iterable[str], timeout: float = 10.0) -> None:
    """Withdraw the ports that are still published for those who had these addresses before."""
    with Nat(timeout=timeout) as nat:
        nat.forget(addresses)


def drop_stale(host: RTNetlink, nat: Nat) -> None:
    """Withdraw networks whose bridge somebody removed."""
    # A bridge is made before the filter knows of it, and removed after: so one that is known and has no
    # bridge now is gone.
    for network in nat.networks():
        if host.links.find(network.bridge) is None:
            nat.remove_network(network.bridge)


def drop_unclaimed(host: RTNetlink) -> None:
    """Withdraw what leads nowhere: networks without a bridge, ports of containers that are gone."""
    with Nat() as nat:
        drop_stale(host, nat)
        forget_unclaimed(host, nat, {port.address for port in nat.ports()})


def forget_unclaimed(host: RTNetlink, nat: Nat, addresses: set[str]) -> bool:
    """Withdraw the ports that lead to those of the addresses that no container has any more. Return whether
    there was one."""
    if not addresses:
        return False
    # A container claims its address before a port is published for it.
    names = (name for link in host.links.list() for name in link.altnames)
    claimed = {name.split(":", 2)[2] for name in names if name.startswith("ip:")}
    return bool(nat.forget(addresses - claimed))
