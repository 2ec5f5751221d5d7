"""Extended acks: the offset becomes a path, the missing attribute a name, the policy words."""

from __future__ import annotations

import errno
import struct
from typing import Any

import pytest

import netlinkpy as nl
from netlinkpy.framing import NLMSG_HDRLEN
from netlinkpy.uapi.rtnetlink import RTM_NEWADDR, RTM_NEWLINK, RTM_NEWROUTE, RTM_NEWRULE
from netlinkpy.wire.errors import meaning
from netlinkpy.wire.extack import EXTACK, NOTHING, decode
from netlinkpy.wire.message import Message
from netlinkpy.wire.rtnetlink.address import ADDRESS
from netlinkpy.wire.rtnetlink.link import LINK
from netlinkpy.wire.rtnetlink.route import ROUTE
from netlinkpy.wire.rtnetlink.rule import RULE

PEER = {"ifname": "peer0", "mtu": 1}
VETH: dict[Any, Any] = {
    "ifi_index": 7,
    "ifname": "veth0",
    "linkinfo": {"kind": "veth", "data": {"peer": PEER}},
    "mtu": 1400,
}


def at(message: Message, values: dict[Any, Any], offset: int) -> str:
    """The path for an offset that counts, as the kernel's, from the nlmsghdr."""
    return decode(EXTACK.pack({"offs": offset}), message, message.pack(values)).path


def offset_of(message: Message, values: dict[Any, Any], needle: bytes) -> int:
    """Where an attribute begins, found by its packed bytes."""
    body = message.pack(values)
    assert body.count(needle) == 1
    return NLMSG_HDRLEN + body.index(needle)


# -- paths -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("needle", "path"),
    [
        (struct.pack("=HH", 10, 3) + b"veth0", "ifname"),
        (struct.pack("=HHI", 8, 4, 1400), "mtu"),
        (struct.pack("=HH", 9, 1) + b"veth\0", "linkinfo.kind"),
        (struct.pack("=HH", 10, 3) + b"peer0", "linkinfo.data.peer.ifname"),
        (struct.pack("=HHI", 8, 4, 1), "linkinfo.data.peer.mtu"),
    ],
)
def test_an_offset_becomes_a_path(needle: bytes, path: str) -> None:
    assert at(LINK, VETH, offset_of(LINK, VETH, needle)) == path


def test_an_offset_into_a_value_is_that_attributes() -> None:
    start = offset_of(LINK, VETH, struct.pack("=HHI", 8, 4, 1400))
    assert {at(LINK, VETH, start + more) for more in range(8)} == {"mtu"}


def test_an_offset_into_the_header_is_a_members() -> None:
    assert at(LINK, VETH, NLMSG_HDRLEN) == "ifi_family"
    assert at(LINK, VETH, NLMSG_HDRLEN + 4) == "ifi_index"
    assert at(LINK, VETH, NLMSG_HDRLEN + 8) == "ifi_flags"
    assert at(ROUTE, {}, NLMSG_HDRLEN + 4) == "rtm_table"


def test_an_offset_into_the_peers_own_header() -> None:
    start = offset_of(LINK, VETH, struct.pack("=HH", 10, 3) + b"peer0")
    assert at(LINK, VETH, start - 16) == "linkinfo.data.peer.ifi_family"
    assert at(LINK, VETH, start - 12) == "linkinfo.data.peer.ifi_index"


@pytest.mark.parametrize("offset", [0, 4, 15, 4000, 0xFFFFFFFF])
def test_an_offset_outside_is_no_path(offset: int) -> None:
    assert at(LINK, VETH, offset) == ""


def test_paths_of_unknown_and_repeated_attributes() -> None:
    values = {1000: b"abcd", "prop_list": {"alt_ifname": ["first", "second"]}}
    assert at(LINK, values, offset_of(LINK, values, struct.pack("=HH", 8, 1000))) == "1000"
    assert at(LINK, values, offset_of(LINK, values, struct.pack("=HH", 11, 53))) == "prop_list.alt_ifname"


def test_paths_by_what_lies_beside() -> None:
    """The data of a bridge and of a veth are told apart by the kind."""
    values = {"linkinfo": {"kind": "bridge", "data": {"ageing_time": 1, "stp_state": 1}}}
    assert at(LINK, values, offset_of(LINK, values, struct.pack("=HH", 8, 5))) == "linkinfo.data.stp_state"
    port = {"ifi_family": 7, "protinfo": {"state": 9, "cost": 1}}
    assert at(LINK, port, offset_of(LINK, port, struct.pack("=HH", 8, 3))) == "protinfo.cost"


# -- missing, policy, text ---------------------------------------------------------------------------------


def test_a_missing_attribute_is_named() -> None:
    body = LINK.pack(VETH)
    assert decode(EXTACK.pack({"miss_type": 4}), LINK, body).missing == "mtu"
    assert decode(EXTACK.pack({"miss_type": 4000}), LINK, body).missing == "4000"
    nest = offset_of(LINK, VETH, struct.pack("=HH", 10, 3) + b"peer0") - 20  # the header of the peer
    told = decode(EXTACK.pack({"miss_type": 1, "miss_nest": nest}), LINK, body)
    assert told.missing == "linkinfo.data.peer.address"
    assert told.sentence == "attribute linkinfo.data.peer.address is missing"


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ({"type": 4, "min_value_u": 68, "max_value_u": 65535}, "68..65535"),
        ({"min_value_s": -3, "max_value_s": 7}, "-3..7"),
        ({"min_value_u": 0}, "0.."),
        ({"max_value_u": 0}, "..0"),
        ({"min_length": 6, "max_length": 32}, "6 to 32 bytes long"),
        ({"max_length": 15}, "0 to 15 bytes long"),
        ({"min_length": 4}, "4 to any number of bytes long"),
        ({"mask": 0xF0}, "within the bits 0xf0"),
        ({"type": 4}, ""),
        ({}, ""),
    ],
    ids=str,
)
def test_a_policy_in_words(policy: dict[Any, Any], words: str) -> None:
    told = decode(EXTACK.pack({"policy": policy}))
    assert told.range == words
    assert told.sentence == (f"must be {words}" if words else "")


def test_text_and_numbers_in_one_sentence() -> None:
    told = decode(EXTACK.pack({"msg": "Numbers out of range", "policy": {"max_value_u": 7}}))
    assert told.sentence == "Numbers out of range; must be ..7"


def test_nothing_told() -> None:
    assert decode(b"") == NOTHING and NOTHING.sentence == ""
    assert decode(EXTACK.pack({"cookie": b"x", 99: b"y"})).sentence == ""


def test_text_survives_what_cannot_be_located() -> None:
    """The kernel's sentence counts, whatever else is wrong with its ack."""
    told = decode(EXTACK.pack({"msg": "because", "miss_type": 1, "miss_nest": 99999}), LINK, LINK.pack(VETH))
    assert told.text == "because"


# -- the kernel's own --------------------------------------------------------------------------------------


def refusal(message: Message, type: int, flags: int, values: dict[Any, Any]) -> nl.NetlinkError:
    with nl.RTNetlink() as rt, pytest.raises(nl.NetlinkError) as caught:
        rt.socket.request(message, type, flags, values, verb="try it")
    error = caught.value
    assert "\n" not in str(error) and str(error).startswith("try it: ")
    return error


CREATE = 0x600  # NLM_F_CREATE | NLM_F_EXCL


def test_the_kernel_names_a_kind_that_it_lacks() -> None:
    error = refusal(LINK, RTM_NEWLINK, CREATE, {"ifname": "a", "linkinfo": {"kind": "colour"}})
    assert error.errno == errno.EOPNOTSUPP and "Unknown device type" in error.text


def test_the_kernel_points_into_a_peer() -> None:
    peer = {"ifname": "peer-of-veth-too-long"}
    error = refusal(
        LINK, RTM_NEWLINK, CREATE, {"ifname": "a", "linkinfo": {"kind": "veth", "data": {"peer": peer}}}
    )
    assert error.errno in (errno.ERANGE, errno.EINVAL)
    assert error.path == "linkinfo.data.peer.ifname"
    assert f"(attribute {error.path})" in str(error)


def test_the_kernel_tells_the_policy_that_was_broken() -> None:
    error = refusal(LINK, RTM_NEWLINK, CREATE, {"ifname": "sixteen-letters-", "linkinfo": {"kind": "bridge"}})
    assert error.path == "ifname"
    assert "must be" in error.text and "15 bytes long" in error.text
    values = {"family": 2, "action": 1, "table": 254, 25: b"\xff"}  # FRA_DSCP: six bits (6.12 and later)
    error = refusal(RULE, RTM_NEWRULE, CREATE, values)
    assert error.path == "25"
    assert "must be 0..63" in error.text or error.errno == errno.EINVAL  # not known yet


def test_an_mtu_that_is_too_small() -> None:
    """The kernel's text, without an attribute."""
    with nl.RTNetlink() as rt:
        rt.links.add("a", kind="veth", peer="b")
        with pytest.raises(nl.NetlinkError) as caught:
            rt.links.set("a", mtu=3)
    error = caught.value
    assert error.errno == errno.EINVAL and "set link a" in str(error)
    assert "mtu less than device minimum" in str(error)


def test_an_address_without_an_address() -> None:
    error = refusal(ADDRESS, RTM_NEWADDR, CREATE, {"ifa_family": 2, "ifa_index": 1})
    assert error.errno == errno.EINVAL
    assert "local" in str(error) or "address" in str(error)


def test_a_gateway_that_is_not_reachable() -> None:
    values = {"rtm_family": 2, "rtm_table": 254, "rtm_type": 1, "gateway": b"\n\0\0\1", "oif": 1}
    error = refusal(ROUTE, RTM_NEWROUTE, CREATE, values)
    assert error.errno in (errno.ENETUNREACH, errno.EINVAL, errno.ENETDOWN)
    assert error.text or meaning(error.errno) in str(error)


@pytest.mark.parametrize(
    ("number", "name", "address"),
    [
        (errno.EADDRNOTAVAIL, "a", "01:00:00:00:00:00"),
        (errno.EEXIST, "lo", None),
    ],
)
def test_where_the_kernel_says_nothing_we_do(number: int, name: str, address: str | None) -> None:
    with nl.RTNetlink() as rt, pytest.raises(nl.NetlinkError) as caught:
        rt.links.add(name, kind="bridge", address=address)
    error = caught.value
    assert error.errno == number and not error.text
    assert (error.hint or meaning(number)) in str(error)
    assert errno.errorcode[number] in str(error)
