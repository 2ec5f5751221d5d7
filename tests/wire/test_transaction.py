"""What a transaction sends, and whose an answer is; tests/wire/answers.py says how each ends."""

from __future__ import annotations

import errno

import pytest

from netlinkpy.framing import NLMSGHDR
from netlinkpy.uapi.netlink import NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST
from netlinkpy.uapi.rtnetlink import RTM_GETLINK, RTM_NEWLINK
from netlinkpy.wire.errors import MalformedError, NetlinkError
from netlinkpy.wire.rtnetlink.link import LINK
from netlinkpy.wire.transaction import Event, Request, Transaction
from tests.wire.answers import OTHER, TEXT, ack, done, message, part, reply

GET = Request("look at it", LINK, RTM_GETLINK, 0, {"ifi_index": 7})
LIST = Request("list them", LINK, RTM_GETLINK, NLM_F_DUMP, {})
SET = Request("set it", LINK, RTM_NEWLINK, NLM_F_ACK, {"ifi_index": 7, "ifname": "odd"})


# -- what is sent --------------------------------------------------------------------------------------------


def test_requests_are_numbered_and_framed() -> None:
    data = Transaction([SET, GET], first=41).data
    length, type, flags, sequence, port = NLMSGHDR.unpack_from(data)
    assert (type, flags, sequence, port) == (RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, 41, 0)
    assert data[16:length] == LINK.pack(dict(SET.values))
    second = (length + 3) & ~3
    length, type, flags, sequence, port = NLMSGHDR.unpack_from(data, second)
    assert (type, flags, sequence, port) == (RTM_GETLINK, NLM_F_REQUEST, 42, 0)
    assert data[second + 16 :] == LINK.pack(dict(GET.values)) and second + length == len(data)


def test_values_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="mtu"):
        Transaction([SET.replace(values={"mtu": -1})])


def test_more_answers_than_the_buffer_holds() -> None:
    assert len(Transaction([SET] * 5, room=5).answers) == 5
    with pytest.raises(ValueError, match=r"set it: 6 answers .* 5"):
        Transaction([SET] * 6, room=5)
    quiet = SET.replace(flags=0)
    assert not Transaction([*[quiet] * 9, SET], room=1, batch=True).done


def test_what_asks_for_nothing_is_done() -> None:
    transaction = Transaction([SET.replace(flags=0)], batch=True)
    assert transaction.done and transaction.data
    assert Transaction([]).done


# -- whose answers they are ----------------------------------------------------------------------------------


def test_an_ack_overtakes_the_end_of_a_dump() -> None:
    transaction = Transaction([LIST, SET])
    transaction.feed(part(1) + ack(2))
    listing, setting = transaction.answers
    assert listing.open and not setting.open and not transaction.done
    transaction.feed(part(1) + done(1))
    assert len(listing.get()) == 2 and setting.get() == [] and transaction.done


def test_an_interruption_is_of_one_dump_only() -> None:
    transaction = Transaction([LIST, GET])
    transaction.feed(reply(2) + part(1, flags=NLM_F_DUMP_INTR) + done(1))
    assert [answer.interrupted for answer in transaction.answers] == [True, False]


def test_news_are_events() -> None:
    """Before, between and after the answers, whoever caused them."""
    transaction = Transaction([GET], first=5, port=9)
    news = message(RTM_NEWLINK, 3, 5, b"theirs", port=OTHER) + message(RTM_NEWLINK, 0, 0, b"none's", port=9)
    theirs, nobodys = transaction.feed(news)
    assert theirs == Event(RTM_NEWLINK, 3, OTHER, 5, b"theirs") != nobodys
    assert nobodys == Event(RTM_NEWLINK, 0, 9, 0, b"none's")
    assert list(transaction.feed(reply(5, port=9))) == [] and transaction.done
    assert len(transaction.feed(news)) == 2
    assert transaction.late == 0


def test_what_answers_no_longer_is_late() -> None:
    transaction = Transaction([GET], first=5)
    transaction.feed(ack(4) + reply(6) + reply(5))
    transaction.feed(reply(5) + ack(5))
    assert transaction.late == 4 and len(transaction.answers[0].replies) == 1


def test_replies_keep_their_bodies_without_the_padding() -> None:
    transaction = Transaction([LIST])
    transaction.feed(reply(1, b"12345", flags=2) + reply(1, b"", flags=2) + reply(1, b"6", flags=2))
    assert [one.body for one in transaction.answers[0].replies] == [b"12345", b"", b"6"]


# -- errors --------------------------------------------------------------------------------------------------


def test_a_refusal_says_what_where_and_which() -> None:
    transaction = Transaction([GET, SET], where="process 7", hint="perhaps")
    offset = NLMSGHDR.size + len(LINK.pack({"ifi_index": 7}))
    points = b"\x08\0\2\0" + offset.to_bytes(4, "little")
    transaction.feed(ack(2, -errno.EINVAL, tlvs=TEXT + points) + ack(1, -errno.ENODEV))
    looking, setting = transaction.answers
    with pytest.raises(NetlinkError) as caught:
        setting.get()
    error = caught.value
    assert (error.errno, error.verb, error.where) == (errno.EINVAL, "set it", "process 7")
    assert (error.text, error.path, error.hint) == ("because", "ifname", "perhaps")
    assert looking.error is not None and "perhaps" in str(looking.error)
    assert transaction.refused is setting


def test_a_batch_bears_the_verb_of_all() -> None:
    transaction = Transaction([SET.replace(verb="")], verb="do all", batch=True)
    transaction.feed(ack(1, -errno.EPERM))
    with pytest.raises(NetlinkError, match="do all"):
        transaction.answers[0].get()


def test_what_came_before_a_lie_is_kept() -> None:
    transaction = Transaction([LIST], where="process 7")
    with pytest.raises(MalformedError, match=r"list them in process 7: a malformed answer: .{10}"):
        transaction.feed(part(1) + b"\1\0\0\0")
    assert len(transaction.answers[0].replies) == 1


def test_a_body_that_lies_says_whose() -> None:
    transaction = Transaction([GET])
    transaction.feed(reply(1, b"short"))
    with pytest.raises(MalformedError, match="look at it: a malformed answer"):
        transaction.answers[0].parsed()
