"""`ip rule show`: which table a packet is looked up in."""

from __future__ import annotations

from _socket import AF_INET
from struct import unpack

from ...rtnl.values import format_ip
from ...uapi.fib_rules import (
    FIB_RULE_IIF_DETACHED,
    FIB_RULE_INVERT,
    FIB_RULE_OIF_DETACHED,
    FIB_RULE_UNRESOLVED,
    FR_ACT_GOTO,
    FR_ACT_NOP,
    FR_ACT_TO_TBL,
)
from ...uapi.rtnetlink import RTM_GETRULE
from ...wire.rtnetlink.rule import RULE
from ..names import GROUPS, IP_PROTOCOLS, PROTOCOLS, REALMS, TABLES
from .grammar import Words, c_number, matches, not_built, number, wrong
from .inet import Prefix, prefix
from .route_fields import BITS, dsfield, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...wire.attributes import Values
    from ..output import Field
    from .session import Session

UNSET = 0xFFFFFFFF  # suppress_prefixlength and suppress_ifgroup that do nothing
OWN_PROTOCOLS = (0, 2, 3)  # RTPROT_ unspec, kernel, boot: not shown


def show(session: Session, words: Words) -> None:
    """`ip rule show [ from PREFIX ] [ to PREFIX ] [ table TABLE ] [ priority NUMBER ] [ iif DEVICE ] ...`."""
    family = session.options.family or AF_INET
    equal: Values = {}
    prefixes: dict[str, Prefix] = {}
    while words:
        word = words.next()
        if matches(word, "from") or matches(word, "to"):
            prefixes["src" if matches(word, "from") else "dst"] = prefix(words.next(), family)
        elif matches(word, "table") or matches(word, "lookup"):
            equal["table"] = _table(words.next())
        elif matches(word, "preference") or matches(word, "order") or matches(word, "priority"):
            equal["priority"] = number(words.next(), "preference value is invalid\n")
        elif word in ("iif", "dev"):
            equal["iifname"] = words.next()
        elif word == "oif":
            equal["oifname"] = words.next()
        elif word in (
            "not",
            "tos",
            "dsfield",
            "fwmark",
            "uidrange",
            "tun_id",
            "vrf",
            "ipproto",
            "sport",
            "dport",
        ):
            raise not_built(f"rules found by {word}")
        else:
            prefixes["dst"] = prefix(word, family)
    found = session.socket.dump(RULE, RTM_GETRULE, {"family": family}, verb="list rules")
    out = session.output()
    for rule in found:
        table: int = rule["table_id"] if "table_id" in rule else rule["table"]
        members = {**rule, "table": table, "priority": rule.get("priority", 0)}
        if all(members.get(name) == value for name, value in equal.items()) and _within(rule, prefixes):
            out.record(_fields(session, rule, table))
    out.close()


def _within(rule: Values, prefixes: dict[str, Prefix]) -> bool:
    for name, wanted in prefixes.items():
        if wanted.length and (rule[f"{name}_len"] < wanted.length or not wanted.covers(rule.get(name, b""))):
            return False
    return True


def _table(word: str) -> int:
    table = TABLES.number(word)
    if table is None:
        table = c_number(word)
    if table is None or not 0 <= table <= UNSET:
        raise wrong(word, "table id value is invalid\n")
    return table


def _fields(session: Session, rule: Values, table: int) -> Iterator[Field]:
    numeric = session.options.numeric
    priority = rule.get("priority", 0)
    yield "priority", priority, f"{priority}:\t"
    if rule["flags"] & FIB_RULE_INVERT:
        yield "not", None, "not "
    if "src" in rule:
        yield from _prefix_fields(session, rule, "src", "from ")
    else:
        yield "src", "all", "from all"
    if "dst" in rule:
        yield from _prefix_fields(session, rule, "dst", " to ")
    if rule["tos"]:
        tos = dsfield(rule["tos"], numeric)
        yield "tos", tos, f" tos {tos}"
    yield from _mark_fields(rule)
    for name, bit in (("iif", FIB_RULE_IIF_DETACHED), ("oif", FIB_RULE_OIF_DETACHED)):
        if f"{name}name" in rule:
            device = rule[f"{name}name"]
            yield name, device, f" {name} {session.paint('ifname', device)}"
            if rule["flags"] & bit:
                yield f"{name}_detached", None, " [detached]"
    if "uid_range" in rule:
        first, last = unpack("=II", rule["uid_range"])
        yield "uid_start", first, f" uidrange {first}"
        yield "uid_end", last, f"-{last}"
    if "ip_proto" in rule:
        unknown = f"ipproto-{rule['ip_proto']}"
        name = unknown if numeric else IP_PROTOCOLS.get(rule["ip_proto"], unknown)
        yield "ipproto", name, f" ipproto {name}"
    for name in ("sport", "dport"):
        if f"{name}_range" in rule:
            yield from _port_fields(name, *unpack("=HH", rule[f"{name}_range"]))
    yield from _action_fields(rule, table, numeric)
    protocol = rule.get("protocol", 0)
    if protocol not in OWN_PROTOCOLS:
        name = str(protocol) if numeric else PROTOCOLS.name(protocol)
        yield "protocol", name, f" proto {name}"
    yield None, None, "\n"


def _prefix_fields(session: Session, rule: Values, name: str, before: str) -> Iterator[Field]:
    text, length = format_ip(rule[name]), rule[f"{name}_len"]
    colour = "inet" if rule["family"] == AF_INET else "inet6"
    yield name, text, before + session.paint(colour, text)
    if length != BITS[rule["family"]]:
        yield f"{name}len", length, f"/{length}"


def _mark_fields(rule: Values) -> Iterator[Field]:
    mark, mask = rule.get("fwmark", 0), rule.get("fwmask", 0)
    if not mark and not mask:
        return
    yield "fwmark", f"{mark:#x}", f" fwmark {mark:#x}"
    if mask and mask != UNSET:
        yield "fwmask", f"{mask:#x}", f"/{mask:#x}"


def _port_fields(name: str, first: int, last: int) -> Iterator[Field]:
    if first == last:
        yield name, first, f" {name} {first}"
        return
    yield f"{name}_start", first, f" {name} {first}"
    yield f"{name}_end", last, f"-{last}"


def _action_fields(rule: Values, table: int, numeric: bool) -> Iterator[Field]:
    if rule["action"] == FR_ACT_TO_TBL and table:
        name = str(table) if numeric else TABLES.name(table)
        yield "table", name, f" lookup {name}"
        length, group = rule.get("suppress_prefixlen", UNSET), rule.get("suppress_ifgroup", UNSET)
        if length != UNSET:
            yield "suppress_prefixlen", length, f" suppress_prefixlength {length}"
        if group != UNSET:
            yield "suppress_ifgroup", GROUPS.name(group), f" suppress_ifgroup {GROUPS.name(group)}"
    if rule.get("flow"):
        origin, to = rule["flow"] >> 16, REALMS.name(rule["flow"] & 0xFFFF)
        if origin:
            yield "flow_from", REALMS.name(origin), f" realms {REALMS.name(origin)}/"
        yield "flow_to", to, to if origin else f" realms {to}"
    if rule["action"] == FR_ACT_GOTO:
        goto = rule.get("goto", 0)
        yield "goto", goto, f" goto {goto}" if goto else " goto none"
        if rule["flags"] & FIB_RULE_UNRESOLVED:
            yield "unresolved", None, " [unresolved]"
    elif rule["action"] == FR_ACT_NOP:
        yield "nop", None, " nop"
    elif rule["action"] != FR_ACT_TO_TBL:
        name = type_name(rule["action"], numeric)
        yield "action", name, f" {name}"
