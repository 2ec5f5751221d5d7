"""The options of kinds: what `rt.links` takes, and what it refuses before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

import netlinkpy as nl
from tests.support.refusals import impossible, unchanged


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
