"""The nf_tables message of set elements, and a codec for many at once (NFTA_SET_ELEM_ of
linux/netfilter/nf_tables.h)."""

from __future__ import annotations

from struct import Struct

from ...record import Record
from ..attributes import Attributes, Repeated
from ..codecs import BE32, RAW, STRING, Codec
from ..message import Message
from .expressions import DATA
from .nfnetlink import BE64, NFGENMSG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ..attributes import Placed, Values


_LENGTH = Struct("=H")
LONGEST_LIST = 0xFFFF - 4  # bytes of elements in one message: the length of an attribute has 16 bits

ELEMENT = Attributes(
    flagged=True,
    key=(1, DATA),
    data=(2, DATA),
    flags=(3, BE32),
    timeout=(4, BE64),
    expiration=(5, BE64),
    userdata=(6, RAW),
    key_end=(10, DATA),
)
_ONE = Attributes(flagged=True, elem=(1, Repeated(ELEMENT)))


class Element(Record):
    """One element of a set or map: key and data as in registers; flags: NFT_SET_ELEM_ bits; userdata: TLVs
    that only programs read (see `comment`)."""

    key: bytes
    data: bytes = b""
    flags: int = 0
    userdata: bytes = b""

    @property
    def comment(self) -> str:
        """The comment in the userdata, as nft keeps it there: u8 type (0), u8 length, text with its NUL
        (libnftnl, udata.h)."""
        data = self.userdata
        at = 0
        while at + 2 <= len(data):
            if data[at] == 0:
                return data[at + 2 : at + 2 + data[at + 1]].rstrip(b"\0").decode("utf-8", "replace")
            at += 2 + data[at + 1]
        return ""

    @classmethod
    def commented(cls, key: bytes, comment: str) -> Element:
        """Return an element with a comment that `nft` shows."""
        text = comment.encode() + b"\0"
        return cls(key, b"", 0, bytes((0, len(text))) + text)

    @property
    def size(self) -> int:
        """The bytes that it takes in a message, at most."""
        return 64 + len(self.key) + len(self.data) + len(self.userdata)


class ElementList(Codec):
    """NFTA_SET_ELEM_LIST_ELEMENTS: a list of Element. A set may hold thousands of one form (key and data of
    one length, nothing else), so these are packed and parsed as rows of one struct; others by their
    description."""

    __slots__ = ()
    nested = _ONE.nested

    def pack(self, value: Iterable[Element]) -> bytes:
        out = bytearray()
        for element in value:
            key, data, flags, userdata = element.key, element.data, element.flags, element.userdata
            if flags or userdata or (len(key) | len(data)) & 3:
                _ONE.put(out, {"elem": [_values(element)]}, {}, None)
            else:
                before, between = _heads(len(key), len(data))
                out += before + key + between + data
        return bytes(out)

    def put(self, out: bytearray, value: Any, around: Values, slots: list[Placed] | None) -> None:
        out += self.pack(value)

    def parse(self, payload: bytes, around: Values) -> list[Element]:
        return _parse_alike(payload) or [
            _element(values) for values in _ONE.parse(payload, {}).get("elem", [])
        ]


SET_ELEMENTS = Message(
    "set elements",
    NFGENMSG,
    Attributes(table=(1, STRING), set=(2, STRING), elements=(3, ElementList()), set_id=(4, BE32)),
)

_known_heads: dict[tuple[int, int], tuple[bytes, bytes]] = {}


def _heads(key: int, data: int) -> tuple[bytes, bytes]:
    """Return the bytes before the key and those between key and data of an element that has only a key and
    data (or no data) of these lengths (multiples of four)."""
    known = _known_heads.get((key, data))
    if known is None:
        whole = _ONE.pack({"elem": [_values(Element(bytes(key), bytes(data)))]})
        known = _known_heads[key, data] = whole[:12], whole[12 + key : 20 + key]
    return known


def _values(element: Element) -> Values:
    """Return the attributes of an element, in nft's order. A set's element has no data, only a map's."""
    return {
        "flags": element.flags or None,
        "key": {"value": element.key},
        "data": {"value": element.data} if element.data else None,
        "userdata": element.userdata or None,
    }


def _element(values: Values) -> Element:
    data = values.get("data", {}).get("value", b"")  # the data of a verdict map holds no value
    key = values.get("key", {}).get("value", b"")
    return Element(key, data, values.get("flags", 0), values.get("userdata", b""))


def _parse_alike(payload: bytes) -> list[Element]:
    """Return the elements if all have one form with only a key and data; otherwise none."""
    if len(payload) < 20:
        return []
    first = _element(_ONE.parse(payload[: _LENGTH.unpack_from(payload)[0]], {})["elem"][0])
    key, data = len(first.key), len(first.data)
    row = Struct(f"12s{key}s8s{data}s")
    if not data or (key | data) & 3 or len(payload) % row.size or payload[12 : 12 + key] != first.key:
        return []
    heads = payload[:12], payload[12 + key : 20 + key]
    found = []
    for before, key_bytes, between, data_bytes in row.iter_unpack(payload):
        if (before, between) != heads:
            return []
        found.append(Element.from_row((key_bytes, data_bytes, 0, b"")))
    return found
