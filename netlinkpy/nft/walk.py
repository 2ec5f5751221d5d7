"""Walk: the way of the first packet of a connection through the chains of one table, rule by rule.

Only a part of the packet is known. What else a rule asks (an address, a port) does not hold for all
connections, so such a rule neither accepts ours nor drops them."""

from __future__ import annotations

from sys import byteorder

from ..record import Record
from ..uapi.netfilter import NF_ACCEPT, NF_DROP
from ..uapi.nf_tables import (
    NFT_BITWISE_MASK_XOR,
    NFT_CMP_EQ,
    NFT_CMP_GT,
    NFT_CMP_GTE,
    NFT_CMP_LT,
    NFT_CMP_LTE,
    NFT_CMP_NEQ,
    NFT_CONTINUE,
    NFT_CT_STATUS,
    NFT_GOTO,
    NFT_JUMP,
    NFT_LOOKUP_F_INV,
    NFT_OBJECT_COUNTER,
    NFT_RANGE_EQ,
    NFT_REG32_00,
    NFT_REG_1,
    NFT_REG_VERDICT,
    NFT_RETURN,
)
from ..wire.errors import NetlinkError
from . import xt
from .contents import Contents, words_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..wire.attributes import Values
    from ..wire.netfilter.elements import Element
    from .contents import Words
    from .tables import Nftables

_HARMLESS = ("counter", "last", "log")  # expressions that decide nothing
_DEEPEST = 16  # NFT_JUMP_STACK_SIZE: no rule set has deeper jumps
_WORDS = 16  # of four bytes: NFT_REG32_COUNT
_LONGEST = 16  # bytes that one expression loads
_GO_ON = (NFT_CONTINUE, "")
_DROPPED = (NF_DROP, "")
_COMPARE = {
    NFT_CMP_EQ: bytes.__eq__,
    NFT_CMP_NEQ: bytes.__ne__,
    NFT_CMP_LT: bytes.__lt__,
    NFT_CMP_LTE: bytes.__le__,
    NFT_CMP_GT: bytes.__gt__,
    NFT_CMP_GTE: bytes.__ge__,
}


class Packet(Record):
    """What is known of a packet: meta and ct: what `meta` (NFT_META_) and `ct` (NFT_CT_) load, as in
    registers; bridged: it goes from port to port of one bridge."""

    meta: Mapping[int, bytes]
    ct: Mapping[int, bytes]
    bridged: bool = False


class Reader:
    """The chains and sets of one table, each read when it is first asked for."""

    def __init__(self, tables: Nftables, family: int, table: str) -> None:
        self._tables, self._place = tables, (family, table)
        self._rules: dict[str, list[Values]] = {}
        self._sets: dict[str, Values] = {}
        self._contents: dict[str, Contents] = {}

    def rules(self, chain: str) -> list[Values]:
        """Return the rules of a chain."""
        if chain not in self._rules:
            self._rules[chain] = self._tables.rules(*self._place, chain)
        return self._rules[chain]

    def description(self, set: str) -> Values:
        """Return what a set is. Raise NetlinkError if it has just gone."""
        if set not in self._sets:
            self._sets[set] = self._tables.set(*self._place, set)
        return self._sets[set]

    def contents(self, set: str) -> Contents:
        """Return what a set holds. Raise NetlinkError if it has just gone."""
        if set not in self._contents:
            elements = self._tables.elements(*self._place, set)
            self._contents[set] = Contents(self.description(set), elements)
        return self._contents[set]


class Walk:
    """The way of one packet."""

    def __init__(self, table: Reader, packet: Packet) -> None:
        self._table, self._packet = table, packet
        self._known: dict[str, int | None] = {}

    def verdict_of(self, chain: str, depth: int = 0) -> int | None:
        """Return NF_ACCEPT or NF_DROP, None if it comes to the end of the chain."""
        if depth > _DEEPEST:
            return None
        if chain not in self._known:
            self._known[chain] = self._follow(chain, depth)
        return self._known[chain]

    def _follow(self, chain: str, depth: int) -> int | None:
        for rule in self._table.rules(chain):
            code, target = _Rule(self._table, self._packet).verdict(rule)
            if code in (NF_DROP, NF_ACCEPT):
                return code
            if code == NFT_RETURN:
                return None
            if code in (NFT_JUMP, NFT_GOTO):
                inner = self.verdict_of(target, depth + 1)
                if inner is not None or code == NFT_GOTO:
                    return inner
        return None


class _Rule:
    """One rule at work: its registers, word by word; None: what differs from connection to connection."""

    def __init__(self, table: Reader, packet: Packet) -> None:
        self._table, self._packet = table, packet
        self._words: list[bytes | None] = [None] * _WORDS

    def verdict(self, rule: Values) -> tuple[int, str]:
        """Return the code and chain of the rule's verdict, NFT_CONTINUE if the packet goes on to the next."""
        for one in rule.get("expressions", {}).get("elem", []):
            name, data = one.get("name"), one.get("data", {})
            if name in _HARMLESS:
                continue
            if name == "reject":
                return _DROPPED
            if not isinstance(data, dict):  # an expression that we do not know
                return _GO_ON
            if name == "target":
                return _DROPPED if data.get("name") == "REJECT" else _GO_ON
            if data.get("dreg") == NFT_REG_VERDICT:
                return self._decided(name, data)
            if not self._passes(name, data):
                return _GO_ON
        return _GO_ON

    def _decided(self, name: str, data: Values) -> tuple[int, str]:
        if name == "immediate":
            verdict = data.get("data", {}).get("verdict", {})
            return verdict.get("code", NFT_CONTINUE), verdict.get("chain", "")
        found = {one.verdict if one else None for one in self._looked_up(data)} if name == "lookup" else set()
        (only,) = found if len(found) == 1 else (None,)
        return only or _GO_ON

    def _passes(self, name: str, data: Values) -> bool:
        """Do one expression; return whether the rule goes on for all connections."""
        if name in ("meta", "ct", "payload"):  # without dreg it sets something, which we do not follow
            if "dreg" in data:
                known = {"meta": self._packet.meta, "ct": self._packet.ct}.get(name, {})
                self._load(data["dreg"], known.get(data.get("key", -1)))
            return True
        if name == "match":
            status = int.from_bytes(self._packet.ct[NFT_CT_STATUS], byteorder)
            return xt.holds(data, status, self._packet.bridged)
        if name == "objref":
            return bool(data.get("imm_type") == NFT_OBJECT_COUNTER)
        if name == "lookup":
            return self._looks_up(data)
        if "dreg" in data:
            self._load(data["dreg"], self._computed(name, data))
            return True
        return name in ("cmp", "range") and self._compares(name, data)

    def _looks_up(self, data: Values) -> bool:
        found = self._looked_up(data)
        if "dreg" in data:
            values = {one.data if one else None for one in found}
            (only,) = values if len(values) == 1 else (None,)
            self._load(data["dreg"], only)
            return None not in values
        there = {one is not None for one in found}
        return there == {not data.get("flags", 0) & NFT_LOOKUP_F_INV}

    def _looked_up(self, data: Values) -> list[Element | None]:
        """Return what a look-up may find, nothing if we do not know: a set may be large, and is read only if
        something is known of the key."""
        set, at = data.get("set", ""), _word(data.get("sreg", 0))
        try:
            key = self._words[at : at + words_of(self._table.description(set).get("key_len", 0))]
            return self._table.contents(set).found(key) if any(key) else []
        except NetlinkError:  # it has just gone
            return []

    def _computed(self, name: str, data: Values) -> bytes | None:
        """Return what an expression makes of registers, None if it is not known."""
        if name == "immediate":
            value: bytes | None = data.get("data", {}).get("value")
            return value
        held = self._value(data.get("sreg", 0), data.get("len", 0))
        if held is None:
            return None
        if name == "byteorder" and data.get("size") in (2, 4, 8):
            size = data["size"]
            parts = [held[at : at + size] for at in range(0, len(held), size)]
            return held if byteorder == "big" else b"".join(part[::-1] for part in parts)
        if name == "bitwise" and data.get("op", NFT_BITWISE_MASK_XOR) == NFT_BITWISE_MASK_XOR:
            mask, xor = _bytes(data, "mask"), _bytes(data, "xor")
            if len(held) == len(mask) == len(xor):
                return bytes(one & keep ^ flip for one, keep, flip in zip(held, mask, xor, strict=True))
        return None

    def _compares(self, name: str, data: Values) -> bool:
        """Return whether a comparison holds for all connections."""
        low = _bytes(data, "data" if name == "cmp" else "from_data")
        # A name without its NUL stands for all that begin so.
        held = self._value(data.get("sreg", 0), len(low))
        if held is None:
            return False
        if name == "cmp":
            compare = _COMPARE.get(data.get("op", -1))
            return compare is not None and bool(compare(held, low))
        inside = low <= held <= _bytes(data, "to_data")
        return inside == bool(data.get("op", NFT_RANGE_EQ) == NFT_RANGE_EQ)

    def _load(self, register: int, value: bytes | None) -> None:
        at = _word(register)
        if value is None:
            count = words_of(_LONGEST)
            self._words[at : at + count] = [None] * len(self._words[at : at + count])
        else:
            for start in range(0, len(value), 4):
                if at < _WORDS:
                    self._words[at] = value[start : start + 4].ljust(4, b"\0")
                at += 1

    def _value(self, register: int, length: int) -> bytes | None:
        at = _word(register)
        words: Words = self._words[at : at + words_of(length)]
        known = [word for word in words if word is not None]
        return b"".join(known)[:length] if len(known) == words_of(length) else None


def _bytes(data: Values, name: str) -> bytes:
    value: bytes = data.get(name, {}).get("value", b"")
    return value


def _word(register: int) -> int:
    """Return the number of the word at which a register begins."""
    return (register - NFT_REG_1) * 4 if register < NFT_REG32_00 else register - NFT_REG32_00
