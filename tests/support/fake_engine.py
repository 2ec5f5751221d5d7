"""A fake engine: listens on a unix socket, and answers each request as a test wants, also as none would."""

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
    """The engine for the length of the with statement; gives the targets that it was asked for, as they
    come."""
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
                with connection, contextlib.suppress(OSError):  # whoever asked may have had enough
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
    """Return a whole answer with the length of its body told."""
    body = json.dumps(document).encode()
    return b"HTTP/1.1 %d Told\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


def chunked(status: int, document: Any, size: int) -> bytes:
    """Return a whole answer in chunks of so many bytes, with an extension and a trailer, which may be
    there."""
    body = json.dumps(document).encode()
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    chunks = b"".join(b"%X;a=b\r\n%s\r\n" % (len(part), part) for part in parts)
    return b"HTTP/1.1 %d Told\r\ntransfer-encoding: Chunked\r\n\r\n%s0\r\nA: b\r\n\r\n" % (status, chunks)


def to_the_end(status: int, document: Any) -> bytes:
    """Return a whole answer that ends with the connection."""
    return b"HTTP/1.0 %d Told\r\nServer: old\r\n\r\n%s" % (status, json.dumps(document).encode())


def saying(data: bytes) -> Answer:
    """Answers everything with these bytes."""
    return lambda _, connection: connection.sendall(data)
