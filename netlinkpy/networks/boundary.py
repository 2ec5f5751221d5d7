"""The boundary of an internal network: routing rules that close it beside the packet filter, and that no
flush of the firewall takes away.

    32: from all iif BRIDGE prohibit             what comes from it goes nowhere but to the host itself
    33: from all to SUBNET iif lo lookup main    the host itself reaches it,
    34: from all to SUBNET prohibit              and nobody else

(What is for the host's own addresses is found by rule 0, in the table local.) Both families have the first,
so IPv6 is closed on a network without an IPv6 subnet too. A rule names its bridge, so after a renaming it is
laid anew. The number of its protocol says that it is ours."""

from __future__ import annotations

import errno
from _socket import AF_INET, AF_INET6

from ..wire.errors import NetlinkError
from .lookup import list_networks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..rtnl.netlink import RTNetlink
    from ..rtnl.rule import RuleOptions
    from .network_record import NetworkRecord

PROTOCOL = 78  # RTPROT_: nobody's in linux/rtnetlink.h, nor in iproute2's and FRR's lists
_FROM_BRIDGE, _FROM_HOST, _TO_SUBNET = 32, 33, 34  # priorities: below any that people use


def lacking(host: RTNetlink, network: NetworkRecord) -> list[RuleOptions]:
    """Return the rules that a network needs and has not; none if it is not internal."""
    wanted = needed(network)
    there = ours(host) if wanted else []
    return [rule for rule in wanted if rule not in there]


def sentence(rule: RuleOptions) -> str:
    """Return a rule as `ip rule` shows it."""
    words = [f"from all to {rule['destination']}" if rule["destination"] else "from all"]
    words += [f"iif {rule['iif']}"] if rule["iif"] else []
    words.append("lookup main" if rule["action"] == "lookup" else rule["action"])
    six = "-6 " if rule["family"] == AF_INET6 else ""
    return f"{six}rule {rule['priority']}: {' '.join(words)}"


def lay(host: RTNetlink, network: NetworkRecord) -> None:
    """Lay the rules that a network lacks. A family that the kernel has no rules for is passed
    over."""
    for rule in lacking(host, network):
        try:
            host.rules.add(**rule)
        except NetlinkError as error:
            if error.errno not in (errno.EEXIST, errno.EAFNOSUPPORT, errno.EOPNOTSUPP):
                raise


def drop(host: RTNetlink, network: NetworkRecord) -> None:
    """Drop the rules of a network; those that are gone are passed over."""
    for rule in needed(network):
        _delete(host, rule)


def drop_stale(host: RTNetlink) -> None:
    """Drop the rules of ours that no network needs."""
    there = ours(host)  # before the networks: a bridge bears a network's names before its rules are laid
    if there:
        networks = list_networks(host, unfinished=True)
        wanted = [rule for network in networks for rule in needed(network)]
        for rule in there:
            if rule not in wanted:
                _delete(host, rule)


def needed(network: NetworkRecord) -> list[RuleOptions]:
    """Return the rules that a network needs; none if it is not internal."""
    if not network.internal:
        return []
    found = [_rule(family, _FROM_BRIDGE, iif=network.bridge) for family in (AF_INET, AF_INET6)]
    for subnet in (one.subnet for one in network.subnets):
        family = AF_INET6 if ":" in subnet else AF_INET
        found.append(_rule(family, _FROM_HOST, "lookup", destination=subnet, iif="lo"))
        found.append(_rule(family, _TO_SUBNET, destination=subnet))
    return found


def _rule(
    family: int, priority: int, action: str = "prohibit", destination: str = "", iif: str = ""
) -> RuleOptions:
    return {
        "family": family,
        "priority": priority,
        "action": action,
        "destination": destination,
        "iif": iif,
        "protocol": PROTOCOL,
    }


def ours(host: RTNetlink) -> list[RuleOptions]:
    """Return the rules of ours that there are."""
    return [
        _rule(one.family, one.priority, one.action, one.destination, one.iif)
        for one in host.rules.list()
        if one.protocol == PROTOCOL
    ]


def _delete(host: RTNetlink, rule: RuleOptions) -> None:
    try:
        host.rules.delete(**rule)
    except NetlinkError as error:
        if error.errno not in (errno.ENOENT, errno.EAFNOSUPPORT, errno.EOPNOTSUPP):
            raise
