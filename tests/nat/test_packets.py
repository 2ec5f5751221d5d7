"""Who reaches whom, and as whom: masquerading, published ports, internal and isolated networks, by real
packets."""

from __future__ import annotations

import os
import socket

import pytest

from netlinkpy.nat import Port
from tests.support.nat_testbed import (
    INTERNET,
    PATIENCE,
    TCP,
    UDP,
    UPLINK,
    Testbed,
    passes,
    serving,
    source_seen,
)

FOUR, SIX = "172.17.0.0/16", "fd00:17::/64"
GATEWAYS = "172.17.0.1/16", "fd00:17::1/64"
FIRST = "172.17.0.2/16", "fd00:17::2/64"
SECOND = "172.17.0.3/16", "fd00:17::3/64"
OTHER = "172.18.0.2/16", "fd00:18::2/64"
KINDS = pytest.mark.parametrize("kind", [TCP, UDP], ids=["tcp", "udp"])
FILTERED = pytest.mark.parametrize("filtered", [0, 1], ids=["", "br_netfilter"])
VERSIONS = pytest.mark.parametrize("version", [0, 1], ids=["v4", "v6"])
NAMES: dict[int, str] = {TCP: "tcp", UDP: "udp"}


def bare(addresses: tuple[str, str], version: int) -> str:
    return addresses[version].partition("/")[0]


@pytest.fixture
def plain(testbed: Testbed) -> Testbed:
    """br0 is a masqueraded network."""
    testbed.bridge("br0", *GATEWAYS)
    testbed.nat.add_network("br0", [FOUR, SIX])
    return testbed


@pytest.fixture
def second(plain: Testbed) -> Testbed:
    """br1 has addresses, and is no network yet."""
    plain.bridge("br1", "172.18.0.1/16", "fd00:18::1/64")
    return plain


# -- masquerading ------------------------------------------------------------------------------------------


@VERSIONS
@KINDS
def test_container_reaches_the_internet_as_the_host(plain: Testbed, kind: int, version: int) -> None:
    one = plain.container("br0", *FIRST)
    with serving(plain.internet, kind, INTERNET[version], 7000) as there:
        assert source_seen(one, (INTERNET[version], 7000), there) == UPLINK[version]


@VERSIONS
def test_without_masquerading_it_is_itself_and_open(testbed: Testbed, version: int) -> None:
    testbed.bridge("br0", *GATEWAYS)
    testbed.nat.add_network("br0", [FOUR, SIX], masquerade=False)
    testbed.route_back(FOUR, SIX)
    one = testbed.container("br0", *FIRST)
    address = bare(FIRST, version)
    with serving(testbed.internet, TCP, INTERNET[version], 7000) as there:
        assert source_seen(one, (INTERNET[version], 7000), there) == address
    with serving(one, TCP, address, 80) as inside:
        assert source_seen(testbed.internet, (address, 80), inside) == INTERNET[version]


@VERSIONS
@KINDS
def test_a_neighbour_who_knows_the_way_finds_a_masqueraded_network_closed(
    plain: Testbed, kind: int, version: int
) -> None:
    plain.route_back(FOUR, SIX)
    one = plain.container("br0", *FIRST)
    with serving(one, kind, bare(FIRST, version), 80) as inside:
        assert not passes(plain.internet, (bare(FIRST, version), 80), inside)
        assert passes(None, (bare(FIRST, version), 80), inside)


@VERSIONS
def test_containers_of_two_networks_see_each_other_as_they_are(second: Testbed, version: int) -> None:
    second.nat.add_network("br1", ["172.18.0.0/16", "fd00:18::/64"])
    one, other = second.container("br0", *FIRST), second.container("br1", *OTHER)
    with serving(other, TCP, bare(OTHER, version), 80) as inside:
        assert source_seen(one, (bare(OTHER, version), 80), inside) == bare(FIRST, version)


def show_bridged(filtered: int) -> None:
    """Whether br_netfilter, where it is loaded, shows bridged packets to the packet filter."""
    for name in ("iptables", "ip6tables"):
        path = f"/proc/sys/net/bridge/bridge-nf-call-{name}"
        if os.path.exists(path):
            with open(path, "w") as file:
                file.write(str(filtered))
        elif filtered:
            pytest.skip("br_netfilter is not loaded")


# -- published ports ---------------------------------------------------------------------------------------


def publish(
    testbed: Testbed,
    kind: int,
    version: int,
    host: str = "",
    addresses: tuple[str, str] = FIRST,
    localhost: bool = False,
) -> None:
    testbed.nat.publish([Port(NAMES[kind], 8080, bare(addresses, version), 80, host, localhost)])


@VERSIONS
@KINDS
def test_published_port_from_outside(plain: Testbed, kind: int, version: int) -> None:
    one = plain.container("br0", *FIRST)
    publish(plain, kind, version)
    with serving(one, kind, bare(FIRST, version), 80) as inside:
        assert source_seen(plain.internet, (UPLINK[version], 8080), inside) == INTERNET[version]
        assert not passes(plain.internet, (UPLINK[version], 80), inside)
        assert not passes(plain.internet, (UPLINK[1 - version], 8080), inside)


@VERSIONS
@KINDS
def test_published_port_from_the_host(plain: Testbed, kind: int, version: int) -> None:
    one = plain.container("br0", *FIRST)
    publish(plain, kind, version)
    gateway = bare(GATEWAYS, version)
    with serving(one, kind, bare(FIRST, version), 80) as inside:
        for address in (UPLINK[version], gateway):
            assert source_seen(None, (address, 8080), inside) == gateway


@KINDS
def test_published_port_from_loopback(plain: Testbed, kind: int) -> None:
    one = plain.container("br0", *FIRST)
    publish(plain, kind, 0, localhost=True)
    with serving(one, kind, bare(FIRST, 0), 80) as inside:
        assert source_seen(None, (UPLINK[0], 8080), inside) == bare(GATEWAYS, 0)
        assert source_seen(None, ("127.0.0.1", 8080), inside) == bare(GATEWAYS, 0)
        assert source_seen(None, ("127.8.9.10", 8080), inside) == bare(GATEWAYS, 0)


def test_published_port_on_the_ipv6_loopback_is_refused_at_once(plain: Testbed) -> None:
    one = plain.container("br0", *FIRST)
    publish(plain, TCP, 1)
    with serving(one, TCP, bare(FIRST, 1), 80), socket.socket(socket.AF_INET6) as sock:
        sock.settimeout(PATIENCE)
        with pytest.raises(ConnectionRefusedError):
            sock.connect(("::1", 8080))


@VERSIONS
@KINDS
@FILTERED
def test_published_port_from_the_container_itself_and_its_neighbour(
    plain: Testbed, filtered: int, kind: int, version: int
) -> None:
    show_bridged(filtered)
    one, two = plain.container("br0", *FIRST), plain.container("br0", *SECOND)
    publish(plain, kind, version)
    with serving(one, kind, bare(FIRST, version), 80) as inside:
        for who in (two, one):
            for address in (UPLINK[version], bare(GATEWAYS, version)):
                assert source_seen(who, (address, 8080), inside) == bare(GATEWAYS, version)


@VERSIONS
def test_published_port_from_another_network(second: Testbed, version: int) -> None:
    second.nat.add_network("br1", ["172.18.0.0/16", "fd00:18::/64"])
    one, other = second.container("br0", *FIRST), second.container("br1", *OTHER)
    publish(second, TCP, version)
    with serving(one, TCP, bare(FIRST, version), 80) as inside:
        assert source_seen(other, (UPLINK[version], 8080), inside) == bare(OTHER, version)


@VERSIONS
@KINDS
def test_port_published_at_one_address_is_at_no_other(plain: Testbed, kind: int, version: int) -> None:
    one = plain.container("br0", *FIRST)
    publish(plain, kind, version, UPLINK[version])
    with serving(one, kind, bare(FIRST, version), 80) as inside:
        assert passes(plain.internet, (UPLINK[version], 8080), inside)
        assert not passes(None, (bare(GATEWAYS, version), 8080), inside)


def test_port_published_on_loopback_is_for_the_host_alone(plain: Testbed) -> None:
    one = plain.container("br0", *FIRST)
    publish(plain, TCP, 0, "127.0.0.1", localhost=True)
    with serving(one, TCP, bare(FIRST, 0), 80) as inside:
        assert passes(None, ("127.0.0.1", 8080), inside)
        assert not passes(None, (UPLINK[0], 8080), inside)
        assert not passes(plain.internet, (UPLINK[0], 8080), inside)


def test_a_withdrawn_port_leads_nowhere(plain: Testbed) -> None:
    one = plain.container("br0", *FIRST)
    publish(plain, TCP, 0)
    port = Port("tcp", 8080, "172.17.0.2", 80)
    with serving(one, TCP, bare(FIRST, 0), 80) as inside:
        assert plain.nat.unpublish([port.replace(target=81)]) == []
        assert passes(plain.internet, (UPLINK[0], 8080), inside)
        assert plain.nat.unpublish([port]) == [port]
        assert not passes(plain.internet, (UPLINK[0], 8080), inside)
        assert plain.nat.unpublish([port]) == []


# -- internal and isolated networks ------------------------------------------------------------------------


@VERSIONS
def test_internal_network_exchanges_nothing_with_others(second: Testbed, version: int) -> None:
    second.nat.add_network("br1", ["172.18.0.0/16", "fd00:18::/64"], internal=True)
    second.route_back("172.18.0.0/16", "fd00:18::/64")
    one, inner = second.container("br0", *FIRST), second.container("br1", *OTHER)
    neighbour = second.container("br1", "172.18.0.3/16", "fd00:18::3/64")
    publish(second, TCP, version, addresses=OTHER)
    address = bare(OTHER, version)
    with serving(second.internet, TCP, INTERNET[version], 7000) as there:
        assert not passes(inner, (INTERNET[version], 7000), there)
    with serving(one, TCP, bare(FIRST, version), 80) as outside:
        assert not passes(inner, (bare(FIRST, version), 80), outside)
    with serving(inner, TCP, address, 80) as inside:
        assert not passes(one, (address, 80), inside)
        assert not passes(one, (UPLINK[version], 8080), inside)
        assert not passes(second.internet, (address, 80), inside)
        assert not passes(second.internet, (UPLINK[version], 8080), inside)
        assert passes(neighbour, (address, 80), inside)
        assert passes(None, (UPLINK[version], 8080), inside)


@VERSIONS
def test_isolated_network_exchanges_nothing_with_other_networks(second: Testbed, version: int) -> None:
    second.nat.add_network("br1", ["172.18.0.0/16", "fd00:18::/64"], isolate=True)
    one, apart = second.container("br0", *FIRST), second.container("br1", *OTHER)
    publish(second, TCP, version, addresses=OTHER)
    with serving(second.internet, TCP, INTERNET[version], 7000) as there:
        assert passes(apart, (INTERNET[version], 7000), there)
    with serving(one, TCP, bare(FIRST, version), 80) as outside:
        assert not passes(apart, (bare(FIRST, version), 80), outside)
    with serving(apart, TCP, bare(OTHER, version), 80) as inside:
        assert not passes(one, (bare(OTHER, version), 80), inside)
        assert not passes(one, (UPLINK[version], 8080), inside)
        assert passes(second.internet, (UPLINK[version], 8080), inside)


def test_a_network_may_change_its_mind(second: Testbed) -> None:
    one, other = second.container("br0", *FIRST), second.container("br1", *OTHER)
    with serving(other, TCP, bare(OTHER, 0), 80) as inside:
        for options, open_to_one in (
            ({}, True),
            ({"isolate": True}, False),
            ({"internal": True}, False),
            ({}, True),
        ):
            second.nat.add_network("br1", ["172.18.0.0/16"], **options)
            assert passes(one, (bare(OTHER, 0), 80), inside) is open_to_one


@FILTERED
def test_within_a_network_everything_passes(plain: Testbed, filtered: int) -> None:
    show_bridged(filtered)
    one, two = plain.container("br0", *FIRST), plain.container("br0", *SECOND)
    for options in ({}, {"isolate": True}, {"internal": True}):
        plain.nat.add_network("br0", [FOUR, SIX], **options)
        for version in (0, 1):
            with serving(two, TCP, bare(SECOND, version), 80) as inside:
                assert source_seen(one, (bare(SECOND, version), 80), inside) == bare(FIRST, version)
