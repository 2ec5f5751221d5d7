"""The blocking AF_NETLINK socket: requests with a deadline, dumps that are retried, answers that are told
apart."""

from __future__ import annotations

import _socket  # the C half of `socket`, which costs 6 ms to import
import errno
import os
from time import monotonic

from ..backends import load
from ..framing import NLMSG_HDRLEN, NLMSGHDR
from ..uapi.netlink import (
    AF_NETLINK,
    NETLINK_CAP_ACK,
    NETLINK_EXT_ACK,
    NETLINK_GET_STRICT_CHK,
    NETLINK_ROUTE,
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    SOL_NETLINK,
)
from ..wire.conversation import Ack, Conversation, Done, Overrun, Reply
from ..wire.errors import DeadlineError, DumpInterruptedError, MalformedError, NetlinkError, OverrunError
from ..wire.extack import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType
    from typing import Any, Self, TypeAlias

    from ..wire.attributes import Values
    from ..wire.columns import Table
    from ..wire.message import Message

    #: (verb, message, type, flags, values): one of several that are asked at once.
    Request: TypeAlias = tuple[str, Message, int, int, Values]

SO_SNDBUFFORCE = 32  # asm-generic/socket.h
SO_RCVBUFFORCE = 33  # asm-generic/socket.h

_KIND = _socket.SOCK_RAW | _socket.SOCK_CLOEXEC | _socket.SOCK_NONBLOCK
_READABLE, _WRITABLE = 1, 4  # POLLIN, POLLOUT

RECEIVE_SIZE = 65536  # a dump never fills more than 32 KiB at a time
_FEW, _FEW_BYTES = 4, 1024  # messages, and bytes of them, that are sent at once without asking for room
DUMP_TRIES = 8  # how often a dump that changes interrupt is begun again


class Answer:
    """What a request got: the replies, or the error it was refused with. interrupted: of a dump, things
    changed meanwhile."""

    __slots__ = ("error", "interrupted", "replies")

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.error: NetlinkError | None = None
        self.interrupted = False

    def get(self) -> list[Reply]:
        """The replies; raises the error."""
        if self.error is not None:
            raise self.error
        return self.replies


class Socket:
    """A netlink socket in one network namespace, where it stays for life.

    protocol: NETLINK_ROUTE or another of linux/netlink.h; netns_fd: a descriptor of the namespace to open it
    in (None: the caller's; the calling thread never leaves its own); timeout: seconds that one request may
    take in all.

    OSError where the socket cannot be had. Not for several threads at once; refused in a forked child, which
    would eat the parent's answers."""

    __slots__ = ("_broken", "_conversation", "_pid", "_socket", "timeout", "where")

    def __init__(
        self,
        protocol: int = NETLINK_ROUTE,
        *,
        netns_fd: int | None = None,
        where: str = "",
        timeout: float = 10.0,
        port: int = 0,
    ) -> None:
        if netns_fd is None:
            self._socket = _socket.socket(AF_NETLINK, _KIND, protocol)
        else:
            fd = load().open_socket(netns_fd, AF_NETLINK, _socket.SOCK_RAW, protocol)
            self._socket = _socket.socket(fileno=fd)
            self._socket.setblocking(False)
        self._pid = os.getpid()
        self._conversation = Conversation()
        self._broken = False  # whether a request was begun and not ended
        self.timeout = timeout
        self.where = where
        try:
            for option in (NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK):
                self._socket.setsockopt(SOL_NETLINK, option, 1)
            self._socket.bind((port, 0))
        except BaseException:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """The descriptor, -1 once closed."""
        return self._socket.fileno()

    @property
    def port(self) -> int:
        """The port id the socket is bound to: it is unique in its namespace while the socket lives."""
        return int(self._socket.getsockname()[0])

    @property
    def answer_room(self) -> int:
        """How many acks and errors the receive buffer surely holds. Read back, since the kernel may give less
        than was asked; it charges less than 1 KiB for each (the default of 208 KiB held 256 when
        measured)."""
        return max(self._socket.getsockopt(_socket.SOL_SOCKET, _socket.SO_RCVBUF) // 1024, 1)

    def enlarge(self) -> None:
        """Ask for a receive buffer of 1 MiB, so that a datagram may hold more messages. It is refused in a
        user namespace (SO_RCVBUFFORCE needs CAP_NET_ADMIN in the first one): answer_room tells what there
        is."""
        try:
            self._socket.setsockopt(_socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 20)
        except PermissionError:
            return

    @property
    def datagram_room(self) -> int:
        """How many bytes a datagram may have: the send buffer, less what the kernel counts beside."""
        return self._socket.getsockopt(_socket.SOL_SOCKET, _socket.SO_SNDBUF) - 64

    def close(self) -> None:
        """Close the descriptor; a second time does nothing."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def request(
        self, message: Message, type: int, flags: int, values: Values, *, verb: str = "", hint: str = ""
    ) -> list[Values]:
        """Send one message, wait for its ack, and give the replies that came before it (an echo, the answer
        of a GET).

        verb: what this does, for errors ("add link br0"). NetlinkError where the kernel refuses, ValueError
        where the values do not fit the message; then nothing was sent."""
        (answer,) = self.ask([(verb, message, type, flags | NLM_F_ACK, values)], hint=hint)
        return self._parsed(message, answer.get(), verb)

    def get(self, message: Message, type: int, values: Values, *, verb: str = "", hint: str = "") -> Values:
        """The one reply to a GET that names one object. NetlinkError as request()."""
        reply = self._get(message, type, values, verb, hint)
        return self._parsed(message, [reply], verb)[0]

    def get_body(
        self, message: Message, type: int, values: Values, *, verb: str = "", hint: str = ""
    ) -> bytes:
        """As get(), the reply not yet parsed."""
        return self._get(message, type, values, verb, hint).body

    def _get(self, message: Message, type: int, values: Values, verb: str, hint: str) -> Reply:
        (answer,) = self.ask([(verb, message, type, 0, values)], hint=hint)
        replies = answer.get()
        if not replies:
            text = "the kernel acknowledged and answered nothing"
            raise NetlinkError(errno.ENODATA, verb, where=self.where, text=text)
        return replies[0]

    def dump(self, message: Message, type: int, values: Values, *, verb: str = "") -> list[Values]:
        """All entries the kernel has for a GET; begun again (8 times at most) when changes interrupt it.

        DumpInterruptedError, with what came in its `partial`, where that never ends."""
        return self._parsed(message, self.dump_bodies(message, type, values, verb=verb), verb)

    def dump_bodies(self, message: Message, type: int, values: Values, *, verb: str = "") -> list[Reply]:
        """As dump(), the replies not yet parsed."""
        for _ in range(DUMP_TRIES):
            (answer,) = self.ask([(verb, message, type, NLM_F_DUMP, values)])
            replies = answer.get()
            if not answer.interrupted:
                return replies
        error = DumpInterruptedError(errno.EINTR, verb, where=self.where)
        error.partial = self._parsed(message, replies, verb)
        raise error

    def exchange(
        self, messages: bytearray, count: int, *, verb: str = "", chunk: int = 512
    ) -> list[tuple[int, int, bytes]]:
        """Send `count` messages that lie back to back, numbered from 1, in datagrams that the buffers hold
        (of `chunk` messages at most); only the last of each is acknowledged. Gives (number from 0, errno,
        extended ack) of each that was refused.

        OverrunError, DeadlineError: it says up to which message the outcome is known."""
        self._begin()
        # Any buffer holds a few; how much a full one holds is asked of the kernel.
        few = count <= _FEW and len(messages) <= _FEW_BYTES
        room, rows = (_FEW_BYTES, _FEW) if few else (self.datagram_room, min(chunk, self.answer_room))
        timeout = int(self.timeout * 1e9)
        try:
            size = len(messages)
            refused = load().exchange(self.fileno(), messages, size, 1, count, room, rows, timeout)
            self._broken = False
            return refused
        except OSError as error:
            number = error.errno or errno.EIO
            kind = {errno.ENOBUFS: OverrunError, errno.ETIMEDOUT: DeadlineError}.get(number, NetlinkError)
            text = (
                f"{os.strerror(number)}; {getattr(error, 'rows_done', 0)} of {count} messages were answered"
            )
            raise kind(number, verb, where=self.where, text=text) from None

    def lend(self) -> int:
        """The descriptor, for a visit that talks through it besides (transport/visit.py)."""
        self._begin()
        return self.fileno()

    def take_back(self, answered: bool) -> None:
        """The visit is over; answered: all that it asked here, so that nothing more comes."""
        self._broken = not answered

    def gather(self, message: Message, type: int, values: Values, table: Table, *, verb: str = "") -> None:
        """As dump(), into a table. It is begun again, empty, each time changes interrupt the dump."""
        body = message.pack(values)
        for _ in range(DUMP_TRIES):
            table.clear()
            if not self._gather(message, type, body, table, verb):
                return
        raise DumpInterruptedError(errno.EINTR, verb, where=self.where)

    def _gather(self, message: Message, type: int, body: bytes, table: Table, verb: str) -> bool:
        """One dump; whether it was interrupted. Each datagram is one request's, so its first message tells
        whose."""
        deadline = self._begin()
        sequence, data = self._conversation.request(type, NLM_F_DUMP, body)
        buffer = bytearray(RECEIVE_SIZE)
        seen = 0
        try:
            self._send(data, verb, deadline)
            while True:
                length = self._receive_into(buffer, verb, deadline)
                if NLMSGHDR.unpack_from(buffer)[3] != sequence:
                    self._check(deadline, verb)
                    continue
                try:
                    stopped, flags = table.feed(buffer, length)
                except ValueError as error:
                    raise MalformedError(str(error)) from None
                seen |= flags
                for event in self._conversation.receive(bytes(memoryview(buffer)[stopped:length])):
                    if isinstance(event, Overrun):
                        raise OverrunError(errno.ENOBUFS, verb, where=self.where)
                    if isinstance(event, (Ack, Done)):
                        if event.errno:
                            raise self._refusal(event, message, body, verb, "")
                        interrupted = isinstance(event, Done) and event.interrupted
                        self._broken = False
                        return interrupted or bool(seen & NLM_F_DUMP_INTR)
                self._check(deadline, verb)
        except MalformedError as error:
            raise self._malformed(error, verb) from None
        finally:
            self._conversation.forget(sequence)

    def _begin(self) -> float:
        """The deadline of a request that begins now; refuses one in a forked child."""
        if os.getpid() != self._pid:
            text = f"this socket belongs to process {self._pid}; a forked child opens its own"
            raise OSError(errno.EPERM, text)
        deadline = monotonic() + self.timeout
        if self._broken:
            self._read_away(deadline)
        self._broken = True
        return deadline

    def _read_away(self, deadline: float) -> None:
        """Read what a request that was broken off (by a signal, a deadline, an overrun) has left. Its answers
        could be taken for another's; a dump that is not read to its end keeps the kernel from the next
        (EBUSY); and after an overrun the kernel sends nothing until all is read."""
        while monotonic() <= deadline:
            try:
                self._socket.recvfrom(RECEIVE_SIZE)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    return

    def ask(self, requests: Sequence[Request], *, hint: str = "") -> list[Answer]:
        """Send one or several requests, (verb, message, type, flags, values) each, as one datagram (a dump at
        most among them), and wait for the answers: the ack where one is asked for (NLM_F_ACK), the end of a
        dump, else the reply. Gives what each got. ValueError where values do not fit; then nothing was
        sent."""
        packed = [message.pack(values) for _, message, _, _, values in requests]
        verb = requests[0][0]
        deadline = self._begin()
        data = bytearray()
        asked: dict[int, tuple[Request, bytes, Answer]] = {}
        try:
            for request, body in zip(requests, packed, strict=True):
                sequence, framed = self._conversation.request(request[2], request[3], body)
                asked[sequence] = request, body, Answer()
                data += framed
            self._send(data, verb, deadline)
            left = len(asked)
            while left:
                for event in self._conversation.receive(self._receive(verb, deadline)):
                    request, body, answer = asked[event.sequence]
                    if isinstance(event, Reply):
                        answer.replies.append(event)
                        if request[3] & NLM_F_ACK or request[3] & NLM_F_DUMP == NLM_F_DUMP:
                            continue  # there is more to come
                        self._conversation.forget(event.sequence)
                    elif isinstance(event, Overrun):
                        raise OverrunError(errno.ENOBUFS, verb, where=self.where)
                    elif event.errno:
                        answer.error = self._refusal(event, request[1], body, request[0], hint)
                    else:
                        answer.interrupted = isinstance(event, Done) and event.interrupted
                    left -= 1
                if left:
                    self._check(deadline, verb)
            self._broken = False
        except MalformedError as error:
            raise self._malformed(error, verb) from None
        finally:
            for sequence in asked:
                self._conversation.forget(sequence)
        return [answer for _, _, answer in asked.values()]

    def batch(self, requests: Iterable[tuple[Message, int, int, Values]], *, verb: str = "") -> None:
        """Send several messages, (message, type, flags, values) each, as one datagram, and wait for the acks
        of those that ask for one (NLM_F_ACK).

        NetlinkError at the first refusal: then some, all or none of the others were done, as the receiver
        has it. ValueError where values do not fit, OSError (EMSGSIZE) where the datagram is larger than this
        process may send; then nothing was sent."""
        packed = [(message, type, flags, message.pack(values)) for message, type, flags, values in requests]
        deadline = self._begin()
        data = bytearray()
        sent: dict[int, tuple[Message, bytes]] = {}
        waiting: set[int] = set()
        try:
            for message, type, flags, body in packed:
                sequence, framed = self._conversation.request(type, flags, body)
                data += framed
                sent[sequence] = message, body
                if flags & NLM_F_ACK:
                    waiting.add(sequence)
            self._make_room(len(data))
            self._send(data, verb, deadline)
            while waiting:
                for event in self._conversation.receive(self._receive(verb, deadline)):
                    if isinstance(event, Overrun):
                        raise OverrunError(errno.ENOBUFS, verb, where=self.where)
                    if isinstance(event, Reply):
                        continue
                    if event.errno:
                        raise self._refusal(event, *sent[event.sequence], verb, "")
                    waiting.discard(event.sequence)
                if waiting:
                    self._check(deadline, verb)
            self._broken = False
        except MalformedError as error:
            raise self._malformed(error, verb) from None
        finally:
            for sequence in sent:
                self._conversation.forget(sequence)

    def _make_room(self, size: int) -> None:
        """Raise the send buffer for a larger datagram; only CAP_NET_ADMIN gets beyond net.core.wmem_max."""
        if size <= self.datagram_room:
            return
        try:
            self._socket.setsockopt(_socket.SOL_SOCKET, SO_SNDBUFFORCE, size)  # the kernel doubles it
        except PermissionError:
            self._socket.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDBUF, size)

    def _send(self, data: bytes | bytearray, verb: str, deadline: float) -> None:
        while True:
            try:
                self._socket.sendto(data, (0, 0))
            except BlockingIOError:
                self._wait(_WRITABLE, verb, deadline)
            except OSError as error:
                raise NetlinkError(error.errno or errno.EIO, verb, where=self.where) from None
            else:
                return

    def _receive(self, verb: str, deadline: float) -> bytes:
        """One datagram of the kernel's, whole."""
        data: bytes = self._heard(self._socket.recvfrom, RECEIVE_SIZE, verb, deadline)
        return data

    def _receive_into(self, buffer: bytearray, verb: str, deadline: float) -> int:
        """One datagram of the kernel's, into `buffer`; gives its length, which is a message's at least."""
        while True:
            length: int = self._heard(self._socket.recvfrom_into, buffer, verb, deadline)
            if length >= NLMSG_HDRLEN:
                return length
            if length:
                raise MalformedError(f"{length} bytes are too short for a message")
            self._check(deadline, verb)

    def _heard(
        self, receive: Callable[..., tuple[Any, Any]], room: int | bytearray, verb: str, deadline: float
    ) -> Any:
        """What the kernel sent, by receive(room). Mostly it has answered by the time that sending is done:
        nothing is waited for then."""
        while True:
            try:
                received, sender = receive(room)
            except BlockingIOError:
                self._wait(_READABLE, verb, deadline)
                continue
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    raise OverrunError(errno.ENOBUFS, verb, where=self.where) from None
                raise NetlinkError(error.errno or errno.EIO, verb, where=self.where) from None
            if sender[0] == 0:  # anybody may send to a port id; only the kernel is port 0
                return received
            self._check(deadline, verb)

    def _check(self, deadline: float, verb: str) -> None:
        """What came was no end of the request: is there time left to wait for it?"""
        if monotonic() > deadline:
            raise DeadlineError(errno.ETIMEDOUT, verb, where=self.where)

    def _wait(self, event: int, verb: str, deadline: float) -> None:
        """Until the socket is readable or writable; DeadlineError where it is not in time."""
        from select import poll

        poller = poll()
        poller.register(self._socket.fileno(), event)
        left = deadline - monotonic()
        if left <= 0 or not poller.poll(left * 1000):
            raise DeadlineError(errno.ETIMEDOUT, verb, where=self.where)

    def _parsed(self, message: Message, replies: list[Reply], verb: str) -> list[Values]:
        try:
            return [message.parse(reply.body) for reply in replies]
        except MalformedError as error:
            raise self._malformed(error, verb) from None

    def _malformed(self, error: MalformedError, verb: str) -> MalformedError:
        """The same, with what was asked and where."""
        subject = f"{verb} in {self.where}" if self.where else verb
        return MalformedError(f"{subject}: a malformed answer: {error.strerror}")

    def _refusal(
        self, event: Ack | Done, message: Message, body: bytes, verb: str, hint: str
    ) -> NetlinkError:
        told = decode(event.tlvs, message, body)
        return NetlinkError(
            event.errno,
            verb or message.name,
            where=self.where,
            path=told.path,
            text=told.sentence,
            hint=hint,
        )
