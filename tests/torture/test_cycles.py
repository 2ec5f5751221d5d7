"""Thousands of rounds in one process: its descriptors, threads and memory, and what the host and the
containers have, stay as they were.

By default a hundred rounds of each; with NETLINKPY_LONG=1 five thousand."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest

import netlinkpy as nl
from tests.support.every_line import possessed, settled
from tests.support.namespaces import BareNamespace
from tests.torture.commands import Run, RunDetached
from tests.torture.host_state import difference, eventually_same, state
from tests.torture.table import LONG, Table
from tests.torture.verbs import SUBNET, Attach, AttachMany, Case, CreateNamespaces, Publish

ROUNDS = 5000 if LONG else 100
WARM = 80 if LONG else 20  # rounds until caches and the allocator's arenas have their size
#: KiB more in the second half of the rounds: in the long run that shows a loss of 840 bytes a round.
MEMORY = 2048


class Life(Publish):
    """A network is made, a container connected to it, two ports published; all goes the other way round."""

    def __init__(self, host: nl.RTNetlink, containers: list[BareNamespace]) -> None:
        Case.__init__(self, host, containers)
        self.places = list(containers[:1])

    def do(self) -> Any:
        self.network = nl.Network.create("web", subnets=SUBNET)
        self.network.connect(self.containers[0].path, ip="172.30.0.9")
        super().do()

    def undo(self) -> None:
        super().undo()
        self.network.disconnect(self.containers[0].path)
        self.network.remove()


def memory() -> int:
    """Return the resident memory of this process, in KiB."""
    with open("/proc/self/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Rss:"))


@pytest.mark.parametrize(
    "kind", [Attach, AttachMany, Life, CreateNamespaces, Run, RunDetached], ids=lambda kind: kind.__name__
)
def test_rounds(
    kind: type[Case],
    backend: str,
    host: nl.RTNetlink,
    bare_namespaces: Callable[[int], list[BareNamespace]],
    table: Table,
) -> None:
    case = kind(host, bare_namespaces(3))
    for _ in range(WARM):
        case.do()
        case.undo()
    gc.collect()
    before, held = state(case.places), settled()
    for number in range(ROUNDS):
        if number == ROUNDS // 2:
            gc.collect()
            size = memory()
        case.do()
        case.undo()
    gc.collect()
    wrong = []
    if (now := eventually_same(before, lambda: state(case.places))) != before:
        wrong.append(difference(before, now))
    if (has := eventually_same(held, possessed)) != held:
        wrong.append(f"left {sorted(has - held)}, lost {sorted(held - has)}")
    if (more := memory() - size) > MEMORY:
        wrong.append(f"{more} KiB of memory more")
    table.add("cycles", kind.__name__, ROUNDS, wrong, backend=backend)
