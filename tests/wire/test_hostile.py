"""Any bytes into any parser: a value, or MalformedError, and nothing else."""

from __future__ import annotations

import errno
import struct
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from netlinkpy.framing import frame
from netlinkpy.uapi.netlink import MAX_ERRNO
from netlinkpy.uapi.rtnetlink import RTM_GETLINK
from netlinkpy.wire.errors import MalformedError, OverrunError
from netlinkpy.wire.extack import ExtendedAck, decode
from netlinkpy.wire.message import Message
from netlinkpy.wire.rtnetlink.link import LINK
from netlinkpy.wire.rtnetlink.route import ROUTE
from netlinkpy.wire.transaction import Request, Transaction
from tests.support import strategies
from tests.wire.test_messages import MESSAGES, named


def attribute(kind: int, payload: bytes, length: int | None = None) -> bytes:
    """An attribute, whose length may lie."""
    whole = 4 + len(payload) if length is None else length
    return struct.pack("=HH", whole, kind) + payload + bytes(-len(payload) & 3)


SHREDS = st.lists(
    st.builds(
        attribute,
        st.integers(0, 70) | st.integers(0, 0xFFFF),
        st.binary(max_size=40),
        st.none() | st.integers(0, 80) | st.integers(0, 0xFFFF),
    ),
    max_size=6,
).map(b"".join)


def reads(message: Message, body: bytes) -> None:
    """Parsing gives a dict or a MalformedError with one clear line."""
    try:
        values = message.parse(body)
    except MalformedError as error:
        assert error.errno == errno.EBADMSG
        assert "\n" not in str(error) and len(str(error)) > 10
    else:
        assert isinstance(values, dict)


@named
@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(message: Message, body: bytes) -> None:
    reads(message, body)


@named
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_attributes(message: Message, data: st.DataObject) -> None:
    header = data.draw(st.binary(min_size=message.header.struct.size, max_size=message.header.struct.size))
    reads(message, header + bytes(-len(header) & 3) + data.draw(SHREDS))


@named
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_good_message_with_some_bytes_spoilt(message: Message, data: st.DataObject) -> None:
    body = bytearray(message.pack(data.draw(strategies.message(message))))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    reads(message, bytes(body[: data.draw(st.integers(0, len(body)))]))


@named
@given(st.data())
def test_a_good_message_cut_off(message: Message, data: st.DataObject) -> None:
    body = message.pack(data.draw(strategies.message(message)))
    for end in range(len(body)):
        reads(message, body[:end])


# -- nesting without end -----------------------------------------------------------------------------------


def nested_links(levels: int) -> bytes:
    """A veth whose peer is a veth whose peer ..."""
    body = bytes(16)
    for _ in range(levels):
        info = attribute(1, b"veth\0") + attribute(2, attribute(1, body))
        body = bytes(16) + attribute(18, info)
    return body


def nested_routes(levels: int) -> bytes:
    """A nexthop with nexthops with nexthops ..."""
    hops = b""
    for _ in range(levels):
        inner = attribute(9, hops)
        hops = struct.pack("=HBBi", 8 + len(inner), 0, 0, 0) + inner
    return bytes(12) + attribute(9, hops)


@pytest.mark.parametrize("levels", [10, 100, 300, 1000, 1600])
def test_links_in_links_without_end(levels: int) -> None:
    reads(LINK, nested_links(levels))


@pytest.mark.parametrize("levels", [10, 100, 300, 1000, 5000])
def test_nexthops_in_nexthops_without_end(levels: int) -> None:
    reads(ROUTE, nested_routes(levels))


def test_many_small_attributes_take_no_long_time() -> None:
    """64 KiB of the smallest attributes, of one unknown type and of many."""
    began = time.monotonic()
    reads(LINK, bytes(16) + attribute(900, b"") * 16000)
    reads(LINK, bytes(16) + b"".join(attribute(100 + number, b"") for number in range(16000)))
    reads(LINK, bytes(16) + attribute(52, attribute(53, b"x\0") * 7000))
    assert time.monotonic() - began < 2


# -- acks and datagrams ------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=120) | SHREDS, st.sampled_from(MESSAGES), st.data())
@example(attribute(2, b"\xff\xff\xff\xff"), LINK, None)
@example(attribute(2, b"\0\0\0\0"), LINK, None)
def test_any_extended_ack(tlvs: bytes, message: Message, data: st.DataObject | None) -> None:
    body = (
        bytes(message.header.struct.size)
        if data is None
        else message.pack(data.draw(strategies.message(message)))
    )
    told = decode(tlvs, message, body)
    assert isinstance(told, ExtendedAck)
    assert "\0" not in told.sentence
    assert isinstance(decode(tlvs), ExtendedAck)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 400), st.integers(0, 70), st.integers(0, 400), st.integers(0, 70), st.data())
def test_any_offset_and_missing_type(
    offset: int, kind: int, nest: int, mask: int, data: st.DataObject
) -> None:
    message = data.draw(st.sampled_from(MESSAGES))
    body = message.pack(data.draw(strategies.message(message)))
    number = struct.Struct("=I").pack
    for tlvs in (
        attribute(2, number(offset)),
        attribute(5, number(kind)),
        attribute(5, number(kind)) + attribute(6, number(nest)),
        attribute(4, attribute(mask % 14, number(nest))),
    ):
        decode(tlvs, message, body)


KINDS = st.sampled_from([0, 1, 2, 3, 4, 5, 15, 16, 18]) | st.integers(0, 0xFFFF)
PIECES = st.builds(
    lambda kind, flags, sequence, body, lie: (
        struct.pack("=I", lie) + frame(kind, flags, sequence, body)[4:]
        if lie is not None
        else frame(kind, flags, sequence, body)
    ),
    KINDS,
    st.integers(0, 0xFFFF),
    st.integers(0, 4),
    st.binary(max_size=60),
    st.none() | st.none() | st.integers(0, 100) | st.integers(0, 0xFFFFFFFF),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES, max_size=5).map(b"".join) | st.binary(max_size=100))
def test_any_datagram(data: bytes) -> None:
    transaction = Transaction([Request("do it", LINK, RTM_GETLINK, 0, {})] * 3)
    try:
        transaction.feed(data)
        for answer in transaction.answers:
            if answer.error is not None:
                assert 0 < (answer.error.errno or 0) <= MAX_ERRNO
                assert "\n" not in str(answer.error)
    except (MalformedError, OverrunError) as error:
        assert "\n" not in str(error)
