"""visit: the steps of an attach, run inside many namespaces through sockets opened there."""

from __future__ import annotations

import errno
import os
import socket
import struct
import threading
import time
from array import array
from typing import TYPE_CHECKING

import pytest

from tests.backends.messages import (
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REQUEST,
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
from tests.backends.programs import (
    ASKED,
    IFI_INDEX,
    INDEX,
    PEER_INDEX,
    Step,
    add_address,
    ask,
    datagrams,
    descriptors,
    dump_links,
    ints,
    links,
    program,
    quiet,
    raises,
    run,
    visit,
)

if TYPE_CHECKING:
    from netlinkpy.backends.interface import Backend
    from tests.backends.programs import Visited


# -- an attach ---------------------------------------------------------------------------------------------


def attach(backend: Backend, host: int, host_name: str, prefix_length: int = 24) -> list[Step]:
    """Create eth0 with its peer in the host's namespace; raise it, and give it an address and a route by
    its index."""
    up, address = set_up(2, flags=0), bytearray(add_address(3, b"\x0a\1\1\2"))
    address[17] = prefix_length
    route = bytearray(add_route(4, b"\x0a\2\2\2", 0))
    route[6] |= NLM_F_ACK
    places = (IFI_INDEX, len(up) + IFI_INDEX, len(up) + len(address) + 40)
    return [
        Step(make_veth(1, "eth0", host_name, host), links(INDEX, PEER_INDEX)),
        Step(up + address + route, puts=[(0, place) for place in places]),
    ]


def names_here() -> list[str]:
    return sorted(name for _, name in socket.if_nameindex())


def test_attach_in_many_namespaces(backend: Backend, host: int) -> None:
    with namespaces(backend, 8) as fds:
        rows = [attach(backend, host, f"v{row:04}") for row in range(8)]
        visited = visit(backend, array("i", fds), *rows)
        assert [one[:4] for one in visited] == [(0, 2, -1, b"")] * 8
        assert all(index > 1 for *_, (index, _) in visited)
        peers = [socket.if_nametoindex(f"v{row:04}") for row in range(8)]
        assert [peer for *_, (_, peer) in visited] == peers and len(names_here()) == 9
        # And everything is there: the address a second time is refused, and the link answers by name.
        again = [Step(get_link(1, name="eth0"), links(INDEX, PEER_INDEX)), rows[0][1]]
        second = visit(backend, array("i", fds), again)
        assert [one[:3] for one in second] == [(errno.EEXIST, 1, 1)] * 8
        assert [one[4] for one in second] == [one[4] for one in visited]


def test_a_failing_row_in_the_middle(backend: Backend, host: int) -> None:
    """Row 1's host name is taken, row 2 has no namespace, row 3's second datagram is refused in its
    middle."""
    with namespaces(backend, 4) as fds, open(os.devnull, "rb") as file:
        rows = [attach(backend, host, name) for name in ("v0000", "v0000", "v0002")]
        rows += [attach(backend, host, "v0003", prefix_length=77), attach(backend, host, "v0004")]
        visited = visit(backend, ints(fds[0], fds[1], file.fileno(), fds[2], fds[3]), *rows)
        assert [one[:3] for one in visited] == [
            (0, 2, -1),
            (errno.EEXIST, 0, 0),
            (errno.EINVAL, -1, -1),
            (errno.EINVAL, 1, 1),
            (0, 2, -1),
        ]
        assert [one[4] == (0, 0) for one in visited] == [False, True, True, False, False]
        assert texts(visited[3][3])[0].endswith("Invalid prefix length")
        assert names_here() == ["lo", "v0000", "v0003", "v0004"]
        # Of the refused create nothing is there: not even eth0.
        (one,) = visit(backend, ints(fds[1]), [Step(get_link(1, name="eth0"))])
        assert one[:3] == (errno.ENODEV, 0, 0)


def test_a_refused_text(backend: Backend) -> None:
    with namespaces(backend, 1) as fds:
        body = link_header() + attribute(3, b"x\0") + attribute(18, attribute(1, b"no-such-kind\0"))
        flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL
        one = message(RTM_NEWLINK, flags, 1, body)
        ((code, step, number, tlvs, values),) = visit(backend, ints(*fds), [Step(one)])
        assert (code, step, number, values) == (errno.EOPNOTSUPP, 0, 0, ())
        assert texts(tlvs) == ["Unknown device type"]


def test_the_socket_is_strict(backend: Backend) -> None:
    """An ifindex filter in a dump works only with strict checking on: garbage in the header is refused
    then."""
    with namespaces(backend, 1) as fds:
        ((code, step, number, tlvs, _),) = visit(backend, ints(*fds), [Step(dump_links(5, flags=1))])
        assert (code, step, number) == (errno.EINVAL, 0, 0)
        assert texts(tlvs)


def test_no_rows(backend: Backend) -> None:
    assert run(backend, [ask()], bytearray(), b"", None, -1, SECOND) == []
    assert run(backend, [ask()], bytearray(), b"", bytearray(), -1, SECOND) == []


def test_a_program_serves_again_and_again(backend: Backend) -> None:
    """With other datagrams, and another number of rows."""
    made = [ask()]
    with namespaces(backend, 2) as fds:
        for rows in (1, 2, 1):
            sent = datagrams([ask(sequence=rows)]) * rows
            assert run(backend, made, sent, ints(*fds[:rows]), None, -1, SECOND) == [ASKED] * rows


# -- deadlines ---------------------------------------------------------------------------------------------


def test_an_answer_that_never_comes(backend: Backend) -> None:
    """The last message asks for nothing, so nothing is answered: the deadline ends it."""
    with namespaces(backend, 2) as fds:
        visited = visit(backend, ints(*fds), [quiet()], timeout=SECOND // 20)
        assert visited == [(errno.ETIMEDOUT, 0, -1, b"", ())] * 2


def test_each_row_has_a_deadline_of_its_own(backend: Backend) -> None:
    """What the first row waited is not taken from the second one, whose first step is answered."""
    with namespaces(backend, 2) as fds:
        start = time.monotonic()
        visited = visit(backend, ints(*fds), [ask(), quiet(2)], timeout=SECOND // 10)
        assert visited == [(errno.ETIMEDOUT, 1, -1, b"", (1,))] * 2
        assert 0.2 <= time.monotonic() - start < 1


def test_a_refusal_outlives_the_deadline(backend: Backend) -> None:
    with namespaces(backend, 1) as fds:
        one = set_up(1, 99, flags=0) + set_up(2, 1, flags=0)
        visited = visit(backend, ints(*fds), [Step(one)], timeout=SECOND // 20)
        assert visited == [(errno.ENODEV, 0, 0, b"", ())]


@pytest.mark.parametrize("timeout", [0, -1, -(2**63)])
def test_a_deadline_that_is_past(backend: Backend, timeout: int) -> None:
    """Answers that are there already are read all the same; nothing is waited for."""
    with namespaces(backend, 1) as fds:
        assert visit(backend, ints(*fds), [quiet()], timeout=timeout) == [(errno.ETIMEDOUT, 0, -1, b"", ())]
        assert visit(backend, ints(*fds), [ask()], timeout=timeout) == [ASKED]


def test_others_go_on_meanwhile(backend: Backend) -> None:
    """Four threads wait for answers that never come, at the same time, and this one is not held up."""
    with namespaces(backend, 4) as fds:
        results: list[list[Visited]] = []

        def wait(fd: int) -> None:
            results.append(visit(backend, ints(fd), [quiet()], timeout=SECOND // 2))

        threads = [threading.Thread(target=wait, args=(fd,)) for fd in fds]
        start = time.monotonic()
        for thread in threads:
            thread.start()
        assert time.monotonic() - start < 0.3
        for thread in threads:
            thread.join()
        assert time.monotonic() - start < 1.5
    assert results == [[(errno.ETIMEDOUT, 0, -1, b"", ())]] * 4


# -- buffers -----------------------------------------------------------------------------------------------

ROW = [Step(set_up(1, 1)), Step(set_up(2, 1) + set_up(3, 1))]  # 32 and 64 bytes
HEADERS = [0, 32, 64, 96, 128, 160]  # where the messages of two such rows begin


@pytest.mark.parametrize("length", [0, 96, 188, 191, 193, 196, 288])
def test_the_datagrams_are_those_of_the_rows(backend: Backend, length: int) -> None:
    sent = (datagrams(ROW) * 3)[:length]
    with pytest.raises(ValueError):
        run(backend, ROW, sent, ints(-1, -1), None, -1, SECOND)


@pytest.mark.parametrize("length", [1, 3, 5, 7])
def test_namespaces_are_whole_ints(backend: Backend, length: int) -> None:
    for rows in (length // 4, length // 4 + 1):
        with pytest.raises(ValueError):
            run(backend, ROW, datagrams(ROW) * rows, bytes(length), None, -1, SECOND)


@pytest.mark.parametrize("length", [0, 3, 4, 7, 9, 12])
def test_one_socket_for_each_namespace(backend: Backend, length: int) -> None:
    with pytest.raises(ValueError):
        visit(backend, ints(-1, -1), ROW, sockets=bytearray(length))


@pytest.mark.parametrize("at", HEADERS)
@pytest.mark.parametrize("wrong", [0, 15, 65, 2**31, 2**32 - 1])
def test_a_datagram_is_whole_messages(backend: Backend, at: int, wrong: int) -> None:
    """Each of each row. A message may not reach into the datagram behind it either."""
    sent = datagrams(ROW, ROW)
    struct.pack_into("=I", sent, at, wrong)
    with pytest.raises(ValueError):
        run(backend, ROW, sent, ints(-1, -1), None, -1, SECOND)


def test_a_few_bytes_left_over_are_no_message(backend: Backend) -> None:
    steps = [Step(set_up(1, 1) + bytes(4)), Step(set_up(2, 1))]
    with pytest.raises(ValueError):
        visit(backend, ints(-1), steps)


def test_a_datagram_may_go_without_its_last_padding(backend: Backend) -> None:
    name = bytearray(get_link(1, name="lo"))  # its attribute ends one byte before the message does
    struct.pack_into("=I", name, 0, len(name) - 1)
    with namespaces(backend, 1) as fds:
        steps = [Step(bytes(name[:-1]), links()), raises(1, sequence=2)]
        assert visit(backend, ints(*fds), steps) == [(0, 2, -1, b"", (1,))]


def test_what_is_refused_sent_nothing(backend: Backend, host: int) -> None:
    """The first row would make a link, the second one is broken."""
    with namespaces(backend, 2) as fds:
        rows = [attach(backend, host, "v0000"), attach(backend, host, "v0001")]
        sent = datagrams(*rows)
        sent[len(sent) // 2] = 15
        before = descriptors()
        sockets = array("i", [-1, -1])
        with pytest.raises(ValueError):
            run(backend, rows[0], sent, ints(*fds), sockets, -1, SECOND)
        assert names_here() == ["lo"] and descriptors() == before and list(sockets) == [-1, -1]


def test_what_is_written_to_must_be_writable(backend: Backend) -> None:
    """The datagrams also where nothing is put into them."""
    made = [ask()]
    sent = datagrams([ask()])
    with pytest.raises(BufferError):
        run(backend, made, bytes(sent), ints(-1), None, -1, SECOND)
    with pytest.raises(BufferError):
        run(backend, made, sent, ints(-1), ints(-1), -1, SECOND)


def test_buffers_lie_in_one_piece(backend: Backend) -> None:
    made = [ask()]
    sent = datagrams([ask()])
    apart = memoryview(bytearray(128))
    with pytest.raises(BufferError):
        run(backend, made, apart[::4], ints(-1), None, -1, SECOND)
    with pytest.raises(BufferError):
        run(backend, made, sent, apart[:8:2], None, -1, SECOND)
    with pytest.raises(BufferError):
        run(backend, made, sent, ints(-1), apart[:8:2], -1, SECOND)


@pytest.mark.parametrize("pair", [(0, 1), (0, 2), (1, 2)])
def test_what_is_written_shares_no_memory(backend: Backend, pair: tuple[int, int]) -> None:
    """Datagrams, sockets, results: a put or a result over the sockets would lose a descriptor."""
    steps = [ask(), Step(set_up(2), puts=[(0, IFI_INDEX)])]
    sent = datagrams(steps)
    with namespaces(backend, 1) as fds:
        before = descriptors()
        room = memoryview(bytearray(2048))
        buffers = [memoryview(sent), memoryview(bytearray(ints(-1))), memoryview(bytearray(272 + 8))]
        for place, at in zip(pair, (0, 2), strict=True):
            size = len(buffers[place])
            room[at : at + size] = buffers[place]
            buffers[place] = room[at : at + size]
        with pytest.raises(ValueError):
            backend.visit(program(steps), buffers[0], ints(*fds), buffers[1], -1, SECOND, buffers[2])
        assert descriptors() == before


def test_ten_thousand_visits_leave_nothing(backend: Backend) -> None:
    """Descriptors and threads are counted after each test."""
    with namespaces(backend, 1) as fds:
        for _ in range(20):
            assert visit(backend, ints(*fds) * 500, [ask()]) == [ASKED] * 500
