"""Programs: digests of what is told, an errno that is no refusal, and programs that nobody compiled."""

from __future__ import annotations

import errno
import socket
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netlinkpy.uapi.netlink import NLM_F_DUMP_INTR, NLM_F_MULTI, NLMSG_DONE, NLMSG_ERROR
from tests.backends.messages import (
    IFLA_IFNAME,
    IFLA_INFO_KIND,
    IFLA_LINKINFO,
    RTM_NEWLINK,
    SECOND,
    attribute,
    available,
    get_link,
    link_header,
    message,
    namespaces,
    set_up,
)
from tests.backends.programs import (
    IFI_INDEX,
    INDEX,
    Step,
    ask,
    datagrams,
    dump_links,
    ints,
    links,
    make_link,
    program,
    raises,
    run,
    visit,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netlinkpy.backends.interface import Backend
    from tests.backends.programs import Field, Visited

NAME: Field = ((IFLA_IFNAME,), 0, 8, 0)
BRIDGE = attribute(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, b"bridge"))

# -- digests -----------------------------------------------------------------------------------------------

FNV_BASIS, FNV_PRIME = 0xCBF29CE484222325, 0x100000001B3


def fnv1a(*bodies: bytes) -> int:
    digest = FNV_BASIS
    for octet in b"".join(bodies):
        digest = (digest ^ octet) * FNV_PRIME % 2**64
    return digest


@contextmanager
def telling(*come: bytes) -> Iterator[bytearray]:
    """A socket, as a C int, from which these datagrams are read."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        for one in come:
            theirs.send(one)
        yield bytearray(ints(ours.fileno()))


def reply(sequence: int, body: bytes, flags: int = 0, type: int = RTM_NEWLINK) -> bytes:
    return message(type, flags, sequence, body)


def done(sequence: int = 1, flags: int = 0) -> bytes:
    return message(NLMSG_DONE, NLM_F_MULTI | flags, sequence, bytes(4))


BODIES = [bytes(16), bytes(range(17)), b"\xff" * 40]


def asking() -> Step:
    return Step(dump_links(1), digest=True)


def told(backend: Backend, step: Step, *come: bytes) -> Visited:
    with telling(*come) as sockets:
        (one,) = visit(backend, ints(-1), [step], sockets=sockets, timeout=SECOND // 20)
    return one


def test_a_digest_is_of_all_bodies_in_their_order(backend: Backend) -> None:
    """However they are cut into datagrams; of other types too, but of nobody else's answers."""
    parts = [reply(1, body, NLM_F_MULTI, type) for body, type in zip(BODIES, (16, 17, 24), strict=True)]
    expected = (0, 1, -1, b"", (fnv1a(*BODIES),))
    stranger = reply(7, b"other", NLM_F_MULTI)
    assert told(backend, asking(), *parts, done()) == expected
    assert told(backend, asking(), b"".join(parts), done()) == expected
    assert told(backend, asking(), stranger + b"".join(parts) + done()) == expected
    assert told(backend, asking(), *parts[::-1], done()) == (0, 1, -1, b"", (fnv1a(*BODIES[::-1]),))
    assert told(backend, asking(), done()) == (0, 1, -1, b"", (FNV_BASIS,))


def test_a_digest_of_one_reply(backend: Backend) -> None:
    """Behind the values of the plan, and it may be put as any value."""
    body = link_header(5)
    steps = [
        Step(get_link(1, index=5), links(), digest=True),
        Step(get_link(2, index=5), puts=[(1, 16), (0, 24)]),
    ]
    sent = datagrams(steps)
    with telling(reply(1, body), reply(2, body)) as sockets:
        assert run(backend, steps, sent, ints(-1), sockets) == [(0, 2, -1, b"", (5, fnv1a(body)))]
    assert sent[-16:] == struct.pack("=QI", fnv1a(body), 5) + steps[1].datagram[-4:]


@pytest.mark.parametrize("place", range(3))
def test_of_an_interrupted_dump_there_is_no_digest(backend: Backend, place: int) -> None:
    flags = [NLM_F_DUMP_INTR if number == place else 0 for number in range(3)]
    parts = [reply(1, BODIES[number], NLM_F_MULTI | flags[number]) for number in range(2)]
    assert told(backend, asking(), *parts, done(flags=flags[2])) == (0, 1, -1, b"", (0,))


def test_a_step_that_fails_has_no_digest(backend: Backend) -> None:
    part = reply(1, BODIES[0], NLM_F_MULTI)
    error = message(NLMSG_ERROR, 0, 1, struct.pack("=i", -errno.EIO) + bytes(16))
    assert told(backend, asking(), part, error) == (errno.EIO, 0, 0, b"", (0,))
    assert told(backend, asking(), part) == (errno.ETIMEDOUT, 0, -1, b"", (0,))


def test_what_the_kernel_says_again_has_the_same_digest(backend: Backend) -> None:
    """Of a whole dump, until something changes."""

    def whole(sequence: int) -> Step:
        return Step(dump_links(sequence), digest=True)

    steps = [whole(1), whole(2), Step(make_link(3, 9, "x", BRIDGE)), whole(4)]
    with namespaces(backend, 2) as fds:
        visited = visit(backend, ints(*fds), steps)
        assert [one[:4] for one in visited] == [(0, 4, -1, b"")] * 2
        for *_, (first, again, after) in visited:
            assert first == again != after and FNV_BASIS not in (first, after)
        ((code, *_, (_, _, nothing)),) = visit(backend, ints(fds[0]), steps)
        assert (code, nothing) == (errno.EEXIST, 0)


# -- an errno that is no refusal ---------------------------------------------------------------------------


def test_a_tolerated_errno_ends_nothing(backend: Backend) -> None:
    """Of the last message and of one before; the first other one is the refusal."""
    missing, wrong = set_up(1, 99, flags=0), make_link(2, 0, "y", BRIDGE)
    with namespaces(backend, 1) as fds:
        for datagram, tolerated, outcome in (
            (set_up(1, 99), errno.ENODEV, (0, 1, -1)),
            (set_up(1, 99), errno.EBUSY, (errno.ENODEV, 0, 0)),
            (missing + set_up(2, 1), errno.ENODEV, (0, 1, -1)),
            (missing + wrong, errno.ENODEV, (0, 1, -1)),
            (missing + wrong, errno.ENODEV, (errno.EEXIST, 0, 1)),  # it is there now
            (missing + wrong, errno.EEXIST, (errno.ENODEV, 0, 0)),
        ):
            (one,) = visit(backend, ints(*fds), [Step(datagram, tolerated=tolerated)])
            assert one == (*outcome, b"", ())


def test_it_is_tolerated_in_its_step_alone(backend: Backend) -> None:
    steps = [Step(set_up(1, 99), tolerated=errno.ENODEV), ask(2), raises(99, 3)]
    with namespaces(backend, 1) as fds:
        assert visit(backend, ints(*fds), steps) == [(errno.ENODEV, 2, 0, b"", (1,))]


def test_a_value_that_nobody_told_is_not_tolerated(backend: Backend) -> None:
    """What is put later is always what was kept."""
    steps = [
        Step(get_link(1, index=99), links(), tolerated=errno.ENODEV),
        Step(set_up(2), puts=[(0, IFI_INDEX)]),
    ]
    with namespaces(backend, 1) as fds:
        assert visit(backend, ints(*fds), steps) == [(errno.ENODATA, 0, -1, b"", (0,))]


def test_silence_is_not_tolerated(backend: Backend) -> None:
    step = Step(set_up(1, 1, flags=0), tolerated=errno.ETIMEDOUT)
    assert told(backend, step) == (errno.ETIMEDOUT, 0, -1, b"", ())


# -- a program that nobody compiled ------------------------------------------------------------------------


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_a_spoilt_program_is_refused_or_harmless(data: st.DataObject) -> None:
    """No backend trusts one: it is refused, or runs like any other."""
    steps = [Step(get_link(1, index=1), links(INDEX, NAME), digest=True), Step(set_up(2), puts=[(0, 20)])]
    spoilt = bytearray(program(steps))
    for _ in range(data.draw(st.integers(1, 4))):
        spoilt[data.draw(st.integers(0, len(spoilt) - 1))] = data.draw(st.integers(0, 255))
    outcomes = set()
    for backend in available():
        results = bytearray(272 + 24)
        try:
            backend.visit(bytes(spoilt), datagrams(steps), ints(-1), None, -1, 0, results)
            outcomes.add(struct.unpack_from("=2i", results))
        except ValueError:
            outcomes.add((0, "refused"))
    ((code, _),) = outcomes  # the same on all
    assert code in (0, errno.EBADF)


def test_a_program_is_bytes(backend: Backend) -> None:
    """One that can be changed after it was checked is none."""
    made: Any = bytearray(program([ask()]))
    with pytest.raises(TypeError):
        backend.visit(made, datagrams([ask()]), ints(-1), None, -1, 0, bytearray(280))
