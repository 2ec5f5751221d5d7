"""An exception at any line of a verb leaves all as it was, or the verb's work complete: descriptors, threads,
names, links, addresses, routes, the packet filter. Then the same call succeeds.

By default a sample of the lines; with NETLINKPY_LONG=1 every line."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

import netlinkpy as nl
from tests.support.every_line import Interruption, possessed, raise_at, settled
from tests.support.namespaces import BareNamespace
from tests.torture.host_state import difference, eventually_same, state
from tests.torture.table import LONG, SEED, Table
from tests.torture.verbs import VERBS, Case

SAMPLE = 6  # lines of each case, where not every one is tried


@pytest.mark.parametrize("kind", VERBS, ids=lambda kind: kind.__name__)
def test_an_exception_at_any_line(
    kind: type[Case],
    backend: str,
    host: nl.RTNetlink,
    bare_namespaces: Callable[[int], list[BareNamespace]],
    table: Table,
) -> None:
    case = kind(host, bare_namespaces(3))
    case.do()  # modules are loaded, `lo` is up, the bridge's MAC is pinned, a namespace has its id
    case.undo()
    lines = raise_at(case.do, 0).lines
    case.undo()
    assert lines > 20
    held = settled()
    failures: list[str] = []
    step = 1 if LONG else max(lines // SAMPLE, 1)
    first = random.Random(SEED).randrange(step) + 1
    tried = raised = 0
    for at in range(first, lines + 1, step):
        tried += 1
        reached, said = _try(case, at, held)
        raised += reached
        if said:
            failures.append(said)
    table.add("every_line", kind.__name__, tried, failures, backend=backend)
    assert raised > tried // 2  # a line in the middle of a wait is not always reached


def _try(case: Case, at: int, held: set[str]) -> tuple[bool, str]:
    """Raise at a line; return whether it was reached, and what is wrong then, "" if nothing is."""
    before = state(case.places)
    outcome = raise_at(case.do, at)
    where = f"line event {at}, {outcome.where or 'not reached'}"
    wrong = [f"raised {outcome.error}"] if outcome.error else []
    has = eventually_same(held, possessed)
    if has != held:
        wrong.append(f"left {sorted(has - held)}, lost {sorted(held - has)}")
        held.clear()
        held.update(has)
    now = state(case.places)
    if now != before:
        try:
            case.check_complete()
        except (AssertionError, OSError, ValueError, Interruption) as error:
            now = eventually_same(before, lambda: state(case.places))
            if now != before:
                wrong.append(f"neither before nor complete: {difference(before, now)[:600]} {error!r:.300}")
        else:
            case.undo()
    try:
        case.do()
        case.undo()
    except Exception as error:
        wrong.append(f"then {error!r}")
    return bool(outcome.where), f"{where}: {'; '.join(wrong)}" if wrong else ""
