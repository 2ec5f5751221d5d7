"""Template: messages packed once, with slots into which each row's values are stamped."""

from __future__ import annotations

from struct import Struct

from ..backends import load
from ..framing import NLMSG_HDRLEN, NLMSGHDR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .attributes import Placed, Values
    from .message import Message, V

_NUMBER = Struct("=I")
_SEQUENCE_OFFSET = 8  # of nlmsg_seq


class Template:
    """One datagram of one or more messages, numbered from 1. places: the offset of every Slot.

    A value that differs from row to row is a `Slot(name, width)` in the values given to add()."""

    __slots__ = ("_count", "_data", "messages", "places")

    def __init__(self) -> None:
        self._data = bytearray()
        self._count = 0
        self.places: list[Placed] = []
        self.messages: list[tuple[Message, int]] = []  # each message's description, and where it begins

    def add(self, message: Message[V], type: int, flags: int, values: V | Values) -> None:
        """Append one message. Raise ValueError if the values do not fit it."""
        start = len(self._data)
        self._data += bytes(NLMSG_HDRLEN)
        message.put(self._data, values, {}, self.places)
        length = len(self._data) - start
        NLMSGHDR.pack_into(self._data, start, length, type, flags, self._count + 1, 0)
        self._data += bytes(-length & 3)
        self.messages.append((message, start))
        self._count += 1

    @property
    def data(self) -> bytes:
        """The datagram, with zeros in its slots."""
        return bytes(self._data)

    def message(self, number: int) -> tuple[Message, bytes]:
        """Return the description and the body of one message, to decode an extended ack."""
        description, start = self.messages[number]
        length = NLMSGHDR.unpack_from(self._data, start)[0]
        return description, self.data[start + NLMSG_HDRLEN : start + length]

    def offsets(self, name: str) -> list[int]:
        """Return every offset at which the slot `name` lies."""
        return [place.offset for place in self.places if place.name == name]

    def stamp(
        self,
        columns: Mapping[str, bytes],
        rows: int,
        constants: Mapping[str, bytes] | None = None,
        *,
        sequence: int | None = None,
    ) -> bytearray:
        """Return `rows` copies of the datagram back to back. columns: for each slot that differs, the values
        of all rows one after the other; constants: for each that does not, its value. A slot in neither stays
        zero. sequence: the sequence number of the first row's first message, one more for each following row;
        None: all keep the template's. Raise ValueError if a value has another length than its slot."""
        return stamp(self.data, self.places, columns, rows, constants or {}, sequence)


def stamp(
    data: bytes,
    places: Iterable[Placed],
    columns: Mapping[str, bytes],
    rows: int,
    constants: Mapping[str, bytes],
    sequence: int | None = None,
) -> bytearray:
    """Return copies of any data with slots; the arguments are those of Template.stamp()."""
    if rows == 1:
        return _stamp_one(data, places, columns, constants, sequence)
    plan = []
    for place in places:
        if place.name in constants:
            value, needed, stride = constants[place.name], place.width, 0
        elif place.name in columns:
            value, needed, stride = columns[place.name], place.width * rows, place.width
        else:
            continue
        if len(value) != needed:
            raise ValueError(f"{place.name}: {len(value)} bytes, and {needed} are needed")
        plan.append((place.offset, place.width, value, stride, False))
    out = bytearray(len(data) * rows)
    load().stamp(out, data, plan, 0, rows, sequence)
    return out


def _stamp_one(
    data: bytes,
    places: Iterable[Placed],
    columns: Mapping[str, bytes],
    constants: Mapping[str, bytes],
    sequence: int | None,
) -> bytearray:
    """Stamp one row here, since a call of the shim would take longer than the work."""
    out = bytearray(data)
    values = {**columns, **constants} if constants else columns
    for name, offset, width in places:
        if name in values:
            value = values[name]
            if len(value) != width:
                raise ValueError(f"{name}: {len(value)} bytes, and {width} are needed")
            out[offset : offset + width] = value
    if sequence is not None:
        _NUMBER.pack_into(out, _SEQUENCE_OFFSET, sequence & 0xFFFFFFFF)
    return out
