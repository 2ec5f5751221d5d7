"""A network whose bridge was renamed by hand is as it was: the packet filter knows it by its index."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import netlinkpy as nl
from netlinkpy.nat import Nat, Port
from netlinkpy.networks import Network, connect, disconnect
from tests.support.namespaces import Container, ping
from tests.support.nat_testbed import INTERNET, TCP, UPLINK, Testbed, claim, serving, source_seen
from tests.support.networks_testbed import SUBNET, SUBNET6

Containers = Callable[..., list[Container]]
PORT = Port("tcp", 8080, "172.30.0.5", 80)


@pytest.fixture
def street(host: nl.RTNetlink, containers: Containers) -> Iterator[Testbed]:
    """The host with its uplink and the internet behind."""
    with Nat() as nat:
        yield Testbed(host, nat, containers)


@pytest.fixture
def inner(street: Testbed, containers: Containers) -> list[Container]:
    """Two containers on an internal network, which try to leave it."""
    Network.create("inner", subnets=[SUBNET, SUBNET6], internal=True)
    pair = containers(2)
    for last, one in enumerate(pair, 5):
        connect("inner", one.pid, ip=f"172.30.0.{last}", gateways=("172.30.0.1", "fd00:30::1"))
    street.route_back(SUBNET, SUBNET6)
    return pair


def test_an_internal_network_stays_shut_off(street: Testbed, inner: list[Container]) -> None:
    street.host.links.set("inner", name="moved")
    for family, target in enumerate(("172.30.0.6", "fd00:30::ac1e:6")):
        assert ping(inner[0], target) is not None
        assert ping(inner[0], INTERNET[family]) is None
    assert ping(street.internet, "172.30.0.5") is None


def test_its_ports_stay(street: Testbed, containers: Containers) -> None:
    Network.create("blue", subnets=SUBNET)
    (one,) = containers(1, loopback=True)
    connect("blue", one.pid, ip="172.30.0.5")
    street.nat.publish([PORT])
    street.host.links.set("blue", name="moved")
    assert Network.prune() == []
    assert [one.bridge for one in street.nat.networks()] == ["moved"] and street.nat.ports() == [PORT]
    with serving(one, TCP, "", 80) as listener:
        assert source_seen(street.internet, (UPLINK[0], 8080), listener) == INTERNET[0]
    assert ping(street.internet, "172.30.0.5") is None


def test_nothing_is_left_when_it_is_removed(host: nl.RTNetlink, container: Container) -> None:
    blue = Network.create("blue", subnets=SUBNET)
    connect("blue", container.pid, ip="172.30.0.5")
    with Nat() as nat:
        nat.publish([PORT])
        host.links.set("blue", name="moved")
        nl.detach(nl.Attachment.find(container.pid))
        blue.remove()
        assert nat.networks() == [] and nat.ports() == [] and nat.remove() is False


def test_two_that_changed_names_and_one_whose_name_another_has(
    host: nl.RTNetlink, containers: Containers
) -> None:
    for number, (name, place) in enumerate(zip(("a", "b", "c"), containers(3), strict=True)):
        Network.create(name, subnets=f"10.{number}.0.0/16", isolate=name == "b")
        connect(name, place.pid)
    for old, new in (("a", "x"), ("b", "a"), ("x", "b"), ("c", "d")):
        host.links.set(old, name=new)
    host.links.add("c", kind="bridge")
    assert Network.prune() == []
    with Nat() as nat:
        assert [(one.bridge, one.subnets, one.isolate) for one in nat.networks()] == [
            ("a", ("10.1.0.0/16",), True),
            ("b", ("10.0.0.0/16",), False),
            ("d", ("10.2.0.0/16",), False),
        ]


def test_the_ports_of_one_that_vanished_are_not_those_of_the_next(host: nl.RTNetlink) -> None:
    Network.create("blue", subnets=SUBNET)
    with Nat() as nat:
        claim("blue", "172.30.0.5")
        nat.publish([PORT])
        host.links.delete("blue")
        Network.create("red", subnets=SUBNET)
        assert [one.bridge for one in nat.networks()] == ["red"] and nat.ports() == []


def test_one_without_addresses_is_not_gone(host: nl.RTNetlink, container: Container) -> None:
    blue = Network.create("blue", subnets=SUBNET)
    connect("blue", container.pid)
    host.addresses.delete("172.30.0.1/16", dev="blue")
    host.links.set("blue", name="moved")
    assert Network.prune() == []
    with Nat() as nat:
        assert [(one.bridge, one.subnets) for one in nat.networks()] == [("moved", (SUBNET,))]
    disconnect(blue, container.pid)
