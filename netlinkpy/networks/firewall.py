"""Rules: what the packet filter is told of a network when it comes and goes (nat/), and what is found there
of networks and containers that are gone."""

from __future__ import annotations

import errno

from ..nat import Nat
from ..wire.errors import NetlinkError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..rtnl.netlink import RTNetlink


def serve(
    host: RTNetlink, bridge: str, subnets: Iterable[str], internal: bool, isolate: bool, masquerade: bool
) -> list[str]:
    """Have the packet filter serve a network whose bridge is there. Gives, in sentences, what was changed on
    the host beside, and whose rules stand in the way."""
    with Nat() as nat:
        drop_stale(host, nat)
        settings = nat.add_network(bridge, subnets, internal=internal, isolate=isolate, masquerade=masquerade)
        drops = [] if internal else nat.foreign_drops([bridge])
    return [str(one) for one in (*settings, *drops)]


def withdraw(bridges: Iterable[str]) -> None:
    """Have the packet filter forget networks, and the ports published for their addresses."""
    with Nat() as nat:
        for bridge in bridges:
            nat.remove_network(bridge)


def drop_stale(host: RTNetlink, nat: Nat) -> None:
    """Withdraw networks whose bridge is gone, by somebody's hand."""
    # A bridge is there before the filter knows of it, and longer; so who is known and has none now is gone.
    for network in nat.networks():
        try:
            host.links.get(network.bridge)
        except NetlinkError as error:
            if error.errno != errno.ENODEV:
                raise
            nat.remove_network(network.bridge)


def drop_unclaimed(host: RTNetlink) -> None:
    """Withdraw what leads nowhere: networks whose bridge is gone, ports of containers that are gone."""
    with Nat() as nat:
        drop_stale(host, nat)
        forget_unclaimed(host, nat, {port.address for port in nat.ports()})


def forget_unclaimed(host: RTNetlink, nat: Nat, addresses: set[str]) -> bool:
    """Withdraw the ports that lead to those of the addresses that no container has any more; whether there
    was one."""
    if not addresses:
        return False
    # A container claims its address before a port is published for it.
    names = (name for link in host.links.list() for name in link.altnames)
    claimed = {name.split(":", 2)[2] for name in names if name.startswith("ip:")}
    return bool(nat.forget(addresses - claimed))
