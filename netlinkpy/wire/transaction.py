"""Transaction: requests sent as one datagram, and their answers. Bytes in, bytes out; it has no socket.

An answer has the port id of the requesting socket and the sequence number of the request. A notification has
the numbers of the request that caused it, also if that was one's own: so a socket that joins groups makes no
requests. A request ends with its ack or refusal (NLMSG_ERROR), with the NLMSG_DONE of a dump, or, if no ack
is requested, with a reply that is not one of several. Rules: linux/netlink.h and
Documentation/userspace-api/netlink/intro.rst."""

from __future__ import annotations

from errno import ENOBUFS

from ..framing import NLMSG_HDRLEN, NLMSGHDR, messages, refusal
from ..record import Record
from ..uapi.netlink import (
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    NLM_F_MULTI,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    NLMSG_MIN_TYPE,
    NLMSG_OVERRUN,
)
from .errors import MalformedError, NetlinkError, OverrunError
from .extack import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Protocol

    from .attributes import Values
    from .message import Message

    class Sink(Protocol):
        """Takes the replies to a dump, a datagram at a time (columns.py)."""

        def feed(self, data: bytes | bytearray, length: int, start: int = 0) -> tuple[int, int]:
            """Take the messages of `data[start:length]` up to a DONE or ERROR; return the offset of that, and
            the OR of the flags of all messages taken. Raise ValueError if a length is wrong."""


_HEADER = bytes(NLMSG_HDRLEN)
_ENDS = (NLMSG_ERROR, NLMSG_DONE)
_new: Any = tuple.__new__  # a record of complete values, without a Python call


class Request(Record):
    """One request. verb: what it does, for errors ("add link br0"); message: its description; type, flags:
    nlmsg_type and nlmsg_flags (NLM_F_REQUEST is added); values: of its header's members and its
    attributes."""

    verb: str
    message: Message
    type: int
    flags: int
    values: Mapping[Any, Any]

    if not TYPE_CHECKING:

        def __new__(cls, verb, message, type, flags, values):
            """Do what Record's does, in half the time: one is made for each request."""
            return _new(cls, (verb, message, type, flags, values))


class Reply(Record):
    """A message that answers a request."""

    type: int
    flags: int
    body: bytes


class Event(Record):
    """A message that answers no request of ours. port, sequence: of the request that caused it, 0 if none
    did."""

    type: int
    flags: int
    port: int
    sequence: int
    body: bytes


class Answer:
    """The answer to a request.

    replies: the messages that answer it (none if a sink takes them); error: the kernel's refusal;
    interrupted: things changed during the dump, so entries may be missing or occur twice; open: more may
    come."""

    __slots__ = (
        "_awaited",
        "_single",
        "_start",
        "_where",
        "error",
        "interrupted",
        "open",
        "replies",
        "request",
    )

    def __init__(self, request: Request, where: str, start: int, awaited: bool) -> None:
        flags = request.flags
        self.request = request
        self.replies: list[Reply] = []
        self.error: NetlinkError | None = None
        self.interrupted = False
        self.open = True
        self._where = where
        self._start = start  # of the request in the datagram
        self._awaited = awaited
        self._single = not flags & NLM_F_ACK and flags & NLM_F_DUMP != NLM_F_DUMP  # one reply ends it

    def get(self) -> list[Reply]:
        """Return the replies. Raise the error, if there is one."""
        if self.error is not None:
            raise self.error
        return self.replies

    def parsed(self) -> list[Values]:
        """Return the values of each reply. Raise the error, or MalformedError if a length is wrong."""
        parse = self.request.message.parse
        try:
            return [parse(reply.body) for reply in self.get()]
        except MalformedError as error:
            raise malformed(error.strerror or "", self.request.verb, self._where) from None


class Transaction:
    """Requests as one datagram (`data`), and an Answer for each in their order (`answers`).

    first: the sequence number of the first request, one more for each that follows; port: the port id of the
    socket; where: its namespace, for errors; verb: what all of it does (empty: the first request's); hint:
    what a refusal may mean if the kernel does not say; sink: takes the replies in place of the answers; room:
    how many answers the receive buffer holds (None: enough); batch: wait only for the acks requested; of the
    other requests only a refusal would come. Raise ValueError if values do not fit their message, or the
    answers would not fit the room.

    done: every request waited for is answered; refused: the first answer that is a refusal; late: how many
    messages answered a request that was no longer open."""

    __slots__ = (
        "_first",
        "_hint",
        "_left",
        "_port",
        "_sink",
        "_where",
        "answers",
        "data",
        "done",
        "late",
        "refused",
        "verb",
    )

    def __init__(
        self,
        requests: Sequence[Request],
        *,
        first: int = 1,
        port: int = 0,
        where: str = "",
        verb: str = "",
        hint: str = "",
        sink: Sink | None = None,
        room: int | None = None,
        batch: bool = False,
    ) -> None:
        self._first = sequence = first
        self._port = port
        self._where = where
        self._hint = hint
        self._sink = sink
        self.verb = verb or (requests[0].verb if requests else "")
        self.data = data = bytearray()
        self.answers: list[Answer] = []
        answers = self.answers
        self.late = 0
        self.refused: Answer | None = None
        left = 0
        for request in requests:
            start = len(data)
            data += _HEADER
            request.message.put(data, request.values, {}, None)
            length = len(data) - start
            flags = request.flags
            NLMSGHDR.pack_into(data, start, length, request.type, flags | NLM_F_REQUEST, sequence, 0)
            if length & 3:
                data += bytes(-length & 3)
            awaited = not batch or flags & NLM_F_ACK != 0
            left += awaited
            answers.append(Answer(request, where, start, awaited))
            sequence += 1
        if room is not None and left > room:
            raise ValueError(f"{self.verb}: {left} answers at once, and the receive buffer holds {room}")
        self._left = left
        self.done = not left

    def feed(self, data: bytes | bytearray, length: int | None = None) -> Sequence[Event]:
        """Take one received datagram, up to the end of the last request waited for. length: of the datagram
        in `data` (None: all of it). Return its messages that answer no request here.

        Raise MalformedError if a length or an errno is wrong, OverrunError if the kernel says that it dropped
        messages."""
        events: list[Event] = []
        first, own, answers, sink = self._first, self._port, self.answers, self._sink
        count = len(answers)
        at, end = 0, len(data) if length is None else length
        try:
            while at < end:
                for start, stop, type, flags, sequence, port in messages(data, at, end):
                    if port != own or not sequence:
                        body = bytes(data[start + NLMSG_HDRLEN : stop])
                        events.append(_new(Event, (type, flags, port, sequence, body)))
                        continue
                    place = sequence - first
                    if not 0 <= place < count or not (answer := answers[place]).open:
                        self.late += 1
                        continue
                    if type >= NLMSG_MIN_TYPE:
                        if sink is not None:
                            at, flags = sink.feed(data, end, start)
                            answer.interrupted |= flags & NLM_F_DUMP_INTR != 0
                            break  # and go on after what it took
                        answer.replies.append(_new(Reply, (type, flags, data[start + NLMSG_HDRLEN : stop])))
                        if flags & NLM_F_DUMP_INTR:
                            answer.interrupted = True
                        if flags & NLM_F_MULTI or not answer._single:
                            continue  # there is more to come
                    elif type in _ENDS:
                        errno, tlvs = refusal(data, start, stop, type, flags)
                        if errno:
                            self._refuse(answer, errno, tlvs)
                        elif flags & NLM_F_DUMP_INTR:
                            answer.interrupted = True
                    elif type == NLMSG_OVERRUN:
                        raise OverrunError(ENOBUFS, self.verb, where=self._where)
                    else:
                        continue
                    answer.open = False
                    if answer._awaited:
                        self._left -= 1
                        if not self._left:
                            self.done = True
                            return events
                else:
                    break
        except ValueError as error:
            raise malformed(str(error), self.verb, self._where) from None
        return events

    def _refuse(self, answer: Answer, errno: int, tlvs: bytes) -> None:
        request = answer.request
        sent = self.data
        start = answer._start
        length = NLMSGHDR.unpack_from(sent, start)[0]
        told = decode(tlvs, request.message, bytes(sent[start + NLMSG_HDRLEN : start + length]))
        verb = request.verb or self.verb or request.message.name
        answer.error = NetlinkError(
            errno, verb, where=self._where, path=told.path, text=told.sentence, hint=self._hint
        )
        if self.refused is None:
            self.refused = answer


def malformed(why: str, verb: str, where: str) -> MalformedError:
    """Return the error for an answer that is malformed: what was asked, and where."""
    subject = f"{verb} in {where}" if where else verb
    return MalformedError(f"{subject}: a malformed answer: {why}")
