"""Links: add, get, list, set, delete, alternative names; veth and bridge; what the kernel would ignore."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest

import netlinkpy as nl
from tests.support.namespaces import Container
from tests.support.refusals import impossible, refused, unchanged

Containers = Callable[..., list[Container]]
IFF_UP = 1


def names(rt: nl.RTNetlink, **filters: Any) -> list[str]:
    return [link.name for link in rt.links.list(**filters)]


# -- add ---------------------------------------------------------------------------------------------------


def test_a_bridge_with_everything(rt: nl.RTNetlink) -> None:
    link = rt.links.add(
        "br0",
        kind="bridge",
        up=True,
        address="02:00:00:00:00:07",
        mtu=1400,
        index=77,
        group=5,
        txqueuelen=99,
        alias="the first",
        altnames=["bridge-of-many-letters", "b:0"],
        ageing_time=12400,
        stp_state=1,
        mcast_snooping=0,
        priority=100,
    )
    assert link == rt.links.get(77) == rt.links.get("br0") == rt.links.get("b:0")
    assert rt.links.get("bridge-of-many-letters").index == 77
    assert (link.index, link.name, link.kind, link.up, link.mtu) == (77, "br0", "bridge", True, 1400)
    assert (link.address, link.group, link.txqueuelen) == ("02:00:00:00:00:07", 5, 99)
    assert (link.alias, sorted(link.altnames)) == ("the first", ["b:0", "bridge-of-many-letters"])
    assert (link.master, link.peer, link.peer_nsid) == (None, None, None)
    data = link.data
    assert (data["ageing_time"], data["stp_state"], data["mcast_snooping"], data["priority"]) == (
        12400,
        1,
        0,
        100,
    )
    assert link.attributes["ifname"] == "br0" and link.broadcast == "ff:ff:ff:ff:ff:ff"


def test_a_veth_pair_here(rt: nl.RTNetlink) -> None:
    bridge = rt.links.add("br0", kind="bridge")
    peer = nl.Peer("v1", address="02:00:00:00:00:02", mtu=1300, index=55)
    link = rt.links.add(
        "v0",
        kind="veth",
        peer=peer,
        index=54,
        up=True,
        address="02:00:00:00:00:01",
        master="br0",
        tx_queues=3,
        rx_queues=2,
    )
    other = rt.links.get("v1")
    assert (link.peer, other.peer) == (other.index, link.index) and other.index == 55
    assert link.peer_nsid is None and other.peer_nsid is None
    assert (other.address, other.mtu, other.up, other.master) == ("02:00:00:00:00:02", 1300, False, None)
    assert (link.master, link.up) == (bridge.index, True)
    assert (link.attributes["num_tx_queues"], link.attributes["num_rx_queues"]) == (3, 2)
    assert link.port["state"] == 0 and names(rt, master="br0") == ["v0"]


def test_a_veth_pair_whose_peer_is_elsewhere(rt: nl.RTNetlink, container: Container) -> None:
    nl.netns.bind("blue", container.pid)
    with nl.Netns.open(container.pid) as handle:
        places: list[nl.Netns | str | int] = [container.pid, container.path, "blue", handle]
        for number, where in enumerate(places):
            link = rt.links.add(f"v{number}", kind="veth", peer=nl.Peer(f"w{number}", netns=where))
            assert link.peer_nsid == rt.nsids.get(container.pid) == 0
    with nl.RTNetlink(container.pid) as there:
        assert names(there, kind="veth") == ["w0", "w1", "w2", "w3"]
        assert there.links.get("w3").peer == rt.links.get("v3").index
    assert names(rt) == ["lo", "v0", "v1", "v2", "v3"]


def test_a_peer_given_by_name_alone(rt: nl.RTNetlink) -> None:
    assert rt.links.add("v0", kind="veth", peer="v1").peer == rt.links.get("v1").index


def test_a_kind_without_options(rt: nl.RTNetlink) -> None:
    assert rt.links.add("i0", kind="ifb").kind == "ifb"


def test_names_that_are_taken_say_by_whom(rt: nl.RTNetlink) -> None:
    index = rt.links.add("br0", kind="bridge", altnames=["other"]).index
    for name in ("br0", "other"):
        with refused(
            nl.NetlinkError,
            errno.EEXIST,
            f"add link {name}",
            f"name {name} is taken by link {index}",
            "bridge",
        ):
            rt.links.add(name, kind="bridge")
        with refused(nl.NetlinkError, errno.EEXIST, "add link v0", f"name {name} is taken by link {index}"):
            rt.links.add("v0", kind="veth", peer=name)
    with refused(nl.NetlinkError, errno.EEXIST, "lo", "no kind"):
        rt.links.add("lo", kind="bridge")
    with refused(nl.NetlinkError, errno.EEXIST, "index"):
        rt.links.add("br1", kind="bridge", index=index)


def test_a_peers_name_that_is_taken_elsewhere(rt: nl.RTNetlink, container: Container) -> None:
    with nl.RTNetlink(container.pid) as there:
        there.links.add("w0", kind="bridge")
    with refused(nl.NetlinkError, errno.EEXIST, "add link v0", "peer"):
        rt.links.add("v0", kind="veth", peer=nl.Peer("w0", netns=container.pid))


def test_what_is_set_afterwards_is_rolled_back_with_the_link(rt: nl.RTNetlink) -> None:
    rt.links.add("br0", kind="bridge", altnames=["taken"])
    with refused(nl.NetlinkError, errno.EEXIST, "alternative names"):
        rt.links.add("br1", kind="bridge", altnames=["fine", "taken"])
    with impossible(ValueError, "alias", "255"):
        rt.links.add("br1", kind="bridge", alias="x" * 256)
    with refused(nl.NetlinkError, errno.EEXIST, "alternative names"):
        rt.links.add("v0", kind="veth", peer="v1", alias="fine", altnames=["taken"])
    assert names(rt) == ["lo", "br0"]


@pytest.mark.parametrize(
    ("more", "number", "word"),
    [
        ({"kind": "colour"}, errno.EOPNOTSUPP, "Unknown device type"),
        ({"kind": "bridge", "address": "01:00:00:00:00:00"}, errno.EADDRNOTAVAIL, "multicast"),
        ({"kind": "bridge", "address": "00:00:00:00:00:00"}, errno.EADDRNOTAVAIL, "zero"),
        ({"kind": "bridge", "mtu": 3}, errno.EINVAL, "mtu"),
        ({"kind": "bridge", "master": "gone"}, errno.ENODEV, "gone"),
        ({"kind": "bridge", "master": 4711}, errno.EINVAL, "add link a"),
        ({"kind": "bridge", "mcast_igmp_version": 9}, errno.EINVAL, "add link a"),
        ({"kind": "bridge", "index": 1}, errno.EEXIST, "index"),
    ],
    ids=str,
)
def test_what_the_kernel_refuses(rt: nl.RTNetlink, more: dict[str, Any], number: int, word: str) -> None:
    with unchanged(), pytest.raises(nl.NetlinkError) as caught:
        rt.links.add("a", **more)
    assert caught.value.errno in (number, errno.EINVAL, errno.EOPNOTSUPP)
    assert word in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("more", "kind", "word"),
    [
        ({"kind": "veth"}, TypeError, "peer"),
        ({"kind": "veth", "peer": "v1", "ageing_time": 1}, TypeError, "ageing_time"),
        ({"kind": "veth", "peer": 7}, TypeError, "7"),
        ({"kind": "veth", "peer": ""}, ValueError, "''"),
        ({"kind": "veth", "peer": nl.Peer("a/b")}, ValueError, "a/b"),
        ({"kind": "veth", "peer": nl.Peer("b", mtu=-1)}, ValueError, "mtu"),
        ({"kind": "veth", "peer": nl.Peer("b", address="x")}, ValueError, "'x'"),
        ({"kind": "veth", "peer": nl.Peer("b", netns="gone/")}, FileNotFoundError, "gone/"),
        ({"kind": "veth", "peer": nl.Peer("b", netns="..")}, ValueError, ".."),
        ({"kind": "veth", "peer": nl.Peer("b", index=55)}, ValueError, "index of the peer"),
        ({"kind": "veth", "peer": nl.Peer("b", index=0), "index": 54}, ValueError, "index"),
        ({"kind": "bridge", "peer": "v1"}, TypeError, "peer"),
        ({"kind": "bridge", "colour": 1}, TypeError, "colour"),
        ({"kind": "bridge", "ageing_time": "long"}, TypeError, "ageing_time"),
        ({"kind": "ifb", "colour": 1}, TypeError, "colour"),
        ({"kind": "bridge", "mtu": "1500"}, TypeError, "mtu"),
        ({"kind": "bridge", "mtu": -1}, ValueError, "mtu"),
        ({"kind": "bridge", "group": -1}, ValueError, "group"),
        ({"kind": "bridge", "txqueuelen": 1 << 31}, ValueError, "txqueuelen"),
        ({"kind": "bridge", "tx_queues": 0}, ValueError, "tx_queues"),
        ({"kind": "bridge", "rx_queues": 4097}, ValueError, "rx_queues"),
        ({"kind": "bridge", "index": -1}, ValueError, "ind"),
        ({"kind": "bridge", "address": "02:00"}, ValueError, "02:00"),
        ({"kind": "bridge", "altnames": ["a b"]}, ValueError, "a b"),
        ({"kind": "bridge", "altnames": ["x" * 128]}, ValueError, "127"),
        ({"kind": "bridge", "alias": "a\0b"}, ValueError, "alias"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_unsent(
    rt: nl.RTNetlink, more: dict[str, Any], kind: type[Exception], word: str
) -> None:
    with impossible(kind, word):
        rt.links.add("a", **more)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a b", "a:b", "a\0", "à", "sixteen-letters-", "x" * 256]
)
def test_names_that_cannot_be(rt: nl.RTNetlink, name: str) -> None:
    rt.links.add("br0", kind="bridge")
    with impossible(ValueError, "name"):
        rt.links.add(name, kind="bridge")
    with impossible(ValueError, "name"):
        rt.links.set("br0", name=name)
    with impossible(ValueError, "name"):
        rt.links.add("v0", kind="veth", peer=name)


# -- get and list ------------------------------------------------------------------------------------------


def test_get_by_name_index_and_alternative_name(rt: nl.RTNetlink) -> None:
    lo = rt.links.get("lo")
    assert lo == rt.links.get(1) == rt.links.find("lo") and (lo.kind, lo.address, lo.mtu) == (
        "",
        "00:00:00:00:00:00",
        65536,
    )
    assert not lo.up and lo.operstate == "down"


@pytest.mark.parametrize("dev", ["gone", "a-name-of-more-than-fifteen-letters", 4711])
def test_get_what_is_not_there(rt: nl.RTNetlink, dev: str | int) -> None:
    with refused(nl.NetlinkError, errno.ENODEV, f"find link {dev}", "no such interface"):
        rt.links.get(dev)
    assert rt.links.find(dev) is None


@pytest.mark.parametrize("dev", [0, -1, 1 << 31, "", "x" * 128, "a b"])
def test_get_what_names_no_link(rt: nl.RTNetlink, dev: str | int) -> None:
    with impossible(ValueError):
        rt.links.get(dev)


@pytest.mark.parametrize("dev", [None, 1.5, b"lo", True])
def test_get_what_is_no_name(rt: nl.RTNetlink, dev: Any) -> None:
    with impossible(TypeError):
        rt.links.get(dev)


def test_lists_and_their_filters(rt: nl.RTNetlink) -> None:
    rt.links.add("br0", kind="bridge")
    rt.links.add("br1", kind="bridge")
    rt.links.add("v0", kind="veth", peer="v1", master="br0")
    rt.links.set("v1", master="br1")
    assert names(rt) == ["lo", "br0", "br1", "v1", "v0"]
    assert names(rt, kind="bridge") == ["br0", "br1"]
    assert names(rt, kind="veth") == ["v1", "v0"]
    assert names(rt, master="br0") == ["v0"] and names(rt, master=rt.links.get("br1").index) == ["v1"]
    assert names(rt, master="br0", kind="veth") == ["v0"] and names(rt, master="br0", kind="bridge") == []
    with refused(nl.NetlinkError, errno.ENODEV, "gone"):
        rt.links.list(master="gone")


def test_a_filter_that_the_kernel_does_not_know_finds_nothing(rt: nl.RTNetlink) -> None:
    """A kind that it lacks would be ignored, and everything listed."""
    rt.links.add("br0", kind="bridge")
    assert names(rt, kind="colour") == []
    assert names(rt, kind="vlan") == []
    assert names(rt, master=4711) == []


def test_many_links_are_listed_whole(rt: nl.RTNetlink) -> None:
    """Over several datagrams, each with all it has."""
    made = [rt.links.add(f"br{number}", kind="bridge", alias=f"number {number}") for number in range(150)]
    found = rt.links.list(kind="bridge")
    assert [(link.index, link.name, link.alias) for link in found] == [
        (link.index, link.name, link.alias) for link in made
    ]
    assert found == [rt.links.get(link.index) for link in made]


def test_links_as_columns(rt: nl.RTNetlink) -> None:
    bridge = rt.links.add("br0", kind="bridge", mtu=1400)
    rt.links.add("v0", kind="veth", peer="v1", master="br0", address="02:00:00:00:00:01")
    columns = rt.links.columns()
    links = rt.links.list()
    assert list(columns["index"]) == [link.index for link in links]
    assert list(columns["mtu"]) == [link.mtu for link in links]
    assert bytes(columns["name"])[:16] == b"lo".ljust(16, b"\0")
    row = [link.name for link in links].index("v0")
    assert columns["master"][row] == bridge.index and columns["link"][row] == rt.links.get("v1").index
    assert bytes(columns["address"])[row * 32 :][:6] == b"\2\0\0\0\0\1"
    assert len(rt.links.columns(kind="bridge")["index"]) == 1
