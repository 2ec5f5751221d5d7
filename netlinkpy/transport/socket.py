"""Socket: a blocking AF_NETLINK socket, which sends a transaction and receives until it is done or time is
up."""

from __future__ import annotations

import _socket  # the C half of `socket`, which costs 6 ms to import
import errno
import os
from _thread import get_ident
from sys import byteorder
from time import monotonic

from ..backends import load
from ..closing import Closing
from ..os_error import explained, not_entered, reason
from ..record import Record
from ..uapi.netlink import (
    AF_NETLINK,
    NETLINK_CAP_ACK,
    NETLINK_EXT_ACK,
    NETLINK_GET_STRICT_CHK,
    NETLINK_ROUTE,
    NLM_F_ACK,
    NLM_F_DUMP,
    SOL_NETLINK,
)
from ..uapi.socket import SO_NETNS_COOKIE
from ..wire.errors import DeadlineError, DumpInterruptedError, LostError, NetlinkError, OverrunError, meaning
from ..wire.transaction import Request, Transaction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ..wire.attributes import Values
    from ..wire.columns import Table
    from ..wire.message import Message, V
    from ..wire.transaction import Answer, Reply, Sink


SO_SNDBUFFORCE = 32  # asm-generic/socket.h
SO_RCVBUFFORCE = 33  # asm-generic/socket.h

_KIND = _socket.SOCK_RAW | _socket.SOCK_CLOEXEC | _socket.SOCK_NONBLOCK
_READABLE, _WRITABLE = 1, 4  # POLLIN, POLLOUT

RECEIVE_SIZE = 65536  # bytes of a datagram, usually: one link with its alternative names may be longer
_LONGEST = 1 << 22  # bytes of one that we take
_PEEK = 0x22  # MSG_PEEK | MSG_TRUNC
_FEW, _FEW_BYTES = 4, 1024  # messages, and their bytes, that are sent at once without asking for the room
_LAST = 0xFFFFFFFF  # the largest sequence number
_LONGEST_POLL = 3600.0  # seconds: poll(2) counts milliseconds in a C int
DUMP_TRIES = 8  # how often a dump interrupted by changes is tried


class Failure(Record):
    """A refused message of an exchange: its place from 0, its errno, and the attributes of its extended
    ack."""

    row: int
    errno: int
    tlvs: bytes


class Socket(Closing):
    """A netlink socket in one network namespace, where it stays for life.

    protocol: NETLINK_ROUTE or another of linux/netlink.h; netns_fd: a descriptor of the namespace to open it
    in (None: the caller's; the calling thread never leaves its own); where: the namespace, for errors;
    timeout: seconds that one request may take in all; port: the port id to bind (0: any). Raise OSError if
    the socket cannot be opened or bound.

    It makes requests, so it joins no group: notifications of its own changes would look like answers
    (wire/transaction.py). It refuses a second thread while it waits for an answer (OSError, EBUSY), and a
    forked child, which would take the parent's answers (EPERM).

    late: how many messages answered a request that was no longer open."""

    __slots__ = (
        "_broken",
        "_lender",
        "_next",
        "_pid",
        "_socket",
        "_user",
        "late",
        "port",
        "timeout",
        "where",
    )

    def __init__(
        self,
        protocol: int = NETLINK_ROUTE,
        *,
        netns_fd: int | None = None,
        where: str = "",
        timeout: float = 10.0,
        port: int = 0,
    ) -> None:
        self._socket = _opened(protocol, netns_fd, where)
        self._pid = os.getpid()
        # At 0 the token of the request that is under way. (A lock does not tell whose it is: an exception
        # just behind its acquire, or before its release, would leave it locked.)
        self._user: dict[int, object] = {}
        self._lender = 0  # the thread that lent it to a visit
        self._next = 1  # the sequence number of the next request
        self._broken = False  # whether a request was begun and did not end
        self.late = 0
        self.timeout = timeout
        self.where = where
        try:
            for option in (NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK):
                self._socket.setsockopt(SOL_NETLINK, option, 1)
            self._socket.bind((port, 0))
            #: The port id it is bound to, unique in its namespace while it lives.
            self.port: int = self._socket.getsockname()[0]
        except OSError as error:
            self._socket.close()
            taken = f"port id {port} is taken" if port else "no port id is free"
            why = taken if error.errno == errno.EADDRINUSE else ""
            raise explained(error, f"set up a netlink socket{_inside(where)}", why) from None
        except BaseException:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """Return the descriptor, -1 after close()."""
        number: int = self._socket.fileno()
        return number

    @property
    def answer_room(self) -> int:
        """The number of acks and errors that the receive buffer surely holds. It is read back, since the
        kernel may give less than was asked; the kernel charges less than 1 KiB for each (the default of 208
        KiB held 256 when measured)."""
        return max(self._buffer(_socket.SO_RCVBUF) // 1024, 1)

    def enlarge(self) -> None:
        """Ask for a receive buffer of 1 MiB, so that a datagram may hold more messages. The kernel may refuse
        it (in a user namespace: SO_RCVBUFFORCE needs CAP_NET_ADMIN in the initial one): answer_room says what
        there is."""
        try:
            self._socket.setsockopt(_socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 20)
        except OSError:
            return

    @property
    def datagram_room(self) -> int:
        """The bytes that a datagram may have: the send buffer, less the kernel's overhead."""
        return self._buffer(_socket.SO_SNDBUF) - 64

    def _buffer(self, option: int) -> int:
        """Return the size of a buffer, in bytes."""
        try:
            size: int = self._socket.getsockopt(_socket.SOL_SOCKET, option)
        except OSError as error:
            raise explained(error, f"ask for the buffer of a netlink socket{_inside(self.where)}") from None
        return size

    @property
    def netns_cookie(self) -> int:
        """A number that this namespace has, and no other ever (SO_NETNS_COOKIE, since Linux 5.14); 0 if the
        kernel gives none."""
        try:
            return int.from_bytes(self._socket.getsockopt(_socket.SOL_SOCKET, SO_NETNS_COOKIE, 8), byteorder)
        except OSError:
            return 0

    def close(self) -> None:
        """Close the descriptor; a second time does nothing."""
        self._socket.close()

    def request(
        self,
        message: Message[V],
        type: int,
        flags: int,
        values: V | Values,
        *,
        verb: str = "",
        hint: str = "",
    ) -> list[Values]:
        """Send one message, wait for its ack, and return the replies that came before it (an echo, the answer
        of a GET).

        verb: what this does, for errors ("add link br0"). Raise NetlinkError if the kernel refuses,
        ValueError if the values do not fit the message; then nothing was sent."""
        (answer,) = self.ask([Request(verb, message, type, flags | NLM_F_ACK, values)], hint=hint)
        return answer.parsed()

    def delete(self, message: Message[V], type: int, values: V | Values, *, verb: str, gone: int) -> None:
        """Send a message that deletes one thing, as request() does. If its answer is lost, send it again: the
        errno `gone` says then that the first has done it."""
        try:
            self.request(message, type, 0, values, verb=verb)
        except LostError:
            try:
                self.request(message, type, 0, values, verb=verb)
            except NetlinkError as error:
                if error.errno != gone:
                    raise

    def get(
        self, message: Message[V], type: int, values: V | Values, *, verb: str = "", hint: str = ""
    ) -> Values:
        """Return the one reply to a GET that names one object. Raise NetlinkError as request() does."""
        return self._get(message, type, values, verb, hint).parsed()[0]

    def get_body(
        self, message: Message[V], type: int, values: V | Values, *, verb: str = "", hint: str = ""
    ) -> bytes:
        """As get(), but return the reply's body unparsed."""
        return self._get(message, type, values, verb, hint).replies[0].body

    def _get(self, message: Message[V], type: int, values: V | Values, verb: str, hint: str) -> Answer:
        (answer,) = self.ask([Request(verb, message, type, 0, values)], hint=hint)
        if not answer.get():
            text = "the kernel acknowledged and answered nothing"
            raise NetlinkError(errno.ENODATA, verb, where=self.where, text=text)
        return answer

    def dump(self, message: Message[V], type: int, values: V | Values, *, verb: str = "") -> list[Values]:
        """Return all entries that the kernel has for a GET. If changes interrupt the dump, try it 8 times in
        all; then raise DumpInterruptedError, with what came in its `partial`."""
        return self._dump(message, type, values, verb).parsed()

    def dump_bodies(
        self, message: Message[V], type: int, values: V | Values, *, verb: str = ""
    ) -> list[Reply]:
        """As dump(), but return the replies unparsed."""
        return self._dump(message, type, values, verb).replies

    def gather(
        self, message: Message[V], type: int, values: V | Values, table: Table, *, verb: str = ""
    ) -> None:
        """As dump(), but put the entries into a table, which is cleared each time the dump begins."""
        self._dump(message, type, values, verb, table)

    def _dump(
        self, message: Message[V], type: int, values: V | Values, verb: str, table: Table | None = None
    ) -> Answer:
        request = Request(verb, message, type, NLM_F_DUMP, values)
        for _ in range(DUMP_TRIES):
            if table is not None:
                table.clear()
            (answer,) = self._run([request], verb=verb, sink=table).answers
            answer.get()
            if not answer.interrupted:
                return answer
        error = DumpInterruptedError(errno.EINTR, verb, where=self.where)
        error.partial = answer.parsed()
        raise error

    def ask(self, requests: Sequence[Request], *, hint: str = "") -> list[Answer]:
        """Send one or several requests as one datagram (at most one of them a dump), and wait for each one's
        ack if it requests one (NLM_F_ACK), the end of a dump, or else the reply. Return the answers in order.

        Raise ValueError if values do not fit their message, or the receive buffer holds fewer answers; then
        nothing was sent."""
        return self._run(requests, hint=hint).answers

    def batch(self, requests: Sequence[Request], *, verb: str = "") -> None:
        """Send several messages as one datagram, and wait for the acks of those that request one (NLM_F_ACK).

        Raise NetlinkError at the first refusal: whether the others were done depends on the receiver. Raise
        ValueError as ask() does, OSError (EMSGSIZE) if the datagram is larger than this process may send;
        then nothing was sent."""
        refused = self._run(requests, verb=verb, batch=True).refused
        if refused is not None:
            refused.get()

    def exchange(self, messages: bytearray, count: int, *, verb: str = "", chunk: int = 512) -> list[Failure]:
        """Send `count` messages that lie back to back, numbered from 1, in datagrams that fit the buffers (of
        `chunk` messages at most); only the last message of each is acknowledged. Return the refused ones.

        Raise OverrunError or DeadlineError, which say how many messages were answered."""
        token = object()
        try:
            if self._user.setdefault(0, token) is not token:
                raise _in_use()
            self._begin()
            # Any buffer holds a few; for more, ask the kernel how much the buffers hold.
            few = count <= _FEW and len(messages) <= _FEW_BYTES
            room, rows = (_FEW_BYTES, _FEW) if few else (self.datagram_room, min(chunk, self.answer_room))
            timeout, size = int(self.timeout * 1e9), len(messages)
            try:
                refused = load().exchange(self.fileno(), messages, size, 1, count, room, rows, timeout)
            except OSError as error:
                number = error.errno or errno.EIO
                kind = {errno.ENOBUFS: OverrunError, errno.ETIMEDOUT: DeadlineError}.get(number, NetlinkError)
                done = getattr(error, "rows_done", 0)
                text = f"{meaning(number)}; {done} of {count} messages were answered"
                raise kind(number, verb, where=self.where, text=text) from None
            self._broken = False
            self._user.clear()
        except BaseException:
            self._leave(token)
            raise
        return [Failure.from_row(one) for one in refused]

    def lend(self) -> int:
        """Return the descriptor for a visit that uses this socket beside (transport/visit.py). Other threads
        are refused until take_back()."""
        token = object()
        try:
            if self._user.setdefault(0, token) is not token:
                raise _in_use()
            self._begin()
            self._lender = get_ident()
            self._user.clear()
        except BaseException:
            self._leave(token)
            raise
        return self.fileno()

    def take_back(self, answered: bool) -> None:
        """End the loan. answered: whether every request of the visit was answered, so that nothing more
        comes."""
        self._lender = 0
        self._broken = not answered

    def _run(
        self,
        requests: Sequence[Request],
        *,
        verb: str = "",
        hint: str = "",
        sink: Sink | None = None,
        batch: bool = False,
    ) -> Transaction:
        """Run requests as a transaction. Return it when it is done, or, of a batch, when a message was
        refused."""
        count = len(requests)
        token = object()
        try:
            if self._user.setdefault(0, token) is not token:
                raise _in_use()
            first = self._next
            if first + count > _LAST:
                first = 1  # never 0, which the kernel uses for notifications
            room = None if count <= _FEW else self.answer_room
            transaction = Transaction(
                requests,
                first=first,
                port=self.port,
                where=self.where,
                verb=verb,
                hint=hint,
                sink=sink,
                room=room,
                batch=batch,
            )
            self._next = first + count
            verb = transaction.verb
            deadline = self._begin()
            if batch:
                self._make_room(len(transaction.data))
            self._send(transaction.data, verb, deadline)
            buffer = None if sink is None else bytearray(RECEIVE_SIZE)
            try:
                while not transaction.done:
                    if buffer is None:
                        transaction.feed(self._receive(None, verb, deadline))
                    else:
                        transaction.feed(buffer, self._receive(buffer, verb, deadline))
                    if (batch and transaction.refused is not None) or transaction.done:
                        break
                    if monotonic() > deadline:
                        raise self._too_late(verb)
                self._broken = not transaction.done
            finally:
                self.late += transaction.late
            self._user.clear()
        except BaseException:
            self._leave(token)
            raise
        return transaction

    def _leave(self, token: object) -> None:
        """End a request that was interrupted, or not even begun."""
        if self._user.get(0) is token:
            self._user.clear()

    def _begin(self) -> float:
        """Return the deadline of a request that begins now. Refuse it in a forked child, or while another
        thread has lent the socket."""
        if os.getpid() != self._pid:
            text = f"this socket belongs to process {self._pid}; a forked child opens its own"
            raise OSError(errno.EPERM, text)
        if self._lender and self._lender != get_ident():
            raise _in_use()
        deadline = monotonic() + self.timeout
        if self._broken:
            self._read_away(deadline)
        self._broken = True
        return deadline

    def _read_away(self, deadline: float) -> None:
        """Read what an interrupted request (by a signal, a deadline, an overrun) has left. Its answers could
        be taken for another's; a dump that is not read to its end blocks the next one (EBUSY); and after an
        overrun the kernel sends nothing until all is read."""
        while monotonic() <= deadline:
            try:
                self._socket.recvfrom(RECEIVE_SIZE)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    return

    def _make_room(self, size: int) -> None:
        """Enlarge the send buffer for a larger datagram; going beyond net.core.wmem_max needs
        CAP_NET_ADMIN."""
        if size <= self.datagram_room:
            return
        try:
            self._socket.setsockopt(_socket.SOL_SOCKET, SO_SNDBUFFORCE, size)  # the kernel doubles it
        except OSError:
            try:
                self._socket.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDBUF, size)
            except OSError:  # what does not fit is refused when it is sent
                return

    def _send(self, data: bytes | bytearray, verb: str, deadline: float) -> None:
        while True:
            try:
                self._socket.sendto(data, (0, 0))
            except BlockingIOError:
                self._wait(_WRITABLE, verb, deadline)
            except OSError as error:
                raise self._failed(NetlinkError, error, verb) from None
            else:
                return

    def _receive(self, room: bytearray | None, verb: str, deadline: float) -> Any:
        """Return one datagram of the kernel's, or its length if it is given room, which is enlarged if need
        be. Usually the kernel has answered before sending returns, so there is nothing to wait for."""
        while True:
            try:
                size = min(self._socket.recv_into(bytearray(1), 1, _PEEK), _LONGEST)
                if room is None:
                    received, sender = self._socket.recvfrom(max(size, RECEIVE_SIZE))
                else:
                    if size > len(room):
                        room += bytes(size - len(room))
                    received, sender = self._socket.recvfrom_into(room)
            except BlockingIOError:
                self._wait(_READABLE, verb, deadline)
                continue
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    raise OverrunError(errno.ENOBUFS, verb, where=self.where) from None
                raise self._failed(LostError, error, verb) from None
            if sender[0] == 0:  # anybody may send to a port id; only the kernel is port 0
                return received
            if monotonic() > deadline:  # a sender that never stops must not block us
                raise self._too_late(verb)

    def _wait(self, event: int, verb: str, deadline: float) -> None:
        """Wait until the socket is readable or writable. Raise DeadlineError if it is not in time."""
        from select import poll

        poller = poll()
        poller.register(self._socket.fileno(), event)
        left = deadline - monotonic()
        try:
            ready = left > 0 and poller.poll(min(left, _LONGEST_POLL) * 1000)
        except OSError as error:
            raise self._failed(LostError if event == _READABLE else NetlinkError, error, verb) from None
        if not ready and left <= _LONGEST_POLL:
            raise self._too_late(verb)

    def _failed(self, kind: type[NetlinkError], error: OSError, verb: str) -> NetlinkError:
        """Return the error for what the system refused, not the kernel's answer."""
        return kind(error.errno or errno.EIO, verb, where=self.where, text=reason(error.errno))

    def _too_late(self, verb: str) -> DeadlineError:
        return DeadlineError(errno.ETIMEDOUT, verb, where=self.where)


def open_socket(protocol: int, netns_fd: int | None) -> Any:
    """Return a socket object of Python's in a namespace (None: the caller's), not bound yet.
    netlinkpy.testing replaces this function."""
    if netns_fd is None:
        return _socket.socket(AF_NETLINK, _KIND, protocol)
    return load().open_socket(netns_fd, AF_NETLINK, _KIND, protocol)


def _opened(protocol: int, netns_fd: int | None, where: str) -> Any:
    """Return open_socket(), or raise an OSError that says what failed."""
    try:
        return open_socket(protocol, netns_fd)
    except OSError as error:
        why = "" if netns_fd is None else not_entered(error.errno)
        if error.errno == errno.EPROTONOSUPPORT:
            why = f"this kernel has no netlink protocol {protocol}"
        raise explained(error, f"open a netlink socket{_inside(where)}", why) from None


def _inside(where: str) -> str:
    return f" in {where}" if where else ""


def _in_use() -> OSError:
    text = "this netlink socket waits for an answer to another thread; each thread opens its own"
    return OSError(errno.EBUSY, text)
