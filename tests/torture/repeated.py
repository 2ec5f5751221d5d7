"""The same call after one that was broken off, and the undoing call: the one repairs, the other leaves
nothing."""

from __future__ import annotations

from typing import Any

from tests.torture.host_state import difference, eventually_same, state
from tests.torture.verbs import Case


def repeated(case: Case, before: dict[str, Any], done: dict[str, Any], complete: bool) -> list[str]:
    """Return what is wrong, in words. before and done: the states without and with the verb's work; complete:
    it is known to be done, so it is undone first."""
    wrong = []
    try:
        if complete:
            case.undo()
        case.do()
        case.check_complete()
        now = eventually_same(done, lambda: state(case.places)) if case.takes_away else done
        case.undo()
    except Exception as error:  # whatever it is, it is reported
        wrong.append(f"then {type(error).__name__} {error!s:.300}")
        try:
            case.undo()
        except Exception as error:
            wrong.append(f"and {error!r:.200}")
    else:
        wanted = done
        if not case.takes_away:
            wanted, now = before, eventually_same(before, lambda: state(case.places))
        if now != wanted:
            wrong.append(f"left in the end: {difference(wanted, now)[:400]}")
    return wrong
