"""A network that is removed while a container is wired to it; and what interrupts the look at it."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

import netlinkpy as nl
from netlinkpy.networks import Connection, Network, connect, connect_many, leftovers
from netlinkpy.wiring.link_group import StagingGroup
from tests.support.links import links_of
from tests.support.namespaces import Container, ping
from tests.support.networks_testbed import GATEWAY, SUBNET
from tests.support.refusals import unchanged
from tests.support.wiring_testbed import check

Containers = Callable[..., list[Container]]
Wire = Callable[[int], Any]


@pytest.fixture
def blue(host: nl.RTNetlink) -> Network:
    return Network.create("blue", subnets=SUBNET)


def attached(pid: int) -> nl.Attachment:
    return nl.attach(nl.Endpoint(pid, "blue", "172.30.0.5/16"))


def connected(pid: int) -> nl.Attachment:
    return connect("blue", pid, ip="172.30.0.5")


@pytest.fixture(params=[attached, connected])
def wire(request: pytest.FixtureRequest) -> Wire:
    function: Wire = request.param
    return function


def before_the_look(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Let something happen when the ports are there, before the look at the network's bridge."""
    look = leftovers.parting

    def late(host: nl.RTNetlink, index: int) -> str:
        happens()
        return look(host, index)

    monkeypatch.setattr(leftovers, "parting", late)


def test_one_that_is_removed_meanwhile(
    blue: Network, host: nl.RTNetlink, container: Container, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As remove() would, had it looked for ports before ours was there.
    before_the_look(monkeypatch, lambda: host.links.delete("blue"))
    with pytest.raises(nl.AttachError) as caught:
        wire(container.pid)
    check(caught.value, errno.ENODEV, f"process {container.pid}", "bridge blue was removed meanwhile")
    assert [link.name for link in host.links.list()] == ["lo"]
    assert list(links_of(container)) == ["lo"]


def test_each_alone_and_one_removed_meanwhile(
    blue: Network, host: nl.RTNetlink, containers: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = containers(3)
    host.links.add("br0", kind="bridge", up=True)
    before_the_look(monkeypatch, lambda: host.links.delete("blue"))
    bridges = ("blue", "br0", "blue")
    endpoints = [
        nl.Endpoint(place.pid, bridge, f"172.30.0.{number}/16", gateways=())
        for number, (place, bridge) in enumerate(zip(places, bridges, strict=True), 2)
    ]
    first, second, third = nl.attach_many(endpoints, on_error="continue")
    for number, one in ((0, first), (2, third)):
        check(one, errno.ENODEV, "bridge blue was removed meanwhile")
        assert list(links_of(places[number])) == ["lo"]
    assert isinstance(second, nl.Attachment) and second.ready
    assert [link.name for link in host.links.list(kind="veth")] == [second.host_ifname]


def test_a_removal_that_was_begun_and_died_is_undone(
    blue: Network, host: nl.RTNetlink, container: Container, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin() -> None:
        group = StagingGroup()
        group.borrow([blue.index])
        group.close()

    before_the_look(monkeypatch, begin)
    wire(container.pid)
    assert host.links.get("blue").group == 0 and ping(container, GATEWAY) is not None


def test_one_that_others_are_still_removing(
    blue: Network, host: nl.RTNetlink, container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StagingGroup() as group:
        before_the_look(monkeypatch, lambda: group.borrow([blue.index]))
        with pytest.raises(nl.AttachError, match="bridge blue is just being made or removed by another"):
            connect("blue", container.pid, timeout=0.2)
        assert list(links_of(container)) == ["lo"] and host.links.list(kind="veth") == []


class Interrupter:
    """Raises KeyboardInterrupt at the event `at` (counted from 1) in the look at the network's bridge: a
    line, or the entry of a function."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self, frame: FrameType, event: str, argument: object) -> Any:
        if frame.f_code.co_filename != leftovers.__file__:
            return None
        if event in ("call", "line"):
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self


def test_an_interruption_leaves_nothing_but_what_was_there(
    blue: Network, host: nl.RTNetlink, containers: Containers
) -> None:
    old, new = containers(2)
    wanted = [Connection(old.pid, ip="172.30.0.7"), Connection(new.pid, ip="172.30.0.5")]
    connect_many("blue", wanted)
    nl.detach(nl.Attachment.find(new.pid))
    at, interrupter = 0, Interrupter(0)
    while interrupter.left <= 0:
        at += 1
        interrupter = Interrupter(at)
        with unchanged(old, new):
            try:
                sys.settrace(interrupter)
                made = connect_many("blue", wanted)
            except KeyboardInterrupt:
                continue
            finally:
                sys.settrace(None)
            assert interrupter.left > 0
            assert [one.changed for one in made] == [False, True]
            nl.detach(made[1])
    assert at > 5
    assert ping(old, GATEWAY) is not None
