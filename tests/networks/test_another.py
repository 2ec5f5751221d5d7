"""attach_many(another=...): an endpoint in place of one whose address is taken."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import netlinkpy as nl
from netlinkpy.transport.socket import Socket
from netlinkpy.uapi.rtnetlink import RTM_GETLINK
from netlinkpy.wiring import announce as announcing
from tests.support.links import links_of
from tests.support.namespaces import Container, ping
from tests.support.networks_testbed import wired
from tests.support.wiring_testbed import BRIDGE, endpoint, endpoints, make_bridge, refused

Containers = Callable[..., list[Container]]


@pytest.fixture
def host(fresh_namespace: None) -> Iterator[nl.RTNetlink]:
    with nl.RTNetlink() as rt:
        make_bridge(rt, BRIDGE, "172.17.42.1/16", "fd00::1/64")
        yield rt


def test_the_other_endpoint_is_attached_with_the_mac_of_its_address(
    host: nl.RTNetlink, containers: Containers
) -> None:
    first, second, third = containers(3)
    nl.attach(endpoint(first, "172.17.0.5/16"))
    asked: list[tuple[int, str]] = []

    def another(position: int, address: str) -> nl.Endpoint:
        asked.append((position, address))
        return endpoint(third, f"172.17.0.{5 + len(asked) // 2}/16")

    made = wired([endpoint(second, "172.17.0.4/16"), endpoint(third, "172.17.0.5/16")], another=another)
    assert asked == [(1, "172.17.0.5")] * 2
    assert [one.addresses for one in made] == [("172.17.0.4/16",), ("172.17.0.6/16",)]
    assert links_of(third)["eth0"].address == "02:42:ac:11:00:06"
    assert ping(third, "172.17.0.5") is not None
    assert len(host.links.list(kind="veth")) == 3


def test_both_addresses_may_be_refused_at_once(host: nl.RTNetlink, containers: Containers) -> None:
    first, second = containers(2)
    nl.attach(endpoint(first, ("172.17.0.5/16", "fd00::5/64")))
    asked: list[tuple[int, str]] = []

    def another(position: int, address: str) -> nl.Endpoint:
        asked.append((position, address))
        return endpoint(second, ("172.17.0.6/16", "fd00::6/64"))

    (made,) = wired([endpoint(second, ("172.17.0.5/16", "fd00::5/64"))], another=another)
    assert made.addresses == ("172.17.0.6/16", "fd00::6/64")
    assert asked == [(0, "172.17.0.5")]


def test_the_address_that_comes_instead_is_announced_if_its_mac_is_anothers(
    host: nl.RTNetlink, containers: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The MAC that was asked for told the address that was taken, and tells not the other."""
    first, second = containers(2)
    nl.attach(endpoint(first, "172.17.0.5/16"))
    announced: list[tuple[bytes, int]] = []
    monkeypatch.setattr(
        announcing, "announce", lambda rows, handles, failures: announced.extend(rows[0].wanted.addresses)
    )

    def of(address: str) -> nl.Endpoint:
        return endpoint(second, address, mac="02:42:ac:11:00:05")

    wired([of("172.17.0.5/16")], another=lambda position, address: of("172.17.0.6/16"))
    assert announced == [(bytes([172, 17, 0, 6]), 16)]


def test_without_another_the_claim_stays_refused(host: nl.RTNetlink, containers: Containers) -> None:
    first, second = containers(2)
    nl.attach(endpoint(first, "172.17.0.5/16"))
    with refused(17, "172.17.0.5", "taken", among=(second,)):
        wired([endpoint(second, "172.17.0.5/16")], another=lambda position, address: None)


def test_others_may_come_and_go_all_the_time(
    host: nl.RTNetlink, containers: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when 16 processes attach at once: no dump of the links is ever whole."""
    dump_bodies = Socket.dump_bodies

    def interrupted(self: Socket, message: Any, type: int, values: Any, *, verb: str = "") -> Any:
        if type != RTM_GETLINK:
            return dump_bodies(self, message, type, values, verb=verb)
        error = nl.DumpInterruptedError(errno.EINTR, verb)
        error.partial = [message.parse(reply.body) for reply in dump_bodies(self, message, type, values)]
        raise error

    monkeypatch.setattr(Socket, "dump_bodies", interrupted)
    places = containers(10)
    assert len(nl.attach_many(endpoints(places))) == 10
    small = nl.Network.create("small", subnets="172.30.0.0/28")
    made = nl.networks.connect_many(
        small, [nl.networks.Connection(one.pid, ifname="eth1", gateways=()) for one in places]
    )
    assert len({one.addresses for one in made}) == 10


def test_all_attachments_of_a_container(host: nl.RTNetlink, containers: Containers) -> None:
    (one,) = containers(1)
    make_bridge(host, "br1", "10.0.0.1/24")
    first = nl.attach(endpoint(one, "172.17.0.5/16"))
    second = nl.attach(endpoint(one, "10.0.0.2/24", bridge="br1", ifname="eth1", gateways=()))
    assert [(one.ifname, one.bridge) for one in nl.Attachment.find_all(one.pid)] == [
        ("eth0", BRIDGE),
        ("eth1", "br1"),
    ]
    assert {each.host_index for each in (first, second)} == {
        each.host_index for each in nl.Attachment.find_all(one.pid)
    }
