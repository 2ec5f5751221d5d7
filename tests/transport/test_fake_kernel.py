"""A kernel that lies, is late, is lost, is interrupted, or is not the kernel at all."""

from __future__ import annotations

import errno
import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator

import pytest

import netlinkpy as nl
from netlinkpy.framing import frame
from netlinkpy.transport.socket import DUMP_TRIES, Socket
from netlinkpy.uapi.netlink import NLM_F_ACK, NLM_F_DUMP_INTR, NLMSG_OVERRUN
from netlinkpy.wire.columns import Plan, Table, number
from netlinkpy.wire.rtnetlink.link import LINK
from tests.transport.fake import (
    RTM_GETLINK,
    RTM_NEWLINK,
    STRANGER,
    Datagram,
    ack,
    before,
    done,
    number_of,
    part,
    reply,
)

Answer = Callable[[bytes], Iterable[Datagram]]
VERB = "look at link lo"


def request(sock: Socket) -> list[str]:
    """The names of the links that a request brings."""
    return [link["ifname"] for link in sock.request(LINK, RTM_GETLINK, 0, {}, verb=VERB)]


def get(sock: Socket) -> list[str]:
    return [sock.get(LINK, RTM_GETLINK, {}, verb=VERB)["ifname"]]


def dump(sock: Socket) -> list[str]:
    return [link["ifname"] for link in sock.dump(LINK, RTM_GETLINK, {}, verb=VERB)]


def gather(sock: Socket) -> list[str]:
    table = Table(Plan(LINK, RTM_NEWLINK, {"index": number(LINK, "ifi_index")}), keep=True)
    sock.gather(LINK, RTM_GETLINK, {}, table, verb=VERB)
    assert table.rows == len(table.bodies)
    return [LINK.parse(body)["ifname"] for body in table.bodies]


def batch(sock: Socket) -> list[str]:
    sock.batch([(LINK, RTM_NEWLINK, NLM_F_ACK, {"ifname": "a"})], verb=VERB)
    return []


ASKING = [request, get, dump, gather, batch]
DUMPING = [dump, gather]
every = pytest.mark.parametrize("ask", ASKING, ids=lambda ask: ask.__name__)
every_dump = pytest.mark.parametrize("ask", DUMPING, ids=lambda ask: ask.__name__)


def good(data: bytes) -> list[Datagram]:
    """A right answer, whatever is asked."""
    return [part(data, "lo"), done(data)] if is_dump(data) else [reply(data, "lo"), ack(data)]


def is_dump(data: bytes) -> bool:
    return data[7] == 3  # NLM_F_DUMP in the flags' high byte


def failing(sock: Socket, ask: Callable[[Socket], list[str]], kind: type[OSError]) -> OSError:
    """The error with which it fails: one line, and the socket can still be closed."""
    try:
        with pytest.raises(OSError, match=r".{10}") as caught:
            ask(sock)
    finally:
        sock.close()
    assert type(caught.value) is kind, caught.value
    assert "\n" not in str(caught.value)
    return caught.value


# -- right answers -----------------------------------------------------------------------------------------


@every
def test_a_right_answer(ask: Callable[[Socket], list[str]]) -> None:
    with before(good) as sock:
        assert ask(sock) == ([] if ask is batch else ["lo"])


@every
def test_what_is_no_answer_is_passed_over(ask: Callable[[Socket], list[str]]) -> None:
    """Strays of all sorts before the right answer: other numbers, and other senders, even with our number."""

    def answer(data: bytes) -> list[Datagram]:
        return [
            reply(data, "stray", shift=5),
            ack(data, errno.EPERM, shift=-1),
            (ack(data, errno.EPERM), STRANGER),
            (part(data, "false"), STRANGER),
            (b"garbage", STRANGER),
            b"",
            *good(data),
        ]

    with before(answer) as sock:
        assert ask(sock) == ([] if ask is batch else ["lo"])


# -- refusals ----------------------------------------------------------------------------------------------


@every
def test_a_refusal(ask: Callable[[Socket], list[str]]) -> None:
    error = failing(before(lambda data: [ack(data, errno.EPERM)]), ask, nl.NetlinkError)
    assert error.errno == errno.EPERM
    assert VERB in str(error) and "process 7" in str(error)


@every_dump
def test_a_refusal_at_the_end_of_a_dump(ask: Callable[[Socket], list[str]]) -> None:
    error = failing(before(lambda data: [part(data, "lo"), done(data, errno.EINVAL)]), ask, nl.NetlinkError)
    assert error.errno == errno.EINVAL


def test_a_get_that_is_acked_and_not_answered() -> None:
    error = failing(before(lambda data: [ack(data)]), get, nl.NetlinkError)
    assert error.errno == errno.ENODATA and VERB in str(error)


# -- lies --------------------------------------------------------------------------------------------------


def cut(data: bytes) -> list[Datagram]:
    return [good(data)[0][:-3]]  # type: ignore[index, list-item]


def lie(data: bytes) -> list[Datagram]:
    return [b"\xff\xff\0\0" + reply(data, "lo")[4:]]


def zero(data: bytes) -> list[Datagram]:
    return [bytes(4) + reply(data, "lo")[4:]]


def short(data: bytes) -> list[Datagram]:
    return [reply(data, "lo")[:20]]


def headless(data: bytes) -> list[Datagram]:
    return [frame(RTM_NEWLINK, 0, number_of(data), bytes(7)), *good(data)]


def spoilt(data: bytes) -> list[Datagram]:
    return [frame(RTM_NEWLINK, 2, number_of(data), bytes(16) + b"\xff\0\3\0lo\0\0"), *good(data)]


@every
@pytest.mark.parametrize("answer", [cut, lie, zero, short], ids=lambda answer: answer.__name__)
def test_a_length_that_lies(ask: Callable[[Socket], list[str]], answer: Answer) -> None:
    error = failing(before(answer), ask, nl.MalformedError)
    assert error.errno == errno.EBADMSG
    assert VERB in str(error) and "process 7" in str(error)


@pytest.mark.parametrize("ask", [request, get, dump], ids=lambda ask: ask.__name__)
@pytest.mark.parametrize("answer", [headless, spoilt], ids=lambda answer: answer.__name__)
def test_a_body_that_lies(ask: Callable[[Socket], list[str]], answer: Answer) -> None:
    error = failing(before(answer), ask, nl.MalformedError)
    assert VERB in str(error) and "process 7" in str(error)


def test_a_datagram_longer_than_the_buffer() -> None:
    """The kernel never sends one; recvfrom would cut it off."""
    failing(before(lambda data: [reply(data, "lo") * 3000]), request, nl.MalformedError)


# -- late --------------------------------------------------------------------------------------------------


def never(data: bytes) -> list[Datagram]:
    return []


def strays(data: bytes) -> Iterator[Datagram]:
    while True:
        yield reply(data, "stray", shift=9)


def strangers(data: bytes) -> Iterator[Datagram]:
    while True:
        yield ack(data), STRANGER


def nothings(data: bytes) -> Iterator[Datagram]:
    while True:
        yield b""


def half(data: bytes) -> list[Datagram]:
    return [part(data, "lo")]  # a dump without an end, a reply without an ack


@every
@pytest.mark.parametrize("answer", [never, strays, strangers, nothings], ids=lambda answer: answer.__name__)
def test_a_kernel_that_never_answers(ask: Callable[[Socket], list[str]], answer: Answer) -> None:
    """Whatever else comes meanwhile, the deadline holds."""
    sock = before(answer, timeout=0.2)
    began = time.monotonic()
    error = failing(sock, ask, nl.DeadlineError)
    assert 0.15 < time.monotonic() - began < 1
    assert error.errno == errno.ETIMEDOUT and isinstance(error, OSError)
    assert VERB in str(error) and "process 7" in str(error)


@pytest.mark.parametrize("ask", [request, dump, gather], ids=lambda ask: ask.__name__)
def test_a_kernel_that_never_ends(ask: Callable[[Socket], list[str]]) -> None:
    failing(before(half, timeout=0.1), ask, nl.DeadlineError)


def test_the_deadline_is_for_the_whole_request() -> None:
    """Not for each datagram of it."""

    def slow(data: bytes) -> Iterator[Datagram]:
        while True:
            time.sleep(0.05)
            yield part(data, "lo")

    began = time.monotonic()
    failing(before(slow, timeout=0.3), dump, nl.DeadlineError)
    assert time.monotonic() - began < 1


# -- lost --------------------------------------------------------------------------------------------------


@every
def test_answers_that_were_lost(ask: Callable[[Socket], list[str]]) -> None:
    error = failing(before(lambda data: [OSError(errno.ENOBUFS, "no room")]), ask, nl.OverrunError)
    assert error.errno == errno.ENOBUFS and "lost" in str(error) and VERB in str(error)


@pytest.mark.parametrize("ask", [request, get, dump, batch], ids=lambda ask: ask.__name__)
def test_an_overrun_that_the_kernel_tells(ask: Callable[[Socket], list[str]]) -> None:
    failing(before(lambda data: [frame(NLMSG_OVERRUN, 0, number_of(data), b"")]), ask, nl.OverrunError)


@every
def test_another_error_of_the_socket(ask: Callable[[Socket], list[str]]) -> None:
    error = failing(before(lambda data: [OSError(errno.ENOTCONN, "gone")]), ask, nl.NetlinkError)
    assert error.errno == errno.ENOTCONN and VERB in str(error)


# -- interrupted dumps -------------------------------------------------------------------------------------


@every_dump
def test_an_interrupted_dump_is_begun_again(ask: Callable[[Socket], list[str]]) -> None:
    tries = itertools.count(1)

    def answer(data: bytes) -> list[Datagram]:
        turn = next(tries)
        flags = NLM_F_DUMP_INTR if turn < 3 else 0
        return [part(data, f"try{turn}", flags), done(data)]

    with before(answer) as sock:
        assert ask(sock) == ["try3"]


@every_dump
def test_a_dump_that_is_always_interrupted(ask: Callable[[Socket], list[str]]) -> None:
    tries = itertools.count(1)

    def answer(data: bytes) -> list[Datagram]:
        return [part(data, f"try{next(tries)}"), done(data, flags=NLM_F_DUMP_INTR)]

    error = failing(before(answer), ask, nl.DumpInterruptedError)
    assert error.errno == errno.EINTR and VERB in str(error)
    assert next(tries) == DUMP_TRIES + 1
    if ask is dump:
        assert isinstance(error, nl.DumpInterruptedError)
        assert [link["ifname"] for link in error.partial] == [f"try{DUMP_TRIES}"]


# -- what went before --------------------------------------------------------------------------------------


@every
@pytest.mark.parametrize("spoil", [lie, half, never], ids=lambda answer: answer.__name__)
def test_a_failed_request_spoils_no_later_one(ask: Callable[[Socket], list[str]], spoil: Answer) -> None:
    """What comes of it is stray."""
    turns = itertools.count()
    late: list[bytes] = []

    def answer(data: bytes) -> Iterable[Datagram]:
        if next(turns) == 0:
            late.append(data)
            return spoil(data)
        return [*good(late[0]), ack(late[0], errno.EPERM), *good(data)]

    with before(answer, timeout=0.1) as sock:
        if not (ask is get and spoil is half):  # the first reply is all that a get waits for
            with pytest.raises((nl.MalformedError, nl.DeadlineError)):
                ask(sock)
        else:
            ask(sock)
        assert ask(sock) == ([] if ask is batch else ["lo"])


def test_values_that_do_not_fit_are_refused_unsent() -> None:
    requests: list[bytes] = []

    def answer(data: bytes) -> list[Datagram]:
        requests.append(data)
        return good(data)

    with before(answer) as sock:
        with pytest.raises(ValueError, match="mtu"):
            sock.request(LINK, RTM_NEWLINK, 0, {"mtu": -1})
        with pytest.raises(ValueError, match="mtu"):
            sock.dump(LINK, RTM_GETLINK, {"mtu": -1})
    assert requests == []


def test_nothing_is_left_on_any_failing_path() -> None:
    """No descriptor: of a fake kernel, or of a socket that could not be bound."""
    descriptors = len(os.listdir("/proc/self/fd"))
    for answer in (never, lie, cut):
        failing(
            before(answer, timeout=0.01), request, nl.DeadlineError if answer is never else nl.MalformedError
        )
    with Socket() as first, pytest.raises(OSError, match="in use"):
        Socket(port=first.port)
    with pytest.raises(OSError, match=r".{5}"):
        Socket(protocol=99)
    assert len(os.listdir("/proc/self/fd")) == descriptors
