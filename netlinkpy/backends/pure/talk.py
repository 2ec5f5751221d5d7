"""What both conversations do on a netlink socket: send, receive and wait."""

from __future__ import annotations

import errno
from _socket import socket

from netlinkpy.uapi.netlink import AF_NETLINK

MSG_DONTWAIT, MSG_NOSIGNAL = 0x40, 0x4000
POLLIN, POLLOUT = 1, 4
RECEIVE = 65536


class Borrowed(socket):
    """A socket by its descriptor, which stays open whatever becomes of this."""

    __slots__ = ()

    def __del__(self) -> None:
        self.detach()


class Line:
    """A netlink socket with the deadline (of monotonic_ns) of what is being asked on it. OSError where the
    descriptor is none of a socket."""

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

    def receive(self) -> int:
        """Read one datagram of the kernel's into `room`; return its length."""
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

    def port(self) -> int:
        """The port id that answers to what was sent bear; 0 where it is no netlink socket. The first message
        sent binds a socket that is not."""
        if not self._port and self.socket.family == AF_NETLINK:
            self._port = int(self.socket.getsockname()[0])
        return self._port

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
