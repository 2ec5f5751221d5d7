"""Neighbours, forwarding entries and namespace ids: add, list, replace, delete."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from typing import Any

import pytest

import netlinkpy as nl
from tests.support.links import add_quiet
from tests.support.namespaces import Container
from tests.support.refusals import impossible, refused

FOUR, SIX = socket.AF_INET, socket.AF_INET6
PERMANENT, REACHABLE = 0x80, 0x02  # NUD_
MAC, OTHER = "02:00:00:00:00:01", "02:00:00:00:00:02"


# -- neighbours --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["10.0.0.2", "fd00::2"])
def test_a_neighbour(rt: nl.RTNetlink, dev: str, address: str) -> None:
    rt.neighbours.add(address, mac=MAC, dev=dev)
    (found,) = (one for one in rt.neighbours.list(dev=dev) if one.address == address)
    assert (found.mac, found.index, found.state) == (MAC, rt.index(dev), PERMANENT)
    assert found.attributes["ndm_state"] == PERMANENT
    with refused(nl.NetlinkError, errno.EEXIST, f"add neighbour {address} to {dev}"):
        rt.neighbours.add(address, mac=OTHER, dev=dev)
    rt.neighbours.add(address, mac=OTHER, dev=dev, replace=True, state=REACHABLE)
    (found,) = (one for one in rt.neighbours.list(dev=dev) if one.address == address)
    assert (found.mac, found.state) == (OTHER, REACHABLE)
    rt.neighbours.delete(address, dev=dev)
    unknown = address.replace("2", "9")
    with refused(nl.NetlinkError, errno.ENOENT, f"delete neighbour {unknown} of {dev}", "no such entry"):
        rt.neighbours.delete(unknown, dev=dev)


def test_lists_and_their_filters(rt: nl.RTNetlink, dev: str) -> None:
    add_quiet(rt, "w0", kind="veth", peer="w1")
    rt.neighbours.add("10.0.0.2", mac=MAC, dev=dev)
    rt.neighbours.add("10.0.0.3", mac=MAC, dev="w0")
    rt.neighbours.add("fd00::2", mac=MAC, dev="w0")

    def addresses(**filters: Any) -> set[str]:
        return {one.address for one in rt.neighbours.list(**filters) if one.state == PERMANENT}

    assert addresses() == {"10.0.0.2", "10.0.0.3", "fd00::2"}
    assert addresses(dev="w0") == {"10.0.0.3", "fd00::2"}
    assert addresses(family=FOUR) == {"10.0.0.2", "10.0.0.3"}
    assert addresses(dev=rt.index("w0"), family=SIX) == {"fd00::2"}
    columns = rt.neighbours.columns(family=FOUR)
    assert len(columns["index"]) == 2
    with refused(nl.NetlinkError, errno.ENODEV, "gone"):
        rt.neighbours.list(dev="gone")


@pytest.mark.parametrize(
    ("address", "more", "kind", "word"),
    [
        ("10.0.0.300", {}, ValueError, "10.0.0.300"),
        ("10.0.0.2/24", {}, ValueError, "10.0.0.2/24"),
        (7, {}, TypeError, "7"),
        ("10.0.0.2", {"mac": "x"}, ValueError, "'x'"),
        ("10.0.0.2", {"mac": 7}, TypeError, "7"),
        ("10.0.0.2", {"state": -1}, ValueError, "state"),
        ("10.0.0.2", {"state": 1 << 16}, ValueError, "state"),
    ],
    ids=str,
)
def test_neighbours_that_cannot_be(
    rt: nl.RTNetlink, dev: str, address: Any, more: dict[str, Any], kind: type[Exception], word: str
) -> None:
    with impossible(kind, word):
        rt.neighbours.add(address, dev=dev, **{"mac": MAC, **more})


# -- forwarding entries ------------------------------------------------------------------------------------


@pytest.fixture
def port(rt: nl.RTNetlink, dev: str) -> str:
    """dev is a port of br0."""
    add_quiet(rt, "br0", kind="bridge")
    rt.links.set(dev, master="br0")
    return dev


def entry(rt: nl.RTNetlink, mac: str) -> Any:
    found = [one for one in rt.fdb.list(bridge="br0") if one.mac == mac]
    return found[0] if len(found) == 1 else None


def test_a_forwarding_entry(rt: nl.RTNetlink, port: str) -> None:
    rt.fdb.add(MAC, dev=port)
    found = entry(rt, MAC)
    assert (found.index, found.bridge) == (rt.index(port), rt.index("br0"))
    assert found.attributes["lladdr"] == bytes.fromhex(MAC.replace(":", ""))
    with refused(nl.NetlinkError, errno.EEXIST, MAC):
        rt.fdb.add(MAC, dev=port)
    add_quiet(rt, "w0", kind="veth", peer="w1", master="br0")
    rt.fdb.add(MAC, dev="w0", replace=True)
    assert entry(rt, MAC).index == rt.index("w0")
    rt.fdb.delete(MAC, dev="w0")
    assert entry(rt, MAC) is None
    with refused(nl.NetlinkError, errno.ENOENT, MAC):
        rt.fdb.delete(MAC, dev="w0")


def test_forwarding_entries_that_cannot_be(rt: nl.RTNetlink, port: str) -> None:
    with impossible(ValueError, "colour"):
        rt.fdb.add(MAC, dev=port, state="colour")
    with impossible(ValueError, "'x'"):
        rt.fdb.add("x", dev=port)
    with refused(nl.NetlinkError, errno.ENODEV, "gone"):
        rt.fdb.add(MAC, dev="gone")
    with refused(nl.NetlinkError, errno.ENODEV, "gone"):
        rt.fdb.list(bridge="gone")


def test_entries_of_one_bridge_alone(rt: nl.RTNetlink, port: str) -> None:
    add_quiet(rt, "br1", kind="bridge")
    add_quiet(rt, "w0", kind="veth", peer="w1", master="br1")
    rt.fdb.add(MAC, dev=port)
    rt.fdb.add(OTHER, dev="w0")
    assert entry(rt, MAC) and not entry(rt, OTHER)
    macs = bytes(rt.fdb.columns(bridge="br1")["mac"])
    rows = {macs[at : at + 6].hex(":") for at in range(0, len(macs), 6)}
    assert OTHER in rows and MAC not in rows


# -- namespace ids -----------------------------------------------------------------------------------------


def test_ids(rt: nl.RTNetlink, containers: Callable[..., list[Container]]) -> None:
    one, two = containers(2)
    assert rt.nsids.get(one.pid) is None and rt.nsids.list() == []
    rt.nsids.set(one.pid, 7)
    assert rt.nsids.get(one.pid) == rt.nsids.get(one.path) == 7
    with nl.Netns.open(two.pid) as handle:
        rt.nsids.set(handle, 3)
        assert rt.nsids.get(handle) == 3
    assert rt.nsids.list() == [3, 7]
    with refused(nl.NetlinkError, errno.EEXIST, f"process {one.pid}", "8"):
        rt.nsids.set(one.pid, 8)


def test_an_id_of_another(rt: nl.RTNetlink, containers: Callable[..., list[Container]]) -> None:
    one, two = containers(2)
    rt.nsids.set(one.pid, 7)
    with refused(nl.NetlinkError, errno.EEXIST, f"process {two.pid}", "7"):
        rt.nsids.set(two.pid, 7)


@pytest.mark.parametrize(("number", "kind"), [(-1, ValueError), (1 << 31, ValueError), ("7", TypeError)])
def test_ids_that_cannot_be(
    rt: nl.RTNetlink, container: Container, number: Any, kind: type[Exception]
) -> None:
    with impossible(kind, "id"):
        rt.nsids.set(container.pid, number)


def test_ids_of_nothing(rt: nl.RTNetlink) -> None:
    with impossible(ProcessLookupError, "1999999999"):
        rt.nsids.get(1999999999)
    with impossible(ValueError, "name"):
        rt.nsids.set("..", 7)
    assert rt.nsids.get(os.getpid()) is None
