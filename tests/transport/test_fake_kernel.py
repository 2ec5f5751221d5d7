"""A kernel that lies, is late, is lost, is interrupted, or is not the kernel at all."""

from __future__ import annotations

import errno
import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator

import pytest

import netlinkpy as nl
from netlinkpy.testing import Asked, Datagram, FakeKernel
from netlinkpy.transport.socket import DUMP_TRIES, Socket
from netlinkpy.uapi.netlink import NLM_F_ACK, NLM_F_DUMP_INTR, NLM_F_MULTI, NLMSG_OVERRUN
from netlinkpy.uapi.rtnetlink import RTM_DELLINK, RTM_GETLINK, RTM_NEWLINK
from netlinkpy.wire.columns import Plan, Table, number
from netlinkpy.wire.errors import LostError
from netlinkpy.wire.rtnetlink.link import LINK
from netlinkpy.wire.transaction import Request

Come = bytes | Datagram | BaseException
Answer = Callable[[Asked], Iterable[Come]]
VERB = "look at link lo"
STRANGER = 4711  # a port id


def before(answer: Answer, *, timeout: float = 5.0) -> Socket:
    """A socket whose kernel is fake."""
    with FakeKernel(answer):
        return Socket(timeout=timeout, where="process 7")


def shifted(asked: Asked, by: int) -> Asked:
    """The same with another number."""
    return asked.replace(sequence=asked.sequence + by)


def reply(asked: Asked, name: str, flags: int = 0) -> bytes:
    """A link, in answer to it."""
    return asked.reply(RTM_NEWLINK, LINK.pack({"ifi_index": 7, "ifname": name}), flags)


def part(asked: Asked, name: str, flags: int = 0) -> bytes:
    """A link of a dump."""
    return reply(asked, name, NLM_F_MULTI | flags)


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
    sock.batch([Request("", LINK, RTM_NEWLINK, NLM_F_ACK, {"ifname": "a"})], verb=VERB)
    return []


ASKING = [request, get, dump, gather, batch]
DUMPING = [dump, gather]
every = pytest.mark.parametrize("ask", ASKING, ids=lambda ask: ask.__name__)
every_dump = pytest.mark.parametrize("ask", DUMPING, ids=lambda ask: ask.__name__)


def good(asked: Asked) -> list[Come]:
    """A right answer, whatever is asked."""
    return [part(asked, "lo"), asked.done()] if asked.is_dump else [reply(asked, "lo"), asked.ack()]


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

    def answer(asked: Asked) -> list[Come]:
        return [
            reply(shifted(asked, 5), "stray"),
            shifted(asked, -1).ack(errno.EPERM),
            Datagram(asked.ack(errno.EPERM), STRANGER),
            Datagram(part(asked, "false"), STRANGER),
            Datagram(b"garbage", STRANGER),
            b"",
            *good(asked),
        ]

    with before(answer) as sock:
        assert ask(sock) == ([] if ask is batch else ["lo"])


# -- refusals ----------------------------------------------------------------------------------------------


@every
def test_a_refusal(ask: Callable[[Socket], list[str]]) -> None:
    error = failing(before(lambda asked: [asked.ack(errno.EPERM)]), ask, nl.NetlinkError)
    assert error.errno == errno.EPERM
    assert VERB in str(error) and "process 7" in str(error)


@every_dump
def test_a_refusal_at_the_end_of_a_dump(ask: Callable[[Socket], list[str]]) -> None:
    error = failing(before(lambda asked: [part(asked, "lo"), asked.done(errno.EINVAL)]), ask, nl.NetlinkError)
    assert error.errno == errno.EINVAL


def test_a_get_that_is_acked_and_not_answered() -> None:
    error = failing(before(lambda asked: [asked.ack()]), get, nl.NetlinkError)
    assert error.errno == errno.ENODATA and VERB in str(error)


# -- lies --------------------------------------------------------------------------------------------------


def cut(asked: Asked) -> list[Come]:
    return [good(asked)[0][:-3]]  # type: ignore[index]


def lie(asked: Asked) -> list[Come]:
    return [b"\xff\xff\0\0" + reply(asked, "lo")[4:]]


def zero(asked: Asked) -> list[Come]:
    return [bytes(4) + reply(asked, "lo")[4:]]


def short(asked: Asked) -> list[Come]:
    return [reply(asked, "lo")[:20]]


def headless(asked: Asked) -> list[Come]:
    return [asked.reply(RTM_NEWLINK, bytes(7)), *good(asked)]


def spoilt(asked: Asked) -> list[Come]:
    return [asked.part(RTM_NEWLINK, bytes(16) + b"\xff\0\3\0lo\0\0"), *good(asked)]


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


def test_a_datagram_longer_than_we_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is cut off is malformed."""
    monkeypatch.setattr("netlinkpy.transport.socket._LONGEST", 1 << 16)
    failing(before(lambda asked: [reply(asked, "lo") * 3000]), request, nl.MalformedError)


# -- late --------------------------------------------------------------------------------------------------


def never(asked: Asked) -> list[Come]:
    return []


def strays(asked: Asked) -> Iterator[Come]:
    while True:
        yield reply(shifted(asked, 9), "stray")


def strangers(asked: Asked) -> Iterator[Come]:
    while True:
        yield Datagram(asked.ack(), STRANGER)


def nothings(asked: Asked) -> Iterator[Come]:
    while True:
        yield b""


def half(asked: Asked) -> list[Come]:
    return [part(asked, "lo")]  # a dump without an end, a reply without an ack


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

    def slow(asked: Asked) -> Iterator[Come]:
        while True:
            time.sleep(0.05)
            yield part(asked, "lo")

    began = time.monotonic()
    failing(before(slow, timeout=0.3), dump, nl.DeadlineError)
    assert time.monotonic() - began < 1


# -- lost --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [errno.ENOBUFS, errno.ENOMEM])
@pytest.mark.parametrize(
    ("second", "raised"),
    [(errno.ENODEV, 0), (0, 0), (errno.EBUSY, errno.EBUSY)],
    ids=["gone", "not", "refused"],
)
def test_a_delete_whose_answer_was_lost_is_sent_again(second: int, raised: int, lost: int) -> None:
    """It said it failed, and the link was gone."""
    asked_for = []

    def answer(asked: Asked) -> list[Come]:
        asked_for.append(asked.type)
        return [OSError(lost, "no room")] if len(asked_for) == 1 else [asked.ack(second)]

    with FakeKernel(answer), nl.RTNetlink() as rt:
        if raised:
            with pytest.raises(nl.NetlinkError) as caught:
                rt.links.delete(7)
            assert caught.value.errno == raised
        else:
            rt.links.delete(7)
    assert asked_for == [RTM_DELLINK, RTM_DELLINK]


@every
def test_answers_that_were_lost(ask: Callable[[Socket], list[str]]) -> None:
    error = failing(before(lambda asked: [OSError(errno.ENOBUFS, "no room")]), ask, nl.OverrunError)
    assert error.errno == errno.ENOBUFS and "lost" in str(error) and VERB in str(error)


@pytest.mark.parametrize("ask", [request, get, dump, batch], ids=lambda ask: ask.__name__)
def test_an_overrun_that_the_kernel_tells(ask: Callable[[Socket], list[str]]) -> None:
    failing(before(lambda asked: [asked.reply(NLMSG_OVERRUN, b"")]), ask, nl.OverrunError)


@every
def test_another_error_of_the_socket(ask: Callable[[Socket], list[str]]) -> None:
    error = failing(before(lambda asked: [OSError(errno.ENOTCONN, "gone")]), ask, LostError)
    assert error.errno == errno.ENOTCONN and VERB in str(error) and "not connected" in str(error)


# -- interrupted dumps -------------------------------------------------------------------------------------


@every_dump
def test_an_interrupted_dump_is_begun_again(ask: Callable[[Socket], list[str]]) -> None:
    tries = itertools.count(1)

    def answer(asked: Asked) -> list[Come]:
        turn = next(tries)
        flags = NLM_F_DUMP_INTR if turn < 3 else 0
        return [part(asked, f"try{turn}", flags), asked.done()]

    with before(answer) as sock:
        assert ask(sock) == ["try3"]


@every_dump
def test_a_dump_that_is_always_interrupted(ask: Callable[[Socket], list[str]]) -> None:
    tries = itertools.count(1)

    def answer(asked: Asked) -> list[Come]:
        return [part(asked, f"try{next(tries)}"), asked.done(flags=NLM_F_DUMP_INTR)]

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
    late: list[Asked] = []

    def answer(asked: Asked) -> Iterable[Come]:
        if next(turns) == 0:
            late.append(asked)
            return spoil(asked)
        return [*good(late[0]), late[0].ack(errno.EPERM), *good(asked)]

    with before(answer, timeout=0.1) as sock:
        with pytest.raises((nl.MalformedError, nl.DeadlineError)):
            ask(sock)
        assert ask(sock) == ([] if ask is batch else ["lo"])


def test_numbers_begin_again_before_they_end() -> None:
    """They have 32 bits, and 0 is nobody's."""
    heard: list[int] = []

    def answer(asked: Asked) -> list[Come]:
        heard.append(asked.sequence)
        return good(asked)

    with before(answer) as sock:
        sock._next = 0xFFFFFFFE
        for _ in range(3):
            assert request(sock) == ["lo"]
    assert heard == [0xFFFFFFFE, 1, 2]


def test_values_that_do_not_fit_are_refused_unsent() -> None:
    requests: list[Asked] = []

    def answer(asked: Asked) -> list[Come]:
        requests.append(asked)
        return good(asked)

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
    with Socket() as first, pytest.raises(OSError, match="is taken"):
        Socket(port=first.port)
    with pytest.raises(OSError, match=r".{5}"):
        Socket(protocol=99)
    assert len(os.listdir("/proc/self/fd")) == descriptors
