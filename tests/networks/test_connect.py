"""Containers connected: automatic and given addresses, gateways, MACs, names; packets; what is refused."""

from __future__ import annotations

import errno
import ipaddress
import os
from collections.abc import Callable
from typing import Any

import pytest

import netlinkpy as nl
from netlinkpy.networks import Connection, Network, connect, connect_many, disconnect
from netlinkpy.wiring.link_group import StagingGroup
from tests.support.links import addresses_of, links_of, routes_of
from tests.support.namespaces import BareNamespace, Container, Namespace, ping
from tests.support.networks_testbed import (
    GATEWAY,
    GATEWAY6,
    SUBNET,
    SUBNET6,
    check_restored,
    leftovers,
    outcome_at,
    settle,
)
from tests.support.refusals import refused, unchanged
from tests.support.snapshot import snapshot

Containers = Callable[..., list[Container]]
Bare = Callable[[int], list[BareNamespace]]


@pytest.fixture
def blue(host: nl.RTNetlink) -> Network:
    return Network.create("blue", subnets=SUBNET)


@pytest.fixture
def dual(host: nl.RTNetlink) -> Network:
    return Network.create("dual", subnets=[SUBNET, SUBNET6])


def ip_of(attachment: nl.Attachment, family: int = 0) -> str:
    return attachment.addresses[family].partition("/")[0]


def defaults_of(namespace: Namespace) -> set[str]:
    return {gateway for (destination, _), gateway in routes_of(namespace).items() if destination == "default"}


# -- what it makes -----------------------------------------------------------------------------------------


def test_an_automatic_address_is_one_of_the_subnet(blue: Network, container: Container) -> None:
    one = connect("blue", container.pid)
    address = ipaddress.ip_interface(one.addresses[0])
    assert str(address.network) == SUBNET and str(address.ip) != GATEWAY
    assert one.mac == f"02:42:{address.ip.packed.hex(':')}"
    assert one.gateways == (GATEWAY,) and one.bridge == "blue" and one.ifname == "eth0" and one.ready
    assert addresses_of(container)[0] == one.addresses[0]
    assert ping(container, GATEWAY) is not None


def test_both_families_end_alike(dual: Network, containers: Containers) -> None:
    made = [dual.connect(one.pid) for one in containers(2)]
    for one in made:
        four, six = (ipaddress.ip_interface(text).ip for text in one.addresses)
        assert six.packed[-4:] == four.packed and one.mac == f"02:42:{four.packed.hex(':')}"
        assert one.gateways == (GATEWAY, GATEWAY6)
    assert not Network.get("dual").announces


def test_containers_reach_each_other(dual: Network, containers: Containers) -> None:
    pair = containers(2)
    made = connect_many(dual, [one.pid for one in pair])
    for family in (0, 1):
        assert ping(pair[0], ip_of(made[1], family)) is not None
        assert ping(pair[1], ip_of(made[0], family)) is not None


def test_an_ipv6_network(host: nl.RTNetlink, containers: Containers) -> None:
    Network.create("six", subnets=SUBNET6)
    pair = containers(2)
    made = connect_many("six", [one.pid for one in pair])
    assert all(
        ipaddress.ip_interface(one.addresses[0]).network == ipaddress.ip_network(SUBNET6) for one in made
    )
    assert ping(pair[0], ip_of(made[1])) is not None and ping(pair[0], GATEWAY6) is not None
    assert Network.get("six").announces  # their MACs are random


def test_given_addresses(dual: Network, containers: Containers) -> None:
    first, second, third = containers(3)
    assert dual.connect(first.pid, ip="172.30.9.9").addresses == (
        "172.30.9.9/16",
        "fd00:30::ac1e:909/64",
    )
    both = dual.connect(second.pid, ip=("fd00:30::7", "172.30.9.8"))
    assert set(both.addresses) == {"172.30.9.8/16", "fd00:30::7/64"} and both.mac == "02:42:ac:1e:09:08"
    six = dual.connect(third.pid, ip="fd00:30::5")
    assert six.addresses[0] == "fd00:30::5/64" and six.addresses[1].startswith("172.30.")


def test_the_embedded_address_may_be_taken(dual: Network, containers: Containers) -> None:
    first, second = containers(2)
    dual.connect(first.pid, ip="fd00:30::ac1e:909")
    made = dual.connect(second.pid, ip="172.30.9.9")
    assert made.addresses[0] == "172.30.9.9/16" and made.addresses[1] != "fd00:30::ac1e:909/64"


def test_automatic_addresses_come_from_the_range(host: nl.RTNetlink, bare_namespaces: Bare) -> None:
    Network.create(
        "blue", subnets=SUBNET, ip_ranges="172.30.5.8/29", aux_addresses=["172.30.5.9", "172.30.5.15"]
    )
    places = bare_namespaces(7)
    made = connect_many("blue", [one.path for one in places[:6]])
    assert {ip_of(one) for one in made} == {f"172.30.5.{last}" for last in (8, 10, 11, 12, 13, 14)}
    with refused(
        nl.AttachError, errno.ENOSPC, "network blue is full", "172.30.5.8/29", among=(places[6].fd,)
    ):
        connect("blue", places[6].path)
    assert connect("blue", places[6].path, ip="172.30.200.1").addresses == ("172.30.200.1/16",)


def test_an_address_is_free_again_when_its_container_is_gone(
    host: nl.RTNetlink, containers: Containers
) -> None:
    Network.create("tiny", subnets="172.30.0.0/30")
    first, second = containers(2)
    assert connect("tiny", first.pid).addresses == ("172.30.0.2/30",)
    with refused(nl.AttachError, errno.ENOSPC, "network tiny is full", among=(second,)):
        connect("tiny", second.pid)
    disconnect("tiny", first.pid)
    assert connect("tiny", second.pid).addresses == ("172.30.0.2/30",)


def test_a_network_full_but_for_one(host: nl.RTNetlink, bare_namespaces: Bare) -> None:
    Network.create("small", subnets="172.30.0.0/27")
    places = bare_namespaces(30)
    made = connect_many("small", [one.path for one in places[:28]])
    assert len({ip_of(one) for one in made}) == 28
    last = connect("small", places[28].path)
    assert ip_of(last) not in {ip_of(one) for one in made}
    with refused(nl.AttachError, errno.ENOSPC, "network small is full"):
        connect("small", places[29].path)


def test_a_given_mac(blue: Network, containers: Containers) -> None:
    first, second = containers(2)
    assert blue.connect(first.pid, ip="172.30.0.5", mac="02:00:00:00:00:aa").mac == "02:00:00:00:00:aa"
    assert links_of(first)["eth0"].address == "02:00:00:00:00:aa"
    assert blue.connect(second.pid, mac="random").mac != "random"


@pytest.mark.parametrize("macs", [("02:00:00:00:00:aa", None), (None, "02:00:00:00:00:aa")])
def test_a_recycled_address_with_another_mac_is_reached_at_once(
    blue: Network, containers: Containers, macs: tuple[str | None, str | None]
) -> None:
    neighbour, first, second = containers(3)
    blue.connect(neighbour.pid)
    old = blue.connect(first.pid, ip="172.30.0.5", mac=macs[0])
    assert ping(neighbour, "172.30.0.5") is not None
    nl.detach(old)
    connect("blue", second.pid, ip="172.30.0.5", mac=macs[1])
    assert ping(neighbour, "172.30.0.5") is not None


def test_an_internal_network_gives_no_default_route(host: nl.RTNetlink, container: Container) -> None:
    Network.create("inner", subnets=[SUBNET, SUBNET6], internal=True)
    assert connect("inner", container.pid).gateways == ()
    assert defaults_of(container) == set()
    assert ping(container, GATEWAY) is not None


def test_the_mtu_is_the_networks(host: nl.RTNetlink, containers: Containers) -> None:
    Network.create("low", subnets=SUBNET, mtu=1400)
    one, other = containers(2)
    connect("low", one.pid)
    assert links_of(one)["eth0"].mtu == 1400 and host.links.get("low").mtu == 1400
    Network.create("high", subnets="10.0.0.0/8", mtu=9000)
    connect("high", other.pid)
    assert links_of(other)["eth0"].mtu == 9000 and host.links.get("high").mtu == 9000


def test_other_options(blue: Network, container: Container) -> None:
    one = blue.connect(
        container.pid,
        ip="172.30.0.5",
        ifname="net0",
        host_ifname="host0",
        gateways="172.30.0.77",
        metric=50,
        routes=[("10.0.0.0/8", "172.30.0.78")],
        queues=2,
    )
    assert (one.ifname, one.host_ifname, one.gateways) == ("net0", "host0", ("172.30.0.77",))
    assert routes_of(container)[("default", 50)] == "172.30.0.77"
    assert routes_of(container)[("10.0.0.0/8", 0)] == "172.30.0.78"


def test_the_next_free_name_and_no_second_default_route(
    blue: Network, host: nl.RTNetlink, container: Container
) -> None:
    red = Network.create("red", subnets=["10.0.0.0/8", SUBNET6])
    assert (one := blue.connect(container.pid, ifname=None)).ifname == "eth0" and one.gateways == (GATEWAY,)
    two = red.connect(container.pid, ifname=None)
    assert two.ifname == "eth1" and two.gateways == (GATEWAY6,)
    assert defaults_of(container) == {GATEWAY, GATEWAY6}
    assert red.connect(container.pid, ifname=None) == two.replace(changed=False)
    disconnect(blue, container.pid)
    assert blue.connect(container.pid, ifname=None).ifname == "eth0"


def test_what_is_connected_stays_as_it_is(dual: Network, containers: Containers) -> None:
    """Also automatic addresses: the one that it has is the one that it gets."""
    one, two, new = containers(3)
    wanted = [Connection(one.pid), Connection(two.pid, ifname=None, ip="172.30.0.7")]
    made = connect_many(dual, wanted)
    before = snapshot(), snapshot(one), snapshot(two)
    assert connect_many(dual, wanted) == [each.replace(changed=False) for each in made]
    assert dual.connect(one.pid, ip=made[0].addresses[1].split("/")[0]).addresses == made[0].addresses
    assert (snapshot(), snapshot(one), snapshot(two)) == before
    again = connect_many(dual, [Connection(new.pid), *wanted])
    assert [each.changed for each in again] == [True, False, False]
    with refused(nl.AttachError, errno.EEXIST, "already, but its addresses are", among=(one, two, new)):
        dual.connect(two.pid, ip="172.30.0.8")
    with refused(
        nl.AttachError, errno.EEXIST, "already, but its default gateways are", among=(one, two, new)
    ):
        dual.connect(one.pid, gateways=())


def test_many_of_different_kinds(dual: Network, containers: Containers) -> None:
    places = containers(4)
    made = connect_many(
        dual,
        [
            places[0].pid,
            Connection(places[1].pid, ip="172.30.0.7", mac="random"),
            Connection(places[2].pid, ifname="wan", gateways=()),
            Connection(places[3].pid, ifname=None),
        ],
    )
    assert [one.ifname for one in made] == ["eth0", "eth0", "wan", "eth0"]
    assert made[1].addresses[0] == "172.30.0.7/16" and made[2].gateways == ()


def test_progress_is_told(blue: Network, bare_namespaces: Bare) -> None:
    told: list[tuple[int, int]] = []
    connect_many(
        blue, [one.path for one in bare_namespaces(70)], progress=lambda done, of: told.append((done, of))
    )
    assert told[-1] == (70, 70) and len(told) >= 2


# -- others at the same time -------------------------------------------------------------------------------


def test_an_address_taken_meanwhile_is_replaced(
    blue: Network, containers: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guess is that of an address which somebody claims before we do."""
    from netlinkpy.networks.ipam import AddressPool

    first, second = containers(2)
    blue.connect(first.pid, ip="172.30.0.5")
    guesses = [bytes((172, 30, 0, 5))]
    choose = AddressPool.choose

    def unlucky(self: AddressPool, fixed: Any) -> list[bytes]:
        return [guesses.pop()] if guesses else choose(self, fixed)

    monkeypatch.setattr(AddressPool, "choose", unlucky)
    made = blue.connect(second.pid)
    assert not guesses and ip_of(made) != "172.30.0.5"
    assert ping(second, "172.30.0.5") is not None


def leave_half_made(host: nl.RTNetlink, name: str, *claims: str) -> None:
    """A host end with these claims, as a call leaves it that died."""
    group = StagingGroup()
    host.links.add(name, kind="veth", peer=f"{name}-", group=group.number, altnames=claims)
    group.close()


def test_the_addresses_of_the_dead_are_free(dual: Network, host: nl.RTNetlink, container: Container) -> None:
    leave_half_made(host, "dead", f"ip:{dual.index}:fd00:30::ac1e:5")
    assert dual.connect(container.pid, ip="172.30.0.5").addresses == (
        "172.30.0.5/16",
        "fd00:30::ac1e:5/64",
    )
    assert leftovers(host) == []


def test_a_network_that_is_full_of_the_dead_is_not_full(host: nl.RTNetlink, bare_namespaces: Bare) -> None:
    small = Network.create("small", subnets="172.30.0.0/28")
    for last in (3, 7, 14):
        leave_half_made(host, f"dead{last}", f"ip:{small.index}:172.30.0.{last}")
    made = connect_many("small", [one.path for one in bare_namespaces(13)])
    assert {ip_of(one) for one in made} == {f"172.30.0.{last}" for last in range(2, 15)}
    assert leftovers(host) == []


def test_killed_at_any_moment_it_is_repaired_by_the_same_call(
    host: nl.RTNetlink, containers: Containers
) -> None:
    Network.create("tiny", subnets=["172.30.0.0/30", SUBNET6])
    (one,) = containers(1)

    def work() -> nl.Attachment:
        return connect("tiny", one.pid, ifname=None)

    work()  # its first port changes the bridge for good: a link-local address, sizes
    disconnect("tiny", one.pid)
    settle(one)
    before = snapshot(), snapshot(one)
    at = 0
    while True:
        at += 1
        outcome = outcome_at(at, work)
        if outcome == "killed":
            work()
        assert leftovers(host) == []
        assert ping(one, "172.30.0.1") is not None
        (there,) = disconnect("tiny", one.pid)
        assert there.ifname == "eth0" and there.addresses[0] == "172.30.0.2/30"
        check_restored(before, one)
        if outcome != "killed":
            break
    assert outcome == "done" and at > 10


# -- bad input ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "number", "words"),
    [
        ({"ip": GATEWAY}, errno.EINVAL, [f"address {GATEWAY} is the gateway"]),
        ({"ip": "172.30.0.9"}, errno.EINVAL, ["address 172.30.0.9 is reserved"]),
        ({"ip": "172.30.0.7"}, errno.EEXIST, ["172.30.0.7 is taken"]),
        ({"ip": "172.31.0.7"}, errno.EINVAL, ["address 172.31.0.7 is outside", SUBNET]),
        ({"ip": "fd00::7"}, errno.EINVAL, ["address fd00::7 is outside", SUBNET6]),
        ({"ip": "172.30.0.0"}, errno.EINVAL, ["172.30.0.0", "first or last"]),
        ({"ip": "172.30.255.255"}, errno.EINVAL, ["172.30.255.255", "first or last"]),
        ({"ip": "banana"}, errno.EINVAL, ["'banana' is no IP address"]),
        ({"ip": ("172.30.0.5", "172.30.0.6")}, errno.EINVAL, ["one address of each family"]),
        ({"mac": "01:00:00:00:00:01"}, errno.EINVAL, ["multicast"]),
        ({"gateways": "10.0.0.1"}, errno.ENETUNREACH, ["default route via 10.0.0.1", "invalid gateway"]),
        ({"ip": "172.30.0.5", "gateways": "172.30.0.5"}, errno.EINVAL, ["172.30.0.5", "own address"]),
        ({"ifname": "sixteen-letters-"}, errno.EINVAL, ["sixteen-letters-"]),
        ({"host_ifname": "lo"}, errno.EEXIST, ["lo", "taken"]),
        ({"metric": 0}, errno.EINVAL, ["metric"]),
    ],
)
def test_options_that_cannot_be(
    host: nl.RTNetlink,
    containers: Containers,
    options: dict[str, Any],
    number: int,
    words: list[str],
) -> None:
    Network.create("blue", subnets=[SUBNET, SUBNET6], aux_addresses="172.30.0.9")
    first, second = containers(2)
    connect("blue", first.pid, ip="172.30.0.7")
    settle(first)
    with refused(nl.AttachError, number, *words, among=(first, second)):
        connect("blue", second.pid, **options)


def test_an_unknown_network(blue: Network, container: Container) -> None:
    for name in ("red", "", "net:blue", "a b", "x" * 200):
        with refused(nl.NetlinkError, errno.ENOENT, "find network", "no network", among=(container,)):
            connect(name, container.pid)
        with refused(nl.NetlinkError, errno.ENOENT, "find network", "no network"):
            disconnect(name, container.pid)


def test_a_container_that_is_gone(blue: Network, containers: Containers) -> None:
    (one,) = containers(1)
    pid = one.pid
    one.kill()
    for ifname in ("eth0", None):
        with refused(nl.AttachError, errno.ESRCH, f"no process {pid}"):
            connect("blue", pid, ifname=ifname)
    with refused(ProcessLookupError, errno.ESRCH, f"no process {pid}"):
        disconnect("blue", pid)
    with refused(nl.AttachError, errno.ENOENT, "no namespace green"):
        connect("blue", "green")


def test_the_hosts_own_namespace(blue: Network) -> None:
    with refused(nl.AttachError, errno.EINVAL, "the host's own"):
        connect("blue", os.getpid())


def test_a_container_that_is_not_connected(blue: Network, container: Container) -> None:
    with refused(
        nl.NetlinkError, errno.ENOTCONN, f"process {container.pid}", "network blue", "not connected"
    ):
        disconnect("blue", container.pid)


def test_all_or_nothing(blue: Network, containers: Containers) -> None:
    places = containers(4)
    blue.connect(places[0].pid, ip="172.30.0.7")
    wanted = [
        Connection(places[1].pid),
        Connection(places[2].pid, ip="172.30.0.7"),
        Connection(places[3].pid),
    ]
    with refused(nl.AttachError, errno.EEXIST, "172.30.0.7", among=places):
        connect_many("blue", wanted)
    with unchanged(*places), pytest.raises(nl.AttachError) as caught:
        connect_many("blue", [*wanted, Connection(places[1].pid, ip=GATEWAY), Connection(1, ip="banana")])
    assert [error.position for error in caught.value.failures] == [3, 4]


def test_each_alone(blue: Network, containers: Containers) -> None:
    places = containers(4)
    blue.connect(places[0].pid, ip="172.30.0.7")
    results = connect_many(
        "blue",
        [
            Connection(places[1].pid, ip=GATEWAY),
            Connection(places[1].pid),
            Connection(places[2].pid, ip="172.30.0.7"),
            Connection(0x7FFFFFFF),
            Connection(places[3].pid),
        ],
        on_error="continue",
    )
    numbers = [one.errno if isinstance(one, nl.AttachError) else 0 for one in results]
    assert numbers == [errno.EINVAL, 0, errno.EEXIST, errno.ESRCH, 0]
    assert [one.position for one in results if isinstance(one, nl.AttachError)] == [0, 2, 3]
    assert ping(places[1], ip_of(results[4])) is not None  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="on_error"):
        connect_many("blue", [], on_error="other")  # type: ignore[call-overload]


def test_a_member_whose_namespace_is_ending(
    blue: Network, container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel gives no id of it: -1 (NETNSA_NSID_NOT_ASSIGNED)."""
    blue.connect(container.pid, ip="172.30.0.9")
    monkeypatch.setattr(nl.Link, "peer_nsid", -1)
    (member,) = blue.members()
    assert (member.container, member.ifname, member.addresses) == ("", "", ("172.30.0.9/16",))
    with pytest.raises(nl.NetlinkError, match="in use by 1 container: unknown"):
        blue.remove()
