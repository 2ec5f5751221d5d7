"""What was listed is deleted by its record: just this, and nothing that looks like it."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest

import netlinkpy as nl
from netlinkpy.uapi.socket import AF_INET, AF_INET6


@pytest.fixture
def rt(loopback: None) -> Iterator[nl.RTNetlink]:
    with nl.RTNetlink() as host:
        for name in ("a", "b"):
            host.links.add(name, kind="bridge", up=True)
        host.addresses.add("192.0.2.1/24", dev="a")
        host.addresses.add("2001:db8::1/64", dev="a", nodad=True)
        host.addresses.add("198.51.100.1/24", dev="b")
        yield host


def test_each_route(rt: nl.RTNetlink) -> None:
    rt.routes.add("default", gateway="192.0.2.2")
    rt.routes.add("default", gateway="192.0.2.3", metric=7)
    rt.routes.add("default", gateway="2001:db8::2")
    rt.routes.add("default", nexthops=[nl.Nexthop("2001:db8::3"), nl.Nexthop("2001:db8::4")], metric=9)
    rt.routes.add("default", dev="b", table=99)
    rt.routes.add("default", type="blackhole", table=300, family=AF_INET6)
    rt.routes.add("10.0.0.0/8", nexthops=[nl.Nexthop("192.0.2.2"), nl.Nexthop("198.51.100.2")])
    rt.routes.add("203.0.113.0/24", type="unreachable")
    made = [route for route in rt.routes.list(table=None) if route.protocol == 3]
    assert len(made) >= 8
    for route in made:
        before = rt.routes.list(table=None)
        rt.routes.delete(route)
        now = rt.routes.list(table=None)
        assert [one for one in before if one not in now] == [route]
        with pytest.raises(nl.NetlinkError) as caught:
            rt.routes.delete(route)
        assert caught.value.errno == errno.ESRCH


def test_default_is_of_the_family_that_is_said(rt: nl.RTNetlink) -> None:
    rt.routes.add("default", gateway="192.0.2.2")
    rt.routes.add("default", dev="a", family=AF_INET6)
    found = rt.routes.find("default", family=AF_INET6)
    assert found is not None and found.family == AF_INET6
    rt.routes.delete("default", family=AF_INET6)
    assert rt.routes.find("default", family=AF_INET6) is None
    assert rt.routes.find("default", family=AF_INET) is not None
    with pytest.raises(ValueError):
        rt.routes.delete("default", family=99)
    with pytest.raises(ValueError):
        rt.routes.delete("10.0.0.0/8", family=AF_INET6)


def test_addresses_neighbours_entries_links(rt: nl.RTNetlink) -> None:
    rt.addresses.add("10.0.0.1", dev="a", peer="10.0.0.2/32")
    for address in rt.addresses.list(dev="a"):
        before = rt.addresses.list()
        rt.addresses.delete(address)
        assert [one for one in before if one not in rt.addresses.list()] == [address]
    rt.neighbours.add("198.51.100.7", mac="02:00:00:00:00:07", dev="b")
    (neighbour,) = [one for one in rt.neighbours.list(dev="b") if one.address == "198.51.100.7"]
    rt.neighbours.delete(neighbour)
    assert rt.neighbours.find("198.51.100.7", dev="b") is None
    port = rt.links.add("v0", kind="veth", peer=nl.Peer("v1"), master="a")
    rt.fdb.add("02:00:00:00:00:08", dev="v0")
    (entry,) = [one for one in rt.fdb.list(bridge="a") if one.mac == "02:00:00:00:00:08"]
    rt.fdb.delete(entry)
    assert entry.mac not in [one.mac for one in rt.fdb.list(bridge="a")]
    rt.links.set("v0", name="w0")
    rt.links.delete(port)
    assert rt.links.find("w0") is None
    for verb in (rt.addresses.delete, rt.neighbours.delete, rt.fdb.delete):
        with pytest.raises(TypeError, match="needs dev"):
            verb("10.0.0.1")


@pytest.mark.parametrize(
    ("cidr", "broadcast"),
    [
        ("10.128.0.2/31", ""),
        ("10.128.0.2/32", ""),
        ("10.128.0.2/30", "10.128.0.3"),
        ("10.1.2.3/8", "10.255.255.255"),
    ],
)
def test_the_highest_address_is_no_broadcast_of_two(rt: nl.RTNetlink, cidr: str, broadcast: str) -> None:
    rt.addresses.add(cidr, dev="b", broadcast="+")
    found = rt.addresses.find(cidr, dev="b")
    assert found is not None and found.broadcast == broadcast
