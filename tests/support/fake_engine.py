"""A fake engine: it listens on a unix socket, and answers each request as a test wants, also as no engine
would."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Answer = Callable[[str, socket.socket], None]
"""Is given the target of the request and the connection to answer on, which is closed behind it."""


@contextlib.contextmanager
def listening(path: Path, answer: Answer) -> Iterator[list[str]]:
    """Run the engine within the block; yield the list of the targets requested so far."""
    asked: list[str] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, contextlib.suppress(OSError):  # the client may have closed
                    connection.settimeout(5)
                    target = _target(connection)
                    asked.append(target)
                    answer(target, connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield asked
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _target(connection: socket.socket) -> str:
    request = b""
    while b"\r\n\r\n" not in request:
        piece = connection.recv(4096)
        if not piece:
            raise ConnectionResetError("closed without a request")
        request += piece
    verb, target, version = request.partition(b"\r\n")[0].split(b" ")
    assert verb == b"GET" and version == b"HTTP/1.1" and b"\r\nHost: " in request
    return target.decode()


def plain(status: int, document: Any) -> bytes:
    """Return a whole answer with a Content-Length."""
    body = json.dumps(document).encode()
    return b"HTTP/1.1 %d Told\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


def chunked(status: int, document: Any, size: int) -> bytes:
    """Return a whole answer in chunks of `size` bytes, with an extension and a trailer, which are allowed."""
    body = json.dumps(document).encode()
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    chunks = b"".join(b"%X;a=b\r\n%s\r\n" % (len(part), part) for part in parts)
    return b"HTTP/1.1 %d Told\r\ntransfer-encoding: Chunked\r\n\r\n%s0\r\nA: b\r\n\r\n" % (status, chunks)


def to_the_end(status: int, document: Any) -> bytes:
    """Return a whole answer that ends with the connection."""
    return b"HTTP/1.0 %d Told\r\nServer: old\r\n\r\n%s" % (status, json.dumps(document).encode())


def saying(data: bytes) -> Answer:
    """Return an engine that answers everything with these bytes."""
    return lambda _, connection: connection.sendall(data)
