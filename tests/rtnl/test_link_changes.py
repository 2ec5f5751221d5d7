"""Links: set, move, delete, alternative names."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest

import netlinkpy as nl
from netlinkpy.uapi.if_link import IN6_ADDR_GEN_MODE_NONE
from tests.support.namespaces import Container
from tests.support.refusals import impossible, refused, unchanged

Containers = Callable[..., list[Container]]


def names(rt: nl.RTNetlink, **filters: Any) -> list[str]:
    return [link.name for link in rt.links.list(**filters)]


def test_set_each_thing(rt: nl.RTNetlink) -> None:
    rt.links.add("br0", kind="bridge")
    rt.links.add("v0", kind="veth", peer="v1")
    index = rt.links.get("v0").index
    rt.links.set("v0", up=True)
    assert rt.links.get("v0").up
    rt.links.set("v0", up=False)
    assert not rt.links.get("v0").up
    rt.links.set(
        "v0", mtu=1400, address="02:00:00:00:00:09", group=3, txqueuelen=7, alias="mine", master="br0"
    )
    link = rt.links.get("v0")
    assert (link.mtu, link.address, link.group, link.txqueuelen, link.alias) == (
        1400,
        "02:00:00:00:00:09",
        3,
        7,
        "mine",
    )
    assert link.master == rt.links.get("br0").index
    rt.links.set("v0", master=0, alias="", group=0)
    link = rt.links.get("v0")
    assert (link.master, link.alias, link.group) == (None, "", 0)
    rt.links.set("v0", name="w0")
    assert rt.links.get("w0").index == index
    rt.links.set(index, name="v0", up=True)
    assert rt.links.get("v0").up


def test_set_by_alternative_name(rt: nl.RTNetlink) -> None:
    rt.links.add("br0", kind="bridge", altnames=["short", "one-of-more-than-fifteen-letters"])
    rt.links.set("short", mtu=1400)
    assert rt.links.get("br0").mtu == 1400
    rt.links.set("one-of-more-than-fifteen-letters", mtu=1300)
    assert rt.links.get("br0").mtu == 1300
    rt.links.set("one-of-more-than-fifteen-letters", name="br1")
    assert rt.links.get("br1").mtu == 1300
    rt.links.delete("one-of-more-than-fifteen-letters")
    assert names(rt) == ["lo"]


def test_set_options_of_a_bridge(rt: nl.RTNetlink) -> None:
    rt.links.add("br0", kind="bridge")
    rt.links.set("br0", stp_state=1, mcast_snooping=False, forward_delay=400)
    data = rt.links.get("br0").data
    assert (data["stp_state"], data["mcast_snooping"], data["forward_delay"]) == (1, 0, 400)
    with refused(nl.NetlinkError, errno.ERANGE, "set link br0"):
        rt.links.set("br0", forward_delay=1)
    with impossible(TypeError, "colour"):
        rt.links.set("br0", colour=1)


def test_set_the_address_generation_mode(rt: nl.RTNetlink, container: Container) -> None:
    """The kernel heeds it only alone: it goes first, so that no address is made in between."""
    rt.links.add("v0", kind="veth", peer="v1", up=True)
    rt.links.set("v1", up=True, addrgenmode=IN6_ADDR_GEN_MODE_NONE)
    assert rt.links.get("v1").attributes["af_spec"]["inet6"]["addr_gen_mode"] == IN6_ADDR_GEN_MODE_NONE
    assert rt.addresses.list(dev="v1") == []
    assert rt.links.get("v1").up


def test_move_to_another_namespace(rt: nl.RTNetlink, containers: Containers) -> None:
    one, two = containers(2)
    rt.links.add("v0", kind="veth", peer="v1")
    rt.links.set("v1", netns=one.pid, name="eth0", mtu=1400)
    with nl.RTNetlink(one.pid) as there:
        assert there.links.get("eth0").mtu == 1400
        with nl.Netns.open(two.path) as handle:
            there.links.set("eth0", netns=handle)
        assert names(there) == ["lo"]
    with nl.RTNetlink(two.pid) as there:
        assert names(there) == ["lo", "eth0"]
    with impossible(ProcessLookupError, "1999999999"):
        rt.links.set("v0", netns=1999999999)
    with impossible(ValueError, "name"):
        rt.links.set("v0", netns="..")


@pytest.mark.parametrize(
    ("more", "number"),
    [
        ({"mtu": 3}, errno.EINVAL),
        ({"address": "01:00:00:00:00:00"}, errno.EADDRNOTAVAIL),
        ({"name": "lo"}, errno.EEXIST),
        ({"master": "v1"}, errno.EINVAL),
        ({"master": 4711}, errno.EINVAL),
        ({"addrgenmode": 99}, errno.EINVAL),
    ],
    ids=str,
)
def test_set_what_the_kernel_refuses(rt: nl.RTNetlink, more: dict[str, Any], number: int) -> None:
    rt.links.add("v0", kind="veth", peer="v1")
    with unchanged(), pytest.raises(nl.NetlinkError, match="set link v0") as caught:
        rt.links.set("v0", **more)
    assert caught.value.errno in (number, errno.EOPNOTSUPP)


@pytest.mark.parametrize(
    "change",
    [
        lambda rt, dev: rt.links.set(dev, up=True),
        lambda rt, dev: rt.links.delete(dev),
        lambda rt, dev: rt.links.add_altnames(dev, ["x"]),
        lambda rt, dev: rt.links.delete_altnames(dev, ["x"]),
    ],
    ids=["set", "delete", "add_altnames", "delete_altnames"],
)
def test_what_is_not_there_cannot_be_changed(
    rt: nl.RTNetlink, change: Callable[[nl.RTNetlink, str | int], object]
) -> None:
    for dev in ("gone", 4711, "a-name-of-more-than-fifteen-letters"):
        with unchanged(), pytest.raises(nl.NetlinkError, match=str(dev)) as caught:
            change(rt, dev)
        assert caught.value.errno in (errno.ENODEV, errno.EINVAL)
    with impossible(ValueError):
        change(rt, 0)


# -- delete and alternative names --------------------------------------------------------------------------


def test_delete_takes_the_other_end_along(rt: nl.RTNetlink, container: Container) -> None:
    rt.links.add("v0", kind="veth", peer=nl.Peer("eth0", netns=container.pid))
    rt.links.delete("v0")
    with nl.RTNetlink(container.pid) as there:
        assert names(there) == ["lo"]
    with refused(nl.NetlinkError, errno.EOPNOTSUPP, "delete link lo"):
        rt.links.delete("lo")


def test_alternative_names(rt: nl.RTNetlink) -> None:
    rt.links.add("br0", kind="bridge")
    many = [f"name-{number}" for number in range(20)]
    rt.links.add_altnames("br0", [*many, "x" * 127, "with:colon"])
    assert sorted(rt.links.get("br0").altnames) == sorted([*many, "x" * 127, "with:colon"])
    assert rt.links.get("x" * 127).name == rt.links.get("with:colon").name == "br0"
    with refused(nl.NetlinkError, errno.EEXIST, "alternative names"):
        rt.links.add_altnames("br0", ["lo"])
    with refused(nl.NetlinkError, errno.EEXIST, "alternative names"):
        rt.links.add_altnames("lo", ["name-0"])
    with impossible(ValueError, "127"):
        rt.links.add_altnames("br0", ["fine", "x" * 128])
    rt.links.delete_altnames("br0", [*many, "with:colon"])
    assert rt.links.get("br0").altnames == ("x" * 127,)
    with unchanged(), pytest.raises(nl.NetlinkError, match="alternative names"):
        rt.links.delete_altnames("br0", ["name-0"])


def test_errors_in_another_namespace_say_where(container: Container) -> None:
    with nl.RTNetlink(container.pid) as there, pytest.raises(nl.NetlinkError) as caught:
        there.links.get("gone")
    assert f"find link gone in process {container.pid}" in str(caught.value)
    assert caught.value.where == f"process {container.pid}"


def test_rtnetlink_has_what_it_has(rt: nl.RTNetlink) -> None:
    assert rt.links is rt.links
    with pytest.raises(AttributeError, match="colours"):
        getattr(rt, "colours")  # noqa: B009
    assert rt.index("lo") == 1 and rt.index(7) == 7
    with pytest.raises(nl.NetlinkError):
        rt.index("gone")
