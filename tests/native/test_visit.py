"""visit: the steps of an attach, run inside many namespaces through sockets opened there, or kept."""

from __future__ import annotations

import errno
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from array import array
from typing import TYPE_CHECKING

import pytest

from tests.native.messages import (
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_REQUEST,
    RTM_GETLINK,
    RTM_NEWADDR,
    RTM_NEWLINK,
    SECOND,
    add_route,
    attribute,
    get_link,
    link_header,
    make_veth,
    message,
    namespaces,
    set_up,
    texts,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netlinkpy.native.interface import Backend, Step, Visited

EXCHANGE_INDEX = 20  # ifi_index, from the start of the nlmsghdr


@pytest.fixture
def host() -> Iterator[int]:
    """This test's own namespace, as a descriptor."""
    fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    yield fd
    os.close(fd)


def ints(*numbers: int) -> bytes:
    return struct.pack(f"={len(numbers)}i", *numbers)


def add_address(sequence: int, address: bytes, index: int = 0) -> bytes:
    body = struct.pack("=BBBBI", 2, 24, 0, 0, index) + attribute(1, address) + attribute(2, address)
    return message(RTM_NEWADDR, NLM_F_REQUEST | 0x600, sequence, body)


def attach_steps(rows: int, host: int, host_names: list[str] | None = None) -> list[Step]:
    """Create eth0 with its peer in the host's namespace; raise it, and give it an address and a route by
    its index."""
    names = host_names or [f"v{row:04}" for row in range(rows)]
    creates = [make_veth(1, "eth0", name, host) for name in names]
    second = set_up(2, flags=0) + add_address(3, b"\x0a\1\1\2")
    route = bytearray(add_route(4, b"\x0a\2\2\2", 0))
    route[6] |= NLM_F_ACK
    second += route
    puts = (20, 32 + 20, 32 + 40 + 40)
    return [
        (b"".join(creates), len(creates[0]), (RTM_NEWLINK, EXCHANGE_INDEX), (), None),
        (bytearray(bytes(second) * rows), len(second), None, puts, None),
    ]


def names_here() -> list[str]:
    return sorted(name for _, name in socket.if_nameindex())


def test_attach_in_many_namespaces(backend: Backend, host: int) -> None:
    with namespaces(backend, 8) as fds:
        steps = attach_steps(8, host)
        visited = backend.visit(array("i", fds), steps, SECOND)
        assert [one[:4] for one in visited] == [(0, 2, -1, b"")] * 8
        assert all(one[4] > 1 for one in visited)
        assert names_here() == ["lo"] + [f"v{row:04}" for row in range(8)]
        # And everything is there: the address a second time is refused, and the link answers by name.
        replies = bytearray(8 * 2048)
        again: list[Step] = [
            (
                get_link(1, name="eth0") * 8,
                len(get_link(1, name="eth0")),
                (RTM_NEWLINK, 20),
                (),
                (replies, 2048),
            ),
            (bytearray(steps[1][0]), steps[1][1], None, steps[1][3], None),
        ]
        second = backend.visit(array("i", fds), again, SECOND)
        assert [(one[0], one[1], one[2]) for one in second] == [(errno.EEXIST, 1, 1)] * 8
        for row, (first, later) in enumerate(zip(visited, second, strict=True)):
            assert first[4] == later[4]
            length, kind, _, sequence, _, index = struct.unpack_from("=IHHII4xi", replies, row * 2048)
            assert 16 < length <= 2048 and (kind, sequence, index) == (RTM_NEWLINK, 1, first[4])


def test_a_failing_row_in_the_middle(backend: Backend, host: int) -> None:
    """Row 1's host name is taken, row 2 has no namespace, row 3's second datagram is refused in its
    middle."""
    with namespaces(backend, 4) as fds, open(os.devnull, "rb") as file:
        steps = attach_steps(5, host, ["v0000", "v0000", "v0002", "v0003", "v0004"])
        second = steps[1][0]
        assert isinstance(second, bytearray)
        second[3 * steps[1][1] + 32 + 17] = 77  # ifa_prefixlen
        visited = backend.visit(ints(fds[0], fds[1], file.fileno(), fds[2], fds[3]), steps, SECOND)
        assert [one[:3] for one in visited] == [
            (0, 2, -1),
            (errno.EEXIST, 0, 0),
            (errno.EINVAL, -1, -1),
            (errno.EINVAL, 1, 1),
            (0, 2, -1),
        ]
        assert [one[4] > 1 for one in visited] == [True, False, False, True, True]
        assert texts(visited[3][3])[0].endswith("Invalid prefix length")
        assert names_here() == ["lo", "v0000", "v0003", "v0004"]
        # Of the refused create nothing is there: not even eth0.
        (one,) = backend.visit(ints(fds[1]), [(get_link(1, name="eth0"), 44, None, (), None)], SECOND)
        assert one[:3] == (errno.ENODEV, 0, 0)


def test_a_refused_text(backend: Backend) -> None:
    with namespaces(backend, 1) as fds:
        body = link_header() + attribute(3, b"x\0") + attribute(18, attribute(1, b"no-such-kind\0"))
        one = message(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK | 0x600, 1, body)
        ((code, step, number, tlvs, kept),) = backend.visit(
            ints(*fds), [(one, len(one), None, (), None)], SECOND
        )
        assert (code, step, number, kept) == (errno.EOPNOTSUPP, 0, 0, 0)
        assert texts(tlvs) == ["Unknown device type"]


def test_a_take_that_finds_nothing_stops_the_row(backend: Backend) -> None:
    """Without NLM_F_ECHO there is no reply, so nothing may be sent with an index that nobody gave."""
    with namespaces(backend, 1) as fds:
        create = make_veth(1, "a", "b", flags=0)
        steps: list[Step] = [
            (create, len(create), (RTM_NEWLINK, 20), (), None),
            (bytearray(set_up(2)), 32, None, (20,), None),
        ]
        assert backend.visit(ints(*fds), steps, SECOND) == [(errno.ENODATA, 0, -1, b"", 0)]
        # As on kernels that do not echo: create, then ask by name.
        create = make_veth(1, "c", "d", flags=0)
        ask = get_link(2, name="c")
        steps = [
            (create, len(create), None, (), None),
            (ask, len(ask), (RTM_NEWLINK, 20), (), None),
            (bytearray(set_up(3)), 32, None, (20,), None),
        ]
        ((code, step, _, _, kept),) = backend.visit(ints(*fds), steps, SECOND)
        assert (code, step) == (0, 3) and kept > 3


def test_a_dump_is_a_reply(backend: Backend) -> None:
    with namespaces(backend, 1) as fds:
        replies = bytearray(64)
        one = message(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 5, link_header())
        steps: list[Step] = [(one, len(one), (RTM_NEWLINK, 20), (), (replies, 40))]
        assert backend.visit(ints(*fds), steps, SECOND) == [(0, 1, -1, b"", 1)]
        assert struct.unpack_from("=H", replies, 4) == (RTM_NEWLINK,)
        assert not any(replies[40:])


def test_the_socket_is_strict(backend: Backend) -> None:
    """An ifindex filter in a dump works only with strict checking on: garbage in the header is refused
    then."""
    with namespaces(backend, 1) as fds:
        one = message(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 5, link_header(flags=1))
        ((code, step, number, tlvs, _),) = backend.visit(
            ints(*fds), [(one, len(one), None, (), None)], SECOND
        )
        assert (code, step, number) == (errno.EINVAL, 0, 0)
        assert texts(tlvs)


def test_an_answer_that_never_comes(backend: Backend) -> None:
    """The last message asks for nothing, so nothing is answered: the deadline ends it."""
    with namespaces(backend, 2) as fds:
        steps: list[Step] = [(set_up(1, 1, flags=0) * 2, 32, None, (), None)]
        assert backend.visit(ints(*fds), steps, SECOND // 20) == [(errno.ETIMEDOUT, 0, -1, b"", 0)] * 2


def test_a_refusal_outlives_the_deadline(backend: Backend) -> None:
    with namespaces(backend, 1) as fds:
        one = set_up(1, 99, flags=0) + set_up(2, 1, flags=0)
        assert backend.visit(ints(*fds), [(one, 64, None, (), None)], SECOND // 20) == [
            (errno.ENODEV, 0, 0, b"", 0)
        ]


def test_others_go_on_meanwhile(backend: Backend) -> None:
    """Four threads wait for answers that never come, at the same time, and this one is not held up."""
    with namespaces(backend, 4) as fds:
        steps: list[Step] = [(set_up(1, 1, flags=0), 32, None, (), None)]
        results: list[list[Visited]] = []

        def wait(fd: int) -> None:
            results.append(backend.visit(ints(fd), steps, SECOND // 2))

        threads = [threading.Thread(target=wait, args=(fd,)) for fd in fds]
        start = time.monotonic()
        for thread in threads:
            thread.start()
        assert time.monotonic() - start < 0.3
        for thread in threads:
            thread.join()
        assert time.monotonic() - start < 1.5
    assert results == [[(errno.ETIMEDOUT, 0, -1, b"", 0)]] * 4


def test_no_rows(backend: Backend) -> None:
    assert backend.visit(b"", [(b"", 32, None, (), None)], SECOND) == []


# -- sockets kept from visit to visit ----------------------------------------------------------------------


def asks(rows: int) -> list[Step]:
    """One step: what is lo's index?"""
    ask = get_link(1, index=1)
    return [(ask * rows, len(ask), (RTM_NEWLINK, 20), (), None)]


def raises(*indexes: int) -> list[Step]:
    """One step: raise the link of that index, a row each."""
    return [(b"".join(set_up(1, index) for index in indexes), 32, None, (), None)]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_a_kept_socket_is_talked_through_again(backend: Backend) -> None:
    """The second time there is not even a namespace to enter."""
    with namespaces(backend, 3) as fds:
        before = descriptors()
        kept = array("i", [-1] * 3)
        assert backend.visit(array("i", fds), raises(1, 1, 1), SECOND, kept) == [(0, 1, -1, b"", 0)] * 3
        assert descriptors() == before + 3 and not any(os.get_inheritable(fd) for fd in kept)
        first = list(kept)
        ports = []
        for _ in range(2):
            assert backend.visit(ints(-1, -1, -1), asks(3), SECOND, kept) == [(0, 1, -1, b"", 1)] * 3
            assert list(kept) == first and descriptors() == before + 3
            for fd in kept:
                with socket.socket(fileno=os.dup(fd)) as sock:
                    ports.append(sock.getsockname()[0])
        assert ports[:3] == ports[3:] and len(set(first)) == 3
        for fd in kept:
            os.close(fd)


def test_a_failing_row_keeps_no_socket(backend: Backend) -> None:
    """Refused, or nowhere to enter: -1 stays. What was given stays open even so."""
    with namespaces(backend, 1) as (fd,):
        given = backend.open_socket(fd, socket.AF_NETLINK, socket.SOCK_RAW, 0)
        before = descriptors()
        sockets = bytearray(ints(-1, -1, given, -1, given))
        visited = backend.visit(ints(fd, -1, -1, fd, -1), raises(99, 1, 99, 1, 1), SECOND, sockets)
        assert [one[:3] for one in visited] == [
            (errno.ENODEV, 0, 0),
            (errno.EBADF, -1, -1),
            (errno.ENODEV, 0, 0),
            (0, 1, -1),
            (0, 1, -1),
        ]
        numbers = struct.unpack("=5i", sockets)
        assert (*numbers[:3], numbers[4]) == (-1, -1, given, given) and numbers[3] >= 0
        assert descriptors() == before + 1
        os.close(numbers[3])
        os.close(given)


def test_a_socket_that_is_none(backend: Backend) -> None:
    """It is that row's error alone."""
    with namespaces(backend, 1) as (fd,), open(os.devnull, "rb") as file:
        sockets = array("i", [file.fileno(), 0x7FFFFFFF, -1])
        visited = backend.visit(ints(fd, fd, fd), asks(3), SECOND, sockets)
        assert [one[:3] for one in visited] == [
            (errno.ENOTSOCK, 0, -1),
            (errno.EBADF, 0, -1),
            (0, 1, -1),
        ]
        os.fstat(file.fileno())
        assert list(sockets[:2]) == [file.fileno(), 0x7FFFFFFF]
        os.close(sockets[2])


def test_descriptors_run_out(backend: Backend) -> None:
    """The rows that got a socket are done and keep it; the others are EMFILE."""
    import resource

    with namespaces(backend, 1) as (fd,):
        backend.visit(ints(fd), asks(1), SECOND)  # what has to be imported is now
        before = descriptors()
        sockets = array("i", [-1] * 40)
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (before + 5, limits[1]))
        try:
            visited = backend.visit(ints(fd) * 40, asks(40), SECOND, sockets)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        kept = [number for number in sockets if number >= 0]
        assert [one[:2] for one in visited] == [
            (0, 1) if number >= 0 else (errno.EMFILE, -1) for number in sockets
        ]
        assert 0 < len(kept) < 40 and descriptors() == before + len(kept)
        for number in kept:
            os.close(number)


#: Threads are numbered one after the other where nobody else makes any: in a process namespace of its own.
COUNT_THREADS = """
import os, struct, threading
from netlinkpy import native

backend = native.load()
(fd,) = backend.make_netns(1)
kept = bytearray(struct.pack("=2i", -1, backend.open_socket(fd, 16, 3, 0)))
ask = struct.pack("=IHHIIBxHiII", 32, 18, 1, 1, 0, 0, 0, 1, 0, 0)
step = (ask * 2, 32, None, (), None)

def number():
    found = []
    thread = threading.Thread(target=lambda: found.append(threading.get_native_id()))
    thread.start()
    thread.join()
    return found[0]

backend.unshare(0x20000000)  # CLONE_NEWPID: of the child
child = os.fork()
if child:
    raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
for _ in range(2):
    before = number()
    done = backend.visit(struct.pack("=2i", fd, -1), [step], 10**9, kept)
    print(number() - before - 1, [one[0] for one in done], flush=True)
"""


def test_no_thread_when_nowhere_is_entered(backend: Backend) -> None:
    """At first one row has to be entered, by one thread; then all are kept, and there is none."""
    environment = {**os.environ, "NETLINKPY_BACKEND": backend.NAME}
    ran = subprocess.run(
        [sys.executable, "-c", COUNT_THREADS], env=environment, capture_output=True, text=True, timeout=60
    )
    assert (ran.returncode, ran.stdout) == (0, "1 [0, 0]\n0 [0, 0]\n"), ran.stderr


def test_what_a_handler_raises_closes_nobodys_socket(backend: Backend) -> None:
    """It comes out, from the midst of the wait or after it, and what was given is open still."""

    def handler(*_: object) -> None:
        raise RuntimeError("enough")

    quiet: list[Step] = [(set_up(1, 1, flags=0), 32, None, (), None)]
    with namespaces(backend, 1) as (fd,):
        given = backend.open_socket(fd, socket.AF_NETLINK, socket.SOCK_RAW, 0)
        sockets = array("i", [given])
        usual = signal.signal(signal.SIGALRM, handler)
        try:
            with pytest.raises(RuntimeError, match="enough"):
                signal.setitimer(signal.ITIMER_REAL, 0.05)
                backend.visit(ints(-1), quiet, SECOND // 5, sockets)
                time.sleep(1)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, usual)
        assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
        assert backend.visit(ints(-1), asks(1), SECOND, sockets) == [(0, 1, -1, b"", 1)]
        os.close(given)


@pytest.mark.parametrize("length", [0, 3, 4, 7, 9, 12])
def test_one_socket_for_each_namespace(backend: Backend, length: int) -> None:
    with pytest.raises(ValueError):
        backend.visit(ints(-1, -1), raises(1, 1), SECOND, bytearray(length))


def test_the_sockets_must_be_writable(backend: Backend) -> None:
    with pytest.raises(BufferError):
        backend.visit(ints(-1), raises(1), SECOND, ints(-1))


@pytest.mark.parametrize("timeout", [0, -1, -(2**63)])
def test_a_deadline_that_is_past(backend: Backend, timeout: int) -> None:
    """Answers that are there already are read all the same; nothing is waited for."""
    with namespaces(backend, 1) as fds:
        quiet: list[Step] = [(set_up(1, 1, flags=0), 32, None, (), None)]
        assert backend.visit(ints(*fds), quiet, timeout) == [(errno.ETIMEDOUT, 0, -1, b"", 0)]
        assert backend.visit(ints(*fds), asks(1), timeout) == [(0, 1, -1, b"", 1)]


GOOD = set_up(1, 1)


@pytest.mark.parametrize(
    ("fds", "steps"),
    [
        (b"\0\0\0", [(GOOD, 32, None, (), None)]),
        (ints(1), []),
        (ints(1), [(GOOD, 32, None, (), None)] * 17),
        (ints(1, 2), [(GOOD, 32, None, (), None)]),
        (ints(1), [(GOOD, 12, None, (), None)]),
        (ints(1), [(GOOD, -32, None, (), None)]),
        (ints(1), [(GOOD, 2**62, None, (), None)]),
        (ints(1, 1, 1, 1), [(GOOD, 2**62, None, (), None)]),
        (ints(1), [(GOOD + bytes(4), 36, None, (), None)]),
        (ints(1), [(b"\x21" + GOOD[1:], 32, None, (), None)]),
        (ints(1), [(b"\x0f" + GOOD[1:], 32, None, (), None)]),
        (ints(1), [(GOOD, 32, (16, 20), (), None), (bytearray(GOOD), 32, None, (29,), None)]),
        (ints(1), [(GOOD, 32, (16, 20), (), None), (bytearray(GOOD), 32, None, (-1,), None)]),
        (ints(1), [(GOOD, 32, (16, 20), (), None), (bytearray(GOOD), 32, None, (0,) * 65, None)]),
        (ints(1), [(bytearray(GOOD), 32, None, (20,), None)]),
        (ints(1), [(bytearray(GOOD), 32, (16, 20), (20,), None)]),
        (ints(1), [(GOOD, 32, (-1, 20), (), None)]),
        (ints(1), [(GOOD, 32, (65536, 20), (), None)]),
        (ints(1), [(GOOD, 32, (16, -1), (), None)]),
        (ints(1), [(GOOD, 32, None, (), (bytearray(10), 11))]),
        (ints(1), [(GOOD, 32, None, (), (bytearray(10), 0))]),
    ],
)
def test_lies_are_refused(backend: Backend, fds: bytes, steps: list[Step]) -> None:
    with pytest.raises(ValueError):
        backend.visit(fds, steps, SECOND)


def test_a_put_needs_a_writable_datagram(backend: Backend) -> None:
    steps: list[Step] = [(GOOD, 32, (16, 20), (), None), (GOOD, 32, None, (20,), None)]
    with pytest.raises((BufferError, ValueError)):
        backend.visit(ints(1), steps, SECOND)


def test_a_put_over_the_framing_is_harmless(backend: Backend) -> None:
    """The kept value may ruin the datagram's own lengths: it ends in an error, not in an overrun."""
    with namespaces(backend, 1) as fds:
        ask = get_link(1, index=1)
        steps: list[Step] = [
            (ask, len(ask), (RTM_NEWLINK, 16), (), None),
            (bytearray(set_up(2, 1)), 32, None, (0, 4, 8), None),
        ]
        ((code, step, number, _, _),) = backend.visit(ints(*fds), steps, SECOND // 20)
        assert code and (step, number) == (1, -1)


def test_ten_thousand_visits_leave_nothing(backend: Backend) -> None:
    """Descriptors and threads are counted after each test."""
    ask = get_link(1, index=1)
    with namespaces(backend, 1) as fds:
        for _ in range(20):
            rows = backend.visit(
                ints(*fds) * 500, [(ask * 500, len(ask), (RTM_NEWLINK, 20), (), None)], SECOND
            )
            assert rows == [(0, 1, -1, b"", 1)] * 500
