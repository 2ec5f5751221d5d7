"""Port ids, and so staging groups, that a local user binds: he neither blocks a call nor keeps a leftover."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import netlinkpy as nl
from netlinkpy.networks.leftovers import clear_dead, is_leftover
from netlinkpy.sockets.port_ids import is_strangers
from netlinkpy.wiring.link_group import StagingGroup, is_staging
from tests.support.forked import another_user
from tests.support.namespaces import BareNamespace
from tests.support.wiring_testbed import endpoint, make_bridge

NUMBER = 0x40000042
Making = Callable[[int], list[BareNamespace]]


@pytest.fixture
def host(fresh_namespace: None) -> Iterator[nl.RTNetlink]:
    with nl.RTNetlink() as rt:
        make_bridge(rt, "br0", "10.9.0.1/16")
        yield rt


def bind(number: int) -> socket.socket:
    bound = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    bound.bind((number, 0))
    return bound


@contextmanager
def squatter(number: int, *, in_flight: bool = False) -> Iterator[None]:
    """Another user has a port id: in a descriptor, or under way in a unix socket."""

    def squat() -> list[socket.socket]:
        bound, *ends = bind(number), *socket.socketpair()
        if not in_flight:
            return [bound]
        socket.send_fds(ends[0], [b"."], [bound.fileno()])
        bound.close()
        return ends

    with another_user(squat):
        yield


@pytest.mark.needs("root")
def test_whose_a_number_is(host: nl.RTNetlink) -> None:
    assert not is_strangers(NUMBER)  # nobody's
    with bind(NUMBER):
        assert not is_strangers(NUMBER)  # ours
    with squatter(NUMBER):
        assert is_strangers(NUMBER)
    with squatter(NUMBER, in_flight=True):  # no process has it: sure only where all processes are seen
        first = os.stat("/proc/self/ns/pid").st_ino == 0xEFFFFFFC
        everybody = Path("/proc/self/uid_map").read_text().split() == ["0", "0", "4294967295"]
        assert is_strangers(NUMBER) == (first and everybody)


@pytest.mark.needs("root")
def test_a_bound_number_keeps_no_leftover(host: nl.RTNetlink) -> None:
    """What a dead call left is found dead, and removed, although a stranger has its number; a living call's
    is not."""
    host.links.add("left", kind="veth", peer="left2", group=NUMBER)
    with bind(NUMBER):
        assert not is_leftover(host.links.get("left")) and not clear_dead(host)
    with squatter(NUMBER):
        assert is_leftover(host.links.get("left"))
        assert "left" in {link.name for link in clear_dead(host)}
        assert host.links.find("left") is None


@pytest.mark.needs("root")
def test_attach_replaces_a_leftover_whose_number_is_bound(
    host: nl.RTNetlink, bare_namespaces: Making
) -> None:
    (place,) = bare_namespaces(1)
    host.links.add("web", kind="veth", peer="web2", group=NUMBER)
    with squatter(NUMBER):
        made = nl.attach(endpoint(place.path, "10.9.0.2/16", bridge="br0", host_ifname="web"))
    assert made.changed and host.links.find("web2") is None
    nl.detach(made)


def test_numbers_are_of_2_to_the_30(monkeypatch: pytest.MonkeyPatch, fresh_namespace: None) -> None:
    numbers = set()
    for letter in (b"\0", b"\x7f", b"\xff"):
        monkeypatch.setattr(os, "urandom", lambda count, letter=letter: letter * count)
        with StagingGroup() as group:
            numbers.add(group.number)
    assert numbers == {0x40000000, 0x7F7F7F7F, 0x7FFFFFFF} and all(map(is_staging, numbers))
    assert not any(map(is_staging, (0, 1, 0x3FFFFFFF, 0x80000000, 0xFFFFFFFF)))


def test_no_free_number_is_an_error_in_time(monkeypatch: pytest.MonkeyPatch, fresh_namespace: None) -> None:
    monkeypatch.setattr(os, "urandom", lambda count: b"\0" * count)
    with bind(0x40000000), pytest.raises(OSError, match="no port id is free") as caught:
        StagingGroup(timeout=0.05)
    assert caught.value.errno == errno.EADDRINUSE


def test_a_group_with_a_link_that_we_never_make_is_anothers(host: nl.RTNetlink) -> None:
    """Groups are anybody's to give: what is neither a veth nor a bridge was not left by us."""
    host.links.set("lo", group=NUMBER)
    host.links.add("theirs", kind="veth", peer="theirs2", group=NUMBER)
    assert clear_dead(host) == [] and host.links.find("theirs") is not None


@pytest.mark.needs("root")
def test_what_cannot_be_known_is_not_sure(host: nl.RTNetlink, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file can be opened any more: that was raised, out of an attach."""

    def refuse() -> int:
        raise OSError(errno.EMFILE, "no file")

    with squatter(NUMBER):
        assert is_strangers(NUMBER)
        monkeypatch.setattr("netlinkpy.sockets.port_ids._unknown_user", refuse)
        assert not is_strangers(NUMBER)
