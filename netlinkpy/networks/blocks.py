"""What other firewalls keep from a network: chains that drop its packets, and rules that nobody can look at.

Nothing here changes anything: their tables belong to the administrator."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..nat import Nat
    from .network_record import NetworkRecord

_LEGACY = {4: ("iptables-legacy", "ip_tables_names"), 6: ("ip6tables-legacy", "ip6_tables_names")}


def blocks(nat: Nat, network: NetworkRecord) -> list[str]:
    """Return, in sentences, what blocks a network that is served, or may do so."""
    return blocks_of(nat, [network])[network.name]


def blocks_of(nat: Nat, networks: Iterable[NetworkRecord]) -> dict[str, list[str]]:
    """Return blocks() of many networks, by their names: all chains are read once."""
    wanted = list(networks)
    drops = nat.foreign_drops_by_bridge([one.bridge for one in wanted])
    unseen = {version: program for version, (program, names) in _LEGACY.items() if _has_filter(names)}
    found = {one.name: [str(drop) for drop in drops[one.bridge]] for one in wanted}
    for one in wanted:
        versions = {4 if len(subnet.packed[0]) == 4 else 6 for subnet in one.subnets}
        for version in sorted(versions.intersection(() if one.internal else unseen)):
            program = unseen[version]
            found[one.name].append(
                f"{program} has a table filter here, which is not looked at: "
                f"`{program} -S FORWARD` shows what it drops"
            )
    return found


def _has_filter(names: str) -> bool:
    """Return whether iptables-legacy, or an older iptables, has used its table `filter` in the caller's
    namespace. names: the file that lists its tables."""
    try:
        with open(f"/proc/thread-self/net/{names}") as file:
            return "filter" in file.read().split()
    except OSError:  # the kernel has no such tables, or they are not for us to see
        return False
