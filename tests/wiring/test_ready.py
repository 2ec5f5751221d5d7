"""On return the first packet passes, or the Attachment says why not; and the packets of others go on."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import Any

import pytest

import netlinkpy as nl
from netlinkpy.wiring.attachment import warnings
from netlinkpy.wiring.executor import Executor
from tests.support.links import add_ipv6, links_of, routes_of
from tests.support.namespaces import BareNamespace, Container, entered, ping, ping_all
from tests.support.waiting import eventually
from tests.support.wiring_testbed import (
    ADDRESS,
    BRIDGE,
    GATEWAY,
    address_of,
    endpoint,
    endpoints,
    make_bridge,
)

Containers = Callable[..., list[Container]]
Bare = Callable[[int], list[BareNamespace]]
DEADLINE = 100.0  # milliseconds


# -- the first packet --------------------------------------------------------------------------------------


def test_the_first_packet_after_each_of_200_attaches(host: nl.RTNetlink, bare_namespaces: Bare) -> None:
    answered = []
    for number, bare in enumerate(bare_namespaces(200)):
        nl.attach(endpoint(bare, address_of(number)))
        answered.append(ping(bare, GATEWAY, DEADLINE) is not None)
    assert answered.count(True) == 200


def test_the_first_packet_to_each_of_50_containers(host: nl.RTNetlink, bare_namespaces: Bare) -> None:
    answered = []
    for number, bare in enumerate(bare_namespaces(50)):
        nl.attach(endpoint(bare, address_of(number)))
        answered.append(ping(None, address_of(number).removesuffix("/16"), DEADLINE) is not None)
    assert answered.count(True) == 50


def test_the_first_packet_from_200_containers_attached_at_once(
    host: nl.RTNetlink, bare_namespaces: Bare
) -> None:
    places = bare_namespaces(200)
    nl.attach_many(endpoints(places))
    answers = ping_all([(place, GATEWAY) for place in places], DEADLINE)
    assert sum(answer is not None for answer in answers) == 200


def test_the_first_packet_over_a_bridge_that_only_now_gets_a_carrier(
    host: nl.RTNetlink, bare_namespaces: Bare
) -> None:
    """It has a port already, but a dead one: the kernel puts off its carrier change, and drops what it sends
    until then."""
    answered = []
    for number, bare in enumerate(bare_namespaces(60)):
        bridge = make_bridge(host, f"br{number}", f"10.{number}.0.1/24")
        host.links.add(f"v{number}", kind="veth", peer=f"w{number}", master=bridge.index, up=True)
        nl.attach(endpoint(bare, f"10.{number}.0.2/24", bridge=bridge.name))
        assert host.links.list(kind="bridge")[-1].operstate == "up"  # a dump completes nothing
        answered.append(ping(bare, f"10.{number}.0.1", DEADLINE) is not None)
    assert answered.count(True) == 60


@pytest.mark.parametrize("direction", ["out", "in"])
def test_the_first_ipv6_packet(host: nl.RTNetlink, bare_namespaces: Bare, direction: str) -> None:
    add_ipv6(host, "fd00:17::1/64", dev=BRIDGE)
    answered = []
    for number, bare in enumerate(bare_namespaces(100), 16):
        nl.attach(endpoint(bare, f"fd00:17::{number:x}/64"))
        place, target = (bare, "fd00:17::1") if direction == "out" else (None, f"fd00:17::{number:x}")
        answered.append(ping(place, target, DEADLINE) is not None)
    assert answered.count(True) == 100


def test_an_ipv6_address_is_the_containers_own_on_return(host: nl.RTNetlink, bare_namespaces: Bare) -> None:
    """The kernel makes it so (it adds the route of the table "local") a little after it acked the address."""
    add_ipv6(host, "fd00:17::1/64", dev=BRIDGE)
    own = []
    for number, bare in enumerate(bare_namespaces(50), 16):
        address = f"fd00:17::{number:x}"
        with nl.RTNetlink(bare.path) as rt:
            nl.attach(endpoint(bare, f"{address}/64"))
            own.append(f"{address}/128" in [route.destination for route in rt.routes.list(table="local")])
    assert own.count(True) == 50


# -- not ready, and said -----------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 12])
def test_a_bridge_that_is_down_is_said(host: nl.RTNetlink, bare_namespaces: Bare, count: int) -> None:
    host.links.set(BRIDGE, up=False)
    places = bare_namespaces(count)
    for one in nl.attach_many(endpoints(places)):
        assert one.port == "disabled" and not one.ready
        assert one.changed
        (told,) = warnings(one)
        assert f"{BRIDGE} is down" in told and "\n" not in told
    if count > 1:
        assert ping(places[1], GATEWAY) is None
    host.links.set(BRIDGE, up=True)
    assert eventually(lambda: ping(places[0], GATEWAY, 1000) is not None)


@pytest.mark.parametrize("count", [1, 12])
def test_stp_that_still_listens_or_learns_is_said(
    host: nl.RTNetlink, bare_namespaces: Bare, count: int
) -> None:
    make_bridge(host, "br1", "10.1.0.1/24", stp_state=1, forward_delay=200)  # two seconds, the least
    places = bare_namespaces(count)
    wanted = [endpoint(place, f"10.1.0.{number + 2}/24", bridge="br1") for number, place in enumerate(places)]
    began = time.monotonic()
    made = nl.attach_many(wanted)
    assert time.monotonic() - began < 1.5  # not waited out in silence
    for one in made:
        assert one.port == "listening" and not one.ready
        (told,) = warnings(one)
        assert "STP" in told and "br1" in told
    if count == 1:
        return
    time.sleep(2.2)
    again = nl.attach(wanted[0])
    assert (again.port, again.changed) == ("learning", False)
    assert "learns" in warnings(again)[0]
    assert eventually(lambda: nl.attach(wanted[0]).ready)
    assert ping(places[0], "10.1.0.1") is not None


def test_a_forwarding_port_is_no_cause_for_a_warning(host: nl.RTNetlink, container: Container) -> None:
    one = nl.attach(endpoint(container))
    assert one.ready and warnings(one) == []


# -- the others --------------------------------------------------------------------------------------------


def test_the_mac_of_the_bridge_stays(host: nl.RTNetlink, containers: Containers) -> None:
    """A bridge left alone takes its lowest port's MAC: here the first port's, until that goes."""
    one, two = containers(2)
    before = host.links.get(BRIDGE).address
    first = nl.attach(endpoint(one))
    host.links.set(first.host_index, address="02:00:00:00:00:01")  # the lowest
    second = nl.attach(endpoint(two, "172.17.42.98/16"))
    assert ping(two, GATEWAY) is not None  # so it has the bridge's MAC in its cache
    assert nl.detach(first)
    assert host.links.get(BRIDGE).address == before
    assert ping(two, GATEWAY) is not None
    assert nl.detach(second)
    assert host.links.get(BRIDGE).address == before


def test_the_mac_of_a_bridge_with_ports_of_others_stays(host: nl.RTNetlink, container: Container) -> None:
    """It is a stranger's port's: it stays so when the stranger goes."""
    host.links.add("v0", kind="veth", peer="v1", master=BRIDGE, address="02:00:00:00:00:01", up=True)
    assert host.links.get(BRIDGE).address == "02:00:00:00:00:01"
    nl.attach(endpoint(container))
    assert ping(container, GATEWAY) is not None
    host.links.delete("v0")
    assert host.links.get(BRIDGE).address == "02:00:00:00:00:01"
    assert ping(container, GATEWAY) is not None


def test_settings_of_the_bridge_are_not_ours_to_change(host: nl.RTNetlink, container: Container) -> None:
    def settings() -> dict[object, object]:
        data = host.links.get(BRIDGE).data
        weather = ("timer", "topology", "root_id")
        return {name: data[name] for name in data if not any(word in str(name) for word in weather)}

    before, link = settings(), host.links.get(BRIDGE)
    assert len(before) > 30
    one = nl.attach(endpoint(container))
    assert settings() == before
    nl.detach(one)
    assert settings() == before
    after = host.links.get(BRIDGE)
    assert (after.mtu, after.up, after.group) == (link.mtu, link.up, link.group)


def test_containers_reach_each_other(host: nl.RTNetlink, containers: Containers) -> None:
    one, two = containers(2)
    nl.attach_many(endpoints([one, two]))
    assert ping(one, address_of(1).removesuffix("/16")) is not None
    assert ping(two, address_of(0).removesuffix("/16")) is not None


# -- the end -----------------------------------------------------------------------------------------------


def test_when_the_container_exits_all_of_it_goes(host: nl.RTNetlink, containers: Containers) -> None:
    one, two = containers(2)
    first = nl.attach(endpoint(one))
    nl.attach(endpoint(two, "172.17.42.98/16"))
    one.kill()
    assert eventually(lambda: first.host_ifname not in links_of(None))
    assert len(host.links.list(master=BRIDGE)) == 1
    assert ping(two, GATEWAY) is not None
    one = containers(1)[0]
    assert nl.attach(endpoint(one)).changed  # the address is free again
    assert ping(one, GATEWAY) is not None
    assert not nl.detach(first)


def test_when_the_containers_link_goes_the_host_end_goes(host: nl.RTNetlink, container: Container) -> None:
    one = nl.attach(endpoint(container))
    with entered(container), nl.RTNetlink() as rt:
        rt.links.delete("eth0")
    assert one.host_ifname not in links_of(None)
    assert not nl.detach(one)


def test_when_the_bridge_goes_the_endpoint_stays_and_may_be_detached(
    host: nl.RTNetlink, container: Container
) -> None:
    one = nl.attach(endpoint(container))
    host.links.delete(BRIDGE)
    found = nl.Attachment.find(container.pid)
    assert (found.bridge, found.port, found.host_index) == ("", "none", one.host_index)
    assert routes_of(container)["default", 0] == GATEWAY
    assert nl.detach(one)
    assert sorted(links_of(container)) == ["lo"]


@pytest.mark.parametrize("count", [1, 2])
def test_a_bridge_that_goes_in_the_middle(
    host: nl.RTNetlink, containers: Containers, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Deleted between the look at it and the enslaving; of one endpoint alone, before anything is made."""
    name = "_run_alone" if count == 1 else "_on_bridge"
    step = getattr(Executor, name)

    def late(*arguments: Any) -> Any:
        if BRIDGE in [link.name for link in host.links.list()]:
            host.links.delete(BRIDGE)
        return step(*arguments)

    monkeypatch.setattr(Executor, name, late)
    places = containers(count)
    with pytest.raises(nl.AttachError) as caught:
        nl.attach_many([endpoint(one, address_of(number)) for number, one in enumerate(places)])
    assert caught.value.errno in (errno.ENODEV, errno.EINVAL) and BRIDGE in str(caught.value)
    assert all(sorted(links_of(one)) == ["lo"] for one in places)
    assert not host.links.list(kind="veth")
    assert ADDRESS not in str(host.addresses.list())
