"""visit: run a program inside each of many network namespaces."""

from __future__ import annotations

import errno
from struct import Struct
from sys import byteorder
from time import monotonic_ns

from netlinkpy.backends.interface import Descriptors, Hush
from netlinkpy.backends.pure.columns import flat, gather, read_plan
from netlinkpy.backends.pure.netns import elsewhere, open_route_socket
from netlinkpy.backends.pure.talk import RECEIVE, Line
from netlinkpy.framing import NLMSG_HDRLEN, messages, refusal
from netlinkpy.uapi.netlink import (
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    NLM_F_MULTI,
    NLMSG_DONE,
    NLMSG_ERROR,
    NLMSG_MIN_TYPE,
    NLMSG_OVERRUN,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import Buffer

    #: length, beside, tolerated, digest, first value, fields, puts as (value, width, offset), plan
    Step = tuple[int, int, int, int, int, int, list[tuple[int, int, int]], bytes]

    #: steps, bytes of a row's datagrams, values
    Program = tuple[list[Step], int, int]

VISITED = Struct("=iiiI")  # struct nlp_visited; its TLVs lie behind it
TLVS = 256
VALUES = VISITED.size + TLVS  # their offset in a row's results
VALUE = 8
MAX_STEPS, MAX_PUTS, MAX_VALUES = 16, 64, 32
FNV_BASIS, FNV_PRIME, U64 = 0xCBF29CE484222325, 0x100000001B3, 0xFFFFFFFFFFFFFFFF  # 64-bit FNV-1a

_HEAD, _STEP, _PUT = Struct("=3I"), Struct("=7I"), Struct("=3I")
_programs: dict[bytes, Program] = {}


def read_program(program: bytes) -> Program:
    """Return a program decoded; it is decoded and checked once. Raise ValueError if it is invalid."""
    known = _programs.get(program)
    if known is None:
        if len(_programs) >= 256:
            _programs.clear()
        known = _programs[program] = _read_program(program)
    return known


def _read_program(program: bytes) -> Program:
    if program.__class__ is not bytes:
        raise TypeError("a bytes object is needed: it cannot change")
    if len(program) < _HEAD.size:
        raise ValueError("the program is invalid")
    count, row_length, values = _HEAD.unpack_from(program)
    if not 1 <= count <= MAX_STEPS or values > MAX_VALUES:
        raise ValueError("the program is invalid")
    steps: list[Step] = []
    at, start, known = _HEAD.size, 0, 0
    for _ in range(count):
        if len(program) - at < _STEP.size:
            raise ValueError("a step of the program is cut off")
        length, beside, tolerated, digest, fields, put_count, plan_length = _STEP.unpack_from(program, at)
        at += _STEP.size
        put_end = at + put_count * _PUT.size
        if put_count > MAX_PUTS or put_end + plan_length > len(program):
            raise ValueError("a step of the program is cut off")
        puts = [_PUT.unpack_from(program, place) for place in range(at, put_end, _PUT.size)]
        at = put_end + plan_length
        plan = program[put_end:at]
        if length < 16 or any(
            value >= known or not 1 <= width <= VALUE or offset + width > length
            for value, width, offset in puts
        ):
            raise ValueError("a step of the program is invalid")
        widths = read_plan(plan)[4] if fields else []
        if len(widths) != fields or any(width > VALUE for width in widths) or (plan and not fields):
            raise ValueError("a plan of the program is invalid")
        steps.append((length, beside, tolerated, bool(digest), known, fields, puts, plan))
        start += length
        known += fields + bool(digest)
    if at != len(program) or start != row_length or known != values:
        raise ValueError("the program is invalid")
    return steps, row_length, values


def visit(
    beside: int,
    timeout_ns: int,
    hush: int,
    program: bytes,
    datagrams: Buffer,
    netns_fds: Buffer,
    sockets: Buffer | None,
    results: Buffer,
) -> int:
    steps, row_length, values = read_program(program)
    namespaces, data, told = flat(netns_fds), flat(datagrams, writable=True), flat(results, writable=True)
    own = Descriptors(0 if sockets is not None else len(namespaces) // 4)  # which are closed at the end
    kept = flat(own.numbers if sockets is None else sockets, writable=True)
    if len(namespaces) % 4 or len(kept) != len(namespaces):
        raise ValueError("namespace descriptors and sockets are C ints, as many of each")
    rows = len(namespaces) // 4
    size = VALUES + VALUE * values
    if len(data) != rows * row_length or len(told) != rows * size:
        raise ValueError("the datagrams or the results are not those of the rows")
    owners = [id(view.obj) for view in (data, told, kept)]
    if rows and len(set(owners)) < len(owners):
        raise ValueError("what is written shares memory with another buffer")
    for start in range(0, len(data), row_length):
        for length, *_ in steps:
            for _ in messages(data, start, start + length):
                pass
            start += length
    lines = kept.cast("i").tolist()
    given = [fd >= 0 for fd in lines]
    hushed = [Hush() for _ in range(rows)] if hush else []
    beside = beside if beside >= 0 else -errno.EBADF
    try:
        if not all(given):
            elsewhere(lambda: _open_all(namespaces.cast("i").tolist(), given, lines, kept, hushed))
        room = memoryview(bytearray(RECEIVE))
        for row, fd in enumerate(lines):
            talk = _Row(fd, beside, room, monotonic_ns() + timeout_ns, told[row * size : (row + 1) * size])
            talk.run(steps, data[row * row_length : (row + 1) * row_length])
            beside = talk.fds[1]
    finally:  # also if a signal handler raises
        for each in hushed:
            each.close()
        own.close()
    return 0


def _open_all(
    namespaces: list[int],
    given: list[bool],
    lines: list[int],
    kept: memoryview,
    hushed: list[Hush],
) -> bool:
    """Open a socket inside each namespace (-errno if that fails) for the rows that were given none."""
    numbers = kept.cast("i")
    for row, namespace in enumerate(namespaces):
        if not given[row]:
            fd = lines[row] = open_route_socket(namespace, hushed[row].numbers if hushed else None)
            if fd >= 0:
                numbers[row] = fd
    return True


class _Row:
    """One row: the sockets that it uses, and its part of the results."""

    def __init__(self, fd: int, beside: int, room: memoryview, deadline: int, results: memoryview) -> None:
        self.fds = [fd, beside]
        self.lines: dict[int, Line] = {}
        self.room = room
        self.deadline = deadline
        self.results = results
        self.values = results[VALUES:]
        results[:] = bytes(len(results))

    def tell(self, code: int, step: int, message: int = -1, tlvs: bytes = b"") -> None:
        VISITED.pack_into(self.results, 0, code, step, message, len(tlvs))
        if tlvs:
            self.results[VISITED.size : VISITED.size + len(tlvs)] = tlvs

    def value(self, number: int) -> memoryview:
        return self.values[number * VALUE : (number + 1) * VALUE]

    def run(self, steps: list[Step], datagrams: memoryview) -> None:
        if self.fds[0] < 0:
            self.tell(-self.fds[0], -1)
            return
        start = 0
        for number, step in enumerate(steps):
            datagram = datagrams[start : start + step[0]]
            start += step[0]
            try:
                code, message, tlvs = self._step(step, datagram)
            except OSError as error:
                code, message, tlvs = error.errno or errno.EIO, -1, b""
            except ValueError:
                code, message, tlvs = errno.EBADMSG, -1, b""
            if code:
                self.tell(code, number, message, tlvs)
                return
            self.tell(0, number + 1)

    def _step(self, step: Step, datagram: memoryview) -> tuple[int, int, bytes]:
        _, beside, *_, puts, _ = step
        for value, width, offset in puts:
            datagram[offset : offset + width] = self.value(value)[:width]
        fd = self.fds[bool(beside)]
        if fd < 0:
            return -fd, -1, b""
        line = self.lines.get(fd)
        if line is None:
            line = self.lines[fd] = Line(fd, self.room, self.deadline)
        hearing = _Hearing(self, step, datagram)
        line.send(datagram)
        try:
            own = line.port()
            while not hearing.read(line.room, line.receive(), own):
                line.left()
        except (OSError, ValueError):
            if beside:  # what is still to come could pass for answers to the next row
                self.fds[1] = -errno.ECANCELED
            # The first refusal says more than a failure to read the rest.
            if not hearing.refusal[0]:
                raise
        if not hearing.refusal[0] and not hearing.finish():
            return errno.ENODATA, -1, b""
        return hearing.refusal


class _Hearing:
    """What one step has received so far."""

    def __init__(self, row: _Row, step: Step, datagram: memoryview) -> None:
        _, _, self.tolerated, self.keeps_digest, self.first, self.fields, _, self.plan = step
        self.row = row
        self.sent = {}
        for place, (*_, flags, sequence, _) in enumerate(messages(datagram, 0, len(datagram))):
            self.sent[sequence] = place
            self.last, self.last_flags = sequence, flags
        self.refusal = (0, -1, b"")
        self.kept = not self.fields
        self.digest = FNV_BASIS
        self.interrupted = 0

    def read(self, room: memoryview, got: int, own: int) -> bool:
        """Read one datagram; return whether the step is done. Raise ValueError if it is malformed, OSError
        (ENOBUFS) if answers were lost."""
        for at, end, kind, flags, sequence, port in messages(room, 0, got):
            if sequence not in self.sent or port != own:
                continue
            if kind == NLMSG_OVERRUN:
                raise OSError(errno.ENOBUFS, "answers were lost")
            done = sequence == self.last
            self.interrupted |= flags & NLM_F_DUMP_INTR
            if kind in (NLMSG_ERROR, NLMSG_DONE):
                code, tlvs = refusal(room, at, end, kind, flags, TLVS)
                if code and code != self.tolerated and not self.refusal[0]:
                    self.refusal = (code, self.sent[sequence], tlvs)
            elif kind < NLMSG_MIN_TYPE:
                done = False
            else:
                single = not self.last_flags & NLM_F_ACK and self.last_flags & NLM_F_DUMP != NLM_F_DUMP
                done = done and single and not flags & NLM_F_MULTI
                self._note(room[at:end], kind)
            if done:
                return True
        return False

    def _note(self, reply: memoryview, kind: int) -> None:
        """Keep the fields of a reply that has them all."""
        if self.keeps_digest:
            digest = self.digest
            for octet in bytes(reply[NLMSG_HDRLEN:]):
                digest = (digest ^ octet) * FNV_PRIME & U64
            self.digest = digest
        if self.kept or kind != read_plan(self.plan)[0]:
            return
        cells = [self.row.value(self.first + number) for number in range(self.fields)]
        present, told = bytearray(8), bytearray(24)
        try:
            gather(len(reply), 0, 1, 0, reply, self.plan, present, told, cells)
        finally:
            whole = int.from_bytes(present, byteorder) == (1 << self.fields) - 1
            self.kept = whole or self.tolerated == errno.ENODATA
            if not self.kept:
                for cell in cells:
                    cell[:] = bytes(VALUE)

    def finish(self) -> bool:
        """End the step; return whether it kept the values that it should."""
        if self.keeps_digest and not self.interrupted:
            self.row.value(self.first + self.fields)[:] = self.digest.to_bytes(VALUE, byteorder)
        return self.kept or self.tolerated == errno.ENODATA
