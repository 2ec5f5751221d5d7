"""Program: datagrams that are sent in turn in each of many network namespaces, later ones with what the
kernel told in reply to earlier ones; and what became of them. transport/visit.py runs one."""

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

    ack: it ends with the ack of its last message, which is asked for; else with the reply to that. plan: its
    fields are kept of the first reply that has them all, and go into the slots of their names in later
    datagrams; where the kernel does not tell them, the row ends with ENODATA. beside: not sent through the
    socket inside the namespace, but through one outside that serves all. digest: the name of a value that
    tells whether the kernel says the same as before: 64-bit FNV-1a of the bodies of all replies to the step,
    in their order; 0 where a dump was interrupted. tolerated: one errno that is no refusal in this step;
    ENODATA: fields that the kernel does not tell are 0."""

    name: str
    template: Template
    ack: bool = True
    plan: Plan | None = None
    beside: bool = False
    digest: str = ""
    tolerated: int = 0


class Outcome(Record):
    """What is known of a row.

    errno: 0, or what ended it; step: the number of the failing step (-1: entering the namespace or opening
    the socket), else how many steps are done: all, unless the run was broken off; message: the number of the
    refused message in its datagram, -1 where none is to blame; tlvs: its extended-ack attributes, at most 256
    bytes; values: those kept, also of a row that failed later, the others 0."""

    errno: int
    step: int
    message: int
    tlvs: bytes
    values: tuple[int, ...]


class Program:
    """Steps made ready: their datagrams in one piece, their messages numbered through from 1.

    data: what the shim reads; names: of the steps; values: the names of what is kept, in the order in which
    Outcome.values has it. ValueError: no steps or more than 16, a datagram above 1 MiB, more than 32 values
    or one that is not 1, 2, 4 or 8 bytes wide, more than 64 places for them in a step."""

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
            self.values += tuple(kept)
            widths.update(kept)
        self._datagrams = bytes(datagrams)
        self.data = compile_program(compiled)
        self._result = result_of(compiled)

    def stamp(
        self, columns: Mapping[str, bytes], rows: int, constants: Mapping[str, bytes] | None = None
    ) -> bytearray:
        """The datagrams of so many rows; see Template.stamp()."""
        return stamp(self._datagrams, self._places, columns, rows, constants or {})

    def room(self, rows: int) -> bytearray:
        """Room for the results of so many rows."""
        return bytearray(self._result.size * rows)

    def outcome(self, results: bytearray, row: int) -> Outcome:
        """What is known of a row: also of a run that was broken off by an exception."""
        errno, step, message, length, tlvs, *values = self._result.unpack_from(
            results, row * self._result.size
        )
        known: Outcome = new(Outcome, (errno, step, message, tlvs[:length], tuple(values)))
        return known

    def outcomes(self, results: bytearray) -> list[Outcome]:
        """What is known of each row."""
        return [self.outcome(results, row) for row in range(len(results) // self._result.size)]

    def has_failed(self, results: bytearray) -> bool:
        """Whether any row has."""
        return any(memoryview(results).cast("i")[:: self._result.size // 4])

    def message(self, step: int, number: int) -> tuple[Message, bytes]:
        """The description and the body of a message of a step, for the reading of an extended ack."""
        return self.steps[step].template.message(number)


def digest(bodies: Iterable[bytes]) -> int:
    """What a step's digest is of replies with these bodies."""
    found = 0xCBF29CE484222325  # 64-bit FNV-1a
    for body in bodies:
        for octet in body:
            found = (found ^ octet) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return found


class Instruction(Record):
    """A step as the shim sees it. length: of its datagram; widths: of the fields of its plan (of
    compile_plan()); puts: (number of a value, offset in the datagram) each."""

    length: int
    beside: bool = False
    tolerated: int = 0
    digest: bool = False
    widths: tuple[int, ...] = ()
    plan: bytes = b""
    puts: tuple[tuple[int, int], ...] = ()


def compile_program(steps: Sequence[Instruction]) -> bytes:
    """The program of a visit, as csrc/shim.h describes it. ValueError as Program."""
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
    """Return how what became of a row lies in the results: a struct nlp_visited and the values."""
    forms = ""
    for step in steps:
        forms += "".join([_FORMS[width] for width in step.widths]) + (
            _FORMS[DIGEST_WIDTH] if step.digest else ""
        )
    return Struct("=iiiI256s" + forms)
