"""A transaction before the table of cases; a dump into a sink too."""

from __future__ import annotations

import errno

import pytest

from netlinkpy.uapi.netlink import NLM_F_ACK
from netlinkpy.wire.columns import Plan, Table, number
from netlinkpy.wire.errors import MalformedError, OverrunError
from netlinkpy.wire.rtnetlink.link import LINK
from netlinkpy.wire.transaction import Request, Transaction
from tests.wire.answers import ASKED_TYPE, CASES, DUMP_ONE, INDEX_TOLD, OWN, REPLY_TYPE, TEXT, Case

every = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
dumps = [case for case in CASES if case.asked == DUMP_ONE]
every_dump = pytest.mark.parametrize("case", dumps, ids=[case.name for case in dumps])


def asked(case: Case, sink: Table | None = None) -> Transaction:
    """A batch where several are asked and only the last is acknowledged."""
    requests = [Request("", LINK, ASKED_TYPE, flags, {}) for flags in case.asked]
    return Transaction(requests, port=OWN, sink=sink, batch=bool(case.asked[-1] & NLM_F_ACK))


def told(transaction: Transaction, case: Case) -> tuple[int, int]:
    """What ended it (ETIMEDOUT: it waits for more), and how many events came."""
    events = 0
    try:
        for datagram in case.come:
            assert transaction.done is False or case.errno == 0
            events += len(transaction.feed(datagram)) if not transaction.done else 0
    except MalformedError:
        return errno.EBADMSG, events
    except OverrunError:
        return errno.ENOBUFS, events
    return 0 if transaction.done else errno.ETIMEDOUT, events


@every
def test_a_transaction(case: Case) -> None:
    transaction = asked(case)
    assert told(transaction, case) == (case.errno, case.events)
    refused = [(place, one.error) for place, one in enumerate(transaction.answers) if one.error is not None]
    assert [(place, error.errno) for place, error in refused] == [one[:2] for one in case.refused]
    texts = [error.text for _, error in refused]
    assert texts == ["because" if TEXT in one.tlvs else "" for one in case.refused]
    assert transaction.refused is (transaction.answers[refused[0][0]] if refused else None)
    replies = [reply for answer in transaction.answers for reply in answer.replies]
    assert len(replies) == case.replies
    assert all(LINK.parse(reply.body)["ifi_index"] == INDEX_TOLD for reply in replies)
    assert [answer.interrupted for answer in transaction.answers] == [case.interrupted] * len(case.asked)
    assert transaction.late == case.late


@every_dump
def test_a_dump_into_columns(case: Case) -> None:
    """The sink passes over control messages, and takes all of a datagram that begins with a reply."""
    table = Table(Plan(LINK, REPLY_TYPE, {"index": number(LINK, "ifi_index")}), rows=1)
    transaction = asked(case, table)
    assert told(transaction, case) == (case.errno, case.events)
    assert [answer.error and answer.error.errno for answer in transaction.answers] == [
        case.refused[0].errno if case.refused else None
    ]
    assert table.rows == case.replies and set(table.values("index")) <= {INDEX_TOLD}
    assert not any(answer.replies for answer in transaction.answers)
    assert [answer.interrupted for answer in transaction.answers] == [case.interrupted]
    assert transaction.late == case.late
