"""attach_many and detach_many: many shapes at once, several bridges, several interfaces in one container."""

from __future__ import annotations

import resource
from collections.abc import Callable

import pytest

import netlinkpy as nl
from tests.support.links import add_ipv6, addresses_of, links_of, routes_of
from tests.support.namespaces import BareNamespace, Container, entered, ping, ping_all
from tests.support.refusals import unchanged
from tests.support.waiting import eventually
from tests.support.wiring_testbed import (
    ADDRESS,
    BRIDGE,
    GATEWAY,
    address_of,
    check_complete,
    endpoint,
    endpoints,
    make_bridge,
)

Containers = Callable[..., list[Container]]
Bare = Callable[[int], list[BareNamespace]]


def test_none_at_all(host: nl.RTNetlink) -> None:
    with unchanged():
        assert nl.attach_many([]) == []
        assert nl.detach_many([]) == 0


def test_any_iterable_in_order(host: nl.RTNetlink, bare_namespaces: Bare) -> None:
    places = bare_namespaces(70)  # more than one visit's worth
    made = nl.attach_many(one for one in endpoints(places))
    assert [one.addresses for one in made] == [(address_of(number),) for number in range(70)]
    assert [one.netns for one in made] == [f"namespace {place.path}" for place in places]
    assert all(one.ready and one.changed for one in made)
    check_complete(host, endpoints(places))
    assert nl.detach_many(iter(made)) == 70
    assert not host.links.list(kind="veth")
    assert all(sorted(links_of(place)) == ["lo"] for place in places)


def test_what_it_makes_is_what_attach_makes(host: nl.RTNetlink, containers: Containers) -> None:
    """But for names, indices and addresses."""
    places = containers(3)
    many = nl.attach_many(endpoints(places[:2]))
    one = nl.attach(endpoints(places)[2])
    links = [links_of(place)["eth0"] for place in places]
    outers = [host.links.get(attachment.host_index) for attachment in (*many, one)]

    def essence(link: nl.Link) -> dict[object, object]:
        own = (
            "ifname",
            "address",
            "link",
            "ifi_index",
            "linkinfo",
            "prop_list",
            "stats64",
            "stats",
            "perm_address",
            "link_netnsid",
        )
        values = {name: value for name, value in link.attributes.items() if name not in own}
        values["af_spec"] = values["af_spec"]["inet6"]["addr_gen_mode"]
        return values

    assert essence(links[0]) == essence(links[1]) == essence(links[2])
    assert essence(outers[0]) == essence(outers[1]) == essence(outers[2])


def test_different_shapes_in_one_call(host: nl.RTNetlink, containers: Containers) -> None:
    add_ipv6(host, "fd00:17::1/64", dev=BRIDGE)
    make_bridge(host, "br1", "10.1.0.1/24")
    make_bridge(host, "br2")
    places = containers(12)
    more: list[dict[str, object]] = [
        {},
        {"mac": "12:34:56:78:9a:bc"},
        {"gateways": ()},
        {"address": ("172.17.1.3/16", "fd00:17::3/64")},
        {"address": "fd00:17::4/64"},
        {"mtu": 1400},
        {"mtu": 1000, "address": "10.1.0.9/24", "bridge": "br1"},
        {"routes": [("10.9.0.0/16", "172.17.42.7")]},
        {"address": "10.1.0.8/24", "bridge": "br1"},
        {"address": (), "bridge": "br2"},
        {"ifname": "net0", "host_ifname": "A", "metric": 5},
        {},
    ]
    wanted = [
        endpoint(place, **{"address": f"172.17.2.{number}/16", **values})  # type: ignore[arg-type]
        for number, (place, values) in enumerate(zip(places, more, strict=True), 1)
    ]
    made = nl.attach_many(wanted)
    assert [one.ready for one in made] == [True] * 12
    assert made[1].mac == links_of(places[1])["eth0"].address == "12:34:56:78:9a:bc"
    assert ("default", 0) not in routes_of(places[2])
    assert made[3].gateways == (GATEWAY, "fd00:17::1")
    assert addresses_of(places[4])[0] == "fd00:17::4/64"
    assert [links_of(places[number])["eth0"].mtu for number in (4, 5, 6)] == [1500, 1400, 1000]
    assert routes_of(places[7])["10.9.0.0/16", 0] == "172.17.42.7"
    assert made[8].bridge == "br1" and made[8].gateways == ("10.1.0.1",)
    assert addresses_of(places[9]) == []
    assert routes_of(places[10])["default", 5] == GATEWAY and host.links.get("A").index == made[10].host_index
    targets = [GATEWAY] * 12
    targets[4], targets[6], targets[8] = "fd00:17::1", "10.1.0.1", "10.1.0.1"
    pairs = [(place, target) for place, target in zip(places, targets, strict=True)]
    answers = ping_all([pair for number, pair in enumerate(pairs) if number not in (9,)])
    assert None not in answers
    with unchanged():
        again = nl.attach_many(wanted)
    assert [one.changed for one in again] == [False] * 12
    assert [one.host_index for one in again] == [one.host_index for one in made]
    assert nl.detach_many(made) == 12


def test_more_shapes_than_are_kept(host: nl.RTNetlink, bare_namespaces: Bare) -> None:
    """Each shape is its own: the metric of one is never another's."""
    places = bare_namespaces(150)
    wanted = [one.replace(metric=number + 1) for number, one in enumerate(endpoints(places))]
    nl.attach_many(wanted)
    found = [next(metric for target, metric in routes_of(place) if target == "default") for place in places]
    assert found == list(range(1, 151))


def test_several_interfaces_in_one_container(host: nl.RTNetlink, container: Container) -> None:
    make_bridge(host, "br1", "10.1.0.1/24")
    made = nl.attach_many(
        [
            endpoint(container),
            endpoint(container, "10.1.0.7/24", bridge="br1", ifname="eth1", gateways=()),
            endpoint(container, "172.17.42.98/16", ifname="eth2", metric=9),
        ]
    )
    assert [one.index for one in made] == [
        links_of(container)[name].index for name in ("eth0", "eth1", "eth2")
    ]
    assert addresses_of(container, "eth1") == ["10.1.0.7/24"]
    assert ping(container, "10.1.0.1") is not None
    assert ping(container, GATEWAY) is not None


def test_one_container_under_several_names(host: nl.RTNetlink, container: Container) -> None:
    nl.netns.bind("blue", container.pid)
    nl.netns.bind("green", container.pid)
    with nl.Netns.open(container.pid) as handle:
        targets: list[nl.Netns | str | int] = [container.pid, container.path, "blue", "green", handle]
        wanted = [
            endpoint(target, f"172.17.1.{number + 1}/16", ifname=f"eth{number}", metric=number + 1)
            for number, target in enumerate(targets)
        ]
        made = nl.attach_many(wanted)
    assert len({one.index for one in made}) == 5
    assert sorted(links_of(container)) == ["eth0", "eth1", "eth2", "eth3", "eth4", "lo"]


def test_several_bridges(host: nl.RTNetlink, bare_namespaces: Bare) -> None:
    places = bare_namespaces(40)
    for number in range(8):
        make_bridge(host, f"br{number}", f"10.{number}.0.1/24")
    wanted = [
        endpoint(place, f"10.{number % 8}.0.{number // 8 + 2}/24", bridge=f"br{number % 8}")
        for number, place in enumerate(places)
    ]
    nl.attach_many(wanted)
    check_complete(host, wanted)
    pairs = [(place, f"10.{number % 8}.0.1") for number, place in enumerate(places)]
    assert None not in ping_all(pairs)


def test_the_same_net_on_two_bridges(host: nl.RTNetlink, containers: Containers) -> None:
    """The same address in both: each bridge is a world of its own."""
    make_bridge(host, "br1")
    one, two, three = containers(3)
    nl.attach_many(
        [
            endpoint(one, gateways=()),
            endpoint(two, bridge="br1", gateways=()),
            endpoint(three, "172.17.42.98/16", bridge="br1", gateways=()),
        ]
    )
    assert ping(three, ADDRESS) is not None


def test_identical_ones_are_left_and_the_missing_ones_made(host: nl.RTNetlink, bare_namespaces: Bare) -> None:
    places = bare_namespaces(90)
    wanted = endpoints(places)
    first = nl.attach_many(wanted[::3])
    made = nl.attach_many(wanted)
    assert [one.changed for one in made] == [number % 3 != 0 for number in range(90)]
    assert [one.host_index for one in made[::3]] == [one.host_index for one in first]
    check_complete(host, wanted)


def test_progress_goes_up_to_the_end(host: nl.RTNetlink, bare_namespaces: Bare) -> None:
    places = bare_namespaces(130)
    told: list[tuple[int, int]] = []
    nl.attach_many(endpoints(places), progress=lambda done, of: told.append((done, of)))
    assert len(told) >= 3
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert {of for _, of in told} == {130}
    assert told[-1] == (130, 130)


def test_progress_ends_at_the_end_where_all_is_there(host: nl.RTNetlink, bare_namespaces: Bare) -> None:
    wanted = endpoints(bare_namespaces(5))
    nl.attach_many(wanted[:4])
    for part in (wanted[:4], wanted):
        told: list[tuple[int, int]] = []
        nl.attach_many(part, progress=lambda done, of, told=told: told.append((done, of)))  # type: ignore[misc]
        assert told[-1] == (len(part), len(part))


def test_what_progress_raises_rolls_back(host: nl.RTNetlink, bare_namespaces: Bare) -> None:
    places = bare_namespaces(130)

    def stop(done: int, of: int) -> None:
        if done > 64:
            raise KeyboardInterrupt

    with unchanged(*places[:3]), pytest.raises(KeyboardInterrupt):
        nl.attach_many(endpoints(places), progress=stop)
    assert all(sorted(links_of(place)) == ["lo"] for place in places)


def test_a_bridges_fill_and_the_same_again(host: nl.RTNetlink) -> None:
    """What is there needs no room; and it needs few descriptors (a process's usual limit is 1 024)."""
    names = [f"ns{number}" for number in range(1023)]
    nl.netns.create_many(names)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
    try:
        made = nl.attach_many(endpoints(names))
        assert all(one.ready for one in made)
        assert len(host.links.list(master=BRIDGE)) == 1023
        assert not any(one.changed for one in nl.attach_many(endpoints(names)))
        assert nl.detach_many(made) == 1023
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        nl.netns.delete_many(names)
    assert not host.links.list(kind="veth")


def test_namespaces_end_when_the_last_handle_closes(host: nl.RTNetlink) -> None:
    """Neither an attach nor a detach holds a namespace."""
    one, two = BareNamespace(), BareNamespace()
    made = nl.attach_many(endpoints([one, two]))
    with entered(None):
        nl.detach(made[1])
    one.close()
    two.close()
    assert eventually(lambda: not host.links.list(kind="veth"))
