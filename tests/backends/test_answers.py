"""exchange and visit before the table of cases: what comes lies in a socket pair before it is asked for."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from netlinkpy.backends.interface import ExchangeError
from tests.backends.messages import SECOND
from tests.backends.programs import INDEX, Step, ints, replies, run
from tests.wire.answers import ACK, ASKED_TYPE, CASES, INDEX_TOLD, REPLY_TYPE, REQUEST, Case, message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netlinkpy.backends.interface import Backend

SOON = SECOND // 50

every = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
acked = [case for case in CASES if case.asked[-1] & ACK]  # an exchange asks for the last one's ack itself
every_exchange = pytest.mark.parametrize("case", acked, ids=[case.name for case in acked])


@contextmanager
def answered(case: Case) -> Iterator[int]:
    """A descriptor from which the case's datagrams are read."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        for datagram in case.come:
            theirs.send(datagram)
        yield ours.fileno()


def asked(case: Case) -> bytearray:
    return bytearray(
        b"".join(
            message(ASKED_TYPE, REQUEST | flags, number, bytes(16))
            for number, flags in enumerate(case.asked, 1)
        )
    )


@every_exchange
def test_an_exchange(backend: Backend, case: Case) -> None:
    code = 0
    sent, rows = asked(case), len(case.asked)
    with answered(case) as fd:
        try:
            failures = backend.exchange(fd, sent, len(sent), 1, rows, len(sent), rows, SOON)
        except ExchangeError as error:
            assert error.rows_done == 0
            code, failures = error.errno or 0, error.failures
    assert (code, failures) == (case.errno, [tuple(refused) for refused in case.refused])


@every
def test_a_visit(backend: Backend, case: Case) -> None:
    """Its row ends with the first refusal, else with what broke it off. It keeps the first reply to the last
    message, and passes over that a dump was interrupted."""
    kept = replies(REPLY_TYPE, 16, INDEX) if case.replies else None
    sent = asked(case)
    with answered(case) as fd:
        steps, sockets = [Step(bytes(sent), kept)], bytearray(ints(fd))
        ((code, step, place, tlvs, values),) = run(backend, steps, sent, ints(-1), sockets, -1, SOON)
    if case.refused:
        first = case.refused[0]
        assert (code, step, place, tlvs) == (first.errno, 0, first.place, first.tlvs)
    else:
        assert (code, step, place, tlvs) == (case.errno, int(not case.errno), -1, b"")
    assert values == (() if kept is None else (INDEX_TOLD,))
