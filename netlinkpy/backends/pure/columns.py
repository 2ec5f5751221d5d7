"""stamp and gather, bytes in and bytes out: whole columns are moved by strided slices, not row by row."""

from __future__ import annotations

from struct import Struct

from netlinkpy.uapi.netlink import NLMSG_DONE, NLMSG_ERROR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from typing_extensions import Buffer

    #: attribute type -> (what is looked for inside it, its own fields as (column, offset, width, kind))
    Tree = dict[int, "tuple[Tree | None, list[tuple[int, int, int, int]]]"]

    #: message type, size of the fixed header, its fields, what is looked for behind it, widths of the columns
    Plan = tuple[int, int, list[tuple[int, int, int, int]], Tree, list[int]]

HEADER = Struct("=IHH")  # nlmsghdr up to nlmsg_flags
ATTRIBUTE = Struct("=HH")
WORD = Struct("=H")
COLUMN = Struct("=4Q")  # offset, width, stride, swap
GATHERED = Struct("=3Q")
NLA_TYPE_MASK = 0x3FFF
MAX_COLUMNS = 64
MAX_FIELDS = 64
MAX_DEPTH = 4
MAX_NODES = 1 + MAX_FIELDS * MAX_DEPTH  # the message, and a path for each field


def flat(buffer: Buffer, writable: bool = False) -> memoryview:
    """Return the bytes of a C-contiguous buffer. Raise BufferError if it is not one."""
    view = memoryview(buffer)
    if not view.c_contiguous or (writable and view.readonly):
        raise BufferError("a C-contiguous buffer is needed" + ", and a writable one" * writable)
    return view.cast("B") if view.nbytes else memoryview(bytearray())


def stamp(
    start: int,
    stop: int,
    numbered: bool,
    sequence: int,
    out: Buffer,
    template: Buffer,
    columns: bytes,
    data: Sequence[Buffer],
) -> int:
    target, row = flat(out, writable=True), bytes(flat(template))
    size = len(row)
    if not size or size % 4:
        raise ValueError("the template is empty or no multiple of 4 bytes")
    if numbered and size < 16:
        raise ValueError("the template has no room for an nlmsghdr")
    if not 0 <= start <= stop:
        raise ValueError("rows run from start to stop, both not negative")
    if len(data) > MAX_COLUMNS:
        raise ValueError(f"there are more than {MAX_COLUMNS} columns")
    values = []
    for (offset, width, stride, swap), buffer in zip(COLUMN.iter_unpack(columns), data, strict=True):
        view = flat(buffer)
        if offset + width > size:
            raise ValueError("a column lies outside the template")
        if stop > start and (stop - 1) * stride + width > len(view):
            raise ValueError("a column's data ends before the last row")
        # A column cut from `out` itself must be read before `out` is written.
        values.append((offset, width, bytes(view) if view.obj is target.obj else view, stride, swap))
    rows = min(stop - start, len(target) // size)
    if not rows:
        return 0
    end = rows * size
    target[:end] = row * rows
    for offset, width, source, stride, swap in values:
        first = start * stride
        for byte in range(width):
            taken = first + (width - 1 - byte if swap else byte)
            plane = (
                source[taken : taken + (rows - 1) * stride + 1 : stride]
                if stride
                else source[taken : taken + 1]
            )
            target[offset + byte : end : size] = plane if stride else bytes(plane) * rows
    if numbered:
        numbers = Struct(f"={rows}I").pack(
            *[number & 0xFFFFFFFF for number in range(sequence, sequence + rows)]
        )
        for byte in range(4):
            target[8 + byte : end : size] = numbers[byte::4]
    return rows


_plans: dict[bytes, Plan] = {}


def read_plan(plan: bytes) -> Plan:
    """Return a plan decoded; it is decoded and checked once. Raise ValueError if it is invalid."""
    known = _plans.get(plan)
    if known is None:
        if len(_plans) >= 256:
            _plans.clear()
        known = _plans[plan] = _read_plan(plan)
    return known


def _read_plan(plan: bytes) -> Plan:
    if plan.__class__ is not bytes:
        raise TypeError("a bytes object is needed: it cannot change")
    if len(plan) < 8 or len(plan) % 2:
        raise ValueError("the plan is invalid")
    words = memoryview(plan).cast("H").tolist()
    type, header_size, count, field_count = words[:4]
    start = 4 + 5 * count
    if not 1 <= count <= MAX_NODES or field_count > MAX_FIELDS or len(words) != start + 4 * field_count:
        raise ValueError("the plan is invalid")
    entries = iter(words[start:])
    fields = list(zip(entries, entries, entries, entries, strict=True))
    widths = [0] * field_count
    for column, _, width, kind in fields:
        if column >= field_count or widths[column] or not width or kind > 1 or (kind and width != 2):
            raise ValueError("a field of the plan is invalid")
        widths[column] = width
    trees: list[Tree] = [{}] * count
    own: list[list[tuple[int, int, int, int]]] = [[]] * count
    depths = [0] * count
    for node in range(count - 1, -1, -1):  # children follow their parent
        _, child, children, first, amount = words[4 + 5 * node : 9 + 5 * node]
        if (children and child <= node) or child + children > count or first + amount > field_count:
            raise ValueError("a node of the plan is invalid")
        inner = range(child, child + children)
        trees[node] = {words[4 + 5 * one]: (trees[one] or None, own[one]) for one in reversed(inner)}
        own[node] = fields[first : first + amount]
        depths[node] = max([1 + depths[one] for one in inner], default=0)
    if max(depths) > MAX_DEPTH:
        raise ValueError("the plan is too deep")
    return type, header_size, own[0], trees[0], widths


def gather(
    length: int,
    row: int,
    capacity: int,
    start: int,
    data: Buffer,
    plan: bytes,
    present: Buffer | None,
    told: bytearray,
    columns: Sequence[Buffer],
) -> int:
    message_type, header_size, own, tree, widths = read_plan(plan)
    view = flat(data)
    if not 0 <= start <= length <= len(view):
        raise ValueError("the datagram is shorter than its length")
    if not 0 <= row <= capacity:
        raise ValueError("the row lies outside the capacity")
    targets = [flat(column, writable=True) for column in columns]
    if len(targets) != len(widths) or any(
        len(t) < w * capacity for t, w in zip(targets, widths, strict=True)
    ):
        raise ValueError("a plan's columns are one for each field, of width * capacity bytes")
    marks = None if present is None else flat(present, writable=True)
    if marks is not None and len(marks) < 8 * capacity:
        raise ValueError("present is shorter than 8 * capacity bytes")

    octets = bytes(view[:length])
    blank = [bytes(width) for width in widths]
    room = capacity - row
    rows: list[list[bytes]] = []
    masks: list[int] = []
    position, all_flags = start, 0
    while position < length and len(rows) < room:
        if length - position < 16:
            raise ValueError("a message is cut off")
        size, kind, flags = HEADER.unpack_from(octets, position)
        end = position + size
        if size < 16 or end > length:
            raise ValueError("a message's length does not fit")
        if kind in (NLMSG_ERROR, NLMSG_DONE):
            break
        if kind == message_type:
            body = position + 16
            if end - body < header_size:
                raise ValueError("a message is shorter than its fixed header")
            cells = blank.copy()
            mask = _keep(octets, body, header_size, own, cells) if own else 0
            masks.append(mask | _attributes(octets, body + ((header_size + 3) & ~3), end, tree, cells))
            rows.append(cells)
        all_flags |= flags
        position = min(position + ((size + 3) & ~3), length)
    if rows:
        for target, width, column in zip(targets, widths, zip(*rows, strict=True), strict=True):
            target[row * width : (row + len(rows)) * width] = b"".join(column)
        if marks is not None:
            marks[8 * row : 8 * (row + len(rows))] = Struct(f"={len(rows)}Q").pack(*masks)
    GATHERED.pack_into(told, 0, len(rows), position, all_flags)
    return 0


def _attributes(octets: bytes, at: int, end: int, tree: Tree, cells: list[bytes]) -> int:
    """Put what `tree` looks for among the attributes in `octets[at:end]` into `cells`; return the bits of
    the fields found."""
    mask = 0
    while end - at >= 4:
        size, kind = ATTRIBUTE.unpack_from(octets, at)
        if size < 4 or at + size > end:
            raise ValueError("an attribute's length does not fit")
        entry = tree.get(kind & NLA_TYPE_MASK)
        if entry is not None:
            inner, fields = entry
            for number, offset, width, how in fields:
                if how == 0 and offset == 0 and size - 4 == width:  # nearly always
                    cells[number] = octets[at + 4 : at + size]
                    mask |= 1 << number
                else:
                    mask |= _keep(octets, at + 4, size - 4, ((number, offset, width, how),), cells)
            if inner is not None:
                mask |= _attributes(octets, at + 4, at + size, inner, cells)
        at += (size + 3) & ~3
    return mask


def _keep(
    octets: bytes, at: int, length: int, fields: Iterable[tuple[int, int, int, int]], cells: list[bytes]
) -> int:
    """Put the fields of one payload (or fixed header) into `cells`; return the bits of those found."""
    mask = 0
    for number, offset, width, how in fields:
        if how == 1:
            cells[number] = WORD.pack(length)
        elif offset and offset >= length:
            continue
        else:
            cells[number] = octets[at + offset : at + min(offset + width, length)].ljust(width, b"\0")
        mask |= 1 << number
    return mask
