"""Settings under /proc/sys/net: changed where networks need it, told, and put back where a call fails."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator

import pytest

import netlinkpy as nl
from netlinkpy.nat import Nat, Port, Setting
from netlinkpy.uapi.mount import MS_BIND, MS_RDONLY, MS_REMOUNT
from tests.support.namespaces import entered, mount, unmount
from tests.support.nat_testbed import Testbed

FOUR, SIX = "172.17.0.0/16", "fd00:17::/64"
IP_FORWARD = Setting("net.ipv4.ip_forward", "0", "1")
IPV6_FORWARDING = Setting("net.ipv6.conf.all.forwarding", "0", "1")


def setting(name: str) -> str:
    with open(f"/proc/sys/net/{name}") as file:
        return file.read().strip()


def write(name: str, value: str) -> None:
    with open(f"/proc/sys/net/{name}", "w") as file:
        file.write(value)


@pytest.fixture
def bridge(nat: Nat) -> Nat:
    """br0 is there, and no network yet."""
    with nl.RTNetlink() as rt:
        rt.links.add("br0", kind="bridge", up=True)
    return nat


@pytest.fixture
def read_only(bridge: Nat) -> Iterator[Nat]:
    """/proc/sys cannot be written, as in many containers."""
    mount("/proc/sys", "/proc/sys", None, MS_BIND)
    try:
        mount("none", "/proc/sys", None, MS_REMOUNT | MS_BIND | MS_RDONLY)
        yield bridge
    finally:
        unmount("/proc/sys")


def test_forwarding_is_turned_on_for_the_versions_in_use(bridge: Nat) -> None:
    assert bridge.add_network("br0", [FOUR]) == [IP_FORWARD]
    assert (setting("ipv4/ip_forward"), setting("ipv6/conf/all/forwarding")) == ("1", "0")
    assert bridge.add_network("br0", [FOUR, SIX]) == [IPV6_FORWARDING]
    assert bridge.add_network("br0", [FOUR, SIX]) == []
    assert str(IP_FORWARD) == "net.ipv4.ip_forward is 1 now, it was 0"


def test_internal_network_needs_none(bridge: Nat) -> None:
    assert bridge.add_network("br0", [FOUR, SIX], internal=True) == []
    assert (setting("ipv4/ip_forward"), setting("ipv6/conf/all/forwarding")) == ("0", "0")


def test_bridge_that_does_not_forward_is_told_to(bridge: Nat) -> None:
    write("ipv4/ip_forward", "1")
    write("ipv4/conf/br0/forwarding", "0")
    assert bridge.add_network("br0", [FOUR]) == [Setting("net.ipv4.conf.br0.forwarding", "0", "1")]
    assert setting("ipv4/conf/br0/forwarding") == "1"


def test_name_with_a_dot_is_spelled_as_sysctl_does(bridge: Nat) -> None:
    with nl.RTNetlink() as rt:
        rt.links.add("br.7", kind="bridge")
    write("ipv4/ip_forward", "1")
    write("ipv4/conf/br.7/forwarding", "0")
    assert bridge.add_network("br.7", [FOUR]) == [Setting("net.ipv4.conf.br/7.forwarding", "0", "1")]


def test_route_localnet_for_all_suffices(bridge: Nat) -> None:
    write("ipv4/conf/all/route_localnet", "1")
    bridge.add_network("br0", [FOUR])
    assert bridge.publish([Port("tcp", 8080, "172.17.0.2", 80)]) == []


@pytest.mark.parametrize("again", [False, True], ids=["new", "changed"])
def test_network_is_as_before_where_a_setting_cannot_be_written(read_only: Nat, again: bool) -> None:
    before = []
    if again:
        read_only.add_network("br0", [FOUR], internal=True)
        before = read_only.networks()
    with pytest.raises(OSError, match=r"cannot set net\.ipv4\.ip_forward to 1: Read-only file system"):
        read_only.add_network("br0", [FOUR, SIX])
    assert read_only.networks() == before
    assert read_only.remove() is False


def test_port_is_not_published_where_a_setting_cannot_be_written(read_only: Nat) -> None:
    read_only.add_network("br0", [FOUR], internal=True)
    with pytest.raises(OSError, match=r"cannot set net\.ipv4\.conf\.br0\.route_localnet to 1"):
        read_only.publish([Port("tcp", 8080, "172.17.0.2", 80)])
    assert read_only.ports() == []


@pytest.mark.skipif(not os.path.exists("/proc/sys/net/ipv6"), reason="this kernel has no IPv6")
def test_default_route_from_an_advertisement_outlives_ipv6_forwarding(testbed: Testbed) -> None:
    """A host that lives by router advertisements would lose its way out, as the kernel is told to forward."""
    testbed.bridge("br0", "fd00:17::1/64")
    advertise(testbed)
    assert advertised(testbed)
    told = testbed.nat.add_network("br0", [SIX])
    assert told == [Setting("net.ipv6.conf.up0.accept_ra", "1", "2"), IPV6_FORWARDING]
    assert advertised(testbed)


@pytest.mark.skipif(not os.path.exists("/proc/sys/net/ipv6"), reason="this kernel has no IPv6")
def test_without_care_it_would_not(testbed: Testbed) -> None:
    advertise(testbed)
    assert advertised(testbed)
    write("ipv6/conf/all/forwarding", "1")
    assert not advertised(testbed)


def advertised(testbed: Testbed) -> bool:
    return any(route.gateway == "fe80::2" for route in testbed.host.routes.list(family=socket.AF_INET6))


def advertise(testbed: Testbed) -> None:
    """The internet's end of the uplink says that it is a router (RFC 4861, 4.2), for half an hour."""
    with entered(testbed.internet):
        sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        index = socket.if_nametoindex("eth0")
    with sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        sock.bind(("fe80::2", 0, 0, index))
        sock.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0), ("ff02::1", 0, 0, index))
    deadline = time.monotonic() + 1
    while not advertised(testbed) and time.monotonic() < deadline:
        time.sleep(0.01)
