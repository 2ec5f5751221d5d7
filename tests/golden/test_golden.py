"""Our messages against the bytes that iproute2 sends and the kernel answers, both ways: see capture.py."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from netlinkpy.framing import frame, messages, refusal
from netlinkpy.uapi.netlink import NLMSG_DONE, NLMSG_ERROR
from netlinkpy.wire import extack
from netlinkpy.wire.message import Message
from netlinkpy.wire.rtnetlink.address import ADDRESS
from netlinkpy.wire.rtnetlink.link import LINK
from netlinkpy.wire.rtnetlink.neighbour import NEIGHBOUR
from netlinkpy.wire.rtnetlink.nsid import NSID
from netlinkpy.wire.rtnetlink.route import ROUTE
from netlinkpy.wire.rtnetlink.rule import RULE

from .messages import Golden, load

MESSAGES: dict[str, Message] = {
    "LINK": LINK,
    "LINKPROP": LINK,
    "ADDR": ADDRESS,
    "ROUTE": ROUTE,
    "NEIGH": NEIGHBOUR,
    "NSID": NSID,
    "RULE": RULE,
}
REQUESTS = load("request")
REPLIES = [golden for golden in load("reply") if golden.kind.startswith("RTM_")]
ENDS = [golden for golden in load("reply") if golden.kind.startswith("NLMSG_")]


def description(golden: Golden) -> Message:
    return MESSAGES[golden.kind.removeprefix("RTM_")[3:]]


def named(golden: Golden) -> str:
    return golden.name


def holds(whole: Any, part: Any) -> bool:
    """Whether every value listed in `part` is in `whole`, nests likewise."""
    if isinstance(part, dict):
        return all(name in whole and holds(whole[name], value) for name, value in part.items())
    if isinstance(part, list) and part and isinstance(part[0], dict):
        return len(whole) == len(part) and all(map(holds, whole, part))
    return bool(whole == part)


def in_order(values: Any) -> Any:
    """Values with the order of the attributes told (dicts compare without it)."""
    if isinstance(values, dict):
        return [(name, in_order(value)) for name, value in values.items()]
    return [in_order(value) for value in values] if isinstance(values, list) else values


@pytest.mark.parametrize("golden", REQUESTS, ids=named)
def test_request_parses_to_its_values(golden: Golden) -> None:
    parsed = description(golden).parse(golden.message[16:])
    assert parsed == golden.values
    assert in_order(parsed) == in_order(golden.values)


@pytest.mark.parametrize("golden", REQUESTS, ids=named)
def test_values_pack_to_the_request(golden: Golden) -> None:
    _, kind, flags, sequence, _ = struct.unpack_from("<IHHII", golden.message)
    packed = frame(kind, flags, sequence, description(golden).pack(golden.values))
    assert packed.hex(" ", 4) == golden.respelled.hex(" ", 4)


@pytest.mark.parametrize("golden", REPLIES, ids=named)
def test_reply_holds_the_values_listed(golden: Golden) -> None:
    parsed = description(golden).parse(golden.message[16:])
    missing = [name for name in golden.values if not holds(parsed, {name: golden.values[name]})]
    assert missing == [], parsed


@pytest.mark.parametrize("golden", REPLIES, ids=named)
def test_reply_packs_to_itself(golden: Golden) -> None:
    message = description(golden)
    packed = message.pack(message.parse(golden.message[16:]))
    assert packed.hex(" ", 4) == golden.respelled[16:].hex(" ", 4)


@pytest.mark.parametrize("golden", ENDS, ids=named)
def test_end_of_a_request_is_told(golden: Golden) -> None:
    ((start, end, type, flags, *_),) = messages(golden.message, 0, len(golden.message))
    assert type == (NLMSG_DONE if golden.kind == "NLMSG_DONE" else NLMSG_ERROR)
    told = {name: value for name, value in golden.values.items() if name != "error"}
    errno, tlvs = refusal(golden.message, start, end, type, flags)
    assert errno == -golden.values["error"]
    assert extack.EXTACK.parse(tlvs, {}) == told
    assert extack.EXTACK.pack(told) == tlvs


@pytest.mark.parametrize(
    "name, message, path, sentence",
    [
        ("error-policy", LINK, "gso_max_size", "integer out of range; must be 193..4294967295"),
        ("error-text-offset", NSID, "fd", "Peer netns already has a nsid assigned"),
        ("error-text", ROUTE, "", "Nexthop has invalid gateway"),
    ],
)
def test_extended_ack_names_the_attribute(name: str, message: Message, path: str, sentence: str) -> None:
    (golden,) = (end for end in ENDS if end.name == name)
    echoed = golden.message[20:]
    body = echoed[16 : struct.unpack_from("<I", echoed)[0]]
    ack = extack.decode(golden.message[20 + 16 + len(body) :], message, body)
    assert (ack.path, ack.sentence) == (path, sentence)


def test_files_are_there() -> None:
    """A folder left out of a checkout would pass every test above."""
    assert len(REQUESTS) > 120
    assert len(REPLIES) + len(ENDS) > 25
