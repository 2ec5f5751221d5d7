"""Addresses: add, list, delete; peers, labels, broadcasts, lifetimes, scopes, no DAD, metrics."""

from __future__ import annotations

import errno
import socket
from typing import Any

import pytest

import netlinkpy as nl
from tests.support.links import add_ipv6, add_quiet, await_route
from tests.support.refusals import impossible, refused, unchanged

FOUR, SIX = socket.AF_INET, socket.AF_INET6
PERMANENT, NOPREFIXROUTE = 0x80, 0x200  # IFA_F_


def only(rt: nl.RTNetlink, dev: str, family: int = FOUR) -> nl.Address:
    """The one address of a link."""
    (found,) = rt.addresses.list(dev=dev, family=family)
    return found


def cidrs(rt: nl.RTNetlink, **filters: Any) -> list[str]:
    return [address.cidr for address in rt.addresses.list(**filters)]


# -- IPv4 --------------------------------------------------------------------------------------------------


def test_a_plain_address(rt: nl.RTNetlink, dev: str) -> None:
    rt.addresses.add("172.17.42.1/16", dev=dev)
    found = only(rt, dev)
    assert found.cidr == "172.17.42.1/16"
    assert (found.index, found.family, found.prefix_length) == (rt.index(dev), FOUR, 16)
    assert (found.peer, found.label, found.broadcast, found.scope) == ("", dev, "", 0)
    assert (found.valid, found.preferred, found.flags & PERMANENT) == (None, None, PERMANENT)
    assert not found.tentative and found.attributes["ifa_prefixlen"] == 16


def test_without_a_length_it_is_a_host(rt: nl.RTNetlink, dev: str) -> None:
    rt.addresses.add("172.17.42.1", dev=dev)
    assert only(rt, dev).cidr == "172.17.42.1/32"


@pytest.mark.parametrize(
    ("broadcast", "found"), [("+", "172.17.255.255"), ("172.17.9.9", "172.17.9.9"), (None, "")]
)
def test_broadcasts(rt: nl.RTNetlink, dev: str, broadcast: str | None, found: str) -> None:
    rt.addresses.add("172.17.42.1/16", dev=dev, broadcast=broadcast)
    assert only(rt, dev).broadcast == found


def test_labels_and_scopes(rt: nl.RTNetlink, dev: str) -> None:
    rt.addresses.add("172.17.42.1/16", dev=dev, label=f"{dev}:web", scope=253)
    found = only(rt, dev)
    assert (found.label, found.scope) == (f"{dev}:web", 253)


def test_a_peer(rt: nl.RTNetlink, dev: str) -> None:
    rt.addresses.add("10.0.0.1", dev=dev, peer="10.9.9.9/24")
    found = only(rt, dev)
    assert (found.address, found.peer, found.prefix_length) == ("10.0.0.1", "10.9.9.9", 24)
    assert [route.destination for route in rt.routes.list(family=FOUR)] == ["10.9.9.0/24"]
    rt.addresses.delete("10.0.0.1", dev=dev, peer="10.9.9.9/24")
    assert cidrs(rt, dev=dev, family=FOUR) == []


def test_lifetimes_and_how_they_are_changed(rt: nl.RTNetlink, dev: str) -> None:
    rt.addresses.add("172.17.42.1/16", dev=dev, valid=1000, preferred=500)
    found = only(rt, dev)
    assert found.valid is not None and 990 < found.valid <= 1000
    assert found.preferred is not None and 490 < found.preferred <= 500
    assert not found.flags & PERMANENT
    with refused(nl.NetlinkError, errno.EEXIST, "add address 172.17.42.1/16"):
        rt.addresses.add("172.17.42.1/16", dev=dev)
    rt.addresses.add("172.17.42.1/16", dev=dev, replace=True)
    assert (only(rt, dev).valid, only(rt, dev).preferred) == (None, None)
    rt.addresses.add("172.17.42.1/16", dev=dev, replace=True, valid=100, preferred=0)
    assert only(rt, dev).preferred == 0


def test_the_route_of_the_net_and_its_metric(rt: nl.RTNetlink, dev: str) -> None:
    rt.addresses.add("172.17.42.1/16", dev=dev, metric=77)
    assert [(route.destination, route.metric) for route in rt.routes.list(family=FOUR)] == [
        ("172.17.0.0/16", 77)
    ]
    rt.addresses.add("10.0.0.1/8", dev=dev, prefix_route=False)
    assert len(rt.routes.list(family=FOUR)) == 1
    assert rt.addresses.list(dev=dev)[1].flags & NOPREFIXROUTE


# -- IPv6 --------------------------------------------------------------------------------------------------


def test_an_ipv6_address_without_dad_is_usable_at_once(rt: nl.RTNetlink, dev: str) -> None:
    rt.addresses.add("fd00::1/64", dev=dev, nodad=True)
    rt.addresses.add("fd00::2/64", dev=dev)
    found = {address.address: address for address in rt.addresses.list(dev=dev, family=SIX)}
    assert not found["fd00::1"].tentative and found["fd00::2"].tentative
    assert (found["fd00::1"].cidr, found["fd00::1"].scope, found["fd00::1"].peer) == ("fd00::1/64", 0, "")
    assert len(found) == 2


def test_an_ipv6_peer_and_lifetimes(rt: nl.RTNetlink, dev: str) -> None:
    rt.addresses.add("fd00::1", dev=dev, peer="fd00:9::9/64", valid=1000, preferred=500, nodad=True, metric=9)
    found = only(rt, dev, SIX)
    assert (found.address, found.peer, found.prefix_length) == ("fd00::1", "fd00:9::9", 64)
    assert found.valid is not None and 990 < found.valid <= 1000
    assert await_route(rt, "fd00:9::9/128").metric == 9
    rt.addresses.delete("fd00::1", dev=dev, peer="fd00:9::9/64")
    assert rt.addresses.list(dev=dev, family=SIX) == []


# -- lists -------------------------------------------------------------------------------------------------


def test_lists_and_their_filters(rt: nl.RTNetlink, loopback: None) -> None:
    add_quiet(rt, "br0", kind="bridge")
    add_quiet(rt, "br1", kind="bridge")
    rt.addresses.add("10.0.0.1/8", dev="br0")
    add_ipv6(rt, "fd00::1/64", dev="br0")
    rt.addresses.add("10.1.0.1/16", dev="br1")
    assert cidrs(rt, family=FOUR) == ["127.0.0.1/8", "10.0.0.1/8", "10.1.0.1/16"]
    assert cidrs(rt, dev="br1", family=FOUR) == ["10.1.0.1/16"]
    assert "fd00::1/64" in cidrs(rt, dev=rt.index("br0")) and "10.0.0.1/8" in cidrs(rt, dev="br0")
    assert cidrs(rt, dev="lo") == ["127.0.0.1/8", "::1/128"]
    with refused(nl.NetlinkError, errno.ENODEV, "gone"):
        rt.addresses.list(dev="gone")
    with unchanged(), pytest.raises(nl.NetlinkError):
        rt.addresses.list(dev=4711)


def test_an_index_that_none_has_does_not_list_all(rt: nl.RTNetlink, loopback: None) -> None:
    for ask in (rt.addresses.list, rt.routes.list, rt.neighbours.list):
        for dev in (0, -1, True):
            with impossible(TypeError if dev is True else ValueError, "index"):
                ask(dev=dev)


# -- refusals ----------------------------------------------------------------------------------------------


def test_what_is_there_and_what_is_not(rt: nl.RTNetlink, dev: str) -> None:
    rt.addresses.add("10.0.0.1/8", dev=dev)
    add_ipv6(rt, "fd00::1/64", dev=dev)
    with refused(nl.NetlinkError, errno.EEXIST, f"add address 10.0.0.1/8 to {dev}"):
        rt.addresses.add("10.0.0.1/8", dev=dev)
    with refused(nl.NetlinkError, errno.EEXIST, "fd00::1/64"):
        rt.addresses.add("fd00::1/64", dev=dev, nodad=True)
    for address in ("10.0.0.2/8", "10.0.0.1/16", "fd00::2/64"):
        with refused(nl.NetlinkError, errno.EADDRNOTAVAIL, f"delete address {address} of {dev}"):
            rt.addresses.delete(address, dev=dev)
    with refused(nl.NetlinkError, errno.ENODEV, "gone"):
        rt.addresses.add("10.0.0.1/8", dev="gone")
    with refused(nl.NetlinkError, errno.ENODEV):
        rt.addresses.add("10.0.0.1/8", dev=4711)


@pytest.mark.parametrize(
    ("address", "more", "kind", "word"),
    [
        ("10.0.0.300/8", {}, ValueError, "10.0.0.300"),
        ("10.0.0.1/33", {}, ValueError, "33"),
        ("fd00::1/129", {}, ValueError, "129"),
        ("", {}, ValueError, "''"),
        (7, {}, TypeError, "7"),
        ("10.0.0.1/8", {"peer": "fd00::1"}, ValueError, "families"),
        ("10.0.0.1/8", {"nodad": True}, ValueError, "nodad"),
        ("fd00::1/64", {"broadcast": "+"}, ValueError, "broadcast"),
        ("fd00::1/64", {"label": "v0:x"}, ValueError, "label"),
        ("fd00::1/64", {"scope": 253}, ValueError, "scope"),
        ("10.0.0.1/8", {"broadcast": "fd00::1"}, ValueError, "fd00::1"),
        ("10.0.0.1/8", {"broadcast": "x"}, ValueError, "'x'"),
        ("10.0.0.1/8", {"label": "sixteen-letters-"}, ValueError, "15"),
        ("10.0.0.1/8", {"label": ""}, ValueError, "''"),
        ("10.0.0.1/8", {"scope": 256}, ValueError, "scope"),
        ("10.0.0.1/8", {"metric": -1}, ValueError, "metric"),
        ("10.0.0.1/8", {"valid": 0}, ValueError, "valid"),
        ("10.0.0.1/8", {"valid": 5, "preferred": 6}, ValueError, "preferred"),
        ("10.0.0.1/8", {"valid": "5"}, TypeError, "valid"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_unsent(
    rt: nl.RTNetlink, dev: str, address: Any, more: dict[str, Any], kind: type[Exception], word: str
) -> None:
    with impossible(kind, word):
        rt.addresses.add(address, dev=dev, **more)


def test_addresses_as_columns(rt: nl.RTNetlink, dev: str) -> None:
    for number in range(300):
        rt.addresses.add(f"10.0.{number // 200}.{number % 200 + 1}/24", dev=dev)
    columns = rt.addresses.columns(dev=dev)
    listed = rt.addresses.list(dev=dev, family=FOUR)
    assert len(listed) == 300 and set(columns["index"]) == {rt.index(dev)}
    assert list(columns["prefix_length"]) == [24] * 300
    packed = bytes(columns["address"])
    assert [socket.inet_ntoa(packed[row * 4 : row * 4 + 4]) for row in range(300)] == [
        one.address for one in listed
    ]
