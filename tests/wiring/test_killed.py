"""An attach_many of 100 that is killed at a random moment, and the same call again: all of it, and nothing
over."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable

import netlinkpy as nl
from tests.support.crash import Attacher
from tests.support.namespaces import BareNamespace, ping_all
from tests.support.wiring_testbed import GATEWAY, check_complete, endpoints, make_bridge

KILLS = int(os.environ.get("NETLINKPY_KILLS", "20"))  # 200 for the whole proof
COUNT = 100
NONE = 0  # no conversation is interrupted: the signal comes from outside


def test_killed_at_random_moments(
    host: nl.RTNetlink, bare_namespaces: Callable[[int], list[BareNamespace]]
) -> None:
    make_bridge(host, "br1", "10.1.0.1/16")
    places = bare_namespaces(COUNT)
    wanted = endpoints(places)
    wanted[::2] = [  # two shapes, two bridges
        one.replace(bridge="br1", addresses=f"10.1.1.{number + 1}/16", mtu=1400)
        for number, one in enumerate(wanted[::2])
    ]
    pairs = [(place, GATEWAY if number % 2 else "10.1.0.1") for number, place in enumerate(places)]

    began = time.monotonic()
    nl.detach_many(nl.attach_many(wanted))
    whole = time.monotonic() - began
    halves = 0
    for _ in range(KILLS):
        moment = random.uniform(0, whole * 1.2)
        attacher = Attacher(wanted, NONE, signal.SIGKILL)
        time.sleep(moment)
        attacher.end()
        left = len(host.links.list(kind="veth"))
        made = nl.attach_many(wanted)
        changed = sum(one.changed for one in made)
        assert all(one.ready for one in made), moment
        check_complete(host, wanted)
        assert None not in ping_all(pairs), moment
        halves += left > 0 and changed > 0
        assert nl.detach_many(made) == COUNT
        assert not host.links.list(kind="veth")
    assert halves >= KILLS // 10  # else the moments were not in the middle


def test_killed_while_it_repairs(
    host: nl.RTNetlink, bare_namespaces: Callable[[int], list[BareNamespace]]
) -> None:
    """Killed a few times in a row, each time over what the one before left."""
    wanted = endpoints(bare_namespaces(COUNT))
    began = time.monotonic()
    nl.detach_many(nl.attach_many(wanted))
    whole = time.monotonic() - began
    for _ in range(max(KILLS // 4, 1)):
        attacher = Attacher(wanted, NONE, signal.SIGKILL)
        time.sleep(random.uniform(0, whole))
        attacher.end()
    made = nl.attach_many(wanted)
    assert all(one.ready for one in made)
    check_complete(host, wanted)
