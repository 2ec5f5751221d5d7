"""One HTTP/1.1 GET over a unix socket, bounded in time and size (http.client costs 20 ms, or is missing).

RFC 9112, as much of it as an engine's answer takes: the status line, Content-Length, chunked bodies, or the
end of the connection."""

from __future__ import annotations

import _socket  # the C half of `socket`, which costs 6 ms to import
import errno
import os
from sys import byteorder
from time import monotonic

from ..closing import Closing

_HEAD_LIMIT = 1 << 16  # bytes of status line and header fields
_BODY_LIMIT = 1 << 24  # bytes of body: a list of some ten thousand containers
_HEX = b"0123456789abcdefABCDEF"


class HttpConnection(Closing):
    """A connection to an engine's unix socket. Every call ends by the deadline that it was opened with."""

    __slots__ = ("_buffer", "_deadline", "_socket")

    def __init__(self, path: str, timeout: float) -> None:
        """path: of the socket; timeout: seconds for everything. Raise OSError if nobody listens there."""
        self._deadline = monotonic() + timeout
        self._buffer = bytearray()  # its front is taken away without a copy
        self._socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        try:
            self._set_time_left()
            self._socket.connect(path)
        except BaseException:
            self._socket.close()
            raise

    def peer_pid(self) -> int:
        """Return the process that listens, by its number in our PID namespace; 0 if it is outside
        (SO_PEERCRED, unix(7))."""
        credentials = self._socket.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
        return int.from_bytes(credentials[:4], byteorder)

    def get(self, target: str) -> tuple[int, bytes]:
        """Return status and body of the answer to one GET; one for each connection.

        Raise OSError: EPROTO the answer is no HTTP or ends early, EMSGSIZE it is too long, ETIMEDOUT it took
        too long."""
        request = (
            f"GET {target} HTTP/1.1\r\nHost: engine\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
        )
        self._set_time_left()
        self._socket.sendall(request.encode("ascii"))
        status, fields = self._head()
        if b"chunked" in fields.get(b"transfer-encoding", b"").lower():
            return status, self._chunks()
        length = fields.get(b"content-length")
        if length is None:
            return status, self._rest()
        if not length.isdigit() or len(length) > 20:
            raise _garbage()
        return status, self._take(_bounded(int(length)))

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _head(self) -> tuple[int, dict[bytes, bytes]]:
        """Return the status, and the header fields by their names in small letters."""
        lines = self._until(b"\r\n\r\n", _HEAD_LIMIT).split(b"\r\n")
        version, _, rest = lines[0].partition(b" ")
        status = rest[:3]
        if not version.startswith(b"HTTP/1.") or not status.isdigit() or len(status) != 3:
            raise _garbage()
        fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            fields[name.lower()] = value.strip()
        return int(status), fields

    def _chunks(self) -> bytes:
        """Return a chunked body (RFC 9112, 7.1); trailers are not waited for."""
        body: list[bytes] = []
        total = 0
        while True:
            digits = self._until(b"\r\n", 1024).partition(b";")[0].strip()
            if not 0 < len(digits) <= 16 or digits.strip(_HEX):
                raise _garbage()
            size = int(digits, 16)
            if size == 0:
                return b"".join(body)
            total = _bounded(total + size)
            body.append(self._take(size))
            if self._take(2) != b"\r\n":
                raise _garbage()

    def _until(self, mark: bytes, limit: int) -> bytes:
        """Take what comes before a mark, and the mark; return the former."""
        start = 0
        while (at := self._buffer.find(mark, start)) < 0:
            if len(self._buffer) > limit:
                raise _garbage()
            start = max(len(self._buffer) - len(mark), 0)
            self._buffer += self._more() or _ended_early()
        found = bytes(self._buffer[:at])
        del self._buffer[: at + len(mark)]
        return found

    def _take(self, size: int) -> bytes:
        """Take and return exactly so many bytes."""
        while len(self._buffer) < size:
            self._buffer += self._more() or _ended_early()
        found = bytes(self._buffer[:size])
        del self._buffer[:size]
        return found

    def _rest(self) -> bytes:
        """Return all that comes until the other side closes."""
        while piece := self._more():
            self._buffer += piece
            _bounded(len(self._buffer))
        return bytes(self._buffer)

    def _more(self) -> bytes:
        self._set_time_left()
        return self._socket.recv(1 << 16)

    def _set_time_left(self) -> None:
        left = self._deadline - monotonic()
        if left <= 0:
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        self._socket.settimeout(left)


def _bounded(size: int) -> int:
    if size > _BODY_LIMIT:
        raise OSError(errno.EMSGSIZE, f"its answer is longer than {_BODY_LIMIT >> 20} MiB")
    return size


def _garbage() -> OSError:
    return OSError(errno.EPROTO, "its answer is no HTTP")


def _ended_early() -> bytes:
    raise OSError(errno.EPROTO, "its answer ended early")
