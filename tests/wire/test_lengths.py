"""Codecs know lengths: what is sent has one of them, what the kernel tells may have any."""

from __future__ import annotations

from struct import pack
from typing import Any

import pytest

from netlinkpy.wire.message import Message
from netlinkpy.wire.rtnetlink.address import ADDRESS
from netlinkpy.wire.rtnetlink.link import LINK
from netlinkpy.wire.rtnetlink.neighbour import NEIGHBOUR
from netlinkpy.wire.rtnetlink.route import ROUTE
from netlinkpy.wire.rtnetlink.rule import RULE


@pytest.mark.parametrize(
    ("message", "values", "words"),
    [
        (ADDRESS, {"local": b"12345"}, "local: .* 5 bytes long, not 4 or 16"),
        (ADDRESS, {"address": b""}, "address: .* 0 bytes long"),
        (ROUTE, {"dst": b"123"}, "dst: .* 3 bytes long"),
        (ROUTE, {"via": b"1234"}, "via: .* 4 bytes long, not 6 or 18"),
        (ROUTE, {"multipath": [{"gateway": b"1"}]}, "multipath: gateway: .* 1 bytes long"),
        (NEIGHBOUR, {"dst": b"1" * 17}, "dst: .* 17 bytes long"),
        (NEIGHBOUR, {"lladdr": b"1" * 33}, "lladdr: .* 33 bytes long: 32 are the most"),
        (RULE, {"src": b"1"}, "src: .* 1 bytes long"),
        (LINK, {"address": b"1" * 40}, "address: .* 40 bytes long"),
        (LINK, {"linkinfo": {"kind": "bridge", "data": {"group_addr": b"1" * 8}}}, "group_addr: .* not 6"),
    ],
)
def test_what_has_another_length_is_not_sent(message: Message, values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        message.pack(values)


@pytest.mark.parametrize("length", [0, 1, 4, 6, 8, 16, 20, 32])
def test_hardware_addresses_have_many_lengths(length: int) -> None:
    """infiniband's has 20 bytes, a tunnel's 4 or 16; one byte asks whether a group has members."""
    body = LINK.pack({"address": bytes(length)})
    assert LINK.parse(body)["address"] == bytes(length)


@pytest.mark.parametrize(("message", "name"), [(ADDRESS, "local"), (ROUTE, "dst"), (NEIGHBOUR, "dst")])
@pytest.mark.parametrize("length", [0, 3, 20, 200])
def test_what_the_kernel_tells_is_taken_as_it_is(message: Message, name: str, length: int) -> None:
    number, _ = message.attributes.type_of(name)
    body = message.pack({}) + pack("=HH", 4 + length, number) + bytes(length)
    assert message.parse(body)[name] == bytes(length)
