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
from tests.support.nat_testbed import Testbed, claim

FOUR, SIX = "172.17.0.0/16", "fd00:17::/64"
FORCES = os.path.exists("/proc/sys/net/ipv6/conf/all/force_forwarding")  # since Linux 6.17


def forwards(link: str, version: int) -> Setting:
    last = "forwarding" if version == 4 else "force_forwarding"
    name = (
        "net.ipv6.conf.all.forwarding"
        if version == 6 and not FORCES
        else f"net.ipv{version}.conf.{link}.{last}"
    )
    return Setting(name, "0", "1")


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
    assert bridge.add_network("br0", [FOUR]) == [forwards("br0", 4)]
    assert bridge.add_network("br0", [FOUR, SIX]) == [forwards("br0", 6)]
    assert bridge.add_network("br0", [FOUR, SIX]) == []
    assert setting("ipv4/ip_forward") == "0"
    assert str(forwards("br0", 4)) == (
        "net.ipv4.conf.br0.forwarding is 1 now, it was 0: packets that arrive there for others are forwarded"
    )


def test_internal_network_needs_none(bridge: Nat) -> None:
    assert bridge.add_network("br0", [FOUR, SIX], internal=True) == []
    assert (setting("ipv4/ip_forward"), setting("ipv6/conf/all/forwarding")) == ("0", "0")


def test_bridge_that_does_not_forward_is_told_to(bridge: Nat) -> None:
    write("ipv4/ip_forward", "1")
    write("ipv4/conf/br0/forwarding", "0")
    assert bridge.add_network("br0", [FOUR]) == [Setting("net.ipv4.conf.br0.forwarding", "0", "1")]
    assert setting("ipv4/conf/br0/forwarding") == "1"


def links_that_forward() -> set[str]:
    """The links, by IP version, from which the host forwards."""
    found = set()
    for version, last in ((4, "forwarding"), (6, "force_forwarding" if FORCES else "forwarding")):
        for link in os.listdir(f"/proc/sys/net/ipv{version}/conf"):
            if setting(f"ipv{version}/conf/{link}/{last}") == "1":
                found.add(f"{link} {version}")
    return found


@pytest.mark.skipif(not FORCES, reason="before Linux 6.17 IPv6 forwarding is for all links")
def test_only_the_links_that_need_it_forward(testbed: Testbed) -> None:
    """The host becomes no router between its other links; with the last network all is as before."""
    testbed.bridge("br0", "172.17.0.1/16", "fd00:17::1/64")
    testbed.bridge("br1", "172.18.0.1/16")
    testbed.host.links.add("lan", kind="bridge", up=True)
    testbed.host.addresses.add("198.51.100.1/24", dev="lan")
    names = {link.name: link.altnames for link in testbed.host.links.list()}
    told = testbed.nat.add_network("br0", [FOUR, SIX])
    assert links_that_forward() == {"br0 4", "br0 6", "up0 4", "up0 6"}
    assert set(told) == {forwards(link, version) for link in ("br0", "up0") for version in (4, 6)}
    testbed.nat.add_network("br1", ["172.18.0.0/16"])
    claim("br1", "172.18.0.2")
    (told_port,) = testbed.nat.publish([Port("tcp", 80, "172.18.0.2", 80, "198.51.100.1")])
    assert told_port == forwards("lan", 4)
    told = testbed.nat.remove_network("br0")
    assert sorted(one.name for one in told) == [
        "net.ipv4.conf.br0.forwarding",
        "net.ipv6.conf.br0.force_forwarding",
        "net.ipv6.conf.up0.force_forwarding",
    ]
    assert links_that_forward() == {"up0 4", "lan 4", "br1 4"}
    testbed.nat.remove_network("br1")
    assert links_that_forward() == set()
    assert {link.name: link.altnames for link in testbed.host.links.list() if link.name in names} == names


def test_what_forwarded_before_forwards_after(testbed: Testbed) -> None:
    testbed.bridge("br0", "172.17.0.1/16", "fd00:17::1/64")
    write("ipv4/ip_forward", "1")
    write("ipv6/conf/all/forwarding", "1")
    told = testbed.nat.add_network("br0", [FOUR, SIX])
    assert [one for one in told if one.name != "net.ipv6.conf.br0.force_forwarding"] == (
        [forwards("up0", 6)] if FORCES else []
    )
    testbed.nat.remove_network("br0")
    assert setting("ipv4/conf/up0/forwarding") == setting("ipv6/conf/all/forwarding") == "1"


def test_a_default_route_that_comes_later_is_found(testbed: Testbed) -> None:
    testbed.bridge("br0", "172.17.0.1/16")
    testbed.nat.add_network("br0", [FOUR])
    testbed.host.links.add("up1", kind="bridge", up=True)
    testbed.host.addresses.add("198.51.100.1/24", dev="up1")
    testbed.host.routes.add("default", gateway="198.51.100.2", metric=7)
    assert testbed.nat.forward() == [forwards("up1", 4)]
    assert testbed.nat.forward() == []


def test_forwarding_that_another_program_turned_off_is_turned_on_again(testbed: Testbed) -> None:
    testbed.bridge("br0", "172.17.0.1/16")
    testbed.nat.add_network("br0", [FOUR])
    write("ipv4/ip_forward", "1")
    write("ipv4/ip_forward", "0")
    assert set(testbed.nat.forward()) == {forwards("br0", 4), forwards("up0", 4)}
    testbed.nat.remove_network("br0")
    assert setting("ipv4/conf/up0/forwarding") == "0"


def test_the_host_is_a_router_when_asked(bridge: Nat) -> None:
    told = bridge.forward_all()
    assert told == [
        Setting("net.ipv4.ip_forward", "0", "1"),
        Setting("net.ipv6.conf.all.forwarding", "0", "1"),
    ]
    assert "the host forwards between all its links" in str(told[0])
    assert bridge.forward_all() == []


def test_name_with_a_dot_is_spelled_as_sysctl_does(bridge: Nat) -> None:
    with nl.RTNetlink() as rt:
        rt.links.add("br.7", kind="bridge")
    write("ipv4/ip_forward", "1")
    write("ipv4/conf/br.7/forwarding", "0")
    assert bridge.add_network("br.7", [FOUR]) == [Setting("net.ipv4.conf.br/7.forwarding", "0", "1")]


@pytest.mark.parametrize("again", [False, True], ids=["new", "changed"])
def test_network_is_as_before_where_a_setting_cannot_be_written(read_only: Nat, again: bool) -> None:
    before = []
    if again:
        read_only.add_network("br0", [FOUR], internal=True)
        before = read_only.networks()
    refused = r"cannot set net\.ipv6\.conf\.\w+\.\w+ to 1: Read-only file system"
    with pytest.raises(OSError, match=refused):
        read_only.add_network("br0", [FOUR, SIX])
    assert read_only.networks() == before
    assert links_that_forward() == set()
    assert read_only.remove() is False


def test_ipv4_forwarding_needs_no_proc(read_only: Nat) -> None:
    assert read_only.add_network("br0", [FOUR]) == [forwards("br0", 4)]
    assert links_that_forward() == {"br0 4"}


def test_port_is_not_published_where_a_setting_cannot_be_written(read_only: Nat) -> None:
    read_only.add_network("br0", [FOUR], internal=True)
    claim("br0", "172.17.0.2")
    with pytest.raises(OSError, match=r"cannot set net\.ipv4\.conf\.br0\.route_localnet to 1"):
        read_only.publish([Port("tcp", 8080, "172.17.0.2", 80, localhost=True)])
    assert read_only.ports() == read_only.named_ports() == []


@pytest.mark.skipif(not os.path.exists("/proc/sys/net/ipv6"), reason="this kernel has no IPv6")
def test_default_route_from_an_advertisement_outlives_ipv6_forwarding(testbed: Testbed) -> None:
    """A host that lives by router advertisements would lose its way out, as the kernel is told to forward."""
    testbed.bridge("br0", "fd00:17::1/64")
    advertise(testbed)
    assert advertised(testbed)
    told = testbed.nat.add_network("br0", [SIX])
    assert advertised(testbed)
    if FORCES:
        assert set(told) == {forwards("br0", 6), forwards("up0", 6)}
    else:
        assert told == [Setting("net.ipv6.conf.up0.accept_ra", "1", "2"), forwards("up0", 6)]
    testbed.nat.remove_network("br0")
    assert setting("ipv6/conf/up0/accept_ra") == "1"


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
