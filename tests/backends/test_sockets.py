"""The sockets that a visit talks through: opened by it, kept from visit to visit, given, or none."""

from __future__ import annotations

import errno
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from array import array
from typing import TYPE_CHECKING

import pytest

from tests.backends.messages import (
    SECOND,
    namespaces,
    set_up,
)
from tests.backends.programs import (
    ASKED,
    RAISED,
    Step,
    ask,
    descriptors,
    ints,
    links,
    quiet,
    raises,
    visit,
)

if TYPE_CHECKING:
    from netlinkpy.backends.interface import Backend


def test_a_kept_socket_is_talked_through_again(backend: Backend) -> None:
    """The second time there is not even a namespace to enter."""
    with namespaces(backend, 3) as fds:
        before = descriptors()
        kept = array("i", [-1] * 3)
        assert visit(backend, array("i", fds), [raises(1)], sockets=kept) == [RAISED] * 3
        assert descriptors() == before + 3 and not any(os.get_inheritable(fd) for fd in kept)
        first = list(kept)
        ports = []
        for _ in range(2):
            assert visit(backend, ints(-1, -1, -1), [ask()], sockets=kept) == [ASKED] * 3
            assert list(kept) == first and descriptors() == before + 3
            for fd in kept:
                with socket.socket(fileno=os.dup(fd)) as sock:
                    ports.append(sock.getsockname()[0])
        assert ports[:3] == ports[3:] and len(set(first)) == 3
        for fd in kept:
            os.close(fd)


def test_a_failing_row_keeps_its_socket(backend: Backend) -> None:
    """It is the caller's from the moment it is open. -1 stays where there is nowhere to enter."""
    with namespaces(backend, 1) as (fd,):
        given = backend.open_socket(fd, socket.AF_NETLINK, socket.SOCK_RAW, 0).detach()
        before = descriptors()
        sockets = bytearray(ints(-1, -1, given, -1, given))
        rows = [[raises(index)] for index in (99, 1, 99, 1, 1)]
        visited = visit(backend, ints(fd, -1, -1, fd, -1), *rows, sockets=sockets)
        assert [one[:3] for one in visited] == [
            (errno.ENODEV, 0, 0),
            (errno.EBADF, -1, -1),
            (errno.ENODEV, 0, 0),
            (0, 1, -1),
            (0, 1, -1),
        ]
        numbers = struct.unpack("=5i", sockets)
        assert (*numbers[1:3], numbers[4]) == (-1, given, given) and min(numbers[0], numbers[3]) >= 0
        assert descriptors() == before + 2
        for number in (numbers[0], numbers[3], given):
            os.close(number)


def test_a_row_whose_second_step_fails(backend: Backend) -> None:
    """Refused, without its value, or late: the values of the first step are told, the socket is the caller's,
    or is closed where there is no room for it."""
    lost = [
        (errno.ENODEV, 0, Step(set_up(2, 99))),
        (errno.ENODATA, -1, Step(set_up(2, 1), links())),
        (errno.ETIMEDOUT, -1, quiet(2)),
    ]
    with namespaces(backend, 1) as fds:
        before = descriptors()
        for code, number, second in lost:
            sockets = array("i", [-1])
            ((*outcome, values),) = visit(
                backend, ints(*fds), [ask(), second], sockets=sockets, timeout=SECOND // 20
            )
            assert (outcome[:3], values[0]) == ([code, 1, number], 1) and sockets[0] >= 0
            assert descriptors() == before + 1
            os.close(sockets[0])
            visit(backend, ints(*fds), [ask(), second], timeout=SECOND // 20)
            assert descriptors() == before


def test_a_socket_that_is_none(backend: Backend) -> None:
    """It is that row's error alone."""
    with namespaces(backend, 1) as (fd,), open(os.devnull, "rb") as file:
        sockets = array("i", [file.fileno(), 0x7FFFFFFF, -1])
        visited = visit(backend, ints(fd, fd, fd), [ask()], sockets=sockets)
        assert visited == [
            (errno.ENOTSOCK, 0, -1, b"", (0,)),
            (errno.EBADF, 0, -1, b"", (0,)),
            ASKED,
        ]
        os.fstat(file.fileno())
        assert list(sockets[:2]) == [file.fileno(), 0x7FFFFFFF]
        os.close(sockets[2])


def test_descriptors_run_out(backend: Backend) -> None:
    """The rows that got a socket are done and keep it; the others are EMFILE."""
    import resource

    with namespaces(backend, 1) as (fd,):
        visit(backend, ints(fd), [ask()])  # what has to be imported is now
        before = descriptors()
        sockets = array("i", [-1] * 40)
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (before + 5, limits[1]))
        try:
            visited = visit(backend, ints(fd) * 40, [ask()], sockets=sockets)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        kept = [number for number in sockets if number >= 0]
        assert visited == [ASKED if number >= 0 else (errno.EMFILE, -1, -1, b"", (0,)) for number in sockets]
        assert 0 < len(kept) < 40 and descriptors() == before + len(kept)
        for number in kept:
            os.close(number)


#: Threads are numbered one after the other where nobody else makes any: in a process namespace of its own.
COUNT_THREADS = """
import os, struct, threading
from netlinkpy import backends
from netlinkpy.wire.program import Instruction, compile_program

backend = backends.load()
(fd,) = backend.make_netns(1)
kept = bytearray(struct.pack("=2i", -1, backend.open_socket(fd, 16, 3, 0).detach()))
asks = bytearray(struct.pack("=IHHIIBxHiII", 32, 18, 1, 1, 0, 0, 0, 1, 0, 0) * 2)
program = compile_program([Instruction(32)])

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
    results = bytearray(2 * 272)
    backend.visit(program, asks, struct.pack("=2i", fd, -1), kept, -1, 10**9, results)
    print(number() - before - 1, [struct.unpack_from("=i", results, at)[0] for at in (0, 272)], flush=True)
"""


def test_no_thread_when_nowhere_is_entered(backend: Backend) -> None:
    """At first one row has to be entered, by one thread; then all are kept, and there is none."""
    environment = {**os.environ, "NETLINKPY_BACKEND": backend.NAME}
    ran = subprocess.run(
        [sys.executable, "-c", COUNT_THREADS], env=environment, capture_output=True, text=True, timeout=60
    )
    assert (ran.returncode, ran.stdout) == (0, "1 [0, 0]\n0 [0, 0]\n"), ran.stderr


@pytest.mark.usefixtures("untraced")
def test_what_a_handler_raises_closes_nobodys_socket(backend: Backend) -> None:
    """It comes out, from the midst of the wait or after it, and what was given is open still."""

    def handler(*_: object) -> None:
        raise RuntimeError("enough")

    with namespaces(backend, 1) as (fd,):
        given = backend.open_socket(fd, socket.AF_NETLINK, socket.SOCK_RAW, 0).detach()
        sockets = array("i", [given])
        usual = signal.signal(signal.SIGALRM, handler)
        try:
            with pytest.raises(RuntimeError, match="enough"):
                signal.setitimer(signal.ITIMER_REAL, 0.05)
                visit(backend, ints(-1), [quiet()], sockets=sockets, timeout=SECOND // 5)
                time.sleep(1)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, usual)
        assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
        assert visit(backend, ints(-1), [ask()], sockets=sockets) == [ASKED]
        os.close(given)
