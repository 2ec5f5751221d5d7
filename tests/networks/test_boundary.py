"""An internal network is closed by routing rules too, which stay when the firewall is flushed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import netlinkpy as nl
from netlinkpy.nat import Nat
from netlinkpy.nat.table import FAMILY, TABLE
from netlinkpy.networks import Network, connect
from netlinkpy.networks.boundary import PROTOCOL
from netlinkpy.nft.tables import Nftables, delete_table
from tests.support.namespaces import Container, ping
from tests.support.nat_testbed import INTERNET, UDP, Testbed, serving
from tests.support.networks_testbed import GATEWAY, GATEWAY6, SUBNET, SUBNET6, outcome_at

Containers = Callable[..., list[Container]]
INSIDE = "172.30.0.5", "fd00:30::ac1e:5"


@pytest.fixture
def street(host: nl.RTNetlink, containers: Containers) -> Iterator[Testbed]:
    """The host, which forwards between all its links, with its uplink and the internet behind."""
    with Nat() as nat:
        yield Testbed(host, nat, containers)


@pytest.fixture
def inner(street: Testbed, containers: Containers) -> list[Container]:
    """Two containers on an internal network that try to leave it; the internet has routes to them."""
    Network.create("inner", subnets=[SUBNET, SUBNET6], internal=True)
    pair = containers(2)
    for last, one in enumerate(pair, 5):
        connect("inner", one.pid, ip=f"172.30.0.{last}", gateways=(GATEWAY, GATEWAY6))
    street.route_back(SUBNET, SUBNET6)
    return pair


def flush() -> None:
    """Do what `nft flush ruleset` does to us."""
    with Nftables() as tables:
        tables.commit([delete_table(FAMILY, TABLE)], verb="flush")


def ours(host: nl.RTNetlink) -> list[nl.Rule]:
    return [rule for rule in host.rules.list() if rule.protocol == PROTOCOL]


def test_a_flush_opens_nothing(street: Testbed, inner: list[Container], containers: Containers) -> None:
    Network.create("other", subnets=["172.31.0.0/16", "fd00:31::/64"])
    (stranger,) = containers(1)
    connect("other", stranger.pid, ip="172.31.0.5")
    street.route_back("172.31.0.0/16", "fd00:31::/64")
    flush()
    for outside, inside, other, gateway in zip(
        INTERNET, INSIDE, ("172.31.0.5", "fd00:31::ac1f:5"), (GATEWAY, GATEWAY6), strict=True
    ):
        assert ping(inner[0], outside) is None and ping(street.internet, inside) is None
        assert ping(inner[0], other) is None and ping(stranger, inside) is None
        assert ping(inner[0], gateway) is not None and ping(inner[1], inside) is not None
        assert ping(stranger, outside) is not None  # who is on no internal network is forwarded


def test_no_datagram_comes_in(street: Testbed, inner: list[Container]) -> None:
    """Its answer would be lost anyway; so the datagram itself must not arrive."""
    flush()
    for inside in INSIDE:
        with (
            serving(inner[0], UDP, inside, 53) as listener,
            serving(street.internet, UDP, "::", 99) as sender,
        ):
            sender.sendto(b"hello", (inside if ":" in inside else f"::ffff:{inside}", 53))
            with pytest.raises(TimeoutError):
                listener.recv(10)
    with serving(inner[0], UDP, INSIDE[0], 53) as listener:
        with serving(inner[1], UDP, "0.0.0.0", 99) as sender:
            sender.sendto(b"hello", (INSIDE[0], 53))
        assert listener.recv(10) == b"hello"


def test_the_host_reaches_it_and_is_reached(street: Testbed, inner: list[Container]) -> None:
    flush()
    assert all(ping(None, inside) is not None for inside in INSIDE)


def test_the_rules_go_with_the_network(host: nl.RTNetlink) -> None:
    before = host.rules.list()
    one, other = (
        Network.create(name, subnets=net, internal=True)
        for name, net in (("inner", SUBNET), ("second", "172.31.0.0/16"))
    )
    assert len(ours(host)) == 8
    one.remove()
    assert {rule.iif for rule in ours(host)} == {"second", "lo", ""}
    other.remove()
    assert host.rules.list() == before
    Network.create("plain", subnets=SUBNET)
    assert host.rules.list() == before


def test_rules_that_are_gone_are_told_and_put_back(street: Testbed, inner: list[Container]) -> None:
    there = ours(street.host)
    street.host.rules.delete(there[0])
    (told,) = Network.get("inner").differences()
    assert told == "the routing rule is gone: rule 32: from all iif inner prohibit"
    flush()
    assert Network.get("inner").reload() and ours(street.host) == there
    assert Network.get("inner").differences() == []


def test_a_renamed_bridge_is_closed_by_its_new_name(street: Testbed, inner: list[Container]) -> None:
    street.host.links.set("inner", name="moved")
    assert len(Network.get("inner").differences()) == 2
    Network.get("inner").reload()
    assert {rule.iif for rule in ours(street.host)} == {"moved", "lo", ""}
    flush()
    assert all(ping(inner[0], outside) is None for outside in INTERNET)


def test_rules_of_a_bridge_that_was_deleted_go_with_the_next_verb(host: nl.RTNetlink) -> None:
    Network.create("inner", subnets=SUBNET, internal=True)
    host.links.delete("inner")
    assert ours(host)
    assert Network.prune() == [] and ours(host) == []


def test_a_create_that_is_killed_leaves_no_rule_after_the_next(host: nl.RTNetlink) -> None:
    before = host.rules.list()
    at = 1
    while (
        outcome_at(at, lambda: Network.create("inner", subnets=[SUBNET, SUBNET6], internal=True)) == "killed"
    ):
        Network.create("inner", subnets=[SUBNET, SUBNET6], internal=True).remove()
        assert host.rules.list() == before, at
        at += 1
    assert at > 20


def test_a_removal_that_is_killed_is_completed(host: nl.RTNetlink) -> None:
    before = host.rules.list()
    made = Network.create("inner", subnets=SUBNET, internal=True)
    at = 1
    while outcome_at(at, made.remove) == "killed":
        Network.prune()
        assert host.rules.list() == before and Network.list() == [], at
        made = Network.create("inner", subnets=SUBNET, internal=True)
        at += 1
    assert at > 5 and host.rules.list() == before
