"""Packing and parsing: every message packs and parses to itself, and what does not fit is refused by name."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netlinkpy.framing import NLMSGHDR, frame
from netlinkpy.wire.attributes import NLA_TYPE_MASK, Attributes, Slot
from netlinkpy.wire.codecs import NLA_F_NESTED, RAW, U32, Fields
from netlinkpy.wire.extack import EXTACK, POLICY
from netlinkpy.wire.message import Message
from netlinkpy.wire.netfilter import conntrack, elements, tables
from netlinkpy.wire.netfilter.nfnetlink import BATCH
from netlinkpy.wire.rtnetlink.address import ADDRESS
from netlinkpy.wire.rtnetlink.link import LINK
from netlinkpy.wire.rtnetlink.neighbour import NEIGHBOUR
from netlinkpy.wire.rtnetlink.nsid import NSID
from netlinkpy.wire.rtnetlink.route import ROUTE
from netlinkpy.wire.rtnetlink.rule import RULE
from tests.support import strategies

NETFILTER = [tables.TABLE, tables.CHAIN, tables.RULE, tables.SET, tables.GENERATION, elements.SET_ELEMENTS]
NETFILTER += [conntrack.FLOW, conntrack.STATISTICS, BATCH]
MESSAGES: list[Message] = [LINK, ADDRESS, ROUTE, NEIGHBOUR, NSID, RULE, *NETFILTER]
named = pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.name)


@named
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_message_packs_and_parses_to_itself(message: Message, data: st.DataObject) -> None:
    values = data.draw(strategies.message(message))
    body = message.pack(values)
    assert len(body) % 4 == 0 or set(values) <= set(message.header.names)
    assert message.parse(body) == values
    assert message.pack(message.parse(body)) == body


@pytest.mark.parametrize("table", [EXTACK, POLICY], ids=["extack", "policy"])
@given(st.data())
def test_a_table_of_attributes_packs_and_parses_to_itself(table: Attributes, data: st.DataObject) -> None:
    values = data.draw(strategies.attributes(table, 0, {}))
    assert table.parse(table.pack(values), {}) == values


@named
def test_the_header_alone(message: Message) -> None:
    assert message.pack({}) == bytes(message.header.struct.size)
    assert message.parse(message.pack({})) == dict.fromkeys(message.header.names, 0)


def test_the_bytes_of_one_message() -> None:
    """By hand, from linux/if_link.h and linux/rtnetlink.h."""
    body = LINK.pack(
        {
            "ifi_index": 7,
            "ifi_flags": 1,
            "ifi_change": 1,
            "ifname": "eth0",
            "mtu": 1400,
            "address": b"\2B\0\0\0\1",
        }
    )
    assert body == (
        struct.pack("=BxHiII", 0, 0, 7, 1, 1)
        + struct.pack("=HH8s", 9, 3, b"eth0\0\0\0\0")
        + struct.pack("=HHI", 8, 4, 1400)
        + struct.pack("=HH8s", 10, 1, b"\2B\0\0\0\1\0\0")
    )


def test_a_frame_is_padded_and_its_length_is_not() -> None:
    whole = frame(18, 0x301, 9, b"\1\2\3\4\5")
    assert NLMSGHDR.unpack_from(whole) == (21, 18, 0x301, 9, 0)
    assert whole[16:] == b"\1\2\3\4\5\0\0\0"


def test_attributes_come_in_the_order_of_the_dict() -> None:
    forward = LINK.pack({"ifname": "a", "mtu": 1})
    backward = LINK.pack({"mtu": 1, "ifname": "a"})
    assert forward != backward and LINK.parse(forward) == LINK.parse(backward)


def test_none_and_a_false_flag_are_left_out() -> None:
    bridge = {"kind": "bridge", "data": {"fdb_flush": False, "stp_state": None}}
    body = LINK.pack({"mtu": None, "linkinfo": bridge})
    assert LINK.parse(body)["linkinfo"] == {"kind": "bridge", "data": {}}
    assert "mtu" not in LINK.parse(body)


def test_flags_of_nested_attributes() -> None:
    """IFLA_PROP_LIST and IFLA_PROTINFO must bear NLA_F_NESTED; both bits are masked off when parsing."""
    body = LINK.pack({"prop_list": {"alt_ifname": ["a", "b"]}})
    assert struct.unpack_from("=HH", body, 16) == (20, 52 | NLA_F_NESTED)
    plain = bytearray(body)
    struct.pack_into("=H", plain, 18, 52)
    assert LINK.parse(bytes(plain)) == LINK.parse(body)
    struct.pack_into("=H", plain, 18, 52 | 0xC000)
    assert LINK.parse(bytes(plain)) == LINK.parse(body)


def test_unknown_attributes_are_kept_and_sent_again() -> None:
    body = LINK.pack({1000: b"abc", 2000: [b"", b"x"]})
    values = LINK.parse(body)
    assert values[1000] == b"abc" and values[2000] == [b"", b"x"]
    assert LINK.pack(values) == body


def test_a_known_attribute_that_comes_twice_counts_the_last_time() -> None:
    """As the kernel's nla_parse() has it."""
    body = LINK.pack({"mtu": 1}) + LINK.attributes.pack({"mtu": 2})
    assert LINK.parse(body)["mtu"] == 2


def test_a_longer_struct_and_a_longer_number_are_read_from_their_front() -> None:
    """A newer kernel may append."""
    table = Attributes(pair=(1, Fields("=HH", "a b")), number=(2, U32))
    longer = Attributes(pair=(1, RAW), number=(2, RAW))
    body = longer.pack({"pair": b"\1\0\2\0\3\0", "number": b"\7\0\0\0\0\0\0\0"})
    assert table.parse(body, {}) == {"pair": {"a": 1, "b": 2}, "number": 7}


def test_text_that_is_no_utf_8_goes_there_and_back() -> None:
    body = LINK.pack({"ifname": "\udcff\udc80"})
    assert b"\xff\x80\0" in body
    assert LINK.parse(body)["ifname"] == "\udcff\udc80"


@pytest.mark.parametrize(
    ("message", "values", "word"),
    [
        (LINK, {"mtu": -1}, "mtu"),
        (LINK, {"mtu": 1 << 32}, "mtu"),
        (LINK, {"mtu": "1500"}, "mtu"),
        (LINK, {"mtu": 1.5}, "mtu"),
        (LINK, {"ifname": "a\0b"}, "ifname"),
        (LINK, {"ifname": 7}, "ifname"),
        (LINK, {"ifname": b"eth0"}, "ifname"),
        (LINK, {"ifname": "\ud800"}, "ifname"),
        (LINK, {"address": 6}, "address"),
        (LINK, {"address": "02:42"}, "address"),
        (LINK, {"address": bytes(65536)}, "address"),
        (LINK, {"colour": 1}, "colour"),
        (LINK, {"linkinfo": {"kind": "bridge", "data": {"ageing_time": -1}}}, "linkinfo: data: ageing_time"),
        (LINK, {"linkinfo": {"kind": "bridge", "data": {"colour": 1}}}, "colour"),
        (LINK, {"linkinfo": {"kind": "bridge", "data": 7}}, "data"),
        (LINK, {"linkinfo": 7}, "linkinfo"),
        (LINK, {"prop_list": {"alt_ifname": 7}}, "alt_ifname"),
        (LINK, {"ifi_index": 1 << 31}, "ifi_index"),
        (LINK, {"ifi_index": "1"}, "ifi_index"),
        (LINK, {"ifname": Slot("name", 4)}, "Slot"),
        (LINK, {70000: b""}, "70000"),
        (LINK, {-1: b""}, "-1"),
        (LINK, {7: 5}, "7"),
        (LINK, {1000: "text"}, "1000"),
        (ADDRESS, {"cacheinfo": {"ifa_valid": -1}}, "cacheinfo"),
        (ADDRESS, {"cacheinfo": {"valid": 1}}, "valid"),
        (ADDRESS, {"cacheinfo": 7}, "cacheinfo"),
        (ROUTE, {"multipath": [{"rtnh_hops": 256}]}, "multipath"),
        (ROUTE, {"multipath": [{"rtnh_hops": "1"}]}, "multipath"),
        (ROUTE, {"multipath": [{"colour": 1}]}, "colour"),
        (ROUTE, {"multipath": [{"dst": bytes(65000)}, {"src": bytes(65000)}]}, "multipath"),
        (ROUTE, {"multipath": 7}, "multipath"),
        (ROUTE, {"metrics": {"mtu": -1}}, "metrics: mtu"),
        (ROUTE, {"rtm_dst_len": 256}, "rtm_dst_len"),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_name(message: Message, values: dict[Any, Any], word: str) -> None:
    with pytest.raises(ValueError, match=r".{10}") as caught:
        message.pack(values)
    assert word in str(caught.value) and "\n" not in str(caught.value)
    assert type(caught.value) is ValueError


def test_every_attribute_has_a_number_of_its_own() -> None:
    seen: set[int] = set()

    def check(table: Attributes) -> None:
        if id(table) in seen:
            return
        seen.add(id(table))
        numbers = [number for number, _ in table._by_name.values()]
        assert len(numbers) == len(set(numbers)) and all(0 < number <= NLA_TYPE_MASK for number in numbers)
        for _, codec in table._by_name.values():
            for inner in (codec, *strategies.cases(codec).values()):
                inner = getattr(inner, "attributes", inner)
                if isinstance(inner, Attributes):
                    check(inner)

    for message in MESSAGES:
        check(message.attributes)
    assert len(seen) > 12
