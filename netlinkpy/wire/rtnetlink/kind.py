"""Kind: what a kind of link takes and reports, as data (IFLA_INFO_KIND, IFLA_INFO_DATA of linux/if_link.h).

Each kind has one file in `kinds/`. It has three readers: the link message (which attribute is which),
`rt.links` (what may be set, and to what), and `ip` (its words, and what `ip -d link` shows)."""

from __future__ import annotations

import struct
from struct import Struct

from ..attributes import NLA_TYPE_MASK, Attributes
from ..codecs import Bits, Codec, Integer
from ..errors import MalformedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..attributes import Values

IFINDEX = Integer("=I")  # the index of another link: given and shown by name
ON_OFF = {"off": 0, "on": 1}
WITH_NO = {"no": 0, "": 1}  # `ip` takes the word alone, or with "no" before it: nolearning


class Option:
    """One attribute of a kind.

    name: the kernel's, without prefix; number, codec: its type and payload; low, high: the bounds of a
    number, by default the codec's; words: the numbers by their names, no other number being accepted; word:
    what `ip` calls it (several, separated by blanks: the first is shown; empty: `ip` cannot set it), by
    default the name; key: its name in ip's JSON, by default the name; other: the attribute that takes an
    address of the other family; bits: the attribute of which this is a bit, `number` saying which one; told:
    the kernel reports it, and it cannot be set."""

    __slots__ = ("bits", "codec", "high", "key", "low", "name", "number", "other", "told", "word", "words")

    def __init__(
        self,
        name: str,
        number: int,
        codec: Codec,
        *,
        low: int | None = None,
        high: int | None = None,
        words: Mapping[str, int] | None = None,
        word: str | None = None,
        key: str = "",
        other: str = "",
        bits: str = "",
        told: bool = False,
    ) -> None:
        self.name = name
        self.number = number
        self.codec = codec
        self.low = getattr(codec, "low", 0) if low is None else low
        self.high = getattr(codec, "high", 0) if high is None else high
        self.words = words
        self.word = name if word is None else word
        self.key = key or name
        self.other = other
        self.bits = bits
        self.told = told


class Kind:
    """A kind of link, or of port (the links whose master is of a kind).

    needs, takes: what a new link of this kind must have, and may have: "link" (a parent, IFLA_LINK), "peer",
    or options; shown: the options in the order in which `ip -d link` shows them."""

    __slots__ = ("attributes", "name", "needs", "options", "shown", "takes")

    def __init__(
        self, name: str, *options: Option, needs: str = "", takes: str = "", shown: str = ""
    ) -> None:
        self.name = name
        self.options = {option.name: option for option in options}
        self.needs = tuple(needs.split())
        self.takes = (*self.needs, *takes.split())
        self.shown = tuple(shown.split())
        table = {option.name: (option.number, option.codec) for option in options if not option.bits}
        self.attributes = Attributes(**table)  # type: ignore[arg-type]  # no option is called flagged

    def option(self, name: str) -> Option | None:
        """Return the option of a name, the kernel's or one of ip's; None if there is none."""
        found = self.options.get(name)
        return found or next((one for one in self.options.values() if name in one.word.split()), None)

    def set_bit(self, values: Values, option: Option, on: bool) -> None:
        """Set an option that is a bit in the attributes."""
        bits, mask = self._members(option)
        known = values[option.bits] = {bits: 0, mask: 0, **values.get(option.bits, {})}
        bit = 1 << option.number
        known[mask] |= bit
        known[bits] = known[bits] | bit if on else known[bits] & ~bit

    def bit(self, values: Values, option: Option) -> bool | None:
        """Return whether an option that is a bit is on in the attributes, None if they do not tell."""
        bits, mask = self._members(option)
        known = values.get(option.bits, {bits: 0, mask: 0})
        return bool(known[bits] >> option.number & 1) if known[mask] >> option.number & 1 else None

    def _members(self, option: Option) -> tuple[str, ...]:
        codec = self.options[option.bits].codec
        assert isinstance(codec, Bits)
        return codec.names


_PAIR = Struct("=HHII")  # nlattr and two numbers


class Pairs(Codec):
    """A nest of attributes of one number, each of two u32 (struct ifla_vlan_qos_mapping); its value is a
    dict."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def pack(self, value: Mapping[int, int]) -> bytes:
        try:
            return b"".join([_PAIR.pack(12, self.number, *pair) for pair in value.items()])
        except struct.error as error:
            raise ValueError(f"{value!r} does not fit: {error}") from None

    def parse(self, payload: bytes, around: Values) -> dict[int, int]:
        values: dict[int, int] = {}
        at = 0
        while len(payload) - at >= _PAIR.size:
            length, number, first, second = _PAIR.unpack_from(payload, at)
            if not 4 <= length <= len(payload) - at:
                raise MalformedError(f"an attribute says it is {length} bytes of {len(payload) - at}")
            if number & NLA_TYPE_MASK == self.number and length >= _PAIR.size:
                values[first] = second
            at += (length + 3) & ~3
        return values
