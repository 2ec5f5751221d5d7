"""Conversation: who answers what on one netlink socket, without the socket: bytes in, events out.

It numbers requests, matches answers by sequence number (an ack can overtake the end of a dump), and
recognises the ends of conversations: an ack, an error, the DONE of a dump. Rules: linux/netlink.h and
Documentation/userspace-api/netlink/intro.rst."""

from __future__ import annotations

from ..framing import NLMSG_HDRLEN, frame, messages, refusal
from ..record import Record
from ..uapi.netlink import (
    NLM_F_DUMP_INTR,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    NLMSG_MIN_TYPE,
    NLMSG_OVERRUN,
)
from .errors import MalformedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


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
        try:
            yield from self._events(data)
        except ValueError as error:
            raise MalformedError(str(error)) from None

    def _events(self, data: bytes) -> Iterator[Reply | Ack | Done | Overrun]:
        for at, end, type, flags, sequence, _ in messages(data, 0, len(data)):
            if sequence not in self._open:
                self.strays += 1
            elif type >= NLMSG_MIN_TYPE:
                if flags & NLM_F_DUMP_INTR:
                    self._interrupted.add(sequence)
                yield Reply(sequence, type, flags, data[at + NLMSG_HDRLEN : end])
            elif type == NLMSG_ERROR:
                errno, tlvs = refusal(data, at, end, type, flags)
                self.forget(sequence)
                yield Ack(sequence, errno, tlvs)
            elif type == NLMSG_DONE:
                interrupted = sequence in self._interrupted or bool(flags & NLM_F_DUMP_INTR)
                self.forget(sequence)
                errno, tlvs = refusal(data, at, end, type, flags)
                yield Done(sequence, errno, interrupted, tlvs)
            elif type == NLMSG_OVERRUN:
                yield Overrun(sequence)
