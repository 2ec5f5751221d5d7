"""The packet filter (nat/) of networks: serve a new network, withdraw a removed one and the ports of
containers that are gone."""

from __future__ import annotations

from ..nat import Nat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..rtnl.netlink import RTNetlink


def serve(
    host: RTNetlink, bridge: str, subnets: Iterable[str], internal: bool, isolate: bool, masquerade: bool
) -> list[str]:
    """Let the packet filter serve a network whose bridge exists. Return, in sentences, what else was changed
    on the host, and whose rules block the network."""
    with Nat() as nat:
        drop_stale(host, nat)
        changed = nat.add_network(bridge, subnets, internal=internal, isolate=isolate, masquerade=masquerade)
        settings = [one for one in changed if f".conf.{bridge}." not in one.name]  # the bridge is ours
        drops = [] if internal else nat.foreign_drops([bridge])
    return [str(one) for one in (*settings, *drops)]


def withdraw_networks(indices: Iterable[int]) -> None:
    """Withdraw networks, by their bridges' indices, and the ports published for their addresses, from the
    packet filter."""
    with Nat() as nat:
        for index in indices:
            nat.remove_network(index)


def withdraw_ports(addresses: Iterable[str], timeout: float = 10.0) -> None:
    """Withdraw the ports still published for the previous owners of these addresses."""
    with Nat(timeout=timeout) as nat:
        nat.forget(addresses)


def drop_stale(host: RTNetlink, nat: Nat) -> None:
    """Withdraw networks whose bridge somebody else removed."""
    # A bridge is made before the filter knows its network, and removed after: so a known network without a
    # bridge is gone.
    for network in nat.networks():
        if not network.bridge:
            nat.remove_network(network.index)


def drop_unclaimed(host: RTNetlink) -> None:
    """Withdraw networks without a bridge, and the ports of containers that are gone."""
    with Nat() as nat:
        drop_stale(host, nat)
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
