"""Codecs: the payload of an attribute as a Python value, and back."""

from __future__ import annotations

import struct
from struct import Struct

from .errors import MalformedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from .attributes import Placed, Values

NLA_F_NESTED = 0x8000  # linux/netlink.h


class Codec:
    """One kind of payload. width: its size in bytes, 0 if that varies."""

    __slots__ = ()
    width = 0
    nested = 0  # NLA_F_NESTED if the sender has to set it

    def pack(self, value: Any) -> bytes:
        """Return the payload of a value. Raise ValueError or TypeError if the value does not fit."""
        raise NotImplementedError

    def parse(self, payload: bytes, around: Values) -> Any:
        """Return the value of a payload; `around` holds what was parsed before it on the same level."""
        raise NotImplementedError

    def put(self, out: bytearray, value: Any, around: Values, slots: list[Placed] | None) -> None:
        """Append the payload to `out`."""
        out += self.pack(value)

    def locate(self, payload: bytes, offset: int, around: Values) -> str:
        """Return the dotted path of the attribute that begins at `offset` of the payload; empty: the payload
        itself."""
        return ""

    def name_of(self, number: int) -> str:
        """Return the name of attribute type `number` inside this nest."""
        return str(number)

    def member(self, name: str, around: Values) -> Codec:
        """Return the codec of attribute `name` of this nest, whose values are `around`. Raise KeyError if
        there is none."""
        raise KeyError(name)


class Integer(Codec):
    """A number from `low` to `high`; `form` is a struct format such as "=I", or ">H" for network byte
    order."""

    __slots__ = ("_struct", "high", "low", "width")

    def __init__(self, form: str) -> None:
        self._struct = Struct(form)
        self.width = self._struct.size
        values = 1 << self.width * 8
        self.low, self.high = (-values // 2, values // 2 - 1) if form[-1].islower() else (0, values - 1)

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
    """Bytes as they are, which nothing here interprets."""

    __slots__ = ()

    def pack(self, value: bytes) -> bytes:
        if isinstance(value, int):  # bytes() would make that many zeros of it
            raise TypeError(f"bytes are wanted, not {value!r}")
        return bytes(value)

    def parse(self, payload: bytes, around: Values) -> bytes:
        return payload


class Sized(Raw):
    """Bytes that are sent only in these lengths: addresses. What the kernel sends is not checked."""

    __slots__ = ("lengths",)

    def __init__(self, *lengths: int) -> None:
        self.lengths = lengths

    def pack(self, value: bytes) -> bytes:
        packed = super().pack(value)
        if len(packed) not in self.lengths:
            wanted = " or ".join(map(str, self.lengths))
            raise ValueError(f"{packed.hex(':')} is {len(packed)} bytes long, not {wanted}")
        return packed


class HardwareAddress(Raw):
    """The hardware address of any kind of link: 6 bytes on Ethernet, 20 on infiniband, 4 or 16 on tunnels;
    at most 32 (MAX_ADDR_LEN, linux/netdevice.h)."""

    __slots__ = ()

    def pack(self, value: bytes) -> bytes:
        packed = super().pack(value)
        if len(packed) > 32:
            raise ValueError(f"{packed.hex(':')} is {len(packed)} bytes long: 32 are the most")
        return packed


class Flag(Codec):
    """An attribute without payload: it is there, or not."""

    __slots__ = ()

    def pack(self, value: bool) -> bytes:
        return b""

    def parse(self, payload: bytes, around: Values) -> bool:
        return True


class Fields(Codec):
    """A fixed C struct as a dict of its members. Members that a newer kernel appends are ignored."""

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


class Bits(Fields):
    """Two u32: bits, and which of them are meant (struct br_boolopt_multi, struct ifla_vlan_flags)."""

    __slots__ = ()

    def __init__(self, names: str) -> None:
        super().__init__("=II", names)


class Select(Codec):
    """A payload whose meaning depends on a value beside it (IFLA_INFO_DATA on IFLA_INFO_KIND).

    find: returns the codec for a value of the attribute `key` (0 if it is missing), None to keep the payload
    as bytes."""

    __slots__ = ("find", "key", "nested")

    def __init__(self, key: str, find: Callable[[Any], Codec | None], *, flagged: bool = False) -> None:
        self.key = key
        self.find = find
        self.nested = NLA_F_NESTED if flagged else 0

    def case(self, around: Values) -> Codec:
        """Return the codec that applies beside these values."""
        return self.find(around.get(self.key, 0)) or RAW

    def parse(self, payload: bytes, around: Values) -> Any:
        return self.case(around).parse(payload, around)

    def put(self, out: bytearray, value: Any, around: Values, slots: list[Placed] | None) -> None:
        if isinstance(value, (bytes, bytearray)):
            out += value
        else:
            self.case(around).put(out, value, around, slots)

    def locate(self, payload: bytes, offset: int, around: Values) -> str:
        return self.case(around).locate(payload, offset, around)


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
MAC = Sized(6)  # ETH_ALEN, linux/if_ether.h
IPV4 = Sized(4)
IPV6 = Sized(16)
IP = Sized(4, 16)
LLADDR = HardwareAddress()
