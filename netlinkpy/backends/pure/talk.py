"""What exchange and visit do on a netlink socket: send, receive and wait."""

from __future__ import annotations

import errno
from _socket import socket

from netlinkpy.uapi.netlink import AF_NETLINK

MSG_TRUNC, MSG_DONTWAIT, MSG_NOSIGNAL = 0x20, 0x40, 0x4000
POLLIN, POLLOUT = 1, 4
RECEIVE = 131072


class Borrowed(socket):
    """A socket object of a descriptor that stays open when the object goes."""

    __slots__ = ()

    def __del__(self) -> None:
        self.detach()


class Line:
    """A netlink socket, and the deadline (of monotonic_ns()) of the request on it. Raise OSError if the
    descriptor is not a socket's."""

    def __init__(self, fd: int, room: memoryview, deadline: int = 0) -> None:
        self.socket = Borrowed(fileno=fd)
        self.room = room
        self.deadline = deadline
        self._port = 0  # not asked yet

    def send(self, datagram: memoryview) -> None:
        while True:
            try:
                self.socket.send(datagram, MSG_NOSIGNAL | MSG_DONTWAIT)
                return
            except BlockingIOError:
                self._wait(POLLOUT)
            except OSError as error:
                if error.errno == errno.ENOBUFS:  # which says, where one receives, that answers were lost
                    raise OSError(errno.ENOMEM, "no memory for a datagram") from None
                raise

    def receive(self) -> int:
        """Read one datagram into `room`; return its length, 0 if the kernel did not send it."""
        while True:
            try:
                length, sender = self.socket.recvfrom_into(self.room, 0, MSG_DONTWAIT | MSG_TRUNC)
            except BlockingIOError:
                self._wait(POLLIN)
                continue
            # A process may write to our port too, but only the kernel answers from port 0.
            if isinstance(sender, tuple) and sender[0]:
                return 0
            if length > len(self.room):
                raise OSError(errno.EMSGSIZE, "a datagram that is too long")
            return length

    def port(self) -> int:
        """Return the port id in answers to this socket; 0 if it is no netlink socket. An unbound one is bound
        by its first message."""
        if not self._port and self.socket.family == AF_NETLINK:
            self._port = int(self.socket.getsockname()[0])
        return self._port

    def left(self) -> int:
        """Return how many ns are left; raise OSError after the deadline. Ask after each datagram that did not
        end the wait: a sender that never stops must not block us."""
        from time import monotonic_ns

        left = self.deadline - monotonic_ns()
        if left <= 0:
            raise OSError(errno.ETIMEDOUT, "no answer in time")
        return left

    def _wait(self, event: int) -> None:
        """Wait a while; the caller tries again, and comes back."""
        from select import poll

        waiter = poll()
        waiter.register(self.socket.fileno(), event)
        waiter.poll(min(-(-self.left() // 1_000_000), 3_600_000))  # poll(2) counts in a C int
