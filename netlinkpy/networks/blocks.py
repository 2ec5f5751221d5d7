"""What other firewalls keep from a network: chains that drop its packets, and rules that nobody can look at.

Nothing here changes anything: their tables belong to the administrator."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..nat import Nat
    from .network_record import NetworkRecord

_LEGACY = {4: ("iptables-legacy", "ip_tables_names"), 6: ("ip6tables-legacy", "ip6_tables_names")}


def blocks(nat: Nat, network: NetworkRecord) -> list[str]:
    """Return, in sentences, what blocks a network that is served, or may do so."""
    found = [str(one) for one in nat.foreign_drops([network.bridge])]
    if network.internal:
        return found
    versions = {4 if len(subnet.packed[0]) == 4 else 6 for subnet in network.subnets}
    return found + [
        f"{program} has a table filter here, which is not looked at: "
        f"`{program} -S FORWARD` shows what it drops"
        for version, (program, names) in _LEGACY.items()
        if version in versions and _has_filter(names)
    ]


def _has_filter(names: str) -> bool:
    """Return whether iptables-legacy, or an older iptables, has used its table `filter` in the caller's
    namespace. names: the file that lists its tables."""
    try:
        with open(f"/proc/thread-self/net/{names}") as file:
            return "filter" in file.read().split()
    except OSError:  # the kernel has no such tables, or they are not for us to see
        return False
