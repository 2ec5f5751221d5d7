"""HeldPorts: the host's side of published ports, held by the supervisor.

The packet filter takes what comes for a published port before any socket of the host sees it. So a socket
bound there keeps the host's programs from a port that would be dead for them, and gets only what the filter
leaves alone: TCP of the host to itself by 127.0.0.1 or ::1. That is relayed into the container; so
route_localnet, by which a container could reach the host's own 127.0.0.1, stays off. UDP is held, but not
relayed. When the supervisor dies the kernel closes all of it."""

from __future__ import annotations

import errno
import os
from _socket import (
    AF_INET,
    AF_INET6,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    IPV6_V6ONLY,
    SHUT_WR,
    SO_ERROR,
    SO_RCVBUF,
    SO_REUSEADDR,
    SOCK_CLOEXEC,
    SOCK_DGRAM,
    SOCK_NONBLOCK,
    SOCK_STREAM,
    SOL_SOCKET,
    TCP_SYNCNT,
    socket,
)
from select import POLLIN, POLLOUT

from ..closing import Closing
from ..record import Record
from .published_ports import is_loopback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from .poller import Poller
    from .published_ports import PublishedPort

MOST = 256  # connections relayed at once
CHUNK = 1 << 18  # bytes held in each direction
_SYNS = 3  # until a connect fails: some 15 s
_BACKLOG = 128
_ANY = {AF_INET: "0.0.0.0", AF_INET6: "::"}
_KINDS = {"tcp": SOCK_STREAM, "udp": SOCK_DGRAM}
_WITHOUT_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


class _Held(Record):
    """A socket bound to a port of the host, and where it leads: port `target` of the container."""

    socket: socket
    family: int
    target: int


class HeldPorts(Closing):
    """The ports of one container, held in the namespace of the calling thread."""

    def __init__(self, ports: Iterable[PublishedPort]) -> None:
        """Hold ports. Raise OSError: EADDRINUSE if a program or a container has one, EADDRNOTAVAIL if the
        host has no such address, EMFILE if the limit of open files does not allow so many."""
        self._held: list[_Held] = []
        self._addresses: dict[int, str] = {}
        self._poller: Poller | None = None
        self._connections: set[_Connection] = set()
        wanted = list(ports)
        _allow_files(2 * len(wanted) + 4 * MOST)
        try:
            for port in wanted:
                self._hold(port)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the ports, and end the connections; a second time does nothing."""
        for connection in list(self._connections):
            connection.end()
        while self._held:
            held = self._held.pop()
            if self._poller is not None:
                self._poller.forget(held.socket.fileno())
            held.socket.close()

    def serve(self, poller: Poller, addresses: Iterable[str]) -> None:
        """Relay what comes for the ports to the container with these addresses ("172.17.0.2/16"), by a
        poller."""
        self._poller = poller
        for text in addresses:
            address = text.partition("/")[0]
            self._addresses.setdefault(AF_INET6 if ":" in address else AF_INET, address)
        for held in self._held:
            if held.socket.type == SOCK_STREAM:
                poller.watch(held.socket.fileno(), lambda held=held: self._accept(held))  # type: ignore[misc]

    def _hold(self, port: PublishedPort) -> None:
        kind = _KINDS.get(port.protocol)
        if kind is None:  # SCTP, which many kernels lack
            return
        families = [AF_INET6 if ":" in port.host else AF_INET] if port.host else [AF_INET, AF_INET6]
        for family in families:
            try:
                one = _bound(kind, family, port.host or _ANY[family], port.port)
            except OSError as error:
                if not port.host and family == AF_INET6 and error.errno in _WITHOUT_IPV6:
                    continue
                raise _explained(error, port) from None
            self._held.append(_Held(one, family, port.target))

    def _accept(self, held: _Held) -> None:
        try:
            fd, _ = held.socket._accept()  # type: ignore[attr-defined]
        except OSError:  # it went again, or no descriptor is left
            return
        near = socket(fileno=fd)
        near.setblocking(False)
        # Others come here only if the packet filter was emptied: they are not meant to be relayed.
        if not is_loopback(near.getsockname()[0]) or len(self._connections) >= MOST or self._poller is None:
            near.close()
            return
        family = held.family if held.family in self._addresses else next(iter(self._addresses))
        try:
            far = _connecting(family, self._addresses[family], held.target)
        except OSError:
            near.close()
            return
        self._connections.add(_Connection(self._poller, self._connections, near, far))


class _Connection:
    """One relayed connection. Each direction has a descriptor to read and one to write, for a poller knows
    one call for each. What ends at one side ends at the other once all was passed on."""

    def __init__(self, poller: Poller, others: set[_Connection], near: socket, far: socket) -> None:
        self._poller = poller
        self._others = others
        self._sockets = [near, far]
        self._open = 2
        poller.watch(far.fileno(), self._connected, POLLOUT)

    def _connected(self) -> None:
        near, far = self._sockets
        self._poller.forget(far.fileno())
        if far.getsockopt(SOL_SOCKET, SO_ERROR):
            self.end()
            return
        for source, sink in ((near, far), (far, near)):
            try:
                copy = _duplicate(sink)
            except OSError:
                self.end()
                return
            self._sockets.append(copy)
            _Direction(self, self._poller, source, copy)

    def half_ended(self) -> None:
        """Note that one direction has ended."""
        self._open -= 1
        if not self._open:
            self.end()

    def end(self) -> None:
        """Close all of it."""
        for one in self._sockets:
            if one.fileno() >= 0:
                self._poller.forget(one.fileno())
                one.close()
        self._others.discard(self)


class _Direction:
    """What one socket receives, sent by another, CHUNK bytes at most at a time."""

    def __init__(self, connection: _Connection, poller: Poller, source: socket, sink: socket) -> None:
        self._connection, self._poller = connection, poller
        self._source, self._sink = source, sink
        self._held = memoryview(b"")
        poller.watch(source.fileno(), self._read, POLLIN)

    def _read(self) -> None:
        try:
            self._held = memoryview(self._source.recv(CHUNK))
            if not self._held:
                self._poller.forget(self._source.fileno())
                self._sink.shutdown(SHUT_WR)
                self._connection.half_ended()
                return
            self._held = self._held[self._sink.send(self._held) :]
        except BlockingIOError:
            pass  # nothing to read yet, or no room to send
        except OSError:  # the other side is gone
            self._connection.end()
            return
        if self._held:
            self._poller.forget(self._source.fileno())
            self._poller.watch(self._sink.fileno(), self._write, POLLOUT)

    def _write(self) -> None:
        try:
            self._held = self._held[self._sink.send(self._held) :]
        except BlockingIOError:
            return
        except OSError:
            self._connection.end()
            return
        if not self._held:
            self._poller.forget(self._sink.fileno())
            self._poller.watch(self._source.fileno(), self._read, POLLIN)


def _bound(kind: int, family: int, host: str, port: int) -> socket:
    """Return a socket that holds a port: one that listens, or one that nobody reads."""
    one = socket(family, kind | SOCK_CLOEXEC | SOCK_NONBLOCK)
    try:
        if family == AF_INET6:
            one.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 1)
        one.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)  # passes connections in TIME_WAIT, behind which is nobody
        one.bind((host, port))
        if kind == SOCK_STREAM:
            one.listen(_BACKLOG)
        else:
            one.setsockopt(SOL_SOCKET, SO_REUSEADDR, 0)  # or others could bind beside it
            one.setsockopt(SOL_SOCKET, SO_RCVBUF, 0)
    except BaseException:
        one.close()
        raise
    return one


def _connecting(family: int, address: str, port: int) -> socket:
    one = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK)
    try:
        one.setsockopt(IPPROTO_TCP, TCP_SYNCNT, _SYNS)
        if one.connect_ex((address, port)) not in (0, errno.EINPROGRESS):
            raise OSError
    except BaseException:
        one.close()
        raise
    return one


def _duplicate(one: socket) -> socket:
    copy = socket(fileno=os.dup(one.fileno()))  # close-on-exec
    copy.setblocking(False)
    return copy


def _explained(error: OSError, port: PublishedPort) -> OSError:
    if error.errno == errno.EADDRINUSE:
        return OSError(error.errno, f"port {port} is taken by {_holder(port)}")
    if error.errno == errno.EADDRNOTAVAIL:
        return OSError(error.errno, f"port {port}: {port.host} is no address of the host")
    if error.errno in (errno.EMFILE, errno.ENFILE):
        text = f"port {port}: too many open files: each published port needs two (ulimit -n says how many)"
        return OSError(error.errno, text)
    return OSError(error.errno, f"port {port}: {error.strerror}")


def _holder(port: PublishedPort) -> str:
    """Return who has a port, in words."""
    from .running import listing

    for one in listing():
        for shown in one.ports:
            host, _, rest = shown.rpartition("->")[0].rpartition(":")
            same = rest == str(port.port) and shown.endswith(f"/{port.protocol}")
            if same and (not port.host or host.strip("[]") in (port.host, *_ANY.values())):
                return f"container {one.name}"
    return "a process of the host"


def _allow_files(more: int) -> None:
    """Raise the soft limit of open files by so many, as far as the hard one allows."""
    from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit, setrlimit

    soft, hard = getrlimit(RLIMIT_NOFILE)
    if more > 4 * MOST + 64 and soft != RLIM_INFINITY:
        wanted = soft + more
        setrlimit(RLIMIT_NOFILE, (wanted if hard == RLIM_INFINITY else min(wanted, hard), hard))
