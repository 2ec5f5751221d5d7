"""Conversation: who answers what on one netlink socket, without the socket: bytes in, events out.

It numbers requests, matches answers by sequence number (an ack can overtake the end of a dump), and
recognises the ends of conversations: an ack, an error, the DONE of a dump. Rules: linux/netlink.h and
Documentation/userspace-api/netlink/intro.rst."""

from __future__ import annotations

from struct import Struct

from ..record import Record
from .errors import MalformedError
from .message import NLMSG_HDRLEN, NLMSGHDR, frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

NLMSG_NOOP, NLMSG_ERROR, NLMSG_DONE, NLMSG_OVERRUN = 1, 2, 3, 4
NLM_F_REQUEST, NLM_F_MULTI, NLM_F_ACK, NLM_F_ECHO, NLM_F_DUMP_INTR = 0x1, 0x2, 0x4, 0x8, 0x10
NLM_F_ROOT, NLM_F_MATCH, NLM_F_DUMP = 0x100, 0x200, 0x300  # on GET requests
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE, NLM_F_APPEND = 0x100, 0x200, 0x400, 0x800  # on NEW requests
NLM_F_CAPPED, NLM_F_ACK_TLVS = 0x100, 0x200  # on acks

_ERRNO = Struct("=i")
_MAX_ERRNO = 4095  # linux/err.h


class Reply(Record):
    """A message that answers the request numbered `sequence` (multi: one of a dump's)."""

    sequence: int
    type: int
    flags: int
    body: bytes


class Ack(Record):
    """The end of a request: errno 0 is success; `tlvs` is the extended ack as it came."""

    sequence: int
    errno: int
    tlvs: bytes


class Done(Record):
    """The end of a dump; `interrupted`: things changed meanwhile, so entries may be missing or twice."""

    sequence: int
    errno: int
    interrupted: bool
    tlvs: bytes


class Overrun(Record):
    """The kernel says that it dropped messages."""

    sequence: int


class Conversation:
    """The state of the talk on one socket. Never sees the socket: `request` gives the bytes to send,
    `receive` takes what came and gives events. Messages that answer nothing that was asked here are left out
    and counted in `strays`."""

    __slots__ = ("_interrupted", "_next", "_open", "strays")

    def __init__(self, first_sequence: int = 1) -> None:
        self._next = first_sequence
        self._open: set[int] = set()
        self._interrupted: set[int] = set()
        self.strays = 0

    def request(self, type: int, flags: int, body: bytes) -> tuple[int, bytes]:
        """Number a request and frame it: (sequence, bytes)."""
        sequence = self._next
        self._next = sequence % 0xFFFFFFFF + 1  # never 0: the kernel uses 0 for what nobody asked
        self._open.add(sequence)
        return sequence, frame(type, flags | NLM_F_REQUEST, sequence, body)

    def forget(self, sequence: int) -> None:
        """Nothing more is expected for this request; what still comes is stray."""
        self._open.discard(sequence)
        self._interrupted.discard(sequence)

    def receive(self, data: bytes) -> Iterator[Reply | Ack | Done | Overrun]:
        """The events of one received datagram, in order. MalformedError where a length lies."""
        at, end = 0, len(data)
        while at < end:
            if end - at < NLMSG_HDRLEN:
                raise MalformedError(f"{end - at} bytes are too short for a message")
            length, type, flags, sequence, _port = NLMSGHDR.unpack_from(data, at)
            if length < NLMSG_HDRLEN or length > end - at:
                raise MalformedError(f"a message says it is {length} bytes of {end - at}")
            body = data[at + NLMSG_HDRLEN : at + length]
            at += (length + 3) & ~3
            if sequence not in self._open:
                self.strays += 1
            elif type >= 16:  # NLMSG_MIN_TYPE
                if flags & NLM_F_DUMP_INTR:
                    self._interrupted.add(sequence)
                yield Reply(sequence, type, flags, body)
            elif type == NLMSG_ERROR:
                errno, tlvs = _acknowledgement(flags, body)
                self.forget(sequence)
                yield Ack(sequence, errno, tlvs)
            elif type == NLMSG_DONE:
                interrupted = sequence in self._interrupted or bool(flags & NLM_F_DUMP_INTR)
                self.forget(sequence)
                # some dumps end with a length here, which is no error
                errno = _errno(min(_ERRNO.unpack_from(body)[0], 0)) if len(body) >= 4 else 0
                yield Done(sequence, errno, interrupted, body[4:])
            elif type == NLMSG_OVERRUN:
                yield Overrun(sequence)


def _acknowledgement(flags: int, body: bytes) -> tuple[int, bytes]:
    """(errno, TLVs) of the body of an NLMSG_ERROR: s32 error, the request's nlmsghdr, its body unless capped,
    TLVs."""
    if len(body) < 4 + NLMSG_HDRLEN:
        raise MalformedError(f"an ack of {len(body)} bytes is too short")
    errno = _errno(_ERRNO.unpack_from(body)[0])
    if not flags & NLM_F_ACK_TLVS:
        return errno, b""
    echoed = NLMSGHDR.unpack_from(body, 4)[0]
    start = 4 + (NLMSG_HDRLEN if flags & NLM_F_CAPPED or not errno else echoed)
    return errno, body[(start + 3) & ~3 :]


def _errno(number: int) -> int:
    """The errno of the negative number that the kernel sends."""
    if not 0 <= -number <= _MAX_ERRNO:
        raise MalformedError(f"{number} is no error of the kernel's")
    return -number
