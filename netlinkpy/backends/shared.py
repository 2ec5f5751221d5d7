"""What the backends share: limits, the compiling of plans and scripts for the shim, and the error of an
exchange that got no answer."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netlinkpy.backends.interface import Failure, Field, Plan, Step, Visited

MAX_NETNS = 65536
MAX_FIELDS = 64
MAX_COLUMNS = 64
MAX_DEPTH = 4
MAX_STEPS = 16
MAX_PUTS = 64
MAX_VALUES = 32
MAX_LENGTH = 1 << 20  # of a step's datagram
VALUE_FORMS = {1: "B7x", 2: "H6x", 4: "I4x", 8: "Q"}  # how a value lies in its 8 bytes, by its width
MAX_TYPE = 0x3FFF  # NLA_TYPE_MASK of linux/netlink.h


class ExchangeError(OSError):
    """An exchange broke off: some rows got no answer.

    `rows_done` rows were answered for sure, `failures` holds the refused ones among them (and those already
    read of the broken datagram). What became of the other rows of that datagram, only the kernel knows;
    those behind it were not sent.
    """

    def __init__(self, code: int, rows_done: int, rows: int, failures: list[Failure]) -> None:
        import os

        super().__init__(code, f"{os.strerror(code)}: {rows_done} of {rows} messages were answered")
        self.rows_done = rows_done
        self.failures = failures


def check_plan(message_type: int, header_size: int, fields: Sequence[Field]) -> None:
    """Refuse what no plan can hold. ValueError."""
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


def compile_plan(message_type: int, header_size: int, fields: Sequence[Field], /) -> bytes:
    """The plan as the shim reads it (see csrc/shim.h): a header, a tree of nodes, the fields; all u16 in
    host order.

    The nodes lie breadth first, so a node's children are neighbours and stand behind it: whoever walks down
    always walks forward.
    """
    from struct import pack

    check_plan(message_type, header_size, fields)
    paths: set[tuple[int, ...]] = {()}
    for path, *_ in fields:
        paths.update(path[:depth] for depth in range(1, len(path) + 1))
    nodes = sorted(paths, key=lambda path: (len(path), path))
    order = sorted(range(len(fields)), key=lambda number: nodes.index(fields[number][0]))
    packed_nodes = []
    for path in nodes:
        children = [index for index, other in enumerate(nodes) if other and other[:-1] == path]
        own = [place for place, number in enumerate(order) if fields[number][0] == path]
        packed_nodes.append(
            pack(
                "=5H",
                path[-1] if path else 0,
                children[0] if children else 0,
                len(children),
                own[0] if own else 0,
                len(own),
            )
        )
    packed_fields = [pack("=4H", number, *fields[number][1:]) for number in order]
    head = pack("=4H", message_type, header_size, len(nodes), len(fields))
    return head + b"".join(packed_nodes) + b"".join(packed_fields)


class Script:
    """A script as the shim reads it (see csrc/shim.h), and how what it gives is read."""

    __slots__ = ("_result", "data")

    def __init__(self, data: bytes, widths: Sequence[int]) -> None:
        from struct import Struct

        self.data = data
        self._result = Struct(f"=iiiI256s{''.join([VALUE_FORMS[width] for width in widths])}")

    def room(self, rows: int) -> bytearray:
        """Room for the results of so many rows, zeros."""
        return bytearray(self._result.size * rows)

    def read(self, results: bytearray) -> list[Visited]:
        """What became of each row."""
        return [
            (errno, step, message, tlvs[:length], tuple(values))
            for errno, step, message, length, tlvs, *values in self._result.iter_unpack(results)
        ]


def compile_script(steps: Sequence[Step], /) -> Script:
    """See `netlinkpy.backends.interface.Backend.compile_script`."""
    from struct import pack

    widths: list[int] = []
    packed = []
    for length, beside, plan, puts in check_script(steps, plan_widths):
        known = list(widths)
        fields = () if plan is None else plan_widths(plan)
        widths += fields
        compiled: bytes = plan or b""
        packed.append(pack("=5I", length, bool(beside), len(fields), len(puts), len(compiled)))
        packed += [pack("=3I", value, known[value], offset) for value, offset in puts]
        packed.append(compiled)
    head = pack("=3I", len(steps), sum([step[0] for step in steps]), len(widths))
    return Script(head + b"".join(packed), widths)


def check_script(steps: Sequence[Step], widths_of: Callable[[Plan], tuple[int, ...]]) -> Sequence[Step]:
    """The steps, when they can be a script; else ValueError. widths_of: tells the widths of a plan's
    fields."""
    if not 1 <= len(steps) <= MAX_STEPS:
        raise ValueError(f"a visit has 1 to {MAX_STEPS} steps")
    known: list[int] = []
    for length, _, plan, puts in steps:
        if not 16 <= length <= MAX_LENGTH:
            raise ValueError(f"a step's datagram has 16 to {MAX_LENGTH} bytes")
        if len(puts) > MAX_PUTS:
            raise ValueError(f"a step has at most {MAX_PUTS} puts")
        for value, offset in puts:
            if not 0 <= value < len(known):
                raise ValueError("a put has no value that an earlier step keeps")
            if not 0 <= offset <= length - known[value]:
                raise ValueError("a put lies outside its datagram")
        known += () if plan is None else widths_of(plan)
        if len(known) > MAX_VALUES or not VALUE_FORMS.keys() >= set(known):
            raise ValueError(f"a visit keeps at most {MAX_VALUES} values, of 1, 2, 4 or 8 bytes each")
    return steps


def plan_widths(plan: bytes) -> tuple[int, ...]:
    """The widths of the fields of a plan as the shim reads it, in their order."""
    from struct import unpack_from

    _, _, nodes, fields = unpack_from("=4H", plan)
    entries = [unpack_from("=4H", plan, 8 + nodes * 10 + number * 8) for number in range(fields)]
    return tuple([width for _, _, width, _ in sorted(entries)])
