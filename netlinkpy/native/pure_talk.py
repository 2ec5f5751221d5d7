"""The pure twin's conversations: exchange (many messages, one socket) and visit (few messages, many
namespaces)."""

from __future__ import annotations

import errno
from _socket import socket
from struct import Struct

from netlinkpy.native.pure_bytes import ATTRIBUTE, NLMSG_DONE, NLMSG_ERROR, flat
from netlinkpy.native.pure_netns import CLONE_NEWNET, elsewhere, setns
from netlinkpy.native.shared import MAX_PUTS, MAX_STEPS, ExchangeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from typing_extensions import Buffer

    from netlinkpy.native.interface import Failure, Step, Visited

HEADER = Struct("=IHHI")  # nlmsghdr up to nlmsg_seq
FLAGS = Struct("=H")
ERROR = Struct("=i")
U32 = Struct("=I")
AF_NETLINK, SOCK_RAW, SOL_NETLINK = 16, 3, 270
NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK = 10, 11, 12
NLM_F_MULTI, NLM_F_ACK = 0x2, 0x4
NLM_F_CAPPED, NLM_F_ACK_TLVS = 0x100, 0x200  # in an error
MSG_DONTWAIT, MSG_NOSIGNAL = 0x40, 0x4000
POLLIN, POLLOUT = 1, 4
RECEIVE = 65536


def _messages(data: bytes | memoryview, at: int, end: int) -> Iterator[tuple[int, int, int, int, int]]:
    """(position, length, type, flags, sequence) of each message in `data[at:end]`. ValueError when a length
    does not fit."""
    while at < end:
        if end - at < 16:
            raise ValueError("a message is cut off")
        length, kind, flags, sequence = HEADER.unpack_from(data, at)
        if length < 16 or length > end - at:
            raise ValueError("a message's length does not fit")
        yield at, length, kind, flags, sequence
        at += (length + 3) & ~3


def _refusal(data: memoryview, at: int, length: int, kind: int, flags: int, limit: int) -> tuple[int, bytes]:
    """The errno of the NLMSG_ERROR or NLMSG_DONE at `at`, and as many whole extended-ack attributes as
    `limit` holds.

    An NLMSG_DONE may come without an error. ValueError if an NLMSG_ERROR does.
    """
    if length < 20:
        if kind == NLMSG_DONE:
            return 0, b""
        raise ValueError("an error message has no error")
    code: int = abs(ERROR.unpack_from(data, at + 16)[0]) & 0x7FFFFFFF
    if not code or not flags & NLM_F_ACK_TLVS:
        return code, b""
    first = at + 20
    if kind == NLMSG_ERROR:
        # A capped error echoes only the nlmsghdr of the request, another one the whole of it.
        if length < 36:
            return code, b""
        echoed = 16 if flags & NLM_F_CAPPED else U32.unpack_from(data, at + 20)[0]
        first += (echoed + 3) & ~3
    position, end = first, at + length
    while end - position >= 4:
        size = ATTRIBUTE.unpack_from(data, position)[0]
        following = position + ((size + 3) & ~3)
        if size < 4 or following > end or following - first > limit:
            break
        position = following
    return code, bytes(data[first:position])


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
    """See `netlinkpy.native.interface.Backend.exchange`."""
    data = flat(buffer, writable=True)
    chunks = _chunks(data, length, first_sequence, rows, chunk_bytes, chunk_rows)
    failures: list[Failure] = []
    row = 0
    sock = socket(fileno=fd)
    try:
        line = _Line(sock, timeout_ns)
        for start, last, end, count in chunks:
            for position, _, _, flags, _ in _messages(data, start, end):
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
    for position, size, _, _, sequence in _messages(data, 0, length):
        if sequence != (first_sequence + seen) & 0xFFFFFFFF:
            raise ValueError(f"the sequence number of message {seen} is not first_sequence + {seen}")
        following = min(position + ((size + 3) & ~3), length)
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
    known = len(failures)
    while True:
        got = line.receive()
        try:
            for at, length, kind, flags, sequence in _messages(line.room, 0, got):
                number = (sequence - first) & 0xFFFFFFFF
                if kind != NLMSG_ERROR or number >= count:
                    continue
                code, tlvs = _refusal(line.room, at, length, kind, flags, 512)
                if code and len(failures) - known < count:
                    failures.append((row + number, code, tlvs))
                if number == count - 1:
                    return
        except ValueError:
            raise OSError(errno.EBADMSG, "a malformed answer") from None


def visit(
    netns_fds: Buffer, steps: Sequence[Step], timeout_ns: int, sockets: Buffer | None = None, /
) -> list[Visited]:
    """See `netlinkpy.native.interface.Backend.visit`."""
    packed = flat(netns_fds)
    if len(packed) % 4:
        raise ValueError("namespace descriptors are C ints, 4 bytes each")
    descriptors = packed.cast("i").tolist()
    if not 1 <= len(steps) <= MAX_STEPS:
        raise ValueError(f"a visit has 1 to {MAX_STEPS} steps")
    flattened = [_checked(step, len(descriptors)) for step in steps]
    first_take = next((place for place, step in enumerate(steps) if step[2] is not None), len(steps))
    if any(step[3] for step in steps[: first_take + 1]):
        raise ValueError("a step has puts, and no step before it takes anything")

    kept = None if sockets is None else flat(sockets, writable=True)
    if kept is not None and len(kept) != len(packed):
        raise ValueError("there is not one socket for each namespace")
    given = [-1] * len(descriptors) if kept is None else kept.cast("i").tolist()

    enters = any(number < 0 for number in given)
    opened = elsewhere(lambda: _open_all(descriptors, given)) if enters else [None] * len(given)
    visited: list[Visited] = []
    room = memoryview(bytearray(RECEIVE))
    for row, found in enumerate(opened):
        if isinstance(found, OSError):
            visited.append((found.errno or errno.EIO, -1, -1, b"", 0))
            continue
        try:
            sock = socket(fileno=given[row]) if found is None else found
        except OSError as error:  # it is none
            visited.append((error.errno or errno.EIO, 0, -1, b"", 0))
            continue
        done = False
        try:
            visited.append(_row(_Line(sock, timeout_ns, room), row, flattened))
            done = not visited[-1][0]
        finally:  # also when a signal's handler raises
            if found is None:
                sock.detach()  # the caller's
            elif kept is not None and done:
                kept.cast("i")[row] = sock.detach()
            else:
                sock.close()
    return visited


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


def _checked(
    step: Step, rows: int
) -> tuple[memoryview, int, tuple[int, int] | None, Sequence[int], memoryview | None, int]:
    datagrams, length, take, puts, replies = step
    data = flat(datagrams, writable=bool(puts))
    if length < 16 or len(data) < rows * length:
        raise ValueError("a step's datagrams are shorter than its rows, or hold no message")
    if len(puts) > MAX_PUTS or not all(0 <= put <= length - 4 for put in puts):
        raise ValueError(f"a step has at most {MAX_PUTS} puts, all inside its datagram")
    if take is not None and (not 0 <= take[0] <= 0xFFFF or take[1] < 0):
        raise ValueError("what is to be taken is no message type and offset")
    target, stride = (None, 0) if replies is None else (flat(replies[0], writable=True), replies[1])
    if target is not None and (stride < 1 or len(target) < rows * stride):
        raise ValueError("the replies are shorter than their rows")
    for row in range(rows):
        for _ in _messages(data, row * length, (row + 1) * length):
            pass
    return data, length, take, puts, target, stride


def _row(
    line: _Line,
    row: int,
    steps: list[tuple[memoryview, int, tuple[int, int] | None, Sequence[int], memoryview | None, int]],
) -> Visited:
    kept = 0
    for number, (data, length, take, puts, replies, stride) in enumerate(steps):
        datagram = data[row * length : (row + 1) * length]
        for put in puts:
            U32.pack_into(datagram, put, kept)
        try:
            sent = {
                sequence: (place, flags)
                for place, (*_, flags, sequence) in enumerate(_messages(datagram, 0, length))
            }
            line.send(datagram)
            reply = None if replies is None else replies[row * stride : (row + 1) * stride]
            code, message, tlvs, taken = _converse(line, sent, take, reply)
        except OSError as error:
            return error.errno or errno.EIO, number, -1, b"", kept
        except ValueError:
            return errno.EBADMSG, number, -1, b"", kept
        kept = kept if taken is None else taken
        if code:
            return code, number, message, tlvs, kept
        if take is not None and taken is None:
            return errno.ENODATA, number, -1, b"", kept
    return 0, len(steps), -1, b"", kept


def _converse(
    line: _Line, sent: dict[int, tuple[int, int]], take: tuple[int, int] | None, reply: memoryview | None
) -> tuple[int, int, bytes, int | None]:
    """Read until the last message of `sent` is answered: (errno, refused message, TLVs, value taken)."""
    last, (_, last_flags) = list(sent.items())[-1]
    refusal = (0, -1, b"")
    taken: int | None = None
    try:
        while True:
            got = line.receive()
            for at, length, kind, flags, sequence in _messages(line.room, 0, got):
                if sequence not in sent:
                    continue
                done = sequence == last
                if kind in (NLMSG_ERROR, NLMSG_DONE):
                    code, tlvs = _refusal(line.room, at, length, kind, flags, 256)
                    if code and not refusal[0]:
                        refusal = (code, sent[sequence][0], tlvs)
                else:
                    done = done and not last_flags & NLM_F_ACK and not flags & NLM_F_MULTI
                    if taken is None and take is not None and kind == take[0] and take[1] + 4 <= length:
                        taken = U32.unpack_from(line.room, at + take[1])[0]
                    if reply is not None:
                        size = min(length, len(reply))
                        reply[:size] = line.room[at : at + size]
                if done:
                    return (*refusal, taken)
    except (OSError, ValueError):
        # The first refusal says more than what came of waiting for the rest.
        if not refusal[0]:
            raise
        return (*refusal, taken)
