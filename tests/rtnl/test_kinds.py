"""The options of kinds: what `rt.links` takes, and what it refuses before anything is sent."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

import netlinkpy as nl
from netlinkpy.rtnl.links import Links
from netlinkpy.wire.rtnetlink.link import LINK
from tests.golden.messages import read
from tests.support.refusals import impossible, unchanged

GOLDEN = Path(__file__).parent.parent / "golden" / "request"


def test_options_by_value_word_and_switch(rt: nl.RTNetlink) -> None:
    data = rt.links.add(
        "br0",
        kind="bridge",
        ageing_time=30000,
        mcast_snooping=False,
        group_addr="01:80:c2:00:00:0d",
        no_linklocal_learn=True,
        stp_state=None,
    ).data
    assert (data["ageing_time"], data["mcast_snooping"]) == (30000, 0)
    assert data["group_addr"] == bytes.fromhex("0180c200000d")
    assert data["multi_boolopt"]["optval"] & 3 == 1
    rt.links.set("br0", no_linklocal_learn=0, mcast_vlan_snooping=False)
    assert rt.links.get("br0").data["multi_boolopt"]["optval"] & 3 == 0


def test_set_asks_which_kind_a_link_is_of(rt: nl.RTNetlink) -> None:
    rt.links.add("br0", kind="bridge")
    rt.links.add("v0", kind="veth", peer="v1")
    rt.links.set("br0", ageing_time=1000)
    rt.links.set("br0", kind="bridge", ageing_time=2000)
    assert rt.links.get("br0").data["ageing_time"] == 2000
    with impossible(TypeError, "a veth has no option 'ageing_time'"):
        rt.links.set("v0", ageing_time=1000)
    with unchanged(), pytest.raises(nl.NetlinkError):
        rt.links.set("v0", kind="bridge", ageing_time=1000)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"bridge_id": b"12345678"}, TypeError, "bridge_id"),
        ({"gc_timer": 5}, TypeError, "told by the kernel"),
        ({"priority": 65536}, ValueError, "priority"),
        ({"ageing_time": -1}, ValueError, "ageing_time"),
        ({"group_addr": "01:80"}, ValueError, "hardware address"),
        ({"group_addr": b"12345"}, ValueError, "5 bytes"),
        ({"vlan_protocol": "802.1z"}, ValueError, "802.1Q, 802.1ad"),
        ({"vlan_protocol": 5}, ValueError, "802.1Q, 802.1ad"),
        ({"no_linklocal_learn": "yes"}, TypeError, "no_linklocal_learn"),
        ({"link": "lo"}, TypeError, "no parent"),
    ],
    ids=str,
)
def test_what_cannot_be(
    rt: nl.RTNetlink, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with impossible(error, words):
        rt.links.add("br0", kind="bridge", **options)


def test_only_what_comes_in_pairs_has_a_peer(rt: nl.RTNetlink) -> None:
    link = rt.links.add("v0", kind="veth", peer="v1")
    other = rt.links.get("v1")
    assert link.link == link.peer == other.index and link.link_nsid is link.peer_nsid is None
    bridge = rt.links.add("br0", kind="bridge")
    assert bridge.link is bridge.peer is None


class Listener:
    """Stands for an RTNetlink and its socket: hears what is asked, and refuses it."""

    def __init__(self) -> None:
        self.socket = self
        self.heard: dict[str, Any] = {}

    def index(self, dev: str) -> int:
        return {"v0": 11}[dev]

    def request(self, message: object, type: int, flags: int, values: dict[str, Any], **_: object) -> object:
        self.heard = values
        raise nl.NetlinkError(errno.EPERM, "heard")


@pytest.mark.parametrize(
    ("golden", "options"),
    [
        ("link-add-vlan", {"name": "v0.7", "kind": "vlan", "link": "v0", "id": 7}),
        (
            "link-add-vlan-options",
            {
                "name": "v7",
                "kind": "vlan",
                "link": "v0",
                "protocol": "802.1ad",
                "id": 7,
                "reorder_hdr": False,
                "gvrp": True,
                "mvrp": True,
                "loose_binding": "on",
                "bridge_binding": 0,
                "ingress_qos": {1: 2, 3: 4},
                "egress_qos": {5: 6},
            },
        ),
    ],
)
def test_add_sends_what_iproute2_sends(golden: str, options: dict[str, Any]) -> None:
    """Also where the kernel has no such kind."""
    listener: Any = Listener()
    with pytest.raises(nl.NetlinkError, match="heard"):
        Links(listener).add(**options)
    sent = read(GOLDEN / f"{golden}.txt")
    assert LINK.parse(LINK.pack(listener.heard)) == sent.values


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"id": 7}, TypeError, "needs a parent"),
        ({"link": "lo"}, TypeError, "needs id"),
        ({"link": "lo", "id": 4095}, ValueError, "from 0 to 4094"),
        ({"link": "lo", "id": 7, "protocol": "802.1x"}, ValueError, "802.1Q"),
        ({"link": "lo", "id": 7, "gvrp": "maybe"}, ValueError, "off, on"),
        ({"link": "lo", "id": 7, "peer": "v1"}, TypeError, "no peer"),
        ({"link": "lo", "id": 7, "ingress_qos": {1: -2}}, ValueError, "ingress_qos"),
        ({"link": "gone", "id": 7}, nl.NetlinkError, "find link gone"),
    ],
    ids=str,
)
def test_what_cannot_be_of_a_vlan(
    rt: nl.RTNetlink, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with unchanged(), pytest.raises(error, match=words):
        rt.links.add("v7", kind="vlan", **options)


def test_a_vxlan_by_every_sort_of_option(rt: nl.RTNetlink) -> None:
    parent = rt.links.add("v0", kind="veth", peer="v1")
    try:
        link = rt.links.add(
            "vx0",
            kind="vxlan",
            link="v0",
            id=42,
            remote="fd00::9",
            local="fd00::8",
            dstport=4789,
            port_range={"low": 1000, "high": 2000},
            learning=False,
            ttl_inherit=True,
            df="set",
            label=5,
        )
    except nl.NetlinkError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        pytest.skip(f"no vxlan here: {error}")
    data = link.data
    assert (link.kind, link.link, data["link"], data["id"]) == ("vxlan", None, parent.index, 42)
    assert (data["group6"], data["local6"]) == (bytes([0xFD, *[0] * 14, 9]), bytes([0xFD, *[0] * 14, 8]))
    assert (data["port"], data["port_range"]) == (4789, {"low": 1000, "high": 2000})
    assert (data["learning"], data["ttl_inherit"], data["df"], data["label"]) == (0, 1, 1, 5)
    rt.links.set("vx0", id=42, ageing=20, learning=True)
    data = rt.links.get("vx0").data
    assert (data["ageing"], data["learning"]) == (20, 1)
    with impossible(ValueError, "16777215"):
        rt.links.add("vx1", kind="vxlan", id=1 << 24)
    with impossible(ValueError, "IP address"):
        rt.links.add("vx1", kind="vxlan", vni=1, remote="nowhere")
