"""When two records of the kernel are equal: if they say the same, whatever its clocks say."""

from __future__ import annotations

from typing import Any

import pytest

import netlinkpy as nl
from netlinkpy.rtnl.kernel_record import KernelRecord
from netlinkpy.rtnl.values import parse_ip, parse_mac
from netlinkpy.uapi.neighbour import NTF_SELF, NUD_PERMANENT
from netlinkpy.uapi.netlink import NLM_F_APPEND, NLM_F_CREATE
from netlinkpy.uapi.rtnetlink import RTM_NEWNEIGH
from netlinkpy.uapi.socket import AF_BRIDGE
from netlinkpy.wire.rtnetlink.neighbour import NEIGHBOUR
from tests.support.links import add_quiet
from tests.support.waiting import eventually

MAC = "02:00:00:00:00:01"


def remade(record: Any, **changes: Any) -> Any:
    """The record of the same message with some attributes changed."""
    values = {**record.attributes, **changes}
    return type(record).from_body(type(record)._message.pack(values))


def test_an_address_is_the_same_while_its_lifetime_runs_on(rt: nl.RTNetlink, dev: str) -> None:
    rt.addresses.add("10.0.0.1/24", dev=dev, valid=1000, preferred=500)
    (one,) = rt.addresses.list(dev=dev, family=2)
    clock = one.attributes["cacheinfo"]
    later = remade(one, cacheinfo={**clock, "ifa_valid": 7, "ifa_prefered": 0, "tstamp": 1})
    assert later.valid == 7 and later == one and len({later, one}) == 1
    for other in (remade(one, label="v0:1"), remade(one, rt_priority=7), remade(one, ifa_scope=253)):
        assert other != one and len({other, one}) == 2 and (other == one) is False


def test_a_neighbour_is_the_same_while_it_grows_old(rt: nl.RTNetlink, dev: str) -> None:
    rt.neighbours.add("10.0.0.9", mac=MAC, dev=dev)
    (one,) = rt.neighbours.list(dev=dev)
    clock = one.attributes["cacheinfo"]
    later = remade(one, cacheinfo={**clock, "used": clock["used"] + 100, "refcnt": 3}, probes=4)
    assert later.body != one.body and later == one and hash(later) == hash(one)
    assert remade(one, lladdr=parse_mac("02:00:00:00:00:02")) != one
    assert remade(one, protocol=3) != one


def test_a_bridge_and_its_port_are_the_same_while_timers_run(rt: nl.RTNetlink, dev: str) -> None:
    add_quiet(rt, "br0", kind="bridge", up=True, stp_state=1)
    one = rt.links.get("br0")
    assert eventually(lambda: rt.links.get("br0").body != one.body), "the hello timer runs"
    again = rt.links.get("br0")
    assert again == one and len({again, one}) == 1
    rt.links.set(dev, master="br0")
    port = rt.links.get(dev)
    said = port.attributes["linkinfo"]
    later = {
        **said,
        "slave_data": {**port.port, "message_age_timer": 7, "forward_delay_timer": 8, "hold_timer": 9},
    }
    assert remade(port, linkinfo=later, stats64=bytes(8), carrier_changes=99) == port
    costly = {**said, "slave_data": {**port.port, "cost": 7}}
    assert remade(port, linkinfo=costly) != port
    rt.links.set("br0", ageing_time=4200)
    assert rt.links.get("br0") != one


def test_forwarding_entries_of_two_tunnel_ends_are_two(rt: nl.RTNetlink) -> None:
    index = rt.links.add("x0", kind="vxlan", id=7, local="10.0.0.1", dstport=4789).index
    for end in ("10.0.0.2", "10.0.0.3"):
        values: Any = {"ndm_family": AF_BRIDGE, "ndm_ifindex": index, "ndm_state": NUD_PERMANENT}
        values |= {"ndm_flags": NTF_SELF, "lladdr": bytes(6), "dst": parse_ip(end)}
        rt.socket.request(NEIGHBOUR, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_APPEND, values, verb="add")
    found = [one for one in rt.fdb.list() if one.index == index]
    assert len(found) == len(set(found)) == 2 and found[0] != found[1]
    assert set(found) == {one for one in rt.fdb.list() if one.index == index}


def test_routes_of_other_ways_are_others(rt: nl.RTNetlink, dev: str) -> None:
    rt.addresses.add("10.0.0.1/24", dev=dev)
    found = []
    for last in ("10.0.0.8", "10.0.0.7", "10.0.0.8"):
        ways = [nl.Nexthop("10.0.0.9"), nl.Nexthop(last)]
        rt.routes.add("10.2.0.0/16", nexthops=ways, replace=True)
        found.append(rt.routes.find("10.2.0.0/16"))
    rt.routes.add("10.2.0.0/16", nexthops=ways, replace=True, mtu=1400)
    found.append(rt.routes.find("10.2.0.0/16"))
    assert found[0] == found[2] and len(set(found)) == 3


@pytest.mark.parametrize("table", ["links", "addresses", "routes", "neighbours", "fdb", "rules"])
def test_what_is_listed_again_is_the_same(rt: nl.RTNetlink, dev: str, table: str) -> None:
    rt.links.add("br0", kind="bridge", up=True)
    rt.addresses.add("10.0.0.1/24", dev=dev)
    rt.neighbours.add("10.0.0.9", mac=MAC, dev=dev)
    found: list[KernelRecord] = getattr(rt, table).list()
    again = getattr(rt, table).list()
    assert found and found == again and len({*found, *again}) == len(found)
