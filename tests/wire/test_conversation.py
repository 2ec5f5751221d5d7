"""Who answers what: sequence numbers, acks that overtake, interrupted dumps, capped and whole errors."""

from __future__ import annotations

import errno
import struct

import pytest

from netlinkpy.framing import NLMSGHDR, frame
from netlinkpy.uapi.netlink import (
    NLM_F_ACK,
    NLM_F_ACK_TLVS,
    NLM_F_CAPPED,
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    NLM_F_MULTI,
    NLMSG_DONE,
    NLMSG_ERROR,
    NLMSG_NOOP,
    NLMSG_OVERRUN,
)
from netlinkpy.wire.conversation import Ack, Conversation, Done, Overrun, Reply
from netlinkpy.wire.errors import MalformedError

RTM_GETLINK, RTM_NEWLINK = 18, 16
TEXT = struct.pack("=HH8s", 12, 1, b"because\0")  # NLMSGERR_ATTR_MSG


def asked(flags: int = 0, body: bytes = b"") -> tuple[Conversation, int, bytes]:
    """A conversation in which one request was made: (it, its number, its bytes)."""
    conversation = Conversation()
    sequence, data = conversation.request(RTM_GETLINK, flags, body)
    return conversation, sequence, data


def ack(sequence: int, number: int = 0, *, flags: int = 0, echo: bytes = b"", tlvs: bytes = b"") -> bytes:
    """An NLMSG_ERROR; echo: the request's body, where it is not capped."""
    header = NLMSGHDR.pack(16 + len(echo), RTM_GETLINK, 0, sequence, 0)
    body = struct.pack("=i", -number) + header + echo + bytes(-len(echo) & 3) + tlvs
    return frame(NLMSG_ERROR, flags, sequence, body)


def done(sequence: int, number: int = 0, *, flags: int = NLM_F_MULTI, tlvs: bytes = b"") -> bytes:
    return frame(NLMSG_DONE, flags, sequence, struct.pack("=i", -number) + tlvs)


def part(sequence: int, body: bytes, flags: int = NLM_F_MULTI) -> bytes:
    return frame(RTM_NEWLINK, flags, sequence, body)


# -- requests ----------------------------------------------------------------------------------------------


def test_requests_are_numbered_and_framed() -> None:
    conversation = Conversation()
    first, data = conversation.request(RTM_GETLINK, NLM_F_ACK, b"abcd")
    second, _ = conversation.request(RTM_GETLINK, NLM_F_ACK, b"")
    assert second == first + 1
    assert NLMSGHDR.unpack_from(data) == (20, RTM_GETLINK, NLM_F_ACK | 1, first, 0)
    assert data[16:] == b"abcd"


def test_numbers_wrap_without_zero() -> None:
    """The kernel sends 0 with what nobody asked for."""
    conversation = Conversation(first_sequence=0xFFFFFFFF)
    assert [conversation.request(18, 0, b"")[0] for _ in range(3)] == [0xFFFFFFFF, 1, 2]


# -- answers -----------------------------------------------------------------------------------------------


def test_a_reply_and_its_ack() -> None:
    conversation, sequence, _ = asked(NLM_F_ACK)
    events = list(conversation.receive(part(sequence, b"body", 0) + ack(sequence)))
    assert events == [Reply(sequence, RTM_NEWLINK, 0, b"body"), Ack(sequence, 0, b"")]


def test_replies_keep_their_bodies_without_the_padding() -> None:
    conversation, sequence, _ = asked()
    events = list(conversation.receive(part(sequence, b"12345") + part(sequence, b"") + part(sequence, b"6")))
    assert [event.body for event in events if isinstance(event, Reply)] == [b"12345", b"", b"6"]


def test_a_dump_over_several_datagrams() -> None:
    conversation, sequence, _ = asked(NLM_F_DUMP)
    assert [type(event) for event in conversation.receive(part(sequence, b"1") + part(sequence, b"2"))] == [
        Reply,
        Reply,
    ]
    events = list(conversation.receive(part(sequence, b"3") + done(sequence)))
    assert events[1] == Done(sequence, 0, False, b"")
    assert list(conversation.receive(part(sequence, b"4"))) == []  # it is over
    assert conversation.strays == 1


def test_an_ack_overtakes_the_end_of_a_dump() -> None:
    """Two requests on one socket: the second's ack comes in the middle of the first's dump."""
    conversation, dump, _ = asked(NLM_F_DUMP)
    other, _ = conversation.request(RTM_NEWLINK, NLM_F_ACK, b"")
    events = [
        *conversation.receive(part(dump, b"1") + ack(other)),
        *conversation.receive(part(dump, b"2") + done(dump)),
    ]
    assert [(type(event), event.sequence) for event in events] == [
        (Reply, dump),
        (Ack, other),
        (Reply, dump),
        (Done, dump),
    ]


def test_strays_are_left_out_and_counted() -> None:
    conversation, sequence, _ = asked()
    strays = part(sequence + 7, b"") + ack(0) + done(sequence - 1) + part(0, b"event", 0)
    assert list(conversation.receive(strays + ack(sequence))) == [Ack(sequence, 0, b"")]
    assert conversation.strays == 4


def test_what_is_forgotten_is_stray() -> None:
    conversation, sequence, _ = asked()
    conversation.forget(sequence)
    conversation.forget(sequence)  # harmless
    assert list(conversation.receive(ack(sequence, errno.EPERM))) == []
    assert conversation.strays == 1


def test_noop_is_nothing_and_overrun_is_told() -> None:
    conversation, sequence, _ = asked()
    data = (
        frame(NLMSG_NOOP, 0, sequence, b"")
        + frame(NLMSG_OVERRUN, 0, sequence, b"")
        + frame(9, 0, sequence, b"")
    )
    assert list(conversation.receive(data)) == [Overrun(sequence)]


# -- interrupted dumps -------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["part", "done"])
def test_an_interrupted_dump_says_so_at_its_end(where: str) -> None:
    conversation, sequence, _ = asked(NLM_F_DUMP)
    mark = {where: NLM_F_MULTI | NLM_F_DUMP_INTR}
    data = part(sequence, b"1", mark.get("part", NLM_F_MULTI)) + part(sequence, b"2")
    *_, end = conversation.receive(data + done(sequence, flags=mark.get("done", NLM_F_MULTI)))
    assert end == Done(sequence, 0, True, b"")


def test_an_interruption_is_of_one_dump_only() -> None:
    conversation, first, _ = asked(NLM_F_DUMP)
    list(conversation.receive(part(first, b"1", NLM_F_MULTI | NLM_F_DUMP_INTR) + done(first)))
    second, _ = conversation.request(RTM_GETLINK, NLM_F_DUMP, b"")
    assert list(conversation.receive(done(second))) == [Done(second, 0, False, b"")]


def test_a_dump_that_fails_at_its_end() -> None:
    """The error is in the DONE, its TLVs begin four bytes into it."""
    conversation, sequence, _ = asked(NLM_F_DUMP)
    data = done(sequence, errno.EINVAL, flags=NLM_F_MULTI | NLM_F_ACK_TLVS, tlvs=TEXT)
    assert list(conversation.receive(data)) == [Done(sequence, errno.EINVAL, False, TEXT)]


def test_a_dump_that_ends_without_a_number_or_with_a_length() -> None:
    for body in (b"", struct.pack("=i", 0), struct.pack("=i", 4096)):
        conversation, sequence, _ = asked(NLM_F_DUMP)
        assert next(conversation.receive(frame(NLMSG_DONE, NLM_F_MULTI, sequence, body))) == Done(
            sequence, 0, False, b""
        )


# -- acks and their TLVs -----------------------------------------------------------------------------------


def test_a_capped_error_has_its_tlvs_after_the_header() -> None:
    conversation, sequence, _ = asked(body=b"x" * 40)
    data = ack(sequence, errno.EINVAL, flags=NLM_F_CAPPED | NLM_F_ACK_TLVS, tlvs=TEXT)
    assert list(conversation.receive(data)) == [Ack(sequence, errno.EINVAL, TEXT)]


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 40, 41])
def test_a_whole_error_has_its_tlvs_after_the_echo(length: int) -> None:
    conversation, sequence, _ = asked(body=b"x" * length)
    data = ack(sequence, errno.EINVAL, flags=NLM_F_ACK_TLVS, echo=b"x" * length, tlvs=TEXT)
    assert list(conversation.receive(data)) == [Ack(sequence, errno.EINVAL, TEXT)]


def test_a_success_may_have_tlvs_too() -> None:
    """A warning; a success is capped whatever its flags say."""
    conversation, sequence, _ = asked(body=b"x" * 40)
    data = ack(sequence, flags=NLM_F_CAPPED | NLM_F_ACK_TLVS, tlvs=TEXT)
    assert list(conversation.receive(data)) == [Ack(sequence, 0, TEXT)]


def test_without_the_flag_there_are_no_tlvs() -> None:
    conversation, sequence, _ = asked()
    assert list(conversation.receive(ack(sequence, errno.EPERM, echo=b"x" * 8))) == [
        Ack(sequence, errno.EPERM, b"")
    ]


def test_an_echo_longer_than_the_message_leaves_no_tlvs() -> None:
    conversation, sequence, _ = asked()
    body = struct.pack("=i", -1) + NLMSGHDR.pack(1 << 30, RTM_GETLINK, 0, sequence, 0)
    data = frame(NLMSG_ERROR, NLM_F_ACK_TLVS, sequence, body)
    assert list(conversation.receive(data)) == [Ack(sequence, 1, b"")]


# -- lies --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"x" * 15,
        NLMSGHDR.pack(15, 16, 0, 1, 0),
        NLMSGHDR.pack(0, 16, 0, 1, 0),
        NLMSGHDR.pack(17, 16, 0, 1, 0),
        NLMSGHDR.pack(0xFFFFFFFF, 16, 0, 1, 0),
        part(1, b"good") + b"tail",
        part(1, b"12345678")[:-4],
        frame(NLMSG_ERROR, 0, 1, b""),
        frame(NLMSG_ERROR, 0, 1, bytes(19)),
        frame(NLMSG_ERROR, 0, 1, struct.pack("=i", 1) + bytes(16)),
        frame(NLMSG_ERROR, 0, 1, struct.pack("=i", -4096) + bytes(16)),
        frame(NLMSG_ERROR, 0, 1, struct.pack("=i", -(1 << 31)) + bytes(16)),
        frame(NLMSG_DONE, 0, 1, struct.pack("=i", -(1 << 31))),
    ],
    ids=lambda data: data[:24].hex(),
)
def test_a_length_or_a_number_that_lies(data: bytes) -> None:
    conversation, sequence, _ = asked()
    assert sequence == 1
    with pytest.raises(MalformedError, match=r".{10}") as caught:
        list(conversation.receive(data))
    assert caught.value.errno == errno.EBADMSG


def test_what_came_before_a_lie_is_told() -> None:
    conversation, sequence, _ = asked()
    events = conversation.receive(part(sequence, b"good") + b"\1\0\0\0")
    assert next(events) == Reply(sequence, RTM_NEWLINK, NLM_F_MULTI, b"good")
    with pytest.raises(MalformedError):
        next(events)
