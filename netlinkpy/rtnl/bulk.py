"""Bulk: many requests of one form, from columns of values, stamped and sent in chunks at the kernel's own
speed.

A column is one value for all rows (an int, a str), or a value for each: any one-dimensional object of the
buffer protocol (array, memoryview, a numpy array) whose items are numbers, or bytes of packed addresses; or
an iterable of ints or of strs (addresses: of ipaddress's too). A batch is no transaction: rows after a
refused one are still done."""

from __future__ import annotations

from sys import byteorder

from ..backends import load
from ..framing import NLMSG_HDRLEN
from ..record import Record
from ..uapi.netlink import NLM_F_REQUEST
from ..wire.attributes import Slot
from ..wire.errors import NetlinkError, meaning
from ..wire.extack import decode
from ..wire.template import Template
from .values import format_ip, format_mac, is_of_ipaddress, parse_ip, parse_mac

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ..transport.socket import Socket
    from ..wire.attributes import Values
    from ..wire.message import Message
    from .netlink import RTNetlink

_ROWS_AT_A_TIME = 8192  # stamped into one buffer
_ROWS_A_DATAGRAM = 512
_WHOLE = frozenset("BHILQbhilq")  # the formats of whole numbers
_TYPECODES = {1: "B", 2: "H", 4: "I", 8: "Q"}


class RowError(Record):
    """One row that the kernel refused: its number, errno, and a sentence."""

    row: int
    errno: int
    text: str


class BulkError(NetlinkError):
    """Some rows were refused; the others are done. failures: a RowError for each refused row, ascending."""

    failures: tuple[RowError, ...] = ()


class Column:
    """Values of one width, ready to be stamped: packed bytes, and the distance from one row's value to the
    next (0: one for all).

    swap: the values are numbers in the host's order and go into the message in network order."""

    __slots__ = ("data", "name", "rows", "stride", "swap", "width")

    def __init__(
        self, name: str, width: int, data: Any, stride: int, rows: int | None, swap: bool = False
    ) -> None:
        self.name = name
        self.width = width
        self.data = data
        self.stride = stride
        self.rows = rows  # None: any number
        self.swap = swap


def numbers(name: str, values: Any, width: int) -> Column:
    """Return a column of unsigned numbers. Raise ValueError or TypeError if they do not fit."""
    if isinstance(values, int):
        try:
            return Column(name, width, values.to_bytes(width, byteorder), 0, None)
        except OverflowError:
            raise ValueError(f"{name}: {values} does not fit {width} bytes") from None
    view = _buffer(name, values)
    if view is not None and view.itemsize == width and view.format in ("B", "H", "I", "L", "Q", "c"):
        return Column(name, width, view.cast("B"), width, len(view))
    from array import array

    try:
        packed = array(_TYPECODES[width], values if view is None else view.tolist())
    except (OverflowError, TypeError, NotImplementedError) as error:  # the last: a format of another order
        raise ValueError(f"{name}: {error}") from None
    return Column(name, width, packed.tobytes(), width, len(packed))


def interfaces(rt: RTNetlink, values: Any) -> Column:
    """Return the column dev: an index for each row; or one for all, by name, index or record."""
    one = isinstance(values, (str, Record))  # and a record is a tuple
    return numbers("dev", rt.index(values) if one else values, 4)


def addresses(name: str, values: Any, width: int) -> Column:
    """Return a column of IP addresses of `width` bytes. values: text; or packed in network order (a buffer of
    bytes); or IPv4 ones as numbers in the host's order (a buffer of four-byte items). Raise ValueError or
    TypeError if they do not fit."""
    return _packed(name, values, width, parse_ip, format_ip)


def macs(name: str, values: Any) -> Column:
    """Return a column of hardware addresses. values: text, or packed (a buffer of bytes). Raise ValueError or
    TypeError if they do not fit."""
    return _packed(name, values, 6, parse_mac, format_mac)


def _packed(
    name: str, values: Any, width: int, parse: Callable[[Any], bytes], show: Callable[[bytes], str]
) -> Column:
    if isinstance(values, str) or is_of_ipaddress(values):
        packed = parse(values)
        if len(packed) != width:
            raise ValueError(f"{name}: {values} is not of the family of the others")
        return Column(name, width, packed, 0, None)
    view = _buffer(name, values)
    if view is None:
        parts = [value if isinstance(value, bytes) else parse(value) for value in values]
        for part in parts:
            if len(part) != width:
                raise ValueError(f"{name}: {show(part)} is not of the family of the others")
        return Column(name, width, b"".join(parts), width, len(parts))
    if view.itemsize == 1:
        if len(view) % width:
            raise ValueError(f"{name}: {len(view)} bytes are not a multiple of {width}")
        return Column(name, width, view, width, len(view) // width)
    if view.itemsize != width or view.format not in _WHOLE:
        what = f"items of {view.itemsize} bytes and format {view.format!r}"
        raise ValueError(f"{name}: {what} cannot be addresses of {width} bytes")
    return Column(name, width, view.cast("B"), width, len(view), swap=byteorder == "little")


def _buffer(name: str, values: Any) -> memoryview | None:
    try:
        view = memoryview(values)
    except TypeError:
        return None
    if view.ndim != 1 or not view.c_contiguous:
        raise ValueError(f"{name}: a column is one-dimensional and contiguous")
    return view


def count_rows(columns: Iterable[Column]) -> int:
    """Return how many rows the columns have. Raise ValueError if they differ. (All single values: one
    row.)"""
    counts = {column.name: column.rows for column in columns if column.rows is not None}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name} {rows}" for name, rows in counts.items())
        raise ValueError(f"columns of different lengths: {told}")
    return next(iter(counts.values()), 1)


def send(
    socket: Socket,
    message: Message,
    type: int,
    flags: int,
    values: Values,
    columns: list[Column],
    verb: str,
    on_error: str,
) -> list[RowError]:
    """Send one message for each row: `values` with each column's value in the Slot of the column's name.

    Return the refused rows (on_error="continue"), or raise BulkError for them (on_error="raise").
    Raise OverrunError or DeadlineError if the outcome is not known from some row on."""
    if on_error not in ("raise", "continue"):
        raise ValueError(f"on_error is raise or continue, not {on_error!r}")
    rows = count_rows(columns)
    template = Template()
    template.add(message, type, flags | NLM_F_REQUEST, values)
    data = template.data
    offsets = [
        (place.offset, column) for column in columns for place in template.places if place.name == column.name
    ]
    plan = [(offset, column.width, column.data, column.stride, column.swap) for offset, column in offsets]
    stamp = load().stamp
    socket.enlarge()
    out = bytearray(len(data) * min(rows, _ROWS_AT_A_TIME))
    failures: list[RowError] = []
    for start in range(0, rows, _ROWS_AT_A_TIME):
        count = stamp(out, data, plan, start, min(rows, start + _ROWS_AT_A_TIME), 1)
        if count < len(out) // len(data):
            del out[count * len(data) :]
        refused = socket.exchange(out, count, verb=f"{verb} from row {start}", chunk=_ROWS_A_DATAGRAM)
        for one in refused:
            sent = bytes(out[one.row * len(data) + NLMSG_HDRLEN : (one.row + 1) * len(data)])
            told = decode(one.tlvs, message, sent)
            failures.append(RowError(start + one.row, one.errno, told.sentence or meaning(one.errno)))
    if failures and on_error == "raise":
        first = failures[0]
        text = f"row {first.row}: {first.text} ({len(failures)} of {rows} rows were refused)"
        summary = BulkError(first.errno, verb, where=socket.where, text=text)
        summary.failures = tuple(failures)
        raise summary
    return failures


def slot(column: Column) -> Slot:
    """Return the slot of a column's values."""
    return Slot(column.name, column.width)
