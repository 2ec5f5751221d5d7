"""Forward chains of other firewalls that drop or reject our packets, and the rules that would let them pass.

A packet passes only if every chain of the hook accepts it: an accept in our table does not count in
another's. Other tables belong to the administrator; so we report them and never change them."""

from __future__ import annotations

import os
from sys import byteorder

from ..record import Record
from ..uapi.if_ import IFNAMSIZ
from ..uapi.netfilter import NF_ACCEPT, NF_DROP, NF_INET_FORWARD, NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6
from ..uapi.nf_conntrack_common import IPS_DST_NAT
from ..uapi.nf_tables import (
    NFT_CMP_EQ,
    NFT_CMP_NEQ,
    NFT_CONTINUE,
    NFT_CT_STATE,
    NFT_CT_STATUS,
    NFT_GOTO,
    NFT_JUMP,
    NFT_LOOKUP_F_INV,
    NFT_META_IIFNAME,
    NFT_META_OIFNAME,
    NFT_REG_VERDICT,
    NFT_RETURN,
)
from ..wire.errors import NetlinkError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ..nft.tables import Nftables
    from ..wire.attributes import Values

_FAMILIES = {NFPROTO_INET: "inet", NFPROTO_IPV4: "ip", NFPROTO_IPV6: "ip6"}
_HARMLESS = ("counter", "log")  # expressions that decide nothing
_NEW = 8  # NF_CT_STATE_BIT(IP_CT_NEW), linux/netfilter/nf_conntrack_common.h
_DEEPEST = 16  # NFT_JUMP_STACK_SIZE: no rule set has deeper jumps
_IPTABLES = {NFPROTO_IPV4: "iptables", NFPROTO_IPV6: "ip6tables"}


class ForeignDrop(Record):
    """A chain of another firewall that drops or rejects what is forwarded and not accepted there: family as
    nft writes it, table and chain; commands: what would let the traffic of our networks pass, as one types
    it."""

    family: str
    table: str
    chain: str
    commands: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"chain {self.chain} of table {self.family} {self.table} drops what it does not accept; "
            f"this would help: {'; '.join(self.commands)}"
        )


def foreign_drops(tables: Nftables, bridges: Iterable[str], own: tuple[int, str]) -> list[ForeignDrop]:
    """Return the chains of the forward hook, except those of our own table, that drop or reject a new
    connection from one of the bridges, or one to it by a published port.

    Each is followed rule by rule. What a rule asks besides (an address, a port, another interface) does not
    hold for all connections, so such a rule neither lets ours pass nor drops them. iptables-legacy is not
    seen: its rules are not nf_tables'."""
    ways = ((NFT_META_IIFNAME,), (NFT_META_OIFNAME,))
    return _drops(tables, list(bridges), lambda family, table: (family, table) != own, ways)


def bridged_drops(bridges: Iterable[str], *, timeout: float = 10.0) -> list[ForeignDrop]:
    """Return the chains that drop or reject a new connection between two ports of one of the bridges.

    Only where br_netfilter hands bridged packets to the forward hook, as its sysctls say (bridge(8)), which
    Docker loads it for. timeout: seconds for each request. Raise NetlinkError if the kernel refuses."""
    versions = {NFPROTO_IPV4: "bridge-nf-call-iptables", NFPROTO_IPV6: "bridge-nf-call-ip6tables"}
    handed = {version for version, name in versions.items() if _is_on(f"/proc/sys/net/bridge/{name}")}
    if not handed:
        return []
    from ..nft.tables import Nftables

    with Nftables(timeout=timeout) as tables:

        def read() -> list[ForeignDrop]:
            ways = ((NFT_META_IIFNAME, NFT_META_OIFNAME),)
            return _drops(tables, list(bridges), lambda family, _: family in {*handed, NFPROTO_INET}, ways)

        return tables.consistent(read, verb="look for chains that drop")


def _is_on(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(2)[:1] != b"0"
    except OSError:  # br_netfilter is not there
        return False


def _drops(
    tables: Nftables,
    names: list[str],
    concerns: Callable[[int, str], bool],
    ways: tuple[tuple[int, ...], ...],
) -> list[ForeignDrop]:
    """ways: at which ends the bridge is, for each packet that is followed (NFT_META_)."""
    chains = tables.chains() if names else []
    found = []
    for chain in chains:
        family, table = chain["nfgen_family"], chain["table"]
        if family not in _FAMILIES or not _filters_forwarded(chain) or not concerns(family, table):
            continue
        rules: dict[str, list[Values]] = {}
        for rule in tables.rules(family, table):
            rules.setdefault(rule["chain"], []).append(rule)
        users = {one["name"] for one in chains if (one["nfgen_family"], one["table"]) == (family, table)}
        commands = []
        for bridge in names:
            for ends in ways:
                verdict = _Walk(tables, family, table, rules, ends, bridge).verdict_of(chain["name"])
                if (chain.get("policy", NF_ACCEPT) if verdict is None else verdict) == NF_DROP:
                    commands += _cures(family, table, chain["name"], users, ends[0], bridge)
        if commands:
            found.append(ForeignDrop(_FAMILIES[family], table, chain["name"], tuple(dict.fromkeys(commands))))
    return found


def _filters_forwarded(chain: Values) -> bool:
    return chain.get("hook", {}).get("hooknum") == NF_INET_FORWARD and chain.get("type") == "filter"


class _Walk:
    """The way of the first packet of a connection through the chains of one table.

    ends: NFT_META_IIFNAME if it comes from the bridge, NFT_META_OIFNAME if it goes there, by DNAT, or both.
    Registers hold bytes, or None for what differs from connection to connection."""

    def __init__(
        self,
        tables: Nftables,
        family: int,
        table: str,
        rules: dict[str, list[Values]],
        ends: tuple[int, ...],
        bridge: str,
    ) -> None:
        self._tables, self._place, self._rules = tables, (family, table), rules
        status = IPS_DST_NAT if ends == (NFT_META_OIFNAME,) else 0
        self._meta = dict.fromkeys(ends, os.fsencode(bridge).ljust(IFNAMSIZ, b"\0"))
        self._ct = {NFT_CT_STATE: _NEW.to_bytes(4, byteorder), NFT_CT_STATUS: status.to_bytes(4, byteorder)}
        self._known: dict[str, int | None] = {}

    def verdict_of(self, chain: str, depth: int = 0) -> int | None:
        """Return NF_ACCEPT or NF_DROP, None if it comes to the end of the chain."""
        if depth > _DEEPEST:
            return None
        if chain not in self._known:
            self._known[chain] = self._follow(chain, depth)
        return self._known[chain]

    def _follow(self, chain: str, depth: int) -> int | None:
        for rule in self._rules.get(chain, ()):
            verdict = self._apply(rule)
            code = verdict.get("code", NFT_CONTINUE)
            if code in (NF_DROP, NF_ACCEPT):
                return int(code)
            if code == NFT_RETURN:
                return None
            if code in (NFT_JUMP, NFT_GOTO):
                inner = self.verdict_of(verdict.get("chain", ""), depth + 1)
                if inner is not None or code == NFT_GOTO:
                    return inner
        return None

    def _apply(self, rule: Values) -> Values:
        """Return the verdict of one rule, {} if the packet goes on to the next."""
        registers: dict[int, bytes | None] = {}
        for one in rule.get("expressions", {}).get("elem", []):
            name, data = one["name"], one.get("data", {})  # bytes, where we do not know the expression
            if name in _HARMLESS:
                continue
            if name == "reject" or (name == "target" and b"REJECT" in data):
                return {"code": NF_DROP}
            if name == "immediate" and data.get("dreg") == NFT_REG_VERDICT:
                verdict: Values = data["data"].get("verdict", {})
                return verdict
            if name in ("meta", "ct") and "dreg" in data:
                known = self._meta if name == "meta" else self._ct
                registers[data["dreg"]] = known.get(data["key"])
            elif name == "bitwise" and not data.get("op"):
                registers[data["dreg"]] = _mask(registers.get(data["sreg"]), data)
            elif not self._holds(name, data, registers):
                return {}
        return {}

    def _holds(self, name: str, data: Any, registers: dict[int, bytes | None]) -> bool:
        """Return whether a comparison holds for all connections."""
        held = registers.get(data.get("sreg", -1)) if isinstance(data, dict) else None
        if held is None:
            return False
        if name == "cmp" and data["op"] in (NFT_CMP_EQ, NFT_CMP_NEQ):
            value = data["data"]["value"]  # a name without its NUL stands for all that begin so
            return bool((held[: len(value)] == value) == (data["op"] == NFT_CMP_EQ))
        if name == "lookup" and "dreg" not in data:
            try:
                elements = self._tables.elements(*self._place, data["set"])
            except NetlinkError:  # it has just gone
                return False
            listed = any(held[: len(one.key)] == one.key for one in elements)
            return listed != bool(data.get("flags", 0) & NFT_LOOKUP_F_INV)
        return False


def _mask(held: bytes | None, data: Values) -> bytes | None:
    mask, xor = data["mask"]["value"], data["xor"]["value"]
    if held is None or not len(held) == len(mask) == len(xor):
        return None
    return bytes(one & keep ^ flip for one, keep, flip in zip(held, mask, xor, strict=True))


def _cures(family: int, table: str, chain: str, users: set[str], key: int, bridge: str) -> list[str]:
    """Return what helps, in the words of the firewall whose chain it is, so that its users recognize it.
    Docker keeps the chain DOCKER-USER for such rules, and calls it before all others."""
    incoming = key == NFT_META_IIFNAME
    if table == "firewalld":
        zone = f"--zone=trusted --add-interface={bridge}"
        return [f"firewall-cmd {zone}", f"firewall-cmd --permanent {zone}"]
    if any(name.startswith("ufw") for name in users):
        return [f"ufw route allow {'in' if incoming else 'out'} on {bridge}"]
    if family in _IPTABLES and (table, chain) == ("filter", "FORWARD"):
        place = "DOCKER-USER" if "DOCKER-USER" in users else chain
        return [f"{_IPTABLES[family]} -I {place} {'-i' if incoming else '-o'} {bridge} -j ACCEPT"]
    word = "iifname" if incoming else "oifname"
    return [f'nft insert rule {_FAMILIES[family]} {table} {chain} {word} "{bridge}" accept']
