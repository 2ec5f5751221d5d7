"""What attach() does where something is in the way: an identical endpoint, a half-made one, a stranger."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

import netlinkpy as nl
from netlinkpy.wiring.link_group import StagingGroup
from tests.support.crash import Attacher, interrupted
from tests.support.links import add_ipv6, links_of
from tests.support.namespaces import Container, ping
from tests.support.refusals import unchanged
from tests.support.wiring_testbed import (
    ADDRESS,
    BRIDGE,
    GATEWAY,
    check_complete,
    endpoint,
    make_bridge,
    refused,
)

Containers = Callable[..., list[Container]]
SIX = "fd00:17::99/64"


# -- identical ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"mac": "12:34:56:78:9a:bc", "host_ifname": "A", "ifname": "eth9"},
        {"mac": "random"},
        {"gateways": ()},
        {"gateways": "172.17.42.7"},
        {"address": ()},
        {"address": ("172.17.42.99/16", "10.1.0.7/24")},
        {"routes": [("10.1.0.0/16", "172.17.42.7"), ("10.2.0.0/16", None), ("10.3.0.1/32", None)]},
        {"mtu": 1400},
        {"mtu": 1000},
        {"metric": 77},
        {"queues": 2},
    ],
    ids=str,
)
def test_an_identical_endpoint_is_reported_unchanged(
    host: nl.RTNetlink, container: Container, more: dict[str, Any]
) -> None:
    wanted = endpoint(container, **more)
    first = nl.attach(wanted)
    assert first.changed
    with unchanged(container):
        second = nl.attach(wanted)
    assert second == first.replace(changed=False)


@pytest.mark.parametrize(
    "addresses", [SIX, (f"{ADDRESS}/16", SIX), "fe80::77/64", (SIX, "fe80::77/64")], ids=str
)
def test_an_identical_ipv6_endpoint_is_reported_unchanged(
    host: nl.RTNetlink, container: Container, addresses: Any
) -> None:
    add_ipv6(host, "fd00:17::1/64", dev=BRIDGE)
    add_ipv6(host, "fe80::1/64", dev=BRIDGE)
    wanted = endpoint(container, addresses, gateways="fe80::1", routes=[("fd00:99::/64", "fe80::1")])
    first = nl.attach(wanted)
    second = nl.attach(wanted)
    assert not second.changed
    assert (second.index, second.host_index, second.mac) == (first.index, first.host_index, first.mac)
    assert second == first.replace(changed=False)


def test_the_same_address_in_other_words_is_the_same(host: nl.RTNetlink, container: Container) -> None:
    add_ipv6(host, "fd00:17::1/64", dev=BRIDGE)
    first = nl.attach(endpoint(container, "fd00:17:0:0::99/64", gateways="fd00:17:0::1", mac="02:0A:0:0:0:1"))
    again = endpoint(container, "fd00:0017::0099/64", gateways="FD00:17::1", mac="2:a:00:00:00:01")
    assert nl.attach(again) == first.replace(changed=False)


# -- another -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"mac": "12:34:56:78:9a:bd"}, ["MAC", "02:42:ac:11:2a:63"]),
        ({"mtu": 1400}, ["MTU", "1500"]),
        ({"address": "172.17.42.98/16", "mac": "02:42:ac:11:2a:63"}, ["address", f"{ADDRESS}/16"]),
        ({"address": f"{ADDRESS}/24", "gateways": GATEWAY}, ["address", f"{ADDRESS}/16"]),
        ({"address": (f"{ADDRESS}/16", "10.1.0.7/24")}, ["address", f"{ADDRESS}/16"]),
        ({"gateways": "172.17.42.7"}, ["gateway", GATEWAY]),
        ({"gateways": ()}, ["gateway", GATEWAY]),
        ({"host_ifname": "A"}, ["host end", "veth"]),
        ({"bridge": "br1", "gateways": GATEWAY}, ["br1"]),
        ({"routes": [("10.1.0.0/16", GATEWAY)]}, ["route", "10.1.0.0/16"]),
        ({"metric": 77}, ["metric"]),
    ],
    ids=str,
)
def test_a_different_endpoint_is_refused_and_the_difference_said(
    host: nl.RTNetlink, container: Container, other: dict[str, Any], words: list[str]
) -> None:
    make_bridge(host, "br1")
    nl.attach(endpoint(container))
    with refused(errno.EEXIST, "eth0", str(container.pid), *words, among=[container]):
        nl.attach(endpoint(container, **other))


def test_an_endpoint_that_was_set_down_inside_is_refused(host: nl.RTNetlink, container: Container) -> None:
    one = nl.attach(endpoint(container))
    with nl.RTNetlink(container.pid) as inside:
        inside.links.set(one.index, up=False)
    with refused(errno.EEXIST, "eth0", "down", among=[container]):
        nl.attach(endpoint(container))


def test_an_endpoint_that_was_set_down_outside_is_refused(host: nl.RTNetlink, container: Container) -> None:
    one = nl.attach(endpoint(container))
    host.links.set(one.host_index, up=False)
    with refused(errno.EEXIST, "eth0", "down", among=[container]):
        nl.attach(endpoint(container))


def test_an_endpoint_that_left_its_bridge_is_refused(host: nl.RTNetlink, container: Container) -> None:
    one = nl.attach(endpoint(container))
    host.links.set(one.host_index, master=0)
    with refused(errno.EEXIST, "eth0", one.host_ifname, BRIDGE, among=[container]):
        nl.attach(endpoint(container))


# -- strangers ---------------------------------------------------------------------------------------------


def test_the_containers_name_is_taken_by_a_stranger(host: nl.RTNetlink, container: Container) -> None:
    with nl.RTNetlink(container.pid) as rt:
        index = rt.links.add("eth0", kind="bridge").index
    with refused(errno.EEXIST, "eth0", f"link {index}", "bridge", str(container.pid), among=[container]):
        nl.attach(endpoint(container))


def test_the_containers_name_is_taken_by_a_veth_of_others(host: nl.RTNetlink, containers: Containers) -> None:
    one, two = containers(2)
    with nl.RTNetlink(one.pid) as rt:
        rt.links.add("eth0", kind="veth", peer=nl.Peer("eth0", netns=two.pid))
    with refused(errno.EEXIST, "eth0", "veth", str(one.pid), among=[one, two]):
        nl.attach(endpoint(one))


def test_the_containers_name_is_anothers_alternative_name(host: nl.RTNetlink, container: Container) -> None:
    with nl.RTNetlink(container.pid) as rt:
        rt.links.add("inner", kind="bridge", altnames=["eth0"])
    with refused(errno.EEXIST, "eth0", str(container.pid), among=[container]):
        nl.attach(endpoint(container))


@pytest.mark.parametrize("names", [("A",), ("B", "A")], ids=["name", "altname"])
def test_the_hosts_name_is_taken_by_a_stranger(
    host: nl.RTNetlink, container: Container, names: tuple[str, ...]
) -> None:
    name, *altnames = names
    index = host.links.add(name, kind="bridge", altnames=altnames).index
    with refused(errno.EEXIST, "A", f"link {index}", "bridge", str(container.pid), among=[container]):
        nl.attach(endpoint(container, host_ifname="A"))


def test_the_hosts_name_is_the_bridges(host: nl.RTNetlink, container: Container) -> None:
    with refused(errno.EEXIST, BRIDGE, "bridge", among=[container]):
        nl.attach(endpoint(container, host_ifname=BRIDGE))


def test_a_name_bound_to_another_container_meanwhile(host: nl.RTNetlink, containers: Containers) -> None:
    """What is in the way is looked for in the container that refused, and nowhere else."""
    first, second, third = containers(3)
    nl.netns.bind("blue", first.pid)
    nl.attach(endpoint(second, host_ifname="A"))  # all that is wanted is there, but elsewhere
    with nl.RTNetlink(first.pid) as inside:
        inside.links.add("eth0", kind="veth", peer="eth1")
    bound = [first]

    def rebind(done: int, of: int) -> None:
        if bound == [first]:
            bound[:] = [second]
            nl.netns.delete("blue")
            nl.netns.bind("blue", second.pid)

    wanted = [endpoint("blue"), endpoint(third, "172.17.42.98/16")]
    with refused(errno.ESTALE, "namespace blue", "another", among=[first, third]):
        nl.attach_many(wanted, progress=rebind)
    assert bound == [second]


def test_the_hosts_name_is_another_containers(host: nl.RTNetlink, containers: Containers) -> None:
    one, two = containers(2)
    nl.attach(endpoint(one, host_ifname="A"))
    with refused(errno.EEXIST, "A", str(two.pid), among=[one, two]):
        nl.attach(endpoint(two, "172.17.42.98/16", host_ifname="A"))
    assert ping(one, GATEWAY) is not None


def test_an_address_that_another_container_has_is_refused(host: nl.RTNetlink, containers: Containers) -> None:
    one, two = containers(2)
    holder = nl.attach(endpoint(one))
    with refused(errno.EEXIST, ADDRESS, holder.host_ifname, str(two.pid), among=[one, two]):
        nl.attach(endpoint(two))
    nl.detach(holder)
    assert nl.attach(endpoint(two)).changed


# -- half made ---------------------------------------------------------------------------------------------


def conversations(wanted: nl.Endpoint) -> int:
    """How many conversations with the kernel an attach has: the moments at which it may be interrupted."""
    count = 0
    nl.detach(nl.attach(wanted))  # from then on less is asked of the bridge
    with interrupted(0, 0) as tally:
        nl.detach(nl.attach(wanted))
        count = tally()
    with interrupted(0, 0) as tally:
        nl.detach(nl.attach(wanted))
        assert tally() == count
    return count - 2  # detach looks and deletes


def test_a_maker_killed_at_any_moment_is_repaired(host: nl.RTNetlink, container: Container) -> None:
    wanted = endpoint(container)
    last = conversations(wanted)
    assert last >= 6
    halves = 0
    for at in range(1, last + 1):
        attacher = Attacher([wanted], at, signal.SIGKILL)
        assert attacher.wait() == "killed"
        half = links_of(container).get("eth0")
        one = nl.attach(wanted)
        halves += half is not None and one.index != half.index
        check_complete(host, [wanted])
        assert ping(container, GATEWAY) is not None
        assert nl.detach(one)
    assert halves >= 3  # otherwise the moments were not the right ones


def test_a_living_maker_is_left_alone(host: nl.RTNetlink, container: Container) -> None:
    """At each moment of another's attach ours is refused, or one of the two finds the other's work done."""
    wanted = endpoint(container)
    outcomes = set()
    for at in range(1, conversations(wanted) + 1):
        attacher = Attacher([wanted], at, signal.SIGSTOP)
        try:
            assert attacher.wait() == "stopped"
            half = "eth0" in links_of(container)
            try:
                nl.attach(wanted)
                ours = "done"
            except nl.AttachError as error:
                assert error.errno == errno.EEXIST and half
                assert "another process is just attaching it" in str(error)
                ours = "refused"
            theirs = attacher.go_on()
        finally:
            attacher.end()
        outcomes.add((ours, theirs))
        assert "done" in (ours, theirs)
        check_complete(host, [wanted])
        assert ping(container, GATEWAY) is not None
        nl.detach(nl.Attachment.find(container.pid))
    assert ("refused", "done") in outcomes


def test_a_group_that_a_dead_call_left_is_not_taken_for_another(
    host: nl.RTNetlink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its members would be removed with ours."""
    first = StagingGroup()
    number = first.number
    host.links.add("left", kind="bridge", group=number)
    numbers = [number, number, number + 1]
    urandom = os.urandom
    monkeypatch.setattr(
        os,
        "urandom",
        lambda size: numbers.pop(0).to_bytes(4, "big") if size == 4 else urandom(size),
    )
    second = StagingGroup()  # the number is held by us: another
    assert second.number == number + 1
    second.close()
    first.close()
    numbers += [number, number + 2]
    second = StagingGroup()  # it is held by nobody, but has a member: another
    assert second.number == number + 2
    second.delete_members()
    second.close()
    assert "left" in links_of(None)


def test_the_group_of_the_dead_is_had_by_one(host: nl.RTNetlink) -> None:
    group = StagingGroup()
    assert StagingGroup.of_dead(group.number) is None  # alive
    group.close()
    ours = StagingGroup.of_dead(group.number)
    assert ours is not None and ours.number == group.number
    assert StagingGroup.of_dead(group.number) is None
    ours.close()


def test_a_leftover_that_holds_only_the_hosts_name_is_repaired(
    host: nl.RTNetlink, containers: Containers
) -> None:
    one, two = containers(2)
    repaired = 0
    for at in range(1, conversations(endpoint(one, host_ifname="A")) + 1):
        assert Attacher([endpoint(one, host_ifname="A")], at, signal.SIGKILL).wait() == "killed"
        half = links_of(None).get("A")
        wanted = endpoint(two, "172.17.42.98/16", host_ifname="A")
        if half is not None and half.group == 0:
            break  # it was finished
        attachment = nl.attach(wanted)
        repaired += half is not None
        check_complete(host, [wanted])
        assert "eth0" not in links_of(one)
        nl.detach(attachment)
    assert repaired >= 2


def test_what_a_signal_interrupts_is_rolled_back(host: nl.RTNetlink, container: Container) -> None:
    """As SIGINT does: the handler raises in the middle, at each conversation."""

    class StopError(Exception):
        pass

    def raise_stop(*_: object) -> None:
        raise StopError

    before = signal.signal(signal.SIGUSR1, raise_stop)
    try:
        for at in range(1, conversations(endpoint(container)) + 1):
            with unchanged(container), pytest.raises(StopError), interrupted(at, signal.SIGUSR1):
                nl.attach(endpoint(container))
    finally:
        signal.signal(signal.SIGUSR1, before)
