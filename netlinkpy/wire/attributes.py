"""Attributes: the type-length-value part of netlink messages, one table for each level of nesting.

Layout (linux/netlink.h, struct nlattr): u16 length (header included), u16 type with two flag bits, payload,
padding to four bytes."""

from __future__ import annotations

from struct import Struct

from ..record import Record
from .codecs import NLA_F_NESTED, RAW, Codec, Flag, Select
from .errors import MalformedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Values = dict[Any, Any]  # attribute name (or number, where unknown) -> value

NLA_TYPE_MASK = 0x3FFF  # the two high bits are NLA_F_NESTED and NLA_F_NET_BYTEORDER

_HEADER = Struct("=HH")
_unpack_header = _HEADER.unpack_from
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")  # by length modulo four


class Slot:
    """A placeholder for a value that is filled in later: `width` zero bytes, whose offset the packer notes
    under `name`."""

    __slots__ = ("name", "width")

    def __init__(self, name: str, width: int) -> None:
        self.name = name
        self.width = width


class Placed(Record):
    """Where a Slot lies: its name, its offset from the start of what was packed and its width, both in
    bytes."""

    name: str
    offset: int
    width: int

    if TYPE_CHECKING:

        def __iter__(self) -> Iterator[Any]: ...


class Attributes(Codec):
    """One level of attributes, declared once: `Attributes(ifname=(3, STRING), mtu=(4, U32), ...)`.

    As a codec it is a nest: its value is a dict. An attribute that the table does not name is kept under its
    number, as bytes (a list of bytes if it occurs more than once). flagged: set NLA_F_NESTED when sending."""

    __slots__ = ("_by_name", "_by_type", "nested")

    def __init__(self, *, flagged: bool = False, **table: tuple[int, Codec]) -> None:
        self._by_name = table
        self._by_type = {number: (name, codec) for name, (number, codec) in table.items()}
        self.nested = NLA_F_NESTED if flagged else 0

    def type_of(self, name: str) -> tuple[int, Codec]:
        """Return the number and codec of an attribute. Raise KeyError if the table has no such name."""
        return self._by_name[name]

    def pack(self, value: Values) -> bytes:
        out = bytearray()
        self.put(out, value, {}, None)
        return bytes(out)

    def put(self, out: bytearray, value: Values, around: Values, slots: list[Placed] | None) -> None:
        if isinstance(value, (bytes, bytearray)):
            out += value
            return
        for name, item in value.items():
            if item is not None:
                self.put_one(out, name, item, value, slots)

    def put_one(
        self, out: bytearray, name: Any, item: Any, around: Values, slots: list[Placed] | None
    ) -> None:
        """Append one attribute (one for each element if its codec is Repeated, or its type unknown and the
        value a list)."""
        if isinstance(name, int):
            self._put_unknown(out, name, item, around, slots)
            return
        known = self._by_name.get(name)
        if known is None:
            raise ValueError(f"there is no attribute {name!r} here")
        number, codec = known
        try:
            if isinstance(codec, Repeated):
                for element in item:
                    _put(out, number, codec.codec, element, around, slots)
            elif item is not False or not isinstance(codec, Flag):
                _put(out, number, codec, item, around, slots)
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"{name}: {error}") from None

    def _put_unknown(
        self, out: bytearray, number: int, item: Any, around: Values, slots: list[Placed] | None
    ) -> None:
        if not 0 < number <= NLA_TYPE_MASK:
            raise ValueError(f"{number} is no attribute type: they are from 1 to {NLA_TYPE_MASK}")
        try:
            for payload in item if isinstance(item, list) else (item,):
                _put(out, number, RAW, payload, around, slots)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{number}: {error}") from None

    def parse(self, payload: bytes, around: Values) -> Values:
        values: Values = {}
        self.parse_into(values, payload, 0)
        return values

    def parse_into(self, values: Values, data: bytes, start: int) -> None:
        """Parse the attributes from `start` to the end of `data` into `values`."""
        end = len(data)
        by_type = self._by_type
        while end - start >= 4:
            length, number = _unpack_header(data, start)
            stop = start + length
            if length < 4 or stop > end:
                raise MalformedError(
                    f"attribute {number & NLA_TYPE_MASK} says it is {length} bytes of {end - start}"
                )
            number &= NLA_TYPE_MASK
            known = by_type.get(number)
            if known is None:
                _keep(values, number, data[start + 4 : stop])
            else:
                name, codec = known
                try:
                    if isinstance(codec, Repeated):
                        values.setdefault(name, []).append(codec.codec.parse(data[start + 4 : stop], values))
                    else:
                        values[name] = codec.parse(data[start + 4 : stop], values)
                except MalformedError as error:
                    raise error.inside(name) from None
            start = (stop + 3) & ~3

    def locate(self, payload: bytes, offset: int, around: Values) -> str:
        return self.locate_from(payload, 0, offset, {})

    def locate_from(self, data: bytes, start: int, offset: int, around: Values) -> str:
        """Return what locate() does, for attributes that begin at `start` of `data`; `offset` counts from the
        beginning of `data`."""
        end = len(data)
        while end - start >= 4:
            length, number = _unpack_header(data, start)
            number &= NLA_TYPE_MASK
            stop = start + length
            if length < 4 or stop > end:
                return ""
            name, codec = self._by_type.get(number, (str(number), RAW))
            if isinstance(codec, Repeated):
                codec = codec.codec
            payload = data[start + 4 : stop]
            if offset < start + 4:
                return name
            if offset < stop:
                deeper = codec.locate(payload, offset - start - 4, around)
                return f"{name}.{deeper}" if deeper else name
            around[name] = codec.parse(payload, around)
            start = (stop + 3) & ~3
        return ""

    def name_of(self, number: int) -> str:
        return self._by_type.get(number, (str(number), RAW))[0]

    def member(self, name: str, around: Values) -> Codec:
        codec = self._by_name[name][1]
        return codec.case(around) if isinstance(codec, Select) else codec


class Repeated(Codec):
    """An attribute that may occur many times on one level; its value is the list of all."""

    __slots__ = ("codec",)

    def __init__(self, codec: Codec) -> None:
        self.codec = codec


def _put(
    out: bytearray, number: int, codec: Codec, value: Any, around: Values, slots: list[Placed] | None
) -> None:
    start = len(out)
    out += b"\0\0\0\0"
    if value.__class__ is Slot:
        if slots is None:
            raise ValueError("a Slot is only for a template")
        slots.append(Placed(value.name, start + 4, value.width))
        out += bytes(value.width)
    else:
        codec.put(out, value, around, slots)
    length = len(out) - start
    if length > 0xFFFF:
        raise ValueError(f"an attribute of {length} bytes is too long: 65535 is the most")
    _HEADER.pack_into(out, start, length, number | codec.nested)
    out += _PADDING[length & 3]


def _keep(values: Values, number: int, payload: bytes) -> None:
    """Keep an unknown attribute, every occurrence of it."""
    before = values.get(number)
    if before is None:
        values[number] = payload
    elif isinstance(before, list):
        before.append(payload)
    else:
        values[number] = [before, payload]
