"""Columns: the messages of a dump as plain buffers, by a plan made from the message's description.

A column is a memoryview with one fixed-width value for each row, in the host's byte order; addresses stay as
on the wire. numpy wraps one without a copy: numpy.frombuffer(column, ...) or numpy.asarray(column)."""

from __future__ import annotations

from struct import Struct, pack
from sys import byteorder

from ..backends import load
from ..framing import NLMSG_HDRLEN, frame
from ..record import Record
from .errors import MalformedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from .message import Message

MAX_FIELDS = 64
MAX_DEPTH = 4
MAX_TYPE = 0x3FFF  # NLA_TYPE_MASK of linux/netlink.h

_FIRST_ROWS = 1024
_HEAD = Struct("=IH")  # of nlmsghdr: length, type
_FORMATS = {1: "B", 2: "H", 4: "I", 8: "Q"}


class Field(Record):
    """A column to read: the dotted path of its value in the message ("oif", "linkinfo.kind"), its width in
    bytes, and the struct letter of its values ("I"; empty: `width` bytes a row). length: read the payload's
    length as "H" instead of its bytes (4 for an IPv4 address, 16 for an IPv6 one). start: where it begins in
    the value."""

    path: str
    width: int
    form: str = ""
    length: bool = False
    start: int = 0


def number(message: Message, path: str) -> Field:
    """Return the field of an unsigned number, whose width is that of the message's description."""
    width = message.plan(path)[2]
    return Field(path, width, _FORMATS[width])


class Plan:
    """Which columns to read of which messages, compiled once for any number of dumps."""

    __slots__ = ("compiled", "fields", "names", "type", "widths")

    def __init__(self, message: Message, type: int, fields: Mapping[str, Field]) -> None:
        self.type = type
        self.names = tuple(fields)
        self.fields = tuple(fields.values())
        self.widths = {name: field.width for name, field in fields.items()}
        entries = []
        for field in self.fields:
            types, offset, _ = message.plan(field.path)
            entries.append((types, offset + field.start, field.width, int(field.length)))
        self.compiled = compile_plan(type, message.header.struct.size, entries)


def compile_plan(
    message_type: int, header_size: int, fields: Sequence[tuple[tuple[int, ...], int, int, int]]
) -> bytes:
    """Return the plan of a gather (backends/interface.py) for messages of `message_type` with a fixed header
    of `header_size` bytes after the nlmsghdr: a header, a tree of nodes, the fields; all u16 in the host's
    order.

    A field is (path, offset, width, kind). `path` is the attribute types from the outermost in, at
    most 4; () is the fixed header. Kind 0 copies the payload's bytes from `offset` on: `width` of
    them, padded with zeros where the payload is shorter, cut where it is longer. Kind 1 stores the
    payload's whole length as u16 (`width` 2, `offset` 0), so that a 4-byte address can be told from
    a 16-byte one. A field is absent when its attribute is, or (kind 0) when `offset` is not 0 and
    the payload ends at or before it. If an attribute occurs twice, the last one that holds the field counts.
    The flags NLA_F_NESTED and NLA_F_NET_BYTEORDER of attribute types are masked off.

    Raise ValueError unless there are 1 to 64 fields, widths are 1 to 65535, attribute types 0 to 0x3fff, and
    the message type is below 65536.

    The nodes lie breadth first, so a node's children are neighbours and follow it: a walk down always goes
    forward.
    """
    _check_plan(message_type, header_size, fields)
    paths: set[tuple[int, ...]] = {()}
    for path, *_ in fields:
        paths.update([path[:depth] for depth in range(1, len(path) + 1)])
    nodes = sorted(paths, key=lambda path: (len(path), path))
    order = sorted(range(len(fields)), key=lambda number: nodes.index(fields[number][0]))
    words = [message_type, header_size, len(nodes), len(fields)]
    for path in nodes:
        children = [index for index, other in enumerate(nodes) if other and other[:-1] == path]
        own = [place for place, number in enumerate(order) if fields[number][0] == path]
        words.append(path[-1] if path else 0)
        for group in (children, own):
            words += (group[0] if group else 0, len(group))
    for number in order:
        words += (number, *fields[number][1:])
    return pack(f"={len(words)}H", *words)


def _check_plan(
    message_type: int, header_size: int, fields: Sequence[tuple[tuple[int, ...], int, int, int]]
) -> None:
    """Raise ValueError for what no plan can hold."""
    if not 0 <= message_type <= 0xFFFF or not 0 <= header_size <= 0xFFFF:
        raise ValueError("the message type and the header's size must fit 16 bits")
    if not 1 <= len(fields) <= MAX_FIELDS:
        raise ValueError(f"a plan has 1 to {MAX_FIELDS} fields")
    for path, offset, width, kind in fields:
        if len(path) > MAX_DEPTH or not all(0 <= step <= MAX_TYPE for step in path):
            raise ValueError(
                f"a field's path has at most {MAX_DEPTH} attribute types, each below {MAX_TYPE + 1}"
            )
        if not 0 <= offset <= 0xFFFF or not 1 <= width <= 0xFFFF:
            raise ValueError("a field's offset and width must fit 16 bits, and the width is not 0")
        if kind not in (0, 1) or (kind == 1 and (offset, width) != (0, 2)):
            raise ValueError("a field's kind is 0, or 1 with offset 0 and width 2")


class Table:
    """Columns that grow as datagrams are fed into them."""

    __slots__ = ("_buffers", "_capacity", "_keep", "_plan", "_present", "bodies", "rows")

    def __init__(self, plan: Plan, rows: int = _FIRST_ROWS, *, keep: bool = False) -> None:
        """rows: room to begin with; keep: keep the bodies of the messages too, in `bodies`."""
        self._plan = plan
        self._keep = keep
        self.bodies: list[bytes] = []
        self._capacity = rows
        self._buffers = [bytearray(field.width * rows) for field in plan.fields]
        self._present = bytearray(8 * rows)
        self.rows = 0

    def feed(self, data: bytes | bytearray | memoryview, length: int, start: int = 0) -> tuple[int, int]:
        """Take the messages of one received datagram. Return the offset where it stopped (the end, or a DONE
        or ERROR, which the caller reads) and the OR of the flags of all messages taken. Raise ValueError if a
        length is wrong."""
        gather = load().gather
        flags, begin = 0, start
        while True:
            added, start, seen = gather(
                data,
                length,
                self._plan.compiled,
                self._buffers,
                self._present,
                self.rows,
                self._capacity,
                start,
            )
            self.rows += added
            flags |= seen
            if self.rows < self._capacity:
                if self._keep:
                    self._keep_bodies(data, begin, start)
                return start, flags
            self._grow()

    def _keep_bodies(self, data: bytes | bytearray | memoryview, at: int, end: int) -> None:
        """Keep the bodies of the messages in `data[at:end]`, whose lengths gather() has checked."""
        whole = bytes(memoryview(data)[at:end])
        bodies, unpack, wanted = self.bodies, _HEAD.unpack_from, self._plan.type
        at, end = 0, len(whole)
        while end - at >= NLMSG_HDRLEN:
            length, type = unpack(whole, at)
            if type == wanted:
                bodies.append(whole[at + NLMSG_HDRLEN : at + length])
            at += (length + 3) & ~3

    def _grow(self) -> None:
        self._capacity *= 2
        for buffer, field in zip(self._buffers, self._plan.fields, strict=True):
            buffer.extend(bytes(field.width * self._capacity - len(buffer)))
        self._present.extend(bytes(8 * self._capacity - len(self._present)))

    def clear(self) -> None:
        """Drop the rows, keep the room."""
        self.rows = 0
        self.bodies.clear()

    def column(self, name: str) -> memoryview:
        """Return the values of a column, zero where they are absent. Raise ValueError if there is no such
        column."""
        position = self._plan.names.index(name)
        field = self._plan.fields[position]
        view = memoryview(self._buffers[position])[: field.width * self.rows]
        form: Any = field.form
        return view.cast(form) if form else view

    def columns(self) -> dict[str, memoryview]:
        """Return all columns by name, and `present`: for each row a u64 whose bit i says whether column i was
        there."""
        found = {name: self.column(name) for name in self._plan.names}
        found["present"] = memoryview(self._present)[: 8 * self.rows].cast("Q")
        return found

    def values(self, name: str) -> Sequence[Any]:
        """Return the values of a column as Python objects: numbers, or bytes of the column's width."""
        position = self._plan.names.index(name)
        field = self._plan.fields[position]
        column = self.column(name)
        if field.form:
            return column.tolist()
        width = field.width
        whole = column.tobytes()
        return [whole[at : at + width] for at in range(0, len(whole), width)]

    def presence(self) -> list[int]:
        """Return for each row the bits of the columns that were there."""
        return memoryview(self._present)[: 8 * self.rows].cast("Q").tolist()


def pick(plan: Plan, body: bytes) -> list[Any]:
    """Return the values of a plan's columns in the body of one message, in their order; None for an absent
    one. Raise MalformedError if the body is none."""
    message = frame(plan.type, 0, 0, body)
    buffers = [bytearray(field.width) for field in plan.fields]
    present = bytearray(8)
    try:
        load().gather(message, len(message), plan.compiled, buffers, present, 0, 1)
    except ValueError as error:
        raise MalformedError(str(error)) from None
    bits = int.from_bytes(present, byteorder)
    return [
        (int.from_bytes(buffer, byteorder, signed=field.form == "i") if field.form else bytes(buffer))
        if bits >> at & 1
        else None
        for at, (field, buffer) in enumerate(zip(plan.fields, buffers, strict=True))
    ]
