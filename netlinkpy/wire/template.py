"""Template: messages packed once, with the places where each row's own values are stamped in."""

from __future__ import annotations

from ..native import load
from .message import NLMSG_HDRLEN, NLMSGHDR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .attributes import Placed, Values
    from .message import Message


class Template:
    """One datagram of one or more messages, numbered from `sequence`; `places` tells the offset of every
    Slot.

    A value that shall differ from row to row is a `Slot(name, width)` in the values given to add()."""

    __slots__ = ("_count", "_data", "messages", "places", "sequence")

    def __init__(self, sequence: int = 1) -> None:
        self._data = bytearray()
        self._count = 0
        self.sequence = sequence
        self.places: list[Placed] = []
        self.messages: list[tuple[Message, int]] = []  # each message's description, and where it begins

    def add(self, message: Message, type: int, flags: int, values: Values) -> None:
        """Append one message."""
        start = len(self._data)
        self._data += bytes(NLMSG_HDRLEN)
        message.put(self._data, values, {}, self.places)
        length = len(self._data) - start
        NLMSGHDR.pack_into(self._data, start, length, type, flags, self.sequence + self._count, 0)
        self._data += bytes(-length & 3)
        self.messages.append((message, start))
        self._count += 1

    @property
    def data(self) -> bytes:
        """The datagram, its slots zero."""
        return bytes(self._data)

    def offsets(self, name: str) -> list[int]:
        """Every offset at which the slot `name` lies."""
        return [place.offset for place in self.places if place.name == name]

    def stamp(
        self,
        columns: Mapping[str, bytes],
        rows: int,
        constants: Mapping[str, bytes] | None = None,
        *,
        sequence: int | None = None,
    ) -> bytearray:
        """`rows` copies of the datagram back to back. columns: for each slot that differs, the values of all
        rows one after the other; constants: for each that does not, its value. A slot in neither stays zero.
        sequence: the number of the first row's message, counted up from row to row; None: all keep the
        template's."""
        data = self.data
        plan = []
        for place in self.places:
            if constants is not None and place.name in constants:
                plan.append((place.offset, place.width, constants[place.name], 0, False))
            elif place.name in columns:
                plan.append((place.offset, place.width, columns[place.name], place.width, False))
        out = bytearray(len(data) * rows)
        load().stamp(out, data, plan, 0, rows, sequence)
        return out
