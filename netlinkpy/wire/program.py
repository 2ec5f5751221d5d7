"""Program: datagrams sent in turn in each of many network namespaces, later ones with values from the replies
to earlier ones; Outcome: what became of them. transport/visit.py runs a program."""

from __future__ import annotations

from struct import Struct, pack

from ..framing import NLMSGHDR
from ..record import Record, new
from ..uapi.netlink import NLM_F_ACK
from .attributes import Placed
from .template import stamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .columns import Plan
    from .message import Message
    from .template import Template

MAX_STEPS = 16
MAX_PUTS = 64
MAX_VALUES = 32
MAX_LENGTH = 1 << 20  # of a step's datagram
DIGEST_WIDTH = 8
_FORMS = {1: "B7x", 2: "H6x", 4: "I4x", 8: "Q"}  # how a value lies in its 8 bytes, by its width


class ProgramStep(Record):
    """One datagram of a program.

    ack: request the ack of the last message, with which the step ends; otherwise it ends with the reply to
    that message. plan: its fields are kept of the first reply that has them all, and go into the slots of
    their names in later datagrams; if no reply has them, the row ends with ENODATA. beside: send it not
    through the socket inside the namespace, but through one outside that serves all rows. digest: the name of
    a value that shows whether the kernel replies the same as before: the 64-bit FNV-1a of the bodies of all
    replies to the step, in their order; 0 if a dump was interrupted. tolerated: one errno that is no refusal
    in this step; ENODATA: fields that the kernel does not report are 0."""

    name: str
    template: Template
    ack: bool = True
    plan: Plan | None = None
    beside: bool = False
    digest: str = ""
    tolerated: int = 0


class Outcome(Record):
    """What became of a row.

    errno: 0, or the one that ended the row; step: the number of the failed step (-1: entering the namespace
    or opening the socket), or if none failed, how many steps are done: all of them, unless the visit was
    interrupted; message: the number of the refused message in its datagram, -1 if none was refused; tlvs: its
    extended-ack attributes, at most 256 bytes; values: those kept before the row ended, the others 0."""

    errno: int
    step: int
    message: int
    tlvs: bytes
    values: tuple[int, ...]


class Program:
    """Steps compiled for a visit: their datagrams in one piece, their messages numbered from 1.

    data: what the shim reads; names: of the steps; values: the names of the values kept, in the order of
    Outcome.values. Raise ValueError if there are no steps or more than 16, a datagram above 1 MiB, more than
    32 values or one that is not 1, 2, 4 or 8 bytes wide, or more than 64 slots for them in a step."""

    __slots__ = ("_datagrams", "_places", "_result", "data", "names", "steps", "values")

    def __init__(self, steps: Sequence[ProgramStep]) -> None:
        self.steps = tuple(steps)
        self.names = tuple([step.name for step in steps])
        self.values: tuple[str, ...] = ()
        self._places: list[Placed] = []
        datagrams = bytearray()
        compiled = []
        widths: dict[str, int] = {}  # of what is kept
        sequence = 0
        for step in steps:
            start = len(datagrams)
            datagrams += step.template.data
            last = len(step.template.messages) - 1
            for number, (_, at) in enumerate(step.template.messages):
                sequence += 1
                length, type, flags, _, port = NLMSGHDR.unpack_from(datagrams, start + at)
                flags |= NLM_F_ACK if step.ack and number == last else 0
                NLMSGHDR.pack_into(datagrams, start + at, length, type, flags, sequence, port)
            puts = []
            for place in step.template.places:
                if place.name in widths:
                    if place.width != widths[place.name]:
                        text = f"slot {place.name} has {place.width} bytes, and {widths[place.name]} are kept"
                        raise ValueError(text)
                    puts.append((self.values.index(place.name), place.offset))
                else:
                    self._places.append(Placed(place.name, start + place.offset, place.width))
            kept = {} if step.plan is None else step.plan.widths
            plan = b"" if step.plan is None else step.plan.compiled
            compiled.append(
                Instruction(
                    len(datagrams) - start,
                    step.beside,
                    step.tolerated,
                    bool(step.digest),
                    tuple(kept.values()),
                    plan,
                    tuple(puts),
                )
            )
            if step.digest:
                kept = {**kept, step.digest: DIGEST_WIDTH}
            if not widths.keys().isdisjoint(kept) or step.digest in (step.plan.names if step.plan else ()):
                raise ValueError(f"step {step.name} keeps a value of a name that is kept already")
            self.values += tuple(kept)
            widths.update(kept)
        self._datagrams = bytes(datagrams)
        self.data = compile_program(compiled)
        self._result = result_of(compiled)

    def stamp(
        self, columns: Mapping[str, bytes], rows: int, constants: Mapping[str, bytes] | None = None
    ) -> bytearray:
        """Return the datagrams of `rows` rows; see Template.stamp()."""
        return stamp(self._datagrams, self._places, columns, rows, constants or {})

    def room(self, rows: int) -> bytearray:
        """Return a buffer for the results of `rows` rows."""
        return bytearray(self._result.size * rows)

    def outcome(self, results: bytearray, row: int) -> Outcome:
        """Return what became of a row, also if an exception interrupted the visit."""
        errno, step, message, length, tlvs, *values = self._result.unpack_from(
            results, row * self._result.size
        )
        known: Outcome = new(Outcome, (errno, step, message, tlvs[:length], tuple(values)))
        return known

    def outcomes(self, results: bytearray) -> list[Outcome]:
        """Return what became of each row."""
        return [self.outcome(results, row) for row in range(len(results) // self._result.size)]

    def has_failed(self, results: bytearray) -> bool:
        """Return whether any row has failed."""
        return any(memoryview(results).cast("i")[:: self._result.size // 4])

    def message(self, step: int, number: int) -> tuple[Message, bytes]:
        """Return the description and the body of a message of a step, to decode an extended ack."""
        return self.steps[step].template.message(number)


def digest(bodies: Iterable[bytes]) -> int:
    """Return a step's digest of replies with these bodies."""
    found = 0xCBF29CE484222325  # 64-bit FNV-1a
    for body in bodies:
        for octet in body:
            found = (found ^ octet) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return found


class Instruction(Record):
    """A step as the shim sees it. length: of its datagram; plan: of compile_plan(), empty for none; widths:
    of the plan's fields; puts: (number of a value, offset in the datagram) of each place that a kept value
    goes to."""

    length: int
    beside: bool = False
    tolerated: int = 0
    digest: bool = False
    widths: tuple[int, ...] = ()
    plan: bytes = b""
    puts: tuple[tuple[int, int], ...] = ()


def compile_program(steps: Sequence[Instruction]) -> bytes:
    """Return a program in the bytes that csrc/shim.h describes. Raise ValueError as Program does."""
    if not 1 <= len(steps) <= MAX_STEPS:
        raise ValueError(f"a program has 1 to {MAX_STEPS} steps")
    known: list[int] = []
    packed = []
    for step in steps:
        if not 16 <= step.length <= MAX_LENGTH:
            raise ValueError(f"a step's datagram has 16 to {MAX_LENGTH} bytes")
        if len(step.puts) > MAX_PUTS:
            raise ValueError(f"a step has at most {MAX_PUTS} puts")
        numbers = step.length, step.beside, step.tolerated, step.digest
        packed.append(pack("=7I", *numbers, len(step.widths), len(step.puts), len(step.plan)))
        for value, offset in step.puts:
            if not 0 <= value < len(known):
                raise ValueError("a put has no value that an earlier step keeps")
            if not 0 <= offset <= step.length - known[value]:
                raise ValueError("a put lies outside its datagram")
            packed.append(pack("=3I", value, known[value], offset))
        packed.append(step.plan)
        known += (*step.widths, DIGEST_WIDTH) if step.digest else step.widths
        if len(known) > MAX_VALUES or not _FORMS.keys() >= set(known):
            raise ValueError(f"a visit keeps at most {MAX_VALUES} values, of 1, 2, 4 or 8 bytes each")
    return pack("=3I", len(steps), sum([step.length for step in steps]), len(known)) + b"".join(packed)


def result_of(steps: Sequence[Instruction]) -> Struct:
    """Return the layout of a row's results: a struct nlp_visited, then the values."""
    forms = ""
    for step in steps:
        forms += "".join([_FORMS[width] for width in step.widths]) + (
            _FORMS[DIGEST_WIDTH] if step.digest else ""
        )
    return Struct("=iiiI256s" + forms)
