"""Packets between containers, networks, the host and an `internet` behind it; who may reach whom."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import netlinkpy as nl
from netlinkpy.nat import Nat, Port
from netlinkpy.networks import Network, connect
from tests.support.namespaces import Container, ping
from tests.support.nat_testbed import INTERNET, TCP, UDP, UPLINK, Testbed, serving, source_seen, uplink
from tests.support.networks_testbed import GATEWAY, GATEWAY6, SUBNET, SUBNET6

Containers = Callable[..., list[Container]]
RED, RED6 = "10.9.0.0/16", "fd00:9::/64"


@pytest.fixture
def street(host: nl.RTNetlink, containers: Containers) -> Iterator[Testbed]:
    """The host with its uplink and the internet behind."""
    with Nat() as nat:
        yield Testbed(host, nat, containers)


def ip_of(attachment: nl.Attachment, family: int = 0) -> str:
    return attachment.addresses[family].partition("/")[0]


@pytest.fixture
def blue(street: Testbed, containers: Containers) -> tuple[Network, Container, nl.Attachment]:
    network = Network.create("blue", subnets=[SUBNET, SUBNET6])
    (one,) = containers(1, loopback=True)
    return network, one, connect("blue", one.pid)


@pytest.mark.parametrize("family", [0, 1])
@pytest.mark.parametrize("kind", [TCP, UDP])
def test_the_internet_sees_the_hosts_address(
    street: Testbed, blue: tuple[Network, Container, nl.Attachment], family: int, kind: int
) -> None:
    _, one, _ = blue
    with serving(street.internet, kind, INTERNET[family], 7) as listener:
        assert source_seen(one, (INTERNET[family], 7), listener) == UPLINK[family]


def test_without_masquerading_it_sees_the_containers(street: Testbed, containers: Containers) -> None:
    Network.create("plain", subnets=[SUBNET, SUBNET6], masquerade=False)
    (one,) = containers(1)
    made = connect("plain", one.pid)
    street.route_back(SUBNET, SUBNET6)
    for family in (0, 1):
        with serving(street.internet, TCP, INTERNET[family], 7) as listener:
            assert source_seen(one, (INTERNET[family], 7), listener) == ip_of(made, family)
        assert ping(street.internet, ip_of(made, family)) is not None


def test_from_outside_nobody_comes_in_unasked(
    street: Testbed, blue: tuple[Network, Container, nl.Attachment]
) -> None:
    _, _, made = blue
    street.route_back(SUBNET, SUBNET6)
    for family in (0, 1):
        assert ping(street.internet, ip_of(made, family)) is None
        assert ping(None, ip_of(made, family)) is not None


def test_an_internal_network_is_shut_off(
    street: Testbed, blue: tuple[Network, Container, nl.Attachment], containers: Containers
) -> None:
    _, outsider, theirs = blue
    Network.create("inner", subnets=[RED, RED6], internal=True)
    pair = containers(2)
    made = [connect("inner", one.pid, gateways=("10.9.0.1", "fd00:9::1")) for one in pair]  # it tries to
    street.route_back(RED, RED6)
    for family, gateway in enumerate(("10.9.0.1", "fd00:9::1")):
        assert ping(pair[0], ip_of(made[1], family)) is not None
        assert ping(pair[0], gateway) is not None
        assert ping(pair[0], INTERNET[family]) is None
        assert ping(street.internet, ip_of(made[0], family)) is None
        assert ping(pair[0], ip_of(theirs, family)) is None
        assert ping(outsider, ip_of(made[0], family)) is None


def test_networks_pass_to_each_other_unless_isolated(
    street: Testbed, blue: tuple[Network, Container, nl.Attachment], containers: Containers
) -> None:
    _, one, mine = blue
    Network.create("red", subnets=[RED, RED6])
    Network.create("alone", subnets=["10.8.0.0/16", "fd00:8::/64"], isolate=True)
    red, alone = containers(2)
    reds, alones = connect("red", red.pid), connect("alone", alone.pid)
    for family in (0, 1):
        assert ping(one, ip_of(reds, family)) is not None
        assert ping(red, ip_of(mine, family)) is not None
        assert ping(one, ip_of(alones, family)) is None
        assert ping(alone, ip_of(mine, family)) is None
        assert ping(alone, INTERNET[family]) is not None


def test_a_port_never_leads_to_a_stranger(
    street: Testbed, blue: tuple[Network, Container, nl.Attachment], containers: Containers
) -> None:
    """The container dies, whoever has its address next does not have its port, however he got it."""
    network, one, made = blue
    port = Port("tcp", 8080, ip_of(made), 80)

    def connected(pid: int) -> nl.Attachment:
        return network.connect(pid, ip=ip_of(made))

    def attached(pid: int) -> nl.Attachment:
        return nl.attach(nl.Endpoint(pid, "blue", (f"{ip_of(made)}/16",)))

    for anew in (connected, attached):
        street.nat.publish([port])
        with serving(one, TCP, "", 80) as listener:
            assert source_seen(street.internet, (UPLINK[0], 8080), listener) == INTERNET[0]
        nl.detach(made)  # as when it dies
        (one,) = containers(1, loopback=True)
        made = anew(one.pid)
        assert street.nat.ports() == []
        with serving(one, TCP, "", 80) as listener:
            assert source_seen(street.internet, (UPLINK[0], 8080), listener) is None


def test_an_address_that_is_refused_leaves_the_ports_of_who_has_it(
    street: Testbed, blue: tuple[Network, Container, nl.Attachment], container: Container
) -> None:
    network, _, made = blue
    street.nat.publish([Port("tcp", 8080, ip_of(made), 80)])
    with pytest.raises(nl.AttachError, match="is taken"):
        network.connect(container.pid, ip=ip_of(made))
    assert [port.port for port in street.nat.ports()] == [8080]


def test_what_was_changed_is_told(loopback: None) -> None:
    uplink()
    (note,) = Network.create("blue", subnets=SUBNET).notes
    assert note.startswith("net.ipv4.conf.up0.forwarding is 1 now, it was 0: packets that arrive there")
    (note,) = Network.create("red", subnets=RED6).notes
    assert note.startswith("net.ipv6.conf.") and "forwarding is 1 now" in note
    assert Network.create("green", subnets="10.77.0.0/16").notes == ()
    assert Network.get("blue").notes == ()


@pytest.mark.needs("nft")
def test_a_chain_of_others_that_drops_is_told(host: nl.RTNetlink) -> None:
    rules = "table inet wall { chain forward { type filter hook forward priority 0; policy drop; }; }"
    subprocess.run(["nft", "-f", "-"], check=True, input=rules, text=True)
    (note,) = Network.create("blue", subnets=SUBNET).notes
    assert "chain forward of table inet wall drops" in note and 'iifname "blue" accept' in note
    assert [text for one in Network.list() for text in one.blocks()] == [note]
    assert Network.get("blue").reload() == [note]
    for handed in ("1", "0"):  # by br_netfilter: what goes between the containers of an internal network
        switch = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
        if switch.exists():
            switch.write_text(handed)
            made = Network.create(f"inner{handed}", subnets=f"10.9.{handed}.0/24", internal=True)
            told = made.blocks()
            assert len(told) == int(handed) and list(made.notes) == told
            assert all(f'iifname "{made.name}" accept' in one and "oifname" not in one for one in told)


def test_the_gateways_answer(blue: tuple[Network, Container, nl.Attachment]) -> None:
    _, one, _ = blue
    assert ping(one, GATEWAY) is not None and ping(one, GATEWAY6) is not None
