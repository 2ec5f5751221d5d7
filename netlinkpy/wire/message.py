"""Message: a netlink message described once: a fixed header, then attributes.

This description serves packing (`pack`), parsing (`parse`), naming the attribute that an extended ack points
at (`path_at`), the stamp (`put` with slots, see template.py) and the gather (`plan`: where columns are
read)."""

from __future__ import annotations

import struct
from struct import Struct

from .attributes import Attributes, Placed, Repeated, Slot
from .codecs import RAW, Codec, Select
from .errors import MalformedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Generic

    from typing_extensions import TypeVar

    from .attributes import Values

    V = TypeVar("V", bound=Mapping[Any, Any], default=Any)  # the values sent: rtnetlink/typed_values.pyi

    class _Typed(Codec, Generic[V]):
        pass
else:
    V = None

    class _Typed(Codec):
        __slots__ = ()

        def __class_getitem__(cls, _):
            return cls


class Header:
    """The fixed C struct in front of the attributes; its members keep the kernel's names."""

    __slots__ = ("names", "offsets", "struct")

    def __init__(self, form: str, names: str) -> None:
        self.struct = Struct(form)
        self.names = tuple(names.split())
        self.offsets = _member_offsets(form)

    def pack(self, values: Values) -> bytes:
        try:
            return self.struct.pack(*[values.get(name, 0) for name in self.names])
        except struct.error as error:
            for name in self.names:
                if not isinstance(values.get(name, 0), int):
                    raise ValueError(f"{name}: {values[name]!r} is not a number") from None
            raise ValueError(f"{', '.join(self.names)}: {error}") from None

    def place(self, values: Values, start: int, slots: list[Placed]) -> Values:
        """Note every Slot among the members; return the values with zero in its place."""
        for name, offset in zip(self.names, self.offsets, strict=True):
            slot = values.get(name)
            if slot.__class__ is Slot:
                slots.append(Placed(slot.name, start + offset, slot.width))
                values = {**values, name: 0}
        return values


class Message(_Typed[V]):
    """A message, or a nest that begins with a header of its own (a veth's peer begins with an ifinfomsg)."""

    __slots__ = ("attributes", "header", "name")

    def __init__(self, name: str, header: Header, attributes: Attributes) -> None:
        self.name = name
        self.header = header
        self.attributes = attributes

    def pack(self, values: V | Values) -> bytes:
        """Return the body (what follows the nlmsghdr) of `values`: attributes in the dict's order, without
        those that are None.

        Raise ValueError, which names the attribute, if a value does not fit."""
        out = bytearray()
        self.put(out, values, {}, None)
        return bytes(out)

    def put(self, out: bytearray, value: Any, around: Values, slots: list[Placed] | None) -> None:
        if slots is not None:
            value = self.header.place(value, len(out), slots)
        out += self.header.pack(value)
        put_one, members = self.attributes.put_one, self.header.names
        for name, item in value.items():
            if item is not None and name not in members:
                put_one(out, name, item, value, slots)

    def parse(self, payload: bytes, around: Values | None = None) -> Values:
        """Return the values of a body. Raise MalformedError if a length is wrong."""
        header = self.header
        size = header.struct.size
        if len(payload) < size:
            raise MalformedError(f"{self.name}: {len(payload)} bytes are too short for its header of {size}")
        values: Values = dict(zip(header.names, header.struct.unpack_from(payload), strict=True))
        try:
            self.attributes.parse_into(values, payload, (size + 3) & ~3)
        except RecursionError:
            raise MalformedError(f"{self.name}: attributes are nested without end") from None
        return values

    def path_at(self, body: bytes, offset: int) -> str:
        """Return the dotted name of the attribute (or header member) that covers `offset` of `body`."""
        size = self.header.struct.size
        if offset < size:
            found = ""
            for name, start in zip(self.header.names, self.header.offsets, strict=True):
                if start <= offset:
                    found = name
            return found
        around: Values = dict(zip(self.header.names, self.header.struct.unpack_from(body), strict=True))
        return self.attributes.locate_from(body, (size + 3) & ~3, offset, around)

    def locate(self, payload: bytes, offset: int, around: Values) -> str:
        return self.path_at(payload, offset)

    def name_of(self, number: int) -> str:
        return self.attributes.name_of(number)

    def member(self, name: str, around: Values) -> Codec:
        return self.attributes.member(name, around)

    def name_inside(self, path: str, number: int, body: bytes) -> str:
        """Return the dotted name of attribute type `number` in the nest at `path` of `body` (an ack's
        "missing" attribute)."""
        codec: Codec = self
        around: Any = self.parse(body)
        for name in path.split(".") if path else ():
            codec = codec.member(name, around)
            around = around[name]
        return f"{path}.{codec.name_of(number)}" if path else codec.name_of(number)

    def plan(self, path: str) -> tuple[tuple[int, ...], int, int]:
        """Return where the gather finds the value at a dotted path: the attribute types that lead there
        (none: the fixed header), the offset inside, and the width (0 if it varies). Examples: "oif",
        "linkinfo.kind"; if the contents of a nest depend on a value beside it, the path names that value:
        "linkinfo.data[bridge].stp_state". Raise ValueError if the path leads to no single value, KeyError if
        there is no such attribute."""
        if path in self.header.names:
            position = self.header.names.index(path)
            ends = (*self.header.offsets[1:], self.header.struct.size)
            return (), self.header.offsets[position], ends[position] - self.header.offsets[position]
        types = []
        codec: Codec = self
        for step in path.split("."):
            name, _, case = step.rstrip("]").partition("[")
            if isinstance(codec, Message):
                codec = codec.attributes
            if not isinstance(codec, Attributes):
                raise ValueError(f"{self.name} has no attribute {path!r} with one place")
            number, codec = codec.type_of(name)
            if isinstance(codec, Select) and case:
                codec = codec.find(int(case) if case.isdigit() else case) or RAW
            types.append(number)
        if isinstance(codec, (Repeated, Select)):
            raise ValueError(f"{path!r} of {self.name} has no single value")
        return tuple(types), 0, codec.width


def _member_offsets(form: str) -> tuple[int, ...]:
    """Return the offset of each member of a struct format ("=BxHiII"); one letter a member, `x` a byte of
    padding."""
    order, letters = form[0], form[1:]
    offsets, at = [], 0
    for letter in letters:
        if letter != "x":
            offsets.append(at)
        at += Struct(order + letter).size
    return tuple(offsets)
