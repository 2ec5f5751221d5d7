"""FakeKernel: a kernel that is a function of yours, to test code that uses netlink without root, and with
answers that no kernel gives on demand (refusals, interrupted dumps, lost, late and malformed answers).

    from netlinkpy.testing import FakeKernel
    from netlinkpy.uapi.rtnetlink import RTM_GETLINK, RTM_NEWLINK
    from netlinkpy.wire.rtnetlink.link import LINK

    def answer(asked):
        if asked.type != RTM_GETLINK:
            return [asked.ack(errno.EPERM, "read only")]
        return [asked.part(RTM_NEWLINK, LINK.pack({"ifi_index": 7, "ifname": "eth0"})), asked.done()]

    with FakeKernel(answer) as kernel, nl.RTNetlink() as rt:
        assert [link.name for link in rt.links.list()] == ["eth0"]
        assert kernel.asked[0].type == RTM_GETLINK

Calls of the shim (attach, bulk verbs) need the real kernel."""

from __future__ import annotations

import _socket
from itertools import chain
from struct import Struct

from .framing import NLMSG_HDRLEN, NLMSGHDR, messages
from .record import Record
from .transport import socket as transport
from .uapi.netlink import NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP, NLM_F_MULTI, NLMSG_DONE, NLMSG_ERROR
from .wire.extack import EXTACK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType
    from typing import Any, Self

_ERRNO = Struct("=i")
_MSG_PEEK = 2
_BUFFER = 212992  # the kernel's default size of both buffers (net.core.rmem_default)


class Asked(Record):
    """One message that was sent to the kernel. Its methods return whole messages that answer it, which may be
    joined in one datagram. port, sequence: those of the answers; body: what follows the nlmsghdr."""

    type: int
    flags: int
    sequence: int
    port: int
    body: bytes

    @property
    def is_dump(self) -> bool:
        """True if all entries are requested (in a NEW request these bits mean NLM_F_REPLACE and
        NLM_F_EXCL)."""
        return self.flags & NLM_F_DUMP == NLM_F_DUMP

    def reply(self, type: int, body: bytes, flags: int = 0) -> bytes:
        """Return a message of type `type` that answers this one."""
        head = NLMSGHDR.pack(NLMSG_HDRLEN + len(body), type, flags, self.sequence, self.port)
        return head + body + bytes(-len(body) & 3)

    def part(self, type: int, body: bytes, flags: int = 0) -> bytes:
        """Return an entry of a dump."""
        return self.reply(type, body, NLM_F_MULTI | flags)

    def done(self, errno: int = 0, text: str = "", flags: int = 0) -> bytes:
        """Return the end of a dump, with an errno if it failed."""
        return self._end(NLMSG_DONE, errno, b"", text, NLM_F_MULTI | flags)

    def ack(self, errno: int = 0, text: str = "") -> bytes:
        """Return the ack, or with an errno the refusal; text: the kernel's sentence."""
        echo = NLMSGHDR.pack(NLMSG_HDRLEN + len(self.body), self.type, self.flags, self.sequence, self.port)
        return self._end(NLMSG_ERROR, errno, echo, text, NLM_F_CAPPED)

    def _end(self, type: int, errno: int, echo: bytes, text: str, flags: int) -> bytes:
        tlvs = EXTACK.pack({"msg": text}) if text else b""
        flags |= NLM_F_ACK_TLVS if text else 0
        return self.reply(type, _ERRNO.pack(-errno) + echo + tlvs, flags)


class Datagram(Record):
    """A datagram from another port than the kernel's, which is 0."""

    data: bytes
    sender: int


class FakeKernel:
    """Sockets that are opened in this process within its `with` block are connected to this kernel, and stay
    so.

    answer(asked) returns the datagrams that answer one message, in order: bytes, a Datagram of another
    sender, or an exception that receiving raises (OSError(ENOBUFS) is an overrun). It may be an endless
    generator. asked: all messages that were sent."""

    def __init__(self, answer: Callable[[Asked], Iterable[bytes | Datagram | BaseException]]) -> None:
        self._answer = answer
        self._ports = 0
        self._before: list[Any] = []
        self.asked: list[Asked] = []

    def __enter__(self) -> Self:
        self._before.append(transport.open_socket)
        transport.open_socket = self._open
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        transport.open_socket = self._before.pop()

    def _open(self, protocol: int, netns_fd: int | None) -> Any:
        self._ports += 1
        return _FakeSocket(self, self._ports)

    def _hear(self, data: bytes, port: int) -> Iterator[bytes | Datagram | BaseException]:
        heard = [
            Asked(type, flags, sequence, port, data[start + NLMSG_HDRLEN : end])
            for start, end, type, flags, sequence, _ in messages(data, 0, len(data))
        ]
        self.asked += heard
        return chain.from_iterable(map(self._answer, heard))


class _FakeSocket:
    """Has the methods of a Python socket that Socket calls."""

    def __init__(self, kernel: FakeKernel, port: int) -> None:
        self._kernel = kernel
        self._port = port
        self._pending: Iterator[bytes | Datagram | BaseException] = iter(())
        self._next: bytes | Datagram | BaseException | None = None
        # The descriptor is readable while a datagram is pending: one byte lies in the pair.
        self._near, self._far = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
        self._near.setblocking(False)

    def fileno(self) -> int:
        return self._near.fileno()

    def close(self) -> None:
        self._near.close()
        self._far.close()

    def setsockopt(self, level: int, option: int, value: int) -> None:
        pass

    def getsockopt(self, level: int, option: int) -> int:
        return _BUFFER

    def bind(self, address: tuple[int, int]) -> None:
        self._port = address[0] or self._port

    def getsockname(self) -> tuple[int, int]:
        return self._port, 0

    def sendto(self, data: bytes, address: tuple[int, int]) -> int:
        self._pending = chain(self._pending, self._kernel._hear(bytes(data), self._port))
        if self._next is None:
            self._advance()
        return len(data)

    def _advance(self) -> None:
        self._next = next(self._pending, None)
        if self._next is not None:
            self._far.send(b"!")

    def recv_into(self, buffer: bytearray, size: int, flags: int) -> int:
        """Return the length of what is pending, without taking it (MSG_PEEK | MSG_TRUNC)."""
        self._near.recv(1, _MSG_PEEK)  # raises BlockingIOError if nothing is pending
        found = self._next
        return len(found.data if isinstance(found, Datagram) else found if isinstance(found, bytes) else b"")

    def recvfrom(self, size: int) -> tuple[bytes, tuple[int, int]]:
        self._near.recv(1)  # raises BlockingIOError if nothing is pending
        found = self._next
        self._advance()
        if isinstance(found, BaseException):
            raise found
        if isinstance(found, Datagram):
            return found.data[:size], (found.sender, 0)
        return (found or b"")[:size], (0, 0)

    def recvfrom_into(self, buffer: bytearray) -> tuple[int, tuple[int, int]]:
        data, sender = self.recvfrom(len(buffer))
        buffer[: len(data)] = data
        return len(data), sender
