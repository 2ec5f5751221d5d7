"""Networks in the packet filter (nat/): serve one, withdraw those that are removed, and what leads to
containers that are gone."""

from __future__ import annotations

import errno

from ..nat import Nat, NatNetwork
from ..wire.errors import NetlinkError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..nat import Setting
    from .network_record import NetworkRecord


def nat_network(network: NetworkRecord) -> NatNetwork:
    """Return a network as the packet filter must know it."""
    return NatNetwork.checked(
        network.index,
        [subnet.subnet for subnet in network.subnets],
        internal=network.internal,
        isolate=network.isolate,
        masquerade=network.masquerade,
    )


def serve(nat: Nat, network: NetworkRecord) -> list[Setting]:
    """Let the packet filter serve a network whose bridge exists. Return the settings that were changed.

    Raise NetlinkError (EADDRINUSE) if another network has its subnets."""
    wanted = nat_network(network)
    try:
        return nat.add_network(
            network.index,
            wanted.subnets,
            internal=wanted.internal,
            isolate=wanted.isolate,
            masquerade=wanted.masquerade,
        )
    except ValueError as error:
        verb = f"serve network {network.name}"
        raise NetlinkError(errno.EADDRINUSE, verb, text=str(error)) from None


def withdraw_networks(indices: Iterable[int]) -> None:
    """Withdraw networks, by their bridges' indices, and the ports published for their addresses, from the
    packet filter."""
    with Nat() as nat:
        for index in indices:
            nat.remove_network(index)


def drop_stale(nat: Nat) -> None:
    """Withdraw networks whose bridge somebody else removed."""
    # A bridge is made before the filter knows its network, and removed after: so a known network without a
    # bridge is gone.
    for network in nat.networks():
        if not network.bridge:
            nat.remove_network(network.index)
