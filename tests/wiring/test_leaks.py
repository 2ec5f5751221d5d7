"""What attaching and detaching leaves behind in this process and this namespace, however often: nothing."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from resource import RUSAGE_SELF, getrusage

import netlinkpy as nl
from tests.support.namespaces import BareNamespace
from tests.support.wiring_testbed import endpoints

ROUNDS = 100 if os.environ.get("NETLINKPY_LONG") else 12  # of 100 containers: 10 000 attach/detach, or 1 200


def _holdings(host: nl.RTNetlink) -> dict[str, object]:
    gc.collect()
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": len(os.listdir("/proc/self/task")),
        "namespace ids": host.nsids.list(),
        "links": [(link.name, link.group) for link in host.links.list()],
        "routes": [(route.destination, route.table) for route in host.routes.list(table=None)],
        "neighbours": [one for one in host.neighbours.list() if one.state == 0x80],
    }


def test_nothing_is_left_after_thousands_of_rounds(
    host: nl.RTNetlink, bare_namespaces: Callable[[int], list[BareNamespace]]
) -> None:
    wanted = endpoints(bare_namespaces(100))
    nl.detach_many(nl.attach_many(wanted))  # the namespaces get their ids, this process its modules
    before, memory = _holdings(host), getrusage(RUSAGE_SELF).ru_maxrss
    for number in range(ROUNDS):
        made = nl.attach_many(wanted) if number % 2 else [nl.attach(one) for one in wanted]
        assert nl.detach_many(made) == len(wanted)
    assert _holdings(host) == before
    assert (
        getrusage(RUSAGE_SELF).ru_maxrss - memory < 8192
    )  # KiB; a leak of 1 KiB each would be 10 MiB in the long run
