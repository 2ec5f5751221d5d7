"""exchange: many messages on one socket, their refusals by row, and what happens when answers stay away."""

from __future__ import annotations

import errno
import os
import signal
import socket
import struct
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from netlinkpy.backends.interface import ExchangeError
from netlinkpy.wire.columns import compile_plan
from tests.backends.messages import (
    NLM_F_ACK,
    RTA_DST,
    RTM_NEWROUTE,
    SECOND,
    add_route,
    attribute,
    message,
    namespaces,
    set_up,
    texts,
)
from tests.backends.programs import ask, ints, visit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netlinkpy.backends.interface import Backend

NETLINK = socket.AF_NETLINK, socket.SOCK_RAW, 0
NETLINK_EXT_ACK, NETLINK_CAP_ACK = 11, 10
NO_NEXTHOP_ROUTE = message(
    RTM_NEWROUTE, 1 | 0x400, 0, struct.pack("=BBBBBBBBI", 2, 33, 0, 0, 254, 4, 0, 1, 0)
)


@pytest.fixture
def line(backend: Backend) -> Iterator[socket.socket]:
    """A socket in a fresh namespace with lo (index 1) up."""
    with (
        namespaces(backend, 1) as (there,),
        socket.socket(fileno=backend.open_socket(there, *NETLINK).detach()) as sock,
    ):
        for option in (NETLINK_EXT_ACK, NETLINK_CAP_ACK):
            sock.setsockopt(270, option, 1)
        assert backend.exchange(sock.fileno(), bytearray(set_up(1, 1)), 32, 1, 1, 4096, 8, SECOND) == []
        yield sock


def routes(first: int, count: int, spoil: dict[int, bytes] | None = None) -> bytearray:
    """count routes to 10.x.y.z; spoil replaces some of them."""
    out = bytearray()
    for row in range(count):
        one = bytearray((spoil or {}).get(row) or add_route(0, struct.pack(">I", 0x0A000000 + row), 1))
        struct.pack_into("=I", one, 8, (first + row) & 0xFFFFFFFF)
        out += one
    return out


def acked(buffer: bytearray) -> list[int]:
    """The rows with NLM_F_ACK."""
    rows, at, row = [], 0, 0
    while at < len(buffer):
        length, _, flags = struct.unpack_from("=IHH", buffer, at)
        if flags & NLM_F_ACK:
            rows.append(row)
        at += (length + 3) & ~3
        row += 1
    return rows


@pytest.mark.parametrize("blocking", [True, False])
@pytest.mark.parametrize("first", [1, 2**32 - 50])
def test_refused_rows_are_named(backend: Backend, line: socket.socket, blocking: bool, first: int) -> None:
    line.setblocking(blocking)
    buffer = routes(first, 300, {7: NO_NEXTHOP_ROUTE, 63: NO_NEXTHOP_ROUTE, 299: NO_NEXTHOP_ROUTE})
    size = len(add_route(0, bytes(4), 1))
    failures = backend.exchange(line.fileno(), buffer, len(buffer), first, 300, 65536, 64, SECOND)
    assert [(row, code) for row, code, _ in failures] == [(row, errno.EINVAL) for row in (7, 63, 299)]
    assert all(texts(tlvs) for _, _, tlvs in failures)
    assert acked(buffer) == [63, 127, 191, 255, 299]
    # The same once more: everything is there already, and chunks are cut by bytes now.
    again = routes(first, 20)
    failures = backend.exchange(line.fileno(), again, len(again), first, 20, 3 * size + 8, 64, SECOND)
    assert [row for row, code, _ in failures if code == errno.EEXIST] == [
        row for row in range(20) if row != 7
    ]
    assert acked(again) == [2, 5, 8, 11, 14, 17, 19]


def test_uncapped_refusals(backend: Backend, line: socket.socket) -> None:
    line.setsockopt(270, NETLINK_CAP_ACK, 0)
    buffer = routes(1, 3, {1: NO_NEXTHOP_ROUTE})
    ((row, code, tlvs),) = backend.exchange(line.fileno(), buffer, len(buffer), 1, 3, 65536, 64, SECOND)
    assert (row, code) == (1, errno.EINVAL) and texts(tlvs)


def test_strangers_are_passed_over(backend: Backend, line: socket.socket) -> None:
    """Multicast, answers to other requests, and what another process sends to our port."""
    line.setsockopt(270, 1, 7)  # NETLINK_ADD_MEMBERSHIP, RTNLGRP_IPV4_ROUTE
    line.send(set_up(77, 1))
    buffer = routes(5, 40)
    assert backend.exchange(line.fileno(), buffer, len(buffer), 5, 40, 65536, 16, SECOND) == []


def test_nothing_to_do(backend: Backend, line: socket.socket) -> None:
    assert backend.exchange(line.fileno(), bytearray(), 0, 1, 0, 1, 1, SECOND) == []


@pytest.mark.parametrize(
    ("change", "arguments"),
    [
        (None, {"rows": 2}),
        (None, {"rows": 4}),
        (None, {"length": 100}),
        (None, {"length": 1000}),
        (None, {"first": 2}),
        (None, {"chunk_bytes": 20}),
        (None, {"chunk_rows": 0}),
        ((8, 99), {}),
        ((0, 15), {}),
        ((0, 2**32 - 1), {}),
    ],
)
def test_lies_are_refused_before_anything_is_sent(
    backend: Backend, change: tuple[int, int] | None, arguments: dict[str, int]
) -> None:
    buffer = routes(1, 3)
    if change:
        struct.pack_into("=I", buffer, len(buffer) * 2 // 3 + change[0], change[1])
    given = {"length": len(buffer), "first": 1, "rows": 3, "chunk_bytes": 65536, "chunk_rows": 64}
    length, first, rows, chunk_bytes, chunk_rows = (given | arguments).values()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        with pytest.raises(ValueError):
            backend.exchange(ours.fileno(), buffer, length, first, rows, chunk_bytes, chunk_rows, SECOND)
        theirs.setblocking(False)
        with pytest.raises(BlockingIOError):
            theirs.recv(1)


def answering(theirs: socket.socket, answer: Callable[[bytes], list[bytes]]) -> threading.Thread:
    """A fake kernel: a thread that answers each datagram until the other end is closed."""

    def work() -> None:
        while data := theirs.recv(65536):
            for one in answer(data):
                theirs.send(one)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def refusal(sequence: int, code: int, flags: int = 0, rest: bytes = b"") -> bytes:
    return message(2, flags, sequence, struct.pack("=i", -code) + bytes(16) + rest)


@pytest.mark.parametrize(
    ("answer", "code", "done", "failures"),
    [
        (lambda data: [], errno.ETIMEDOUT, 0, []),
        (lambda data: [b"garbage"], errno.EBADMSG, 0, []),
        (lambda data: [message(2, 0, 0, b"")], errno.ETIMEDOUT, 0, []),
        (lambda data: [message(2, 0, 1, b"")], errno.EBADMSG, 0, []),
        (lambda data: [refusal(1, errno.EPERM)], errno.ETIMEDOUT, 0, [(0, errno.EPERM, b"")]),
        (lambda data: [refusal(1, errno.EPERM)] * 50, errno.ETIMEDOUT, 0, [(0, errno.EPERM, b"")]),
        (
            lambda data: [refusal(2, 0)] if data[8] == 1 else [refusal(4, 5, 0x300)],
            errno.ETIMEDOUT,
            4,
            [(3, 5, b"")],
        ),
    ],
)
def test_a_kernel_that_does_not_answer(
    backend: Backend,
    answer: Callable[[bytes], list[bytes]],
    code: int,
    done: int,
    failures: list[tuple[int, int, bytes]],
) -> None:
    buffer = routes(1, 6)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        kernel = answering(theirs, answer)
        start = time.monotonic()
        with pytest.raises(ExchangeError) as caught:
            backend.exchange(ours.fileno(), buffer, len(buffer), 1, 6, 65536, 2, SECOND // 10)
        assert time.monotonic() - start < 2
        assert (caught.value.errno, caught.value.rows_done, caught.value.failures) == (code, done, failures)
        assert f"{done} of 6" in str(caught.value)
        ours.close()
        kernel.join()


def test_extended_acks_are_bounded_and_whole(backend: Backend) -> None:
    text = attribute(1, b"why\0")
    tails = {
        1: (0x300, text + attribute(1, bytes(504))),
        2: (0x300, text + attribute(1, bytes(600))),
        3: (0x300, text + b"\xff\xff\1\0"),
        4: (0x300, text + b"\1\0\1\0"),
        5: (0x100, text),
        6: (0x200, text),  # says that it is uncapped, and echoes a length of 0
        7: (0x300, b""),
    }
    expected = {1: text, 2: text, 3: text, 4: text, 5: b"", 6: b"", 7: b""}

    def answer(data: bytes) -> list[bytes]:
        return [refusal(number, 22, *tail) for number, tail in tails.items()]

    buffer = routes(1, 7)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        kernel = answering(theirs, answer)
        failures = backend.exchange(ours.fileno(), buffer, len(buffer), 1, 7, 65536, 64, SECOND)
        ours.close()
        kernel.join()
    assert [row for row, _, _ in failures] == list(range(7))
    for row, _, tlvs in failures:
        assert len(tlvs) <= 512
        assert tlvs[: len(text)] == expected[row + 1] or row == 5


def test_lost_answers(backend: Backend, line: socket.socket) -> None:
    """More refusals than the receive buffer holds: ENOBUFS, never silence."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    buffer = routes(1, 400, dict.fromkeys(range(400), NO_NEXTHOP_ROUTE))
    with pytest.raises(ExchangeError) as caught:
        backend.exchange(line.fileno(), buffer, len(buffer), 1, 400, 65536, 400, SECOND)
    assert caught.value.errno == errno.ENOBUFS
    assert caught.value.rows_done == 0


def test_a_datagram_too_large_to_send(backend: Backend, line: socket.socket) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    buffer = routes(1, 200)
    with pytest.raises(ExchangeError) as caught:
        backend.exchange(line.fileno(), buffer, len(buffer), 1, 200, 65536, 200, SECOND)
    assert caught.value.errno == errno.EMSGSIZE


def test_not_a_socket(backend: Backend) -> None:
    buffer = routes(1, 1)
    with open(os.devnull, "rb") as file, pytest.raises(OSError) as caught:
        backend.exchange(file.fileno(), buffer, len(buffer), 1, 1, 65536, 1, SECOND)
    assert caught.value.errno == errno.ENOTSOCK


def test_what_never_ends_does_not_hold_it_up(backend: Backend) -> None:
    """The deadline holds also where there is always something to read: here the end of the other side."""
    buffer = routes(1, 1)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(ExchangeError) as caught:
            backend.exchange(ours.fileno(), buffer, len(buffer), 1, 1, 65536, 1, SECOND // 20)
        assert caught.value.errno == errno.ETIMEDOUT
        sockets = bytearray(ints(ours.fileno()))
        ((code, *_),) = visit(backend, ints(-1), [ask()], sockets=sockets, timeout=SECOND // 20)
        assert code == errno.ETIMEDOUT


@pytest.mark.usefixtures("untraced")
def test_signals_are_served_while_waiting(backend: Backend) -> None:
    """A handler that raises ends the wait; one that does not lets it go on."""
    calls: list[int] = []

    class HandlerError(Exception):
        pass

    def handler(number: int, frame: object) -> None:
        calls.append(number)
        if len(calls) == 3:
            raise HandlerError

    buffer = routes(1, 2)
    before = signal.signal(signal.SIGALRM, handler)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        with closing(ours), closing(theirs):
            signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
            start = time.monotonic()
            with pytest.raises(HandlerError):
                backend.exchange(ours.fileno(), buffer, len(buffer), 1, 2, 65536, 8, 20 * SECOND)
            assert time.monotonic() - start < 2
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_routes_arrive(backend: Backend, line: socket.socket) -> None:
    """What was sent is in the kernel: the destinations come back in a dump."""
    buffer = routes(1, 1000)
    assert backend.exchange(line.fileno(), buffer, len(buffer), 1, 1000, 32768, 128, SECOND) == []
    line.send(message(26, 1 | 0x300, 9, struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 0, 0, 0, 0, 0)))
    plan = compile_plan(RTM_NEWROUTE, 12, [((RTA_DST,), 0, 4, 0), ((), 4, 1, 0)])
    columns = [bytearray(4 * 2000), bytearray(2000)]
    row = 0
    while True:
        data = line.recv(65536)
        added, position, _ = backend.gather(data, len(data), plan, columns, None, row, 2000)
        row += added
        if position < len(data):
            break
    main = [columns[0][4 * i : 4 * i + 4] for i in range(row) if columns[1][i] == 254]
    assert main == [struct.pack(">I", 0x0A000000 + row) for row in range(1000)]
