"""exchange: many messages on one socket, in datagrams of which only the last message is acked."""

from __future__ import annotations

import errno
from struct import Struct
from time import monotonic_ns

from netlinkpy.backends.pure.columns import flat
from netlinkpy.backends.pure.talk import RECEIVE, Line
from netlinkpy.framing import messages, refusal
from netlinkpy.uapi.netlink import NLM_F_ACK, NLMSG_DONE, NLMSG_ERROR, NLMSG_OVERRUN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import Buffer

FLAGS = Struct("=H")
FAILURE = Struct("=QiI")  # struct nlp_failure; its TLVs lie behind it
FAILURE_TLVS = 512
PROGRESS = Struct("=4Qq")  # struct nlp_progress
U32 = 0xFFFFFFFF


def exchange(
    fd: int,
    length: int,
    first_sequence: int,
    rows: int,
    chunk_bytes: int,
    chunk_rows: int,
    timeout_ns: int,
    buffer: Buffer,
    failures: bytearray,
    progress: bytearray,
) -> int:
    """Send one datagram and read its answers. Signals are served while it waits; only a handler that raises
    interrupts it."""
    data = flat(buffer, writable=True)
    rows_done, done, *_ = PROGRESS.unpack(progress)
    if not 0 <= length <= len(data) or rows < 0 or chunk_rows < 1:
        raise ValueError("the buffer is shorter than its length, or a number of rows is out of range")
    if not done:
        _check(data, length, first_sequence, rows, chunk_bytes)
    if rows_done == rows:
        return 0
    end, count = _cut(data, done, length, chunk_bytes, chunk_rows)
    told = _Failures(failures, rows_done)
    try:
        line = Line(fd, memoryview(bytearray(RECEIVE)), monotonic_ns() + timeout_ns)
        line.send(data[done:end])
        _answers(line, first_sequence + rows_done, count, told)
        rows_done, done = rows_done + count, end
    except OSError as error:
        return -(error.errno or errno.EIO)
    finally:
        PROGRESS.pack_into(progress, 0, rows_done, done, told.count, 0, 0)
    return int(rows_done < rows)


def _check(data: memoryview, length: int, first_sequence: int, rows: int, chunk_bytes: int) -> None:
    seen = 0
    for at, end, _, _, sequence, _ in messages(data, 0, length):
        if sequence != (first_sequence + seen) & U32:
            raise ValueError(f"the sequence number of message {seen} is not first_sequence + {seen}")
        if min((end - at + 3) & ~3, length - at) > chunk_bytes:
            raise ValueError(f"message {seen} is longer than a datagram may be")
        seen += 1
    if seen != rows:
        raise ValueError(f"the buffer holds {seen} messages, not {rows}")


def _cut(data: memoryview, start: int, length: int, chunk_bytes: int, chunk_rows: int) -> tuple[int, int]:
    """Return where the next datagram ends and how many messages it has; set NLM_F_ACK on the last alone."""
    last, end, count = start, start, 0
    for at, until, _, flags, *_ in messages(data, start, length):
        following = min(at + ((until - at + 3) & ~3), length)
        if count and (following - start > chunk_bytes or count == chunk_rows):
            break
        if flags & NLM_F_ACK:
            FLAGS.pack_into(data, at + 6, flags & ~NLM_F_ACK)
        last, end, count = at, following, count + 1
    FLAGS.pack_into(data, last + 6, FLAGS.unpack_from(data, last + 6)[0] | NLM_F_ACK)
    return end, count


class _Failures:
    """The refused rows of a datagram, as struct nlp_failure in the caller's buffer."""

    def __init__(self, room: bytearray, first_row: int) -> None:
        self.room = room
        self.first_row = first_row
        self.known: set[int] = set()

    @property
    def count(self) -> int:
        return len(self.known)

    def add(self, number: int, code: int, tlvs: bytes) -> None:
        """Note a refused row. A row is answered once: a second answer is late."""
        at = self.count * (FAILURE.size + FAILURE_TLVS)
        if number in self.known or at == len(self.room):
            return
        FAILURE.pack_into(self.room, at, self.first_row + number, code, len(tlvs))
        self.room[at + FAILURE.size : at + FAILURE.size + len(tlvs)] = tlvs
        self.known.add(number)


def _answers(line: Line, first: int, count: int, told: _Failures) -> None:
    """Read until the last of `count` messages is answered."""
    own = line.port()
    while True:
        got = line.receive()
        try:
            for at, end, kind, flags, sequence, port in messages(line.room, 0, got):
                number = (sequence - first) & U32
                if number >= count or port != own:
                    continue
                if kind == NLMSG_OVERRUN:
                    raise OSError(errno.ENOBUFS, "answers were lost")
                if kind not in (NLMSG_ERROR, NLMSG_DONE):
                    continue
                code, tlvs = refusal(line.room, at, end, kind, flags, FAILURE_TLVS)
                if code:
                    told.add(number, code, tlvs)
                if number == count - 1:
                    return
        except ValueError:
            raise OSError(errno.EBADMSG, "a malformed answer") from None
        line.left()
