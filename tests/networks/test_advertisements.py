"""A router advertisement that a container sends changes nothing, neither on the host nor for its neighbours
(CVE-2020-13401)."""

from __future__ import annotations

import socket
import struct
import subprocess
import time
from collections.abc import Callable

import pytest

import netlinkpy as nl
from netlinkpy.netns.handle import Netns
from netlinkpy.networks import Network, connect, connect_many
from netlinkpy.transport.visit import visit
from netlinkpy.wiring import executor
from netlinkpy.wiring.containers import Containers as WiredContainers
from netlinkpy.wiring.row import Row
from tests.support.namespaces import Container, Namespace, entered, ping
from tests.support.networks_testbed import SUBNET, SUBNET6

Containers = Callable[..., list[Container]]
ACCEPT_RA, DEFAULT_RA = "ipv6/conf/{}/accept_ra", "ipv6/conf/default/accept_ra"
ROUTER = "fe80::66"


@pytest.fixture(autouse=True)
def no_router(host: nl.RTNetlink) -> None:
    """The host forwards nothing by itself: who forwards heeds no advertisements."""
    for setting in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        write(setting, "0")


def write(setting: str, value: str) -> None:
    with open(f"/proc/sys/net/{setting}", "w") as file:
        file.write(value)


def read(where: Namespace, setting: str) -> str:
    with entered(where), open(f"/proc/sys/net/{setting}") as file:
        return file.read().strip()


def advertise(liar: Container) -> None:
    """Send an advertisement (RFC 4861, section 4.2) of a default router, a prefix and an MTU to all nodes."""
    with nl.RTNetlink(liar.pid) as there:
        with entered(liar), open("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", "w") as file:
            file.write("0")  # it may be root in there
        there.addresses.add(f"{ROUTER}/64", dev="eth0", nodad=True)
        index = there.links.get("eth0").index
    prefix = struct.pack(
        "!BBBBIII16s", 3, 4, 64, 0xC0, 86400, 86400, 0, socket.inet_pton(socket.AF_INET6, "fd66::")
    )
    mtu = struct.pack("!BBHI", 5, 1, 0, 1400)
    packet = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + prefix + mtu
    with entered(liar):
        sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    with sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        sock.bind((ROUTER, 0, 0, index))
        for _ in range(3):
            sock.sendto(packet, ("ff02::1", 0, 0, index))
            time.sleep(0.02)


def heard(where: Namespace) -> list[str]:
    """Return what a namespace has of the advertisement: routes, addresses."""
    with nl.RTNetlink(where.pid if isinstance(where, Container) else None) as there:
        routes = [
            f"{route.destination} by {route.gateway}"
            for route in there.routes.list(family=socket.AF_INET6)
            if route.gateway == ROUTER or route.destination.startswith("fd66:")
        ]
        return routes + [one.cidr for one in there.addresses.list() if one.address.startswith("fd66:")]


@pytest.mark.parametrize("subnets", [[SUBNET], [SUBNET, SUBNET6]], ids=["ipv4", "dual"])
def test_neither_host_nor_neighbours_heed_it(
    host: nl.RTNetlink, containers: Containers, subnets: list[str]
) -> None:
    Network.create("blue", subnets=subnets)
    liar, one, *many = containers(4)
    connect("blue", one.pid)
    connect_many("blue", [liar.pid, *(other.pid for other in many)])
    Network.create("later", subnets=["172.31.0.0/16", "fd00:31::/64"])
    advertise(liar)
    assert [heard(where) for where in (None, one, *many)] == [[]] * 4
    for where in (one, *many):
        assert read(where, ACCEPT_RA.format("eth0")) == "0"
        assert read(where, "ipv6/conf/eth0/disable_ipv6") == str(2 - len(subnets))
    assert read(None, ACCEPT_RA.format("blue")) == read(None, "ipv6/conf/blue/accept_redirects") == "0"
    assert read(None, "ipv4/conf/blue/accept_redirects") == "0"


def test_the_advertisement_is_one_that_others_heed(host: nl.RTNetlink, containers: Containers) -> None:
    """So that the tests beside this one can fail."""
    host.links.add("br0", kind="bridge", up=True)
    liar, one = containers(2)
    for number, where in enumerate((liar, one)):
        nl.attach(nl.Endpoint(where.pid, "br0", f"10.9.0.{number + 2}/16"))
    with entered(one):
        write(ACCEPT_RA.format("eth0"), "1")
    with nl.RTNetlink(one.pid) as there:
        there.addresses.add("fe80::7/64", dev="eth0", nodad=True)
    advertise(liar)
    assert heard(one)


@pytest.mark.parametrize("count", [1, 3])
def test_on_any_bridge(host: nl.RTNetlink, containers: Containers, count: int) -> None:
    host.links.add("br0", kind="bridge", up=True)
    liar, *others = containers(count + 1)
    nl.attach(nl.Endpoint(liar.pid, "br0", "10.9.0.99/16"))
    made = nl.attach_many(
        nl.Endpoint(one.pid, "br0", (f"10.9.0.{number + 2}/16", f"fd09::{number + 2}/64"))
        for number, one in enumerate(others)
    )
    advertise(liar)
    for one in others:
        assert heard(one) == [] and read(one, ACCEPT_RA.format("eth0")) == "0"
        assert read(one, DEFAULT_RA) == "1" and read(one, "ipv6/conf/eth0/disable_ipv6") == "0"
    assert all(one.notes == () for one in made)


def test_a_host_end_whose_bridge_is_taken_away(host: nl.RTNetlink, container: Container) -> None:
    Network.create("blue", subnets=[SUBNET, SUBNET6])
    made = connect("blue", container.pid)
    host.links.delete("blue")
    host.addresses.add("fe80::9/64", dev=made.host_ifname, nodad=True)
    advertise(container)
    assert heard(None) == [] and read(None, ACCEPT_RA.format(made.host_ifname)) == "0"


@pytest.mark.parametrize("default", ["0", "2"])
def test_the_default_is_what_it_was(host: nl.RTNetlink, container: Container, default: str) -> None:
    host.links.add("br0", kind="bridge", up=True)
    with entered(container):
        write(DEFAULT_RA, default)
    nl.attach(nl.Endpoint(container.pid, "br0", "10.9.0.2/16"))
    assert read(container, DEFAULT_RA) == default and read(container, ACCEPT_RA.format("eth0")) == "0"


@pytest.mark.parametrize("count", [1, 2])
def test_a_default_that_comes_back_too_early(
    host: nl.RTNetlink, containers: Containers, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """As if another attach had put it back: the end's own setting is written."""
    host.links.add("br0", kind="bridge", up=True)
    there = containers(count)
    enter_alone = WiredContainers.enter_alone

    def early(self: WiredContainers, row: Row) -> Netns | None:
        handle = enter_alone(self, row)
        self.unhush()
        return handle

    monkeypatch.setattr(WiredContainers, "enter_alone", early)
    monkeypatch.setattr(executor, "visit", lambda *words, hush, **named: visit(*words, **named))
    made = nl.attach_many(
        nl.Endpoint(one.pid, "br0", f"10.9.0.{number + 2}/16") for number, one in enumerate(there)
    )
    assert all(read(one, ACCEPT_RA.format("eth0")) == "0" for one in there)
    assert all(one.notes == () for one in made)


def test_what_cannot_be_written_is_told_and_no_failure(host: nl.RTNetlink, containers: Containers) -> None:
    host.links.add("br0", kind="bridge", up=True)
    one, other = containers(2)
    subprocess.run(["mount", "--bind", "/proc/sys", "/proc/sys"], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", "/proc/sys"], check=True)
    try:
        made = nl.attach(nl.Endpoint(one.pid, "br0", "10.9.0.2/16"))
        blue = Network.create("blue", subnets=SUBNET, internal=True)
        connected = connect("blue", other.pid)
    finally:
        subprocess.run(["umount", "/proc/sys"], check=True)
    why = "it heeds router advertisements: cannot set net.ipv6.conf.{}.accept_ra: Read-only file system"
    (told,) = made.notes
    assert told.startswith("eth0 of ") and told.endswith(why.format("eth0"))
    assert f"bridge blue: {why.format('blue')}" in blue.notes
    assert any("accept_ra" in note for note in connected.notes)
    assert ping(other, "172.30.0.1") is not None
