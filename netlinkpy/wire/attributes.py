"""Attributes: the type-length-value part of netlink messages, and the codecs of their values.

Layout (linux/netlink.h, struct nlattr): u16 length (header included), u16 type with two flag bits, payload,
padding to four bytes. A codec turns one payload into a Python value and back; `Attributes` is the table of
one level of nesting."""

from __future__ import annotations

import struct
from struct import Struct

from .errors import MalformedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Values = dict[Any, Any]  # attribute name (or number, where unknown) -> value

NLA_F_NESTED = 0x8000
NLA_TYPE_MASK = 0x3FFF  # the two high bits are NLA_F_NESTED and NLA_F_NET_BYTEORDER

_HEADER = Struct("=HH")
_unpack_header = _HEADER.unpack_from
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")  # by length modulo four


class Slot:
    """Stands for a value that is filled in later: `width` zero bytes whose offset the packer notes under
    `name`."""

    __slots__ = ("name", "width")

    def __init__(self, name: str, width: int) -> None:
        self.name = name
        self.width = width


class Placed:
    """Where a Slot came to lie: its name, the offset from the start of what was packed, and its width, in
    bytes."""

    __slots__ = ("name", "offset", "width")

    def __init__(self, name: str, offset: int, width: int) -> None:
        self.name = name
        self.offset = offset
        self.width = width


class Codec:
    """One kind of payload. `width` is its size in bytes where that is fixed, else 0."""

    __slots__ = ()
    width = 0
    nested = 0  # NLA_F_NESTED, where the sender has to set it

    def pack(self, value: Any) -> bytes:
        """The payload of a value; ValueError or TypeError when the value does not fit."""
        raise NotImplementedError

    def parse(self, payload: bytes, around: Values) -> Any:
        """The value of a payload; `around` holds what was parsed before it on the same level."""
        raise NotImplementedError

    def put(self, out: bytearray, value: Any, around: Values, slots: list[Placed] | None) -> None:
        """Append the payload to `out`."""
        out += self.pack(value)

    def locate(self, payload: bytes, offset: int, around: Values) -> str:
        """The dotted path of the attribute that begins at `offset` of the payload; empty: the payload
        itself."""
        return ""

    def name_of(self, number: int) -> str:
        """The name of attribute type `number` inside this nest."""
        return str(number)

    def member(self, name: str, around: Values) -> Codec:
        """The codec of attribute `name` of this nest, whose values are `around`; KeyError where there is
        none."""
        raise KeyError(name)


class Integer(Codec):
    """A number; `form` is a struct format such as "=I", or ">H" for network byte order."""

    __slots__ = ("_struct", "width")

    def __init__(self, form: str) -> None:
        self._struct = Struct(form)
        self.width = self._struct.size

    def pack(self, value: int) -> bytes:
        try:
            return self._struct.pack(value)
        except struct.error as error:
            raise ValueError(f"{value!r} does not fit: {error}") from None

    def parse(self, payload: bytes, around: Values) -> int:
        if len(payload) < self.width:
            raise MalformedError(f"a number of {self.width} bytes is only {len(payload)} long")
        value: int = self._struct.unpack_from(payload)[0]
        return value


class String(Codec):
    """Text, NUL-terminated on the wire (NLA_NUL_STRING)."""

    __slots__ = ()

    def pack(self, value: str) -> bytes:
        text = value.encode("utf-8", "surrogateescape")
        if b"\0" in text:
            raise ValueError(f"{value!r} holds a NUL")
        return text + b"\0" if text else b""  # an empty one clears an alias; a NUL would be one

    def parse(self, payload: bytes, around: Values) -> str:
        return payload.partition(b"\0")[0].decode("utf-8", "surrogateescape")


class Raw(Codec):
    """Bytes as they are: hardware and IP addresses, and what nobody here looks into."""

    __slots__ = ()

    def pack(self, value: bytes) -> bytes:
        if isinstance(value, int):  # of which bytes() would make so many zeros
            raise TypeError(f"bytes are wanted, not {value!r}")
        return bytes(value)

    def parse(self, payload: bytes, around: Values) -> bytes:
        return payload


class Flag(Codec):
    """An attribute without payload: there, or not there."""

    __slots__ = ()

    def pack(self, value: bool) -> bytes:
        return b""

    def parse(self, payload: bytes, around: Values) -> bool:
        return True


class Fields(Codec):
    """A fixed C struct as a dict of its members. A newer kernel may append members: they are left out."""

    __slots__ = ("_struct", "names", "width")

    def __init__(self, form: str, names: str) -> None:
        self._struct = Struct(form)
        self.names = tuple(names.split())
        self.width = self._struct.size

    def pack(self, value: Mapping[str, int]) -> bytes:
        for name in value:
            if name not in self.names:
                raise ValueError(f"there is no member {name!r} here")
        try:
            return self._struct.pack(*[value.get(name, 0) for name in self.names])
        except struct.error as error:
            raise ValueError(f"{dict(value)!r} does not fit: {error}") from None

    def parse(self, payload: bytes, around: Values) -> Values:
        if len(payload) < self.width:
            raise MalformedError(f"a struct of {self.width} bytes is only {len(payload)} long")
        return dict(zip(self.names, self._struct.unpack_from(payload), strict=True))


class Attributes(Codec):
    """One level of attributes, declared once: `Attributes(ifname=(3, STRING), mtu=(4, U32), ...)`.

    As a codec it is a nest: its value is a dict. Attributes that the table does not name are kept under their
    number, as bytes (a list of bytes where one occurs more than once). flagged: set NLA_F_NESTED when
    sending."""

    __slots__ = ("_by_name", "_by_type", "nested")

    def __init__(self, *, flagged: bool = False, **table: tuple[int, Codec]) -> None:
        self._by_name = table
        self._by_type = {number: (name, codec) for name, (number, codec) in table.items()}
        self.nested = NLA_F_NESTED if flagged else 0

    def declare(self, **table: tuple[int, Codec]) -> None:
        """Add entries (a nest that holds the message it is part of is declared after it)."""
        self._by_name.update(table)
        self._by_type.update({number: (name, codec) for name, (number, codec) in table.items()})

    def type_of(self, name: str) -> tuple[int, Codec]:
        """The number and codec of an attribute; KeyError where the table has no such name."""
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
        """Append one attribute (or one for each element, where its codec is Repeated, or its type
        unknown)."""
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
        """As locate(); the attributes begin at `start` of `data`, and `offset` counts from the same place as
        `start`."""
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


class Select(Codec):
    """A payload whose meaning hangs on a value beside it (IFLA_INFO_DATA on IFLA_INFO_KIND). Unknown: kept as
    bytes."""

    __slots__ = ("_key", "cases", "nested")

    def __init__(self, key: str, cases: dict[Any, Codec], *, flagged: bool = False) -> None:
        self._key = key
        self.cases = cases
        self.nested = NLA_F_NESTED if flagged else 0

    def case(self, around: Values) -> Codec:
        """The codec that holds beside these values."""
        return self.cases.get(around.get(self._key, 0), RAW)

    def parse(self, payload: bytes, around: Values) -> Any:
        return self.case(around).parse(payload, around)

    def put(self, out: bytearray, value: Any, around: Values, slots: list[Placed] | None) -> None:
        if isinstance(value, (bytes, bytearray)):
            out += value
        else:
            self.case(around).put(out, value, around, slots)

    def locate(self, payload: bytes, offset: int, around: Values) -> str:
        return self.case(around).locate(payload, offset, around)


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
    """Keep an unknown attribute, all of it where it occurs more than once."""
    before = values.get(number)
    if before is None:
        values[number] = payload
    elif isinstance(before, list):
        before.append(payload)
    else:
        values[number] = [before, payload]


U8 = Integer("=B")
U16 = Integer("=H")
U32 = Integer("=I")
U64 = Integer("=Q")
S32 = Integer("=i")
S64 = Integer("=q")
BE16 = Integer(">H")
BE32 = Integer(">I")
STRING = String()
RAW = Raw()
FLAG = Flag()
