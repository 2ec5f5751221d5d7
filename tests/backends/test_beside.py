"""Steps that a visit sends beside: through one socket of another namespace that serves all rows."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from array import array
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.backends.messages import (
    NLM_F_ECHO,
    RTM_NEWLINK,
    SECOND,
    attribute,
    get_link,
    link_header,
    make_veth,
    message,
    namespaces,
    set_up,
    texts,
)
from tests.backends.programs import (
    IFI_INDEX,
    INDEX,
    PEER_INDEX,
    Step,
    ask,
    descriptors,
    ints,
    links,
    make_link,
    quiet,
    raises,
    visit,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netlinkpy.backends.interface import Backend
    from tests.backends.programs import Field

FLAGS: Field = ((), 8, 4, 0)  # ifi_flags
SOL_NETLINK, NETLINK_CAP_ACK, NETLINK_EXT_ACK = 270, 10, 11
IFF_UP = 1


@pytest.fixture
def outside() -> Iterator[int]:
    """A socket in the test's own namespace."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        for option in (NETLINK_CAP_ACK, NETLINK_EXT_ACK):
            sock.setsockopt(SOL_NETLINK, option, 1)
        yield sock.fileno()


def wire(backend: Backend, host: int, name: str) -> list[Step]:
    """Inside and beside by turns: make a pair, look at the host end beside, raise both, look again."""
    ends = links(INDEX, PEER_INDEX)
    return [
        Step(make_veth(1, "eth0", name, host, flags=NLM_F_ECHO), ends),
        Step(get_link(2), ends, puts=[(1, IFI_INDEX)], beside=True),
        Step(set_up(3), puts=[(0, IFI_INDEX)]),
        Step(set_up(4), puts=[(2, IFI_INDEX)], beside=True),
        Step(get_link(5), links(FLAGS), puts=[(3, IFI_INDEX)]),
        Step(get_link(6), links(FLAGS), puts=[(1, IFI_INDEX)], beside=True),
    ]


def test_inside_and_beside_by_turns(backend: Backend, host: int, outside: int) -> None:
    """The host end knows its peer by the index it has inside, and both end up."""
    with namespaces(backend, 4) as fds:
        rows = [wire(backend, host, f"v{row}") for row in range(4)]
        visited = visit(backend, ints(*fds), *rows, beside=outside)
        assert [one[:4] for one in visited] == [(0, 6, -1, b"")] * 4
        for row, (*_, (inside, host_index, looked_at, its_peer, *flags)) in enumerate(visited):
            assert host_index == looked_at == socket.if_nametoindex(f"v{row}") and its_peer == inside
            assert [one & IFF_UP for one in flags] == [IFF_UP, IFF_UP]


def test_a_name_is_looked_up_where_the_step_is_sent(backend: Backend, outside: int) -> None:
    """One name, three namespaces, three indices."""
    info = attribute(18, attribute(1, b"bridge"))
    with namespaces(backend, 1) as fds:
        steps = [
            Step(make_link(1, 50, "same", info)),
            Step(make_link(2, 60, "same", info), beside=True),
            Step(get_link(3, name="same"), links()),
            Step(get_link(4, name="same"), links(), beside=True),
        ]
        assert visit(backend, ints(*fds), steps, beside=outside) == [(0, 4, -1, b"", (50, 60))]
        assert socket.if_nametoindex("same") == 60


def test_a_refusal_beside(backend: Backend, outside: int) -> None:
    """Told like any other, with its text; the other rows go on, and the socket beside stays open."""
    with namespaces(backend, 3) as fds:
        rows = [[ask(), Step(set_up(2, index), beside=True), raises(1, 3)] for index in (1, 99, 1)]
        sockets = array("i", [-1] * 3)
        visited = visit(backend, ints(*fds), *rows, beside=outside, sockets=sockets)
        done = (0, 3, -1, b"", (1,))
        assert visited == [done, (errno.ENODEV, 1, 0, b"", (1,)), done]
        assert all(number >= 0 for number in sockets)
        bad = Step(make_link(1, 0, "x", attribute(18, attribute(1, b"no-such-kind\0"))), beside=True)
        ((code, step, number, tlvs, _),) = visit(backend, ints(fds[0]), [bad], beside=outside)
        assert (code, step, number, texts(tlvs)) == (errno.EOPNOTSUPP, 0, 0, ["Unknown device type"])
        for number in sockets:
            os.close(number)


def closed() -> int:
    """A descriptor that was a socket."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        number = fcntl.fcntl(sock, fcntl.F_DUPFD_CLOEXEC, 600)  # no row's own socket will have it
        os.close(number)
        return number


NO_SOCKET = pytest.mark.parametrize(
    "no_socket", [lambda: -1, closed, lambda: 0x7FFFFFFF], ids=["none", "closed", "never open"]
)


@NO_SOCKET
def test_no_socket_beside(backend: Backend, no_socket: Callable[[], int]) -> None:
    """EBADF at the first step that needs it, when those before are done. A socket opened for the row and one
    that was given stay open; without room for it the former is closed."""
    with namespaces(backend, 2) as fds:
        visit(backend, ints(fds[0]), [ask()])  # what has to be imported is now
        given = backend.open_socket(fds[1], socket.AF_NETLINK, socket.SOCK_RAW, 0).detach()
        steps = [ask(), Step(get_link(2, index=1), links(), beside=True), raises(1, 3)]
        before = descriptors()
        sockets = array("i", [-1, given])
        netns_fds = ints(*fds)
        visited = visit(backend, netns_fds, steps, sockets=sockets, beside=no_socket())
        assert visited == [(errno.EBADF, 1, -1, b"", (1, 0))] * 2
        assert sockets[0] >= 0 and sockets[1] == given and descriptors() == before + 1
        os.close(sockets[0])
        visited = visit(backend, netns_fds, steps[1:], beside=no_socket())
        assert visited == [(errno.EBADF, 0, -1, b"", (0,))] * 2
        assert descriptors() == before
        # The given one is as good as before.
        assert visit(backend, netns_fds[4:], [ask()], sockets=sockets[1:]) == [(0, 1, -1, b"", (1,))]
        os.close(given)


def test_what_is_beside_is_no_socket(backend: Backend) -> None:
    """As for a row's own."""
    with namespaces(backend, 1) as fds, open(os.devnull, "rb") as file:
        steps = [ask(), Step(set_up(2, 1), beside=True)]
        visited = visit(backend, ints(*fds), steps, beside=file.fileno())
        assert visited == [(errno.ENOTSOCK, 1, -1, b"", (1,))]
        os.fstat(file.fileno())


@NO_SOCKET
def test_a_program_that_has_no_use_for_it(backend: Backend, no_socket: Callable[[], int]) -> None:
    with namespaces(backend, 1) as fds:
        visited = visit(backend, ints(*fds), [ask()], beside=no_socket())
        assert visited == [(0, 1, -1, b"", (1,))]


def test_a_namespace_is_entered_even_if_all_is_sent_beside(backend: Backend, outside: int) -> None:
    steps = [Step(get_link(1, index=1), links(), beside=True)]
    with namespaces(backend, 1) as (fd,):
        sockets = array("i", [-1, -1])
        visited = visit(backend, ints(fd, -1), steps, beside=outside, sockets=sockets)
        assert visited == [(0, 1, -1, b"", (1,)), (errno.EBADF, -1, -1, b"", (0,))]
        assert sockets[0] >= 0 and sockets[1] == -1
        assert visit(backend, ints(-1), [ask()], sockets=sockets[:1]) == [(0, 1, -1, b"", (1,))]
        os.close(sockets[0])


def test_one_socket_may_be_both(backend: Backend, outside: int) -> None:
    """The row's own and the one beside."""
    steps = [ask(), Step(get_link(2, index=1), links(), beside=True), ask(3)]
    sockets = array("i", [outside] * 2)
    for _ in range(2):
        visited = visit(backend, ints(-1, -1), steps, beside=outside, sockets=sockets)
        assert visited == [(0, 3, -1, b"", (1, 1, 1))] * 2
    os.fstat(outside)


def test_the_deadline_holds_beside_too(backend: Backend, outside: int) -> None:
    """A row's is one for what is inside and what is beside."""
    silent = Step(quiet(2).datagram, beside=True)
    with namespaces(backend, 1) as fds:
        start = time.monotonic()
        visited = visit(backend, ints(*fds), [ask(), silent], beside=outside, timeout=SECOND // 10)
        assert visited == [(errno.ETIMEDOUT, 1, -1, b"", (1,))]
        assert 0.1 <= time.monotonic() - start < 1


def test_an_answer_that_was_not_read_is_not_the_next_rows(backend: Backend) -> None:
    """All rows send the same sequence numbers: where one row's answers from beside were not read to their
    end, later rows do not ask there."""
    steps = [Step(get_link(1, index=1), links()), Step(get_link(2, index=1), links(), beside=True)]
    answers = [message(RTM_NEWLINK, 0, number, link_header(number)) for number in (1, 2)]
    with ExitStack() as stack:
        own, given, beside = [
            [stack.enter_context(end) for end in socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)]
            for _ in range(3)
        ]
        for end in (own, given):
            end[1].send(answers[0])
        for datagram in (b"too short", answers[1]):
            beside[1].send(datagram)
        sockets = array("i", [own[0].fileno(), given[0].fileno()])
        visited = visit(backend, ints(-1, -1), steps, beside=beside[0].fileno(), sockets=sockets)
        assert visited == [
            (errno.EBADMSG, 1, -1, b"", (1, 0)),
            (errno.ECANCELED, 1, -1, b"", (1, 0)),
        ]
        assert len(beside[1].recv(99)) == len(steps[1].datagram)
        with pytest.raises(BlockingIOError):  # nor was it sent
            beside[1].recv(99, socket.MSG_DONTWAIT)


def test_many_rows_share_the_socket_beside(backend: Backend, outside: int) -> None:
    """Each reads its own answers and leaves none to the next."""
    with namespaces(backend, 1) as fds:
        rows = [
            [
                Step(
                    get_link(1, index=99 if row % 3 else 1) + get_link(2, index=1),
                    links(),
                    beside=True,
                ),
                ask(3),
            ]
            for row in range(300)
        ]
        visited = visit(backend, ints(*fds) * 300, *rows, beside=outside)
        assert visited == [
            (errno.ENODEV, 0, 0, b"", (1, 0)) if row % 3 else (0, 2, -1, b"", (1, 1)) for row in range(300)
        ]
        with socket.socket(fileno=os.dup(outside)) as sock, pytest.raises(BlockingIOError):
            sock.recv(1, socket.MSG_DONTWAIT)
