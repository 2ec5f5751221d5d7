"""Routing rules: which table a packet is looked up in, or that it is refused: the record `Rule`, and its
verbs."""

from __future__ import annotations

import errno
from _socket import AF_INET, AF_INET6

from ..uapi.fib_rules import FR_ACT_BLACKHOLE, FR_ACT_PROHIBIT, FR_ACT_TO_TBL, FR_ACT_UNREACHABLE
from ..uapi.netlink import NLM_F_CREATE, NLM_F_EXCL
from ..uapi.rtnetlink import RTM_DELRULE, RTM_GETRULE, RTM_NEWRULE
from ..wire.errors import NetlinkError
from ..wire.rtnetlink.rule import RULE
from .kernel_record import KernelRecord
from .route import TABLES
from .values import check_family, check_ifname, check_number, format_ip, name_of, network, parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from typing import TypedDict, Unpack

    from ..wire.attributes import Values
    from .link import Link
    from .netlink import RTNetlink
    from .values import IPPrefix

    class RuleOptions(TypedDict, total=False):
        """The values of a rule that is added or deleted."""

        family: int
        priority: int
        action: str
        table: str | int
        source: IPPrefix
        destination: IPPrefix
        iif: str | Link
        oif: str | Link
        protocol: int


ACTIONS = {
    FR_ACT_TO_TBL: "lookup",
    FR_ACT_BLACKHOLE: "blackhole",
    FR_ACT_UNREACHABLE: "unreachable",
    FR_ACT_PROHIBIT: "prohibit",
}


class Rule(KernelRecord):
    """A routing rule as the kernel reports it (RTM_NEWRULE).

    family: AF_INET or AF_INET6; priority: rules are asked from the lowest on; action: "lookup" (in `table`),
    "prohibit", "unreachable", "blackhole", or another's number; source, destination: "10.0.0.0/8", empty for
    any; iif, oif: names of links, empty for any; protocol: who made it (RTPROT_); body: the message, in whose
    `attributes` all else is."""

    family: int
    priority: int
    action: str
    table: int
    source: str
    destination: str
    iif: str
    oif: str
    protocol: int
    body: bytes

    _message = RULE

    @classmethod
    def from_body(cls, body: bytes) -> Rule:
        """Return the record of one rule message without its nlmsghdr."""
        values = RULE.parse(body)
        number = values["action"]
        return cls.from_row(
            (
                values["family"],
                values.get("priority", 0),
                ACTIONS.get(number, str(number)),
                values.get("table_id", values["table"]),
                _prefix(values.get("src"), values["src_len"]),
                _prefix(values.get("dst"), values["dst_len"]),
                values.get("iifname", ""),
                values.get("oifname", ""),
                values.get("protocol", 0),
                body,
            )
        )


class Rules:
    """The routing rules of one namespace: `rt.rules`."""

    def __init__(self, rt: RTNetlink) -> None:
        self._socket = rt.socket

    def list(self, *, family: int = 0) -> builtins.list[Rule]:
        """Return all rules, or those of one family (AF_INET, AF_INET6), in the order they are asked. A family
        that the kernel has no rules for has none."""
        found = []
        for one in (check_family(family),) if family else (AF_INET, AF_INET6):
            try:
                replies = self._socket.dump_bodies(RULE, RTM_GETRULE, {"family": one}, verb="list rules")
            except NetlinkError as error:
                if error.errno not in (errno.EAFNOSUPPORT, errno.EOPNOTSUPP):
                    raise
                continue
            found += [rule for reply in replies if (rule := Rule.from_body(reply.body)).family == one]
        return found

    def add(self, **values: Unpack[RuleOptions]) -> None:
        """Add a rule. Its values are those of Rule; table: also by name ("main"); family: told by source or
        destination if it is not given. Raise NetlinkError (EEXIST) if just this rule is there, ValueError if
        the values make none."""
        verb = f"add rule {values.get('priority', 0)}"
        self._socket.request(RULE, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, _message(values), verb=verb)

    def delete(self, rule: Rule | None = None, **values: Unpack[RuleOptions]) -> None:
        """Delete a rule: one of list(), or the first that has the values given. Raise NetlinkError (ENOENT)
        if there is none."""
        if rule is not None:
            message, priority = rule.attributes, rule.priority
        else:
            message, priority = _message(values), values.get("priority", 0)
        self._socket.request(RULE, RTM_DELRULE, 0, message, verb=f"delete rule {priority}")


def _message(given: RuleOptions) -> Values:
    """Return the values of the message that says a rule."""
    family = given.get("family", 0)
    values: Values = {"priority": check_number(given.get("priority", 0), 0, 0xFFFFFFFF, "priority")}
    for name, text in (("src", given.get("source")), ("dst", given.get("destination"))):
        if text:
            packed, length = parse_prefix(text)
            own = AF_INET if len(packed) == 4 else AF_INET6
            if network(packed, length) != packed:
                raise ValueError(f"{text} has bits set behind its prefix length")
            if family not in (0, own):
                raise ValueError(f"{text} is not of the rule's family")
            family = own
            values |= {name: packed, f"{name}_len": length}
    if family not in (AF_INET, AF_INET6):
        raise ValueError("a rule has a family: AF_INET or AF_INET6")
    action = given.get("action", "lookup")
    numbers = {word: number for number, word in ACTIONS.items()}
    if action not in numbers:
        raise ValueError(f"action is one of {', '.join(numbers)}, not {action!r}")
    values |= {"family": family, "action": numbers[action]}
    if action == "lookup":
        table = given.get("table", "main")
        number = TABLES.get(table) if isinstance(table, str) else table
        if number is None:
            raise ValueError(f"table {table!r} is unknown: a number, or one of {', '.join(TABLES)}")
        values["table_id"] = check_number(number, 1, 0xFFFFFFFF, "table")
    for name, ifname in (("iifname", given.get("iif")), ("oifname", given.get("oif"))):
        if ifname:
            values[name] = check_ifname(name_of(ifname))
    if given.get("protocol"):
        values["protocol"] = check_number(given["protocol"], 0, 255, "protocol")
    return values


def _prefix(packed: bytes | None, length: int) -> str:
    return "" if packed is None else f"{format_ip(packed)}/{length}"
