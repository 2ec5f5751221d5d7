"""The pure twin's conversations: exchange (many messages, one socket) and visit (few messages, many
namespaces)."""

from __future__ import annotations

import errno
from _socket import socket
from struct import Struct
from sys import byteorder

from netlinkpy.backends.pure_bytes import flat, gather
from netlinkpy.backends.pure_netns import CLONE_NEWNET, elsewhere, setns
from netlinkpy.backends.shared import ExchangeError, check_script
from netlinkpy.framing import messages, refusal
from netlinkpy.uapi.netlink import (
    AF_NETLINK,
    NETLINK_CAP_ACK,
    NETLINK_EXT_ACK,
    NETLINK_GET_STRICT_CHK,
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_MULTI,
    NLMSG_DONE,
    NLMSG_ERROR,
    NLMSG_MIN_TYPE,
    NLMSG_OVERRUN,
    SOL_NETLINK,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from typing_extensions import Buffer

    from netlinkpy.backends.interface import Failure, Plan, Step, Visited

FLAGS = Struct("=H")
SOCK_RAW = 3
MSG_DONTWAIT, MSG_NOSIGNAL = 0x40, 0x4000
POLLIN, POLLOUT = 1, 4
RECEIVE = 65536


class _Line:
    """A netlink socket with the deadline of what is being asked on it."""

    def __init__(self, sock: socket, timeout_ns: int, room: memoryview | None = None) -> None:
        self.socket = sock
        self.timeout_ns = timeout_ns
        self.room = memoryview(bytearray(RECEIVE)) if room is None else room
        self.start()

    def start(self) -> None:
        from time import monotonic_ns

        self.deadline = monotonic_ns() + self.timeout_ns

    def send(self, datagram: memoryview) -> None:
        while True:
            try:
                self.socket.send(datagram, MSG_NOSIGNAL | MSG_DONTWAIT)
                return
            except BlockingIOError:
                self._wait(POLLOUT)

    def receive(self) -> int:
        """Read one datagram of the kernel's into `room`; gives its length."""
        while True:
            try:
                length, sender = self.socket.recvfrom_into(self.room, 0, MSG_DONTWAIT)
            except BlockingIOError:
                self._wait(POLLIN)
                continue
            # A process may write to our port too, but only the kernel answers from port 0.
            if not isinstance(sender, tuple) or sender[0] == 0:
                return length
            self._left()  # one that never stops writing does not hold us up

    def port(self) -> int:
        """The port id that answers to what was sent bear; 0 where it is no netlink socket."""
        own = self.socket.getsockname() if self.socket.family == AF_NETLINK else (0,)
        return int(own[0])

    def _left(self) -> int:
        from time import monotonic_ns

        left = self.deadline - monotonic_ns()
        if left <= 0:
            raise OSError(errno.ETIMEDOUT, "no answer in time")
        return left

    def _wait(self, event: int) -> None:
        """A while: the caller tries again, and comes back."""
        from select import poll

        waiter = poll()
        waiter.register(self.socket.fileno(), event)
        waiter.poll(min(-(-self._left() // 1_000_000), 3_600_000))  # poll(2) counts in a C int


def exchange(
    fd: int,
    buffer: Buffer,
    length: int,
    first_sequence: int,
    rows: int,
    chunk_bytes: int,
    chunk_rows: int,
    timeout_ns: int,
    /,
) -> list[Failure]:
    """See `netlinkpy.backends.interface.Backend.exchange`."""
    data = flat(buffer, writable=True)
    chunks = _chunks(data, length, first_sequence, rows, chunk_bytes, chunk_rows)
    failures: list[Failure] = []
    row = 0
    sock = socket(fileno=fd)
    try:
        line = _Line(sock, timeout_ns)
        for start, last, end, count in chunks:
            for position, _, _, flags, *_ in messages(data, start, end):
                wanted = flags | NLM_F_ACK if position == last else flags & ~NLM_F_ACK
                if wanted != flags:
                    FLAGS.pack_into(data, position + 6, wanted)
            line.start()
            line.send(data[start:end])
            _answers(line, (first_sequence + row) & 0xFFFFFFFF, row, count, failures)
            row += count
    except OSError as error:
        raise ExchangeError(error.errno or errno.EIO, row, rows, failures) from None
    finally:
        sock.detach()
    return failures


def _chunks(
    data: memoryview, length: int, first_sequence: int, rows: int, chunk_bytes: int, chunk_rows: int
) -> list[tuple[int, int, int, int]]:
    """Cut the messages into datagrams: (start, start of the last message, end, number of messages).
    ValueError."""
    if not 0 <= length <= len(data) or rows < 0 or chunk_rows < 1:
        raise ValueError("the buffer is shorter than its length, or a number of rows is out of range")
    chunks = []
    start = last = end = count = seen = 0
    for position, end_of_it, _, _, sequence, _ in messages(data, 0, length):
        if sequence != (first_sequence + seen) & 0xFFFFFFFF:
            raise ValueError(f"the sequence number of message {seen} is not first_sequence + {seen}")
        following = min((end_of_it + 3) & ~3, length)
        if following - position > chunk_bytes:
            raise ValueError(f"message {seen} is longer than a datagram may be")
        if count and (following - start > chunk_bytes or count == chunk_rows):
            chunks.append((start, last, end, count))
            start, count = position, 0
        last, end, count, seen = position, following, count + 1, seen + 1
    if seen != rows:
        raise ValueError(f"the buffer holds {seen} messages, not {rows}")
    if count:
        chunks.append((start, last, end, count))
    return chunks


def _answers(line: _Line, first: int, row: int, count: int, failures: list[Failure]) -> None:
    """Read until the last of `count` messages is answered."""
    own = line.port()
    refused = set()  # a row is answered once: what comes after that is late
    while True:
        got = line.receive()
        try:
            for at, end, kind, flags, sequence, port in messages(line.room, 0, got):
                number = (sequence - first) & 0xFFFFFFFF
                if number >= count or port != own:
                    continue
                if kind == NLMSG_OVERRUN:
                    raise OSError(errno.ENOBUFS, "answers were lost")
                if kind not in (NLMSG_ERROR, NLMSG_DONE):
                    continue
                code, tlvs = refusal(line.room, at, end, kind, flags, 512)
                if code and number not in refused:
                    refused.add(number)
                    failures.append((row + number, code, tlvs))
                if number == count - 1:
                    return
        except ValueError:
            raise OSError(errno.EBADMSG, "a malformed answer") from None


class Script:
    """A script for the twin: the steps as they were given."""

    __slots__ = ("row_length", "steps", "values")

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = tuple([(length, beside, plan, tuple(puts)) for length, beside, plan, puts in steps])
        self.row_length = sum([step[0] for step in steps])
        self.values = [width for step in steps if step[2] is not None for width in plan_widths(step[2])]

    def room(self, rows: int) -> list[Visited]:
        """Room for the results of so many rows."""
        return [(0, 0, 0, b"", (0,) * len(self.values)) for _ in range(rows)]

    def read(self, results: list[Visited]) -> list[Visited]:
        """What became of each row, as far as it is known."""
        return results


def plan_widths(plan: Plan) -> tuple[int, ...]:
    """The widths of the fields of a plan of compile_plan's."""
    widths: tuple[int, ...] = plan[4]
    return widths


def compile_script(steps: Sequence[Step], /) -> Script:
    """See `netlinkpy.backends.interface.Backend.compile_script`."""
    return Script(check_script(steps, plan_widths))


def visit(
    script: Script,
    datagrams: Buffer,
    netns_fds: Buffer,
    sockets: Buffer | None,
    beside: int,
    timeout_ns: int,
    results: list[Visited] | None = None,
    /,
) -> list[Visited]:
    """See `netlinkpy.backends.interface.Backend.visit`."""
    packed, data = flat(netns_fds), flat(datagrams, writable=True)
    kept = None if sockets is None else flat(sockets, writable=True)
    if len(packed) % 4 or (kept is not None and len(kept) != len(packed)):
        raise ValueError("namespace descriptors and sockets are C ints, as many of each")
    descriptors = packed.cast("i").tolist()
    if len(data) != len(descriptors) * script.row_length:
        raise ValueError("the datagrams are not those of the rows")
    for start in range(0, len(data), script.row_length):
        for length, *_ in script.steps:
            for _ in messages(data, start, start + length):
                pass
            start += length
    given = [-1] * len(descriptors) if kept is None else kept.cast("i").tolist()
    enters = any(number < 0 for number in given)
    opened = elsewhere(lambda: _open_all(descriptors, given)) if enters else [None] * len(given)
    visited = script.room(len(descriptors)) if results is None else results
    if len(visited) != len(descriptors):
        raise ValueError("there is not room for the results of all rows")
    room = memoryview(bytearray(RECEIVE))
    nothing = (0,) * len(script.values)
    aside: _Line | int = errno.EBADF  # or why there is none: the error of the step that needs it
    if beside >= 0 and any(step[1] for step in script.steps):
        try:
            aside = _Line(socket(fileno=beside), timeout_ns, room)
        except OSError as error:
            aside = error.errno or errno.EIO
    try:
        for row, found in enumerate(opened):
            if isinstance(found, OSError):
                visited[row] = (found.errno or errno.EIO, -1, -1, b"", nothing)
                continue
            try:
                sock = socket(fileno=given[row]) if found is None else found
            except OSError as error:  # it is none
                visited[row] = (error.errno or errno.EIO, 0, -1, b"", nothing)
                continue
            done = False
            try:
                start = row * script.row_length
                datagrams_of_it = data[start : start + script.row_length]
                for outcome in _row(_Line(sock, timeout_ns, room), aside, script, datagrams_of_it):
                    visited[row] = outcome  # at once: a signal's handler may raise at any moment
                done = not visited[row][0]
            finally:  # also when a signal's handler raises
                if found is None:
                    sock.detach()  # the caller's
                elif kept is not None and done:
                    kept.cast("i")[row] = sock.detach()
                else:
                    sock.close()
    finally:
        if isinstance(aside, _Line):
            aside.socket.detach()
    return visited


def open_ahead(netns_fd: int, /) -> list[socket | OSError | None]:
    """See `netlinkpy.backends.interface.Backend.open_ahead`: here it is opened at once."""
    return elsewhere(lambda: _open_all([netns_fd], [-1]))


def opened(ahead: list[socket | OSError | None], /) -> int:
    """See `netlinkpy.backends.interface.Backend.opened`."""
    if not ahead:
        raise ValueError("its socket was given already")
    found = ahead.pop()
    if not isinstance(found, socket):
        raise found or OSError(errno.EBADF, "no socket")
    return found.detach()


def _open_all(descriptors: list[int], given: list[int]) -> list[socket | OSError | None]:
    """A socket inside each namespace, or why there is none; None where the row has one."""
    opened: list[socket | OSError | None] = []
    for row, descriptor in enumerate(descriptors):
        if given[row] >= 0:
            opened.append(None)
            continue
        try:
            setns(descriptor, CLONE_NEWNET)
            sock = socket(AF_NETLINK, SOCK_RAW, 0)
            for option in (NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK):
                sock.setsockopt(SOL_NETLINK, option, 1)
            opened.append(sock)
        except OSError as error:
            opened.append(error)
    return opened


def _row(own: _Line, aside: _Line | int, script: Script, datagrams: memoryview) -> Iterator[Visited]:
    """One row's steps, through its own socket and the one beside; what is known after each."""
    values: list[bytes] = []

    def outcome(code: int, step: int, message: int = -1, tlvs: bytes = b"") -> Visited:
        numbers = [int.from_bytes(value, byteorder) for value in values]
        return code, step, message, tlvs, (*numbers, *[0] * (len(script.values) - len(numbers)))

    start = 0
    own.start()
    if isinstance(aside, _Line):
        aside.start()
    for number, (length, beside, plan, puts) in enumerate(script.steps):
        datagram = datagrams[start : start + length]
        start += length
        for value, offset in puts:
            datagram[offset : offset + len(values[value])] = values[value]
        line = aside if beside else own
        if isinstance(line, int):
            yield outcome(line, number)
            return
        known = len(values)
        try:
            sent = {
                sequence: (place, flags)
                for place, (*_, flags, sequence, _) in enumerate(messages(datagram, 0, length))
            }
            line.send(datagram)
            code, message, tlvs = _converse(line, sent, plan, values)
        except OSError as error:
            yield outcome(error.errno or errno.EIO, number)
            return
        except ValueError:
            yield outcome(errno.EBADMSG, number)
            return
        if code:
            yield outcome(code, number, message, tlvs)
            return
        if plan is not None and len(values) == known:
            yield outcome(errno.ENODATA, number)
            return
        yield outcome(0, number + 1)


def _converse(
    line: _Line, sent: dict[int, tuple[int, int]], plan: Plan | None, values: list[bytes]
) -> tuple[int, int, bytes]:
    """Read until the last message of `sent` is answered: (errno, refused message, TLVs). The fields of the
    first reply that has all of the plan's go to `values`."""
    last, (_, last_flags) = list(sent.items())[-1]
    refused = (0, -1, b"")
    kept = False
    own = line.port()
    try:
        while True:
            got = line.receive()
            for at, end, kind, flags, sequence, port in messages(line.room, 0, got):
                if sequence not in sent or port != own:
                    continue
                if kind == NLMSG_OVERRUN:
                    raise OSError(errno.ENOBUFS, "answers were lost")
                done = sequence == last
                if kind in (NLMSG_ERROR, NLMSG_DONE):
                    code, tlvs = refusal(line.room, at, end, kind, flags, 256)
                    if code and not refused[0]:
                        refused = (code, sent[sequence][0], tlvs)
                elif kind < NLMSG_MIN_TYPE:
                    done = False
                else:
                    single = not last_flags & NLM_F_ACK and last_flags & NLM_F_DUMP != NLM_F_DUMP
                    done = done and single and not flags & NLM_F_MULTI
                    if not kept and plan is not None and kind == plan[0]:
                        found = _values(line.room[at:end], plan)
                        values += found
                        kept = bool(found)
                if done:
                    return refused
    except (OSError, ValueError):
        # The first refusal says more than what came of waiting for the rest.
        if not refused[0]:
            raise
        return refused


def _values(message: memoryview, plan: Plan) -> list[bytes]:
    """The fields of a reply, none where one is not there. ValueError where a length lies."""
    cells = [bytearray(width) for width in plan_widths(plan)]
    present = bytearray(8)
    added, _, _ = gather(message, len(message), plan, cells, present, 0, 1)
    if not added or int.from_bytes(present, byteorder) != (1 << len(cells)) - 1:
        return []
    return [bytes(cell) for cell in cells]
