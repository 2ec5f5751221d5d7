"""attach_many where rows fail: all or nothing, or each on its own; and what fails leaves nothing anywhere."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest

import netlinkpy as nl
from netlinkpy.wiring.bridge import Bridge
from netlinkpy.wiring.executor import Executor
from netlinkpy.wiring.recipe import Step
from tests.support.links import addresses_of, links_of
from tests.support.namespaces import BareNamespace, Container, entered, ping_all
from tests.support.refusals import unchanged
from tests.support.wiring_testbed import (
    BRIDGE,
    GATEWAY,
    address_of,
    check,
    check_complete,
    endpoint,
    endpoints,
    make_bridge,
)

Containers = Callable[..., list[Container]]
Bare = Callable[[int], list[BareNamespace]]


Spoil = Callable[[nl.RTNetlink, BareNamespace, nl.Endpoint], nl.Endpoint]


class Case:
    """A row that fails: what spoils it, its errno and the words of its sentence."""

    def __init__(self, name: str, spoil: Spoil, number: int, *words: str) -> None:
        self.name, self.spoil, self.number, self.words = name, spoil, number, words

    def __repr__(self) -> str:
        return self.name


def other(**change: Any) -> Spoil:
    """Another endpoint is wanted."""
    return lambda host, place, one: one.replace(**change)


def take_the_containers_name(host: nl.RTNetlink, place: BareNamespace, one: nl.Endpoint) -> nl.Endpoint:
    with entered(place), nl.RTNetlink() as rt:
        rt.links.add("eth0", kind="bridge")
    return one


def take_the_hosts_name(host: nl.RTNetlink, place: BareNamespace, one: nl.Endpoint) -> nl.Endpoint:
    host.links.add("A", kind="bridge")
    return one.replace(host_ifname="A")


def take_the_address(host: nl.RTNetlink, place: BareNamespace, one: nl.Endpoint) -> nl.Endpoint:
    host.links.add("claimer", kind="bridge", altnames=[claim(host, one)])
    return one


def take_the_default_route(host: nl.RTNetlink, place: BareNamespace, one: nl.Endpoint) -> nl.Endpoint:
    with entered(place), nl.RTNetlink() as rt:
        rt.links.add("br0", kind="bridge", up=True)
        rt.addresses.add("10.0.0.2/24", dev="br0")
        rt.routes.add("default", gateway="10.0.0.1")
    return one


def claim(host: nl.RTNetlink, one: nl.Endpoint) -> str:
    return f"ip:{host.links.get(BRIDGE).index}:{str(one.addresses).partition('/')[0]}"


TWICE = [("10.0.0.0/8", None), ("10.0.0.0/8", GATEWAY)]
CASES = [
    Case("container name taken", take_the_containers_name, errno.EEXIST, "eth0", "taken in the container"),
    Case("host name taken", take_the_hosts_name, errno.EEXIST, "A", "taken on the host"),
    Case("address taken", take_the_address, errno.EEXIST, "172.17.", "claimer"),
    Case("namespace gone", other(netns="gone"), errno.ENOENT, "gone"),
    Case("impossible namespace", other(netns=".."), errno.EINVAL, ".."),
    Case("the host's own", other(netns="/proc/self/ns/net"), errno.EINVAL, "host"),
    Case("no bridge", other(bridge="br9"), errno.ENODEV, "br9"),
    Case("bad address", other(addresses="172.17.42.300/16"), errno.EINVAL, "172.17.42.300"),
    Case("bad gateway", other(gateways="10.0.0.1"), errno.ENETUNREACH, "10.0.0.1", "invalid gateway"),
    Case("multicast MAC", other(mac="01:00:5e:00:00:01"), errno.EINVAL, "01:00:5e:00:00:01"),
    Case("default route there", take_the_default_route, errno.EEXIST, "default route", "metric"),
    Case("route refused", other(routes=TWICE), errno.EEXIST, "10.0.0.0/8"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize(("count", "bad"), [(3, 1), (90, 70)])
def test_all_or_nothing(host: nl.RTNetlink, bare_namespaces: Bare, case: Case, count: int, bad: int) -> None:
    places = bare_namespaces(count)
    wanted = endpoints(places)
    wanted[bad] = case.spoil(host, places[bad], wanted[bad])
    with unchanged(places[0], places[bad]), pytest.raises(nl.AttachError) as caught:
        nl.attach_many(wanted)
    check(caught.value, case.number, *case.words)
    assert caught.value.position == bad
    assert caught.value.endpoint is wanted[bad]
    assert caught.value.failures == (caught.value,)
    assert all(sorted(links_of(place)) == ["lo"] for place in places[:bad])


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize(("count", "bad"), [(3, 1), (90, 70)])
def test_each_on_its_own(host: nl.RTNetlink, bare_namespaces: Bare, case: Case, count: int, bad: int) -> None:
    places = bare_namespaces(count)
    wanted = endpoints(places)
    wanted[bad] = case.spoil(host, places[bad], wanted[bad])
    before = {name: addresses_of(places[bad], name) for name in links_of(places[bad])}
    outcome = nl.attach_many(wanted, on_error="continue")
    error = outcome[bad]
    check(error, case.number, *case.words)
    assert isinstance(error, nl.AttachError) and error.position == bad and error.endpoint is wanted[bad]
    assert {name: addresses_of(places[bad], name) for name in links_of(places[bad])} == before
    good = [one for number, one in enumerate(wanted) if number != bad]
    check_complete(host, good)
    assert [isinstance(one, nl.Attachment) for one in outcome] == [number != bad for number in range(count)]
    pairs = [(place, GATEWAY) for number, place in enumerate(places) if number != bad]
    assert None not in ping_all(pairs)


def test_all_that_failed_are_told(host: nl.RTNetlink, bare_namespaces: Bare) -> None:
    wanted = endpoints(bare_namespaces(8))
    wanted[2] = wanted[2].replace(mtu=1)
    wanted[5] = wanted[5].replace(mac="x")
    with unchanged(), pytest.raises(nl.AttachError) as caught:
        nl.attach_many(wanted)
    assert [error.position for error in caught.value.failures] == [2, 5]
    assert caught.value.position == 2


def test_every_row_fails_on_its_own(host: nl.RTNetlink) -> None:
    with unchanged():
        outcome = nl.attach_many(endpoints(["gone", "lost"]), on_error="continue")
    assert [str(one.errno) for one in outcome if isinstance(one, nl.AttachError)] == ["2", "2"]


def test_another_word_for_on_error(host: nl.RTNetlink) -> None:
    with pytest.raises(ValueError, match="ignore"):
        nl.attach_many([], on_error="ignore")  # type: ignore[call-overload]


# -- twice in one call -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ({"address": "172.17.42.98/16", "metric": 2}, ["endpoint 0", "same container", "eth0"]),
        ({"ifname": "eth1", "metric": 2}, ["endpoint 0", "same address", "172.17.42.99"]),
        (
            {"ifname": "eth1", "address": "172.17.42.98/16", "metric": 2, "host_ifname": "A"},
            ["endpoint 0", "A"],
        ),
    ],
    ids=str,
)
def test_what_two_endpoints_cannot_both_have(
    host: nl.RTNetlink, container: Container, second: dict[str, Any], words: list[str]
) -> None:
    pair = [endpoint(container, host_ifname="A"), endpoint(container, **second)]
    with unchanged(container), pytest.raises(nl.AttachError) as caught:
        nl.attach_many(pair)
    check(caught.value, caught.value.errno or 0, *words)
    assert caught.value.position == 1
    outcome = nl.attach_many(pair, on_error="continue")
    assert isinstance(outcome[0], nl.Attachment) and isinstance(outcome[1], nl.AttachError)
    check_complete(host, pair[:1])


def test_the_same_container_under_two_names(host: nl.RTNetlink, container: Container) -> None:
    nl.netns.bind("blue", container.pid)
    with unchanged(container), pytest.raises(nl.AttachError) as caught:
        nl.attach_many([endpoint(container), endpoint("blue", "172.17.42.98/16", metric=2)])
    check(caught.value, errno.EEXIST, "endpoint 0", "same container", "blue")


# -- no room -----------------------------------------------------------------------------------------------


def test_a_bridge_without_room_for_all(host: nl.RTNetlink, bare_namespaces: Bare) -> None:
    """1 023 ports are the most: three more find room for two."""
    make_bridge(host, "br1", "10.1.0.1/24")
    places = bare_namespaces(1024)
    made = nl.attach_many(endpoints(places[:1021]))
    rest = [endpoint(place, address_of(1021 + number)) for number, place in enumerate(places[1021:])]
    rest.append(endpoint(places[0], "10.1.0.7/24", bridge="br1", ifname="eth1", gateways=()))
    with unchanged(places[0], places[1023]), pytest.raises(nl.AttachError) as caught:
        nl.attach_many(rest)
    check(caught.value, errno.EXFULL, BRIDGE, "2 ports", "3 are wanted")
    assert caught.value.position == 2
    outcome = nl.attach_many(rest, on_error="continue")
    assert [isinstance(one, nl.Attachment) for one in outcome] == [True, True, False, True]
    assert "eth0" not in links_of(places[1023])
    check_complete(host, [*endpoints(places[:1021]), *rest[:2], rest[3]])
    nl.detach_many(made)


def test_more_than_a_bridge_ever_holds_is_refused_before_anything_is_sent(host: nl.RTNetlink) -> None:
    """(The namespaces are not even there.)"""
    wanted = [endpoint(f"gone{number}", address_of(number)) for number in range(1024)]
    with unchanged(), pytest.raises(nl.AttachError) as caught:
        nl.attach_many(wanted)
    check(caught.value, errno.EXFULL, BRIDGE, "1023", "1024")


# -- in the middle of it -----------------------------------------------------------------------------------

STEPS = ["no_ipv6", "see"]


def before_step(monkeypatch: pytest.MonkeyPatch, name: str, act: Callable[[Bridge], None]) -> None:
    """Have act(bridge) called for each bridge before a step on the host is done for many."""
    on_bridge = Executor._on_bridge

    def late(executor: Executor, bridge: Bridge, rows: Any, place: int, step: Step, refusals: Any) -> None:
        if step.name == name:
            act(bridge)
        on_bridge(executor, bridge, rows, place, step, refusals)

    monkeypatch.setattr(Executor, "_on_bridge", late)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("count", [4, 20])
def test_a_link_that_goes_in_the_middle(
    host: nl.RTNetlink, bare_namespaces: Bare, monkeypatch: pytest.MonkeyPatch, step: str, count: int
) -> None:
    """Its container is taken down by somebody else, at two moments; the others are attached all the same."""
    places = bare_namespaces(count)

    def take_down(bridge: Bridge) -> None:
        with entered(places[2]), nl.RTNetlink() as rt:
            rt.links.delete("eth0")

    before_step(monkeypatch, step, take_down)
    outcome = nl.attach_many(endpoints(places), on_error="continue")
    assert isinstance(outcome[2], nl.AttachError)
    check(outcome[2], errno.ENODEV, places[2].path)
    good = [one for number, one in enumerate(endpoints(places)) if number != 2]
    check_complete(host, good)
    nl.detach_many([one for one in outcome if isinstance(one, nl.Attachment)])
    with unchanged(), pytest.raises(nl.AttachError) as caught:
        nl.attach_many(endpoints(places))
    assert caught.value.position == 2
    assert not host.links.list(kind="veth")


def test_a_bridge_that_goes_in_the_middle_is_not_the_others_affair(
    host: nl.RTNetlink, containers: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_bridge(host, "br1", "10.1.0.1/24")
    one, two = containers(2)
    wanted = [endpoint(one, "10.1.0.7/24", bridge="br1"), endpoint(two)]

    def remove(bridge: Bridge) -> None:
        if bridge.name == "br1":
            host.links.delete("br1")

    before_step(monkeypatch, "no_ipv6", remove)
    outcome = nl.attach_many(wanted, on_error="continue")
    assert isinstance(outcome[0], nl.AttachError) and isinstance(outcome[1], nl.Attachment)
    check(outcome[0], errno.ENODEV, "bridge br1 was removed meanwhile")
    check_complete(host, wanted[1:])
    assert sorted(links_of(one)) == ["lo"]


def test_a_container_that_dies_while_its_conflict_is_looked_at_is_not_the_others_affair(
    host: nl.RTNetlink, bare_namespaces: Bare, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them are attached already; one goes between the create that says so and the look at why."""
    places = bare_namespaces(4)
    wanted = endpoints(places)
    nl.attach_many(wanted)
    real = nl.Netns.open.__func__  # type: ignore[attr-defined]
    opened: list[object] = []

    def late(cls: type[nl.Netns], target: object) -> nl.Netns:
        opened.append(target)
        if opened.count(wanted[2].netns) > 1 and target == wanted[2].netns:
            raise ProcessLookupError(errno.ESRCH, "there is no process 2778")
        made: nl.Netns = real(cls, target)
        return made

    monkeypatch.setattr(nl.Netns, "open", classmethod(late))
    outcome = nl.attach_many(wanted, on_error="continue")
    error = outcome.pop(2)
    check(error, errno.ESRCH, "there is no process 2778")
    assert [one.changed for one in outcome if isinstance(one, nl.Attachment)] == [False] * 3
