"""A second Ctrl-C while the first is on its way, or while a call on a network is taken back: all is as
before, the packet filter too."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

import netlinkpy as nl
from netlinkpy.nat import Nat
from netlinkpy.networks import Network, creating, firewall, leftovers, removing
from tests.support.namespaces import Container
from tests.support.networks_testbed import SUBNET, SUBNET6
from tests.support.refusals import unchanged
from tests.support.second_interruption import after, check_broken_off, second_interruptions


@contextlib.contextmanager
def all_as_before(*places: Container) -> Iterator[None]:
    with Nat() as nat:
        before = nat.networks()
        with unchanged(*places):
            yield
        assert nat.networks() == before


def test_create(host: nl.RTNetlink, monkeypatch: pytest.MonkeyPatch) -> None:
    for second in second_interruptions(firewall):
        with monkeypatch.context() as patched, all_as_before():
            patched.setattr(creating, "serve", after(firewall.serve, second.begin))
            check_broken_off(lambda: Network.create("blue", subnets=[SUBNET, SUBNET6]))


def test_remove(host: nl.RTNetlink, monkeypatch: pytest.MonkeyPatch) -> None:
    blue = Network.create("blue", subnets=[SUBNET, SUBNET6], isolate=True)
    for second in second_interruptions(leftovers, firewall):
        with monkeypatch.context() as patched, all_as_before():
            patched.setattr(removing, "withdraw_networks", after(firewall.withdraw_networks, second.begin))
            check_broken_off(blue.remove)


def test_connect(host: nl.RTNetlink, container: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    blue = Network.create("blue", subnets=[SUBNET, SUBNET6])
    nl.detach(blue.connect(container.pid))  # lo is up, and the MAC pinned
    for second in second_interruptions():
        with monkeypatch.context() as patched, all_as_before(container):
            patched.setattr(leftovers, "parting", after(leftovers.parting, second.begin))
            check_broken_off(lambda: blue.connect(container.pid))
