"""Routes: gateways, links, metrics, tables, scopes, types, sources, multipath, IPv4 and IPv6."""

from __future__ import annotations

import errno
import socket
from typing import Any

import pytest

import netlinkpy as nl
from tests.support.links import add_ipv6, add_quiet
from tests.support.refusals import impossible, refused, unchanged

FOUR, SIX = socket.AF_INET, socket.AF_INET6


@pytest.fixture
def net(rt: nl.RTNetlink, dev: str) -> nl.RTNetlink:
    """dev has 10.0.0.1/24 and fd00::1/64."""
    rt.addresses.add("10.0.0.1/24", dev=dev)
    add_ipv6(rt, "fd00::1/64", dev=dev)
    return rt


def find(rt: nl.RTNetlink, destination: str, **filters: Any) -> nl.Route:
    """The one route there."""
    (found,) = (route for route in rt.routes.list(**filters) if route.destination == destination)
    return found


# -- IPv4 --------------------------------------------------------------------------------------------------


def test_a_default_route(net: nl.RTNetlink, dev: str) -> None:
    net.routes.add("default", gateway="10.0.0.254")
    found = find(net, "default")
    assert (found.family, found.gateway, found.index, found.metric) == (FOUR, "10.0.0.254", net.index(dev), 0)
    assert (found.table, found.type, found.scope, found.protocol, found.source) == (254, "unicast", 0, 3, "")
    assert found.nexthops == () and found.attributes["rtm_dst_len"] == 0
    net.routes.delete("default")
    assert [route.destination for route in net.routes.list(family=FOUR)] == ["10.0.0.0/24"]


def test_a_route_by_link_has_link_scope(net: nl.RTNetlink, dev: str) -> None:
    net.routes.add("10.1.0.0/16", dev=dev)
    found = find(net, "10.1.0.0/16")
    assert (found.gateway, found.index, found.scope) == ("", net.index(dev), 253)


def test_everything_of_a_route(net: nl.RTNetlink, dev: str) -> None:
    net.routes.add(
        "10.2.0.0/16",
        gateway="10.0.0.254",
        dev=dev,
        metric=77,
        table=100,
        scope=0,
        protocol=99,
        source="10.0.0.1",
        mtu=1300,
    )
    found = find(net, "10.2.0.0/16", table=100)
    assert (found.metric, found.table, found.protocol, found.source) == (77, 100, 99, "10.0.0.1")
    assert found.attributes["metrics"] == {"mtu": 1300}
    net.routes.delete("10.2.0.0/16", gateway="10.0.0.254", dev=dev, metric=77, table=100)
    assert net.routes.list(table=100) == []


@pytest.mark.parametrize("table", [1, 252, 255, 256, 1000, 0xFFFFFFFF])
def test_tables_of_any_number(net: nl.RTNetlink, table: int) -> None:
    net.routes.add("10.2.0.0/16", gateway="10.0.0.254", table=table)
    assert find(net, "10.2.0.0/16", table=table).table == table
    assert "10.2.0.0/16" not in [route.destination for route in net.routes.list()]
    assert "10.2.0.0/16" in [route.destination for route in net.routes.list(table=None)]
    net.routes.delete("10.2.0.0/16", table=table)
    with refused(nl.NetlinkError, errno.ESRCH, "delete route 10.2.0.0/16"):
        net.routes.delete("10.2.0.0/16", table=table)


def test_tables_by_name(net: nl.RTNetlink) -> None:
    assert find(net, "10.0.0.1/32", table="local").type == "local"
    net.routes.add("10.2.0.0/16", gateway="10.0.0.254", table="default")
    assert find(net, "10.2.0.0/16", table="default").table == 253
    assert net.routes.list(table="main") == net.routes.list()


@pytest.mark.parametrize("kind", ["blackhole", "unreachable", "prohibit", "throw"])
@pytest.mark.parametrize("destination", ["10.3.0.0/16", "fd00:3::/64"])
def test_routes_that_lead_nowhere(net: nl.RTNetlink, kind: str, destination: str) -> None:
    net.routes.add(destination, type=kind, metric=9)
    found = find(net, destination)
    assert (found.type, found.gateway, found.metric) == (kind, "", 9)
    if found.family == FOUR:
        assert found.index is None
    net.routes.delete(destination, type=kind)
    assert destination not in [route.destination for route in net.routes.list()]


def test_a_local_route(net: nl.RTNetlink, dev: str) -> None:
    net.routes.add("10.9.0.0/16", dev="lo", type="local", table="local")
    assert (find(net, "10.9.0.0/16", table="local").type, find(net, "10.9.0.0/16", table="local").scope) == (
        "local",
        254,
    )


def test_a_gateway_taken_to_be_on_the_link(net: nl.RTNetlink, dev: str) -> None:
    with unchanged(), pytest.raises(nl.NetlinkError, match=r"add route 10\.4\.0\.0/16") as caught:
        net.routes.add("10.4.0.0/16", gateway="192.168.0.1", dev=dev)
    assert caught.value.errno in (errno.ENETUNREACH, errno.EINVAL)
    net.routes.add("10.4.0.0/16", gateway="192.168.0.1", dev=dev, onlink=True)
    found = find(net, "10.4.0.0/16")
    assert found.gateway == "192.168.0.1" and found.flags & 4  # RTNH_F_ONLINK


def test_multipath(net: nl.RTNetlink, dev: str) -> None:
    hops = [
        nl.Nexthop("10.0.0.2"),
        nl.Nexthop("10.0.0.3", dev=dev, weight=7),
        nl.Nexthop("192.168.0.1", dev=dev, onlink=True, weight=256),
    ]
    net.routes.add("10.5.0.0/16", nexthops=hops, metric=3)
    found = find(net, "10.5.0.0/16")
    index = net.index(dev)
    assert found.nexthops == (
        nl.Nexthop("10.0.0.2", index, 1),
        nl.Nexthop("10.0.0.3", index, 7),
        nl.Nexthop("192.168.0.1", index, 256, onlink=True),
    )
    assert (found.gateway, found.index, found.metric) == ("", None, 3)
    net.routes.delete("10.5.0.0/16")


def test_a_gateway_of_the_other_family(net: nl.RTNetlink, dev: str) -> None:
    """RTA_VIA (RFC 5549)."""
    net.routes.add("10.6.0.0/16", gateway="fd00::254", dev=dev)
    assert find(net, "10.6.0.0/16").gateway == "fd00::254"
    net.routes.add("10.7.0.0/16", nexthops=[nl.Nexthop("fd00::254", dev), nl.Nexthop("10.0.0.2")])
    assert [hop.gateway for hop in find(net, "10.7.0.0/16").nexthops] == ["fd00::254", "10.0.0.2"]
    net.routes.delete("10.6.0.0/16", gateway="fd00::254")


# -- IPv6 --------------------------------------------------------------------------------------------------


def test_an_ipv6_route(net: nl.RTNetlink, dev: str) -> None:
    net.routes.add("fd00:1::/64", gateway="fd00::254", source="fd00::1", mtu=1300, protocol=99)
    found = find(net, "fd00:1::/64")
    assert (found.family, found.gateway, found.index, found.metric) == (
        SIX,
        "fd00::254",
        net.index(dev),
        1024,
    )
    assert (found.source, found.protocol) == ("fd00::1", 99) and found.attributes["metrics"]["mtu"] == 1300
    net.routes.add("fd00:2::/64", dev=dev, metric=5)
    assert find(net, "fd00:2::/64").metric == 5


def test_default_is_of_the_gateways_family(net: nl.RTNetlink, dev: str) -> None:
    net.routes.add("default", gateway="10.0.0.254")
    net.routes.add("default", gateway="fd00::254")
    net.routes.add("default", gateway="fe80::1", dev=dev, metric=7)
    defaults = [
        (route.family, route.gateway) for route in net.routes.list() if route.destination == "default"
    ]
    assert sorted(defaults) == sorted([(FOUR, "10.0.0.254"), (SIX, "fd00::254"), (SIX, "fe80::1")])
    net.routes.delete("::/0", gateway="fd00::254")
    net.routes.delete("0.0.0.0/0")
    assert [route.gateway for route in net.routes.list() if route.destination == "default"] == ["fe80::1"]


def test_ipv6_multipath(net: nl.RTNetlink, dev: str) -> None:
    hops = [nl.Nexthop("fd00::2", dev), nl.Nexthop("fd00::3", dev, weight=3)]
    net.routes.add("fd00:5::/64", nexthops=hops)
    assert [(hop.gateway, hop.weight) for hop in find(net, "fd00:5::/64").nexthops] == [
        ("fd00::2", 1),
        ("fd00::3", 3),
    ]


# -- replace, lists ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("destination", "first", "second"),
    [("10.1.0.0/16", "10.0.0.2", "10.0.0.3"), ("fd00:1::/64", "fd00::2", "fd00::3")],
)
def test_replace(net: nl.RTNetlink, destination: str, first: str, second: str) -> None:
    net.routes.add(destination, gateway=first)
    with refused(nl.NetlinkError, errno.EEXIST, f"add route {destination}"):
        net.routes.add(destination, gateway=second)
    net.routes.add(destination, gateway=second, replace=True)
    assert find(net, destination).gateway == second


def test_lists_and_their_filters(net: nl.RTNetlink, dev: str) -> None:
    add_quiet(net, "w0", kind="veth", peer="w1")
    net.routes.add("10.1.0.0/16", dev="w0")
    net.routes.add("10.2.0.0/16", gateway="10.0.0.2")
    four = [route.destination for route in net.routes.list(family=FOUR)]
    assert four == ["10.0.0.0/24", "10.1.0.0/16", "10.2.0.0/16"]
    assert [route.destination for route in net.routes.list(dev="w0", family=FOUR)] == ["10.1.0.0/16"]
    assert [route.destination for route in net.routes.list(dev=net.index(dev), family=FOUR)] == [
        "10.0.0.0/24",
        "10.2.0.0/16",
    ]
    assert all(route.family == SIX for route in net.routes.list(family=SIX))
    assert {route.table for route in net.routes.list(table=None)} >= {254, 255}
    with refused(nl.NetlinkError, errno.ENODEV, "gone"):
        net.routes.list(dev="gone")
    with impossible(ValueError, "family"):
        net.routes.list(family=99)


def test_a_table_without_routes_is_empty(net: nl.RTNetlink) -> None:
    for family in (0, FOUR, SIX):
        assert net.routes.list(table=4711, family=family) == []


# -- refusals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("destination", "more", "number"),
    [
        ("10.1.0.0/16", {"gateway": "192.168.0.1"}, errno.ENETUNREACH),
        ("10.1.0.0/16", {"dev": 4711}, errno.ENODEV),
        ("10.1.0.0/16", {"dev": "gone"}, errno.ENODEV),
        ("10.1.0.0/16", {}, errno.ENODEV),
        ("10.1.0.0/16", {"gateway": "10.0.0.2", "source": "10.9.9.9"}, errno.EINVAL),
        ("fd00:1::/64", {"gateway": "fd99::1"}, errno.EHOSTUNREACH),
        ("fd00:1::/64", {"gateway": "fe80::1"}, errno.EINVAL),
        ("10.1.0.0/16", {"nexthops": [nl.Nexthop("192.168.0.1")]}, errno.ENETUNREACH),
    ],
    ids=str,
)
def test_what_the_kernel_refuses(
    net: nl.RTNetlink, destination: str, more: dict[str, Any], number: int
) -> None:
    with unchanged(), pytest.raises(nl.NetlinkError) as caught:
        net.routes.add(destination, **more)
    assert caught.value.errno in (number, errno.EINVAL, errno.ENETUNREACH, errno.ENODEV)
    assert "\n" not in str(caught.value)
    assert destination in str(caught.value) or "gone" in str(caught.value)


@pytest.mark.parametrize(
    ("destination", "more", "kind", "word"),
    [
        ("10.1.0.1/16", {}, ValueError, "10.1.0.1/16"),
        ("10.1.0.0/33", {}, ValueError, "33"),
        ("nowhere", {}, ValueError, "nowhere"),
        ("", {}, ValueError, "''"),
        (7, {}, TypeError, "7"),
        ("10.1.0.0/16", {"gateway": "x"}, ValueError, "'x'"),
        ("10.1.0.0/16", {"source": "x"}, ValueError, "'x'"),
        ("10.1.0.0/16", {"source": "fd00::1"}, ValueError, "famil"),
        ("10.1.0.0/16", {"type": "colour"}, ValueError, "colour"),
        ("10.1.0.0/16", {"table": "colour"}, ValueError, "colour"),
        ("10.1.0.0/16", {"table": 0}, ValueError, "table"),
        ("10.1.0.0/16", {"table": 1 << 32}, ValueError, "table"),
        ("10.1.0.0/16", {"metric": -1}, ValueError, "metric"),
        ("10.1.0.0/16", {"scope": 256}, ValueError, "scope"),
        ("10.1.0.0/16", {"protocol": 256}, ValueError, "protocol"),
        ("10.1.0.0/16", {"mtu": -1}, ValueError, "mtu"),
        ("fd00:1::/64", {"scope": 253}, ValueError, "scope"),
        ("10.1.0.0/16", {"gateway": "10.0.0.2", "nexthops": [nl.Nexthop("10.0.0.3")]}, TypeError, "nexthops"),
        ("10.1.0.0/16", {"nexthops": [nl.Nexthop("10.0.0.3", weight=0)]}, ValueError, "weight"),
        ("10.1.0.0/16", {"nexthops": [nl.Nexthop("10.0.0.3", weight=257)]}, ValueError, "weight"),
        ("10.1.0.0/16", {"nexthops": [nl.Nexthop("x")]}, ValueError, "'x'"),
        ("10.1.0.0/16", {"nexthops": [nl.Nexthop("10.0.0.3")], "onlink": True}, ValueError, "onlink"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_unsent(
    net: nl.RTNetlink, destination: Any, more: dict[str, Any], kind: type[Exception], word: str
) -> None:
    with impossible(kind, word):
        net.routes.add(destination, **more)


def test_what_is_not_there_cannot_be_deleted(net: nl.RTNetlink) -> None:
    net.routes.add("10.1.0.0/16", gateway="10.0.0.2", metric=5)
    for destination, more in (
        ("10.2.0.0/16", {}),
        ("10.1.0.0/16", {"gateway": "10.0.0.3"}),
        ("10.1.0.0/16", {"metric": 6}),
        ("10.1.0.0/16", {"table": 7}),
        ("10.1.0.0/16", {"type": "blackhole"}),
        ("fd00:9::/64", {}),
    ):
        with refused(nl.NetlinkError, errno.ESRCH, f"delete route {destination}"):
            net.routes.delete(destination, **more)


def test_many_routes_are_listed_whole(rt: nl.RTNetlink, dev: str) -> None:
    for number in range(700):
        rt.routes.add(f"10.{number // 250}.{number % 250}.0/24", dev=dev, metric=number + 1)
    found = rt.routes.list(dev=dev, family=FOUR)
    assert len(found) == 700 and {route.metric for route in found} == set(range(1, 701))
    columns = rt.routes.columns(dev=dev)
    assert list(columns["metric"]) == [route.metric for route in found]
    assert set(columns["prefix_length"]) == {24} and len(columns["destination"]) == 2800
