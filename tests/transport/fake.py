"""A kernel that answers what a test tells it to: it stands where the socket module's object would."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterable
from typing import Any

from netlinkpy.framing import NLMSGHDR, frame
from netlinkpy.transport.socket import Socket
from netlinkpy.uapi.netlink import NLM_F_MULTI, NLMSG_DONE, NLMSG_ERROR
from netlinkpy.wire.rtnetlink.link import LINK

RTM_NEWLINK, RTM_GETLINK = 16, 18
KERNEL, STRANGER = 0, 4711  # port ids

Datagram = bytes | tuple[bytes, int] | BaseException  # what comes, from whom (else the kernel), or an error


class FakeKernel:
    """Has the methods that Socket calls. answer(request) gives the datagrams that come back, in order; they
    may go on for ever."""

    def __init__(self, answer: Callable[[bytes], Iterable[Datagram]]) -> None:
        self._answer = answer
        self._pending: Any = iter(())
        # The descriptor is readable while there is something to come: a byte lies in the pipe.
        self._near, self._far = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._near.setblocking(False)
        self._next: Datagram | None = None
        self.requests: list[bytes] = []

    def fileno(self) -> int:
        return self._near.fileno()

    def close(self) -> None:
        self._near.close()
        self._far.close()

    def getsockopt(self, level: int, option: int) -> int:
        return 212992  # the default of both buffers

    def sendto(self, data: bytes, address: tuple[int, int]) -> int:
        assert address == (0, 0)
        self.requests.append(bytes(data))
        self._pending = iter(self._answer(bytes(data)))
        self._advance()
        return len(data)

    def _advance(self) -> None:
        self._next = next(self._pending, None)
        if self._next is not None:
            self._far.send(b"!")

    def recvfrom(self, size: int) -> tuple[bytes, tuple[int, int]]:
        self._near.recv(1)  # BlockingIOError where nothing has come
        found = self._next
        assert found is not None
        self._advance()
        if isinstance(found, BaseException):
            raise found
        data, port = found if isinstance(found, tuple) else (found, KERNEL)
        return data[:size], (port, 0)

    def recvfrom_into(self, buffer: bytearray) -> tuple[int, tuple[int, int]]:
        data, sender = self.recvfrom(len(buffer))
        buffer[: len(data)] = data
        return len(data), sender


def before(answer: Callable[[bytes], Iterable[Datagram]], *, timeout: float = 5.0) -> Socket:
    """A Socket whose kernel is fake."""
    sock = Socket(timeout=timeout, where="process 7")
    sock.close()
    fake: Any = FakeKernel(answer)
    sock._socket = fake
    return sock


def number_of(request: bytes) -> int:
    """The sequence number of a request."""
    sequence: int = NLMSGHDR.unpack_from(request)[3]
    return sequence


def ack(request: bytes, number: int = 0, *, shift: int = 0) -> bytes:
    """An ack, or an error, to it; shift: to another number."""
    sequence = number_of(request) + shift
    return frame(
        NLMSG_ERROR, 0x100, sequence, struct.pack("=i", -number) + NLMSGHDR.pack(16, 18, 0, sequence, 0)
    )


def reply(request: bytes, name: str, flags: int = 0, *, shift: int = 0) -> bytes:
    """A link, in answer to it."""
    return frame(RTM_NEWLINK, flags, number_of(request) + shift, LINK.pack({"ifi_index": 7, "ifname": name}))


def part(request: bytes, name: str, flags: int = 0) -> bytes:
    """A link of a dump."""
    return reply(request, name, NLM_F_MULTI | flags)


def done(request: bytes, number: int = 0, flags: int = 0) -> bytes:
    """The end of a dump."""
    return frame(NLMSG_DONE, NLM_F_MULTI | flags, number_of(request), struct.pack("=i", -number))
