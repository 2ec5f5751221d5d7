"""The nf_tables message of set elements, and a codec for many at once (NFTA_SET_ELEM_ of
linux/netfilter/nf_tables.h)."""

from __future__ import annotations

from struct import Struct

from ...record import Record
from ...uapi.nf_tables import NFT_SET_ELEM_CATCHALL
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
    that only programs read (see `comment`); end: of the keys from `key` on, where it stands for a range of
    each field of a concatenation; verdict: in a verdict map, in place of data: code and chain ("")."""

    key: bytes
    data: bytes = b""
    flags: int = 0
    userdata: bytes = b""
    end: bytes = b""
    verdict: tuple[int, str] | None = None

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
        rest = len(self.verdict[1]) * 4 + 32 if self.verdict else 0
        return 64 + len(self.key) + len(self.data) + len(self.userdata) + len(self.end) + rest


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
            if flags or userdata or element.end or element.verdict or (len(key) | len(data)) & 3:
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
    """Return the attributes of an element, in nft's order. A set's element has no data, only a map's; the one
    for all other keys (`*`) has no key."""
    data: Values | None = {"value": element.data} if element.data else None
    if element.verdict is not None:
        code, chain = element.verdict
        data = {"verdict": {"code": code, "chain": chain or None}}
    return {
        "flags": element.flags or None,
        "key": None if element.flags & NFT_SET_ELEM_CATCHALL else {"value": element.key},
        "key_end": {"value": element.end} if element.end else None,
        "data": data,
        "userdata": element.userdata or None,
    }


def _element(values: Values) -> Element:
    """Return an element; what it should have and has not is empty: who looks at it finds nothing there."""
    data, key, end = (values.get(name, {}) for name in ("data", "key", "key_end"))
    verdict = data.get("verdict")
    return Element(
        key.get("value", b""),
        data.get("value", b""),
        values.get("flags", 0),
        values.get("userdata", b""),
        end.get("value", b""),
        None if verdict is None else (verdict.get("code", 0), verdict.get("chain", "")),
    )


def _parse_alike(payload: bytes) -> list[Element]:
    """Return the elements if all have one form with only a key and data; otherwise none."""
    if len(payload) < 20:
        return []
    (values, *_) = _ONE.parse(payload[: _LENGTH.unpack_from(payload)[0]], {}).get("elem", [{}])
    first = _element(values)
    key, data = len(first.key), len(first.data)
    row = Struct(f"12s{key}s8s{data}s")
    if not data or (key | data) & 3 or len(payload) % row.size or payload[12 : 12 + key] != first.key:
        return []
    heads = payload[:12], payload[12 + key : 20 + key]
    found = []
    for before, key_bytes, between, data_bytes in row.iter_unpack(payload):
        if (before, between) != heads:
            return []
        found.append(Element.from_row((key_bytes, data_bytes, 0, b"", b"", None)))
    return found
