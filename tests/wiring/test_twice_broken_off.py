"""A second Ctrl-C while the first is on its way, or while what was made is taken back: nothing is left, and
nothing that was there is gone."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest

import netlinkpy as nl
from netlinkpy.wiring.link_group import StagingGroup
from tests.support.namespaces import Container
from tests.support.refusals import unchanged
from tests.support.second_interruption import after, check_broken_off, second_interruptions
from tests.support.wiring_testbed import endpoints

Containers = Callable[..., list[Container]]


def test_attach(host: nl.RTNetlink, containers: Containers) -> None:
    wanted = endpoints([container.path for container in containers(2)])
    for second in second_interruptions():

        def progress(done: int, of: int, begin: Callable[[], None] = second.begin) -> None:
            if done == of:
                begin()

        with unchanged():
            check_broken_off(functools.partial(nl.attach_many, wanted, progress=progress))


def test_attach_broken_off_when_all_is_made(
    host: nl.RTNetlink, containers: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sockets are being closed: it raised, and all of it stayed."""
    places, close = containers(2), StagingGroup.close
    nl.detach_many(nl.attach_many(endpoints(places)))  # `lo` is up, and the bridge's MAC is pinned
    for wanted in (endpoints(places), endpoints(places[:1])):
        for second in second_interruptions():
            firsts: list[Callable[[], None]] = [second.begin]

            def closing(group: StagingGroup, firsts: list[Callable[[], None]] = firsts) -> None:
                close(group)
                if firsts:
                    firsts.pop()()

            with monkeypatch.context() as patched, unchanged(*places):
                patched.setattr(StagingGroup, "close", closing)
                check_broken_off(functools.partial(nl.attach_many, wanted))


def test_detach(host: nl.RTNetlink, containers: Containers, monkeypatch: pytest.MonkeyPatch) -> None:
    places = containers(2)
    made = nl.attach_many(endpoints([container.path for container in places]))
    for second in second_interruptions():
        with monkeypatch.context() as patched, unchanged(*places):
            patched.setattr(StagingGroup, "borrow", after(StagingGroup.borrow, second.begin))
            check_broken_off(lambda: nl.detach_many(made))
