"""A link with all the alternative names that it may have: its message is longer than 64 KiB."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import netlinkpy as nl
from netlinkpy.networks import Network, connect
from tests.support.namespaces import Container

Containers = Callable[..., list[Container]]


@pytest.fixture
def rt(loopback: None) -> Iterator[nl.RTNetlink]:
    with nl.RTNetlink() as host:
        yield host


def name_it(rt: nl.RTNetlink, dev: str) -> int:
    """Give a link names until the kernel takes no more; return how many it has."""
    for number in range(1000):
        try:
            rt.links.add_altnames(dev, [f"{number:03}{'x' * 124}"])
        except nl.NetlinkError:
            return number
    raise AssertionError("there is no end")


def test_every_look_finds_it(rt: nl.RTNetlink) -> None:
    made = rt.links.add("a", kind="bridge", up=True)
    rt.links.add("b", kind="bridge", up=True)
    count = name_it(rt, "a")
    assert count > 480
    assert len(rt.links.get("a").altnames) == len(rt.links.get(made.index).altnames) == count
    assert {link.name: len(link.altnames) for link in rt.links.list()} == {"lo": 0, "a": count, "b": 0}
    assert list(rt.links.columns()["index"])[1:] == [made.index, made.index + 1]
    assert [link.name for link in rt.links.list(kind="bridge")] == ["a", "b"]


@pytest.mark.parametrize("count", [1, 3])
def test_containers_on_it(rt: nl.RTNetlink, containers: Containers, count: int) -> None:
    rt.links.add("a", kind="bridge", up=True)
    name_it(rt, "a")
    nl.attach_many(
        nl.Endpoint(one.pid, "a", f"10.9.0.{number + 2}/16") for number, one in enumerate(containers(count))
    )
    assert len(rt.links.list(master="a")) == count


def test_a_network_with_as_many_reserved_addresses(rt: nl.RTNetlink, containers: Containers) -> None:
    reserved = [f"fd00:30::{number:x}:1111:2222:3333:4444" for number in range(2, 480)]
    made = Network.create("blue", subnets=["172.30.0.0/16", "fd00:30::/32"], aux_addresses=reserved)
    assert len(made.subnets[1].aux_addresses) == 478
    (one, other) = containers(2)
    connect("blue", one.pid)
    connect("blue", other.pid)
    assert len(made.members()) == 2 and made.differences() == []
