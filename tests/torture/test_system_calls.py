"""A system call of a verb fails, or a signal comes there: all is as it was, or the verb's work is complete,
and what is said is true. Then the same call succeeds, and the undoing one leaves nothing.

By default a few of the calls; with NETLINKPY_LONG=1 every call."""

from __future__ import annotations

import errno
import os
import random
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import netlinkpy as nl
from tests.support.namespaces import BareNamespace
from tests.support.system_calls import ERRORS, Call, Watched
from tests.torture.commands import COMMANDS
from tests.torture.host_state import difference, eventually_same, state
from tests.torture.repeated import repeated
from tests.torture.table import LONG, SEED, Table
from tests.torture.verbs import VERBS, Case
from tests.torture.words import is_bare, tells

SAMPLE = 3  # cases of each verb and trouble, where not every one is tried
PATIENCE = 60.0 if LONG else 15.0  # seconds for one call
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


class Failure:
    """The call `number` fails."""

    def __init__(self, number: int, error: str) -> None:
        self.number, self.error, self.name = number, error, ""

    def __call__(self, call: Call) -> int:
        if call.number != self.number:
            return 0
        self.name = call.name
        return getattr(errno, self.error) if self.error in ERRORS.get(call.name, "").split() else 0

    def __str__(self) -> str:
        return f"{self.name} {self.number}: {self.error}"


class Signal:
    """Who makes the call `number` gets a signal before it: the command, or what it left in the background."""

    def __init__(self, number: int, sent: signal.Signals) -> None:
        self.number, self.sent, self.name, self.place = number, sent, "", ""

    def __call__(self, call: Call) -> int:
        if call.number == self.number:
            self.name = call.name
            process = _process_of(call.thread)
            self.place = " in the background" if os.getsid(process) != os.getsid(0) else ""
            os.kill(process, self.sent)
        return 0

    def __str__(self) -> str:
        return f"{self.sent.name} at {self.name} {self.number}{self.place}"


def _process_of(thread: int) -> int:
    with open(f"/proc/{thread}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("Tgid:"))


def failures(names: list[str]) -> Iterator[Failure]:
    for number, name in enumerate(names, 1):
        for error in ERRORS.get(name, "").split():
            yield Failure(number, error)


def signals(names: list[str]) -> Iterator[Signal]:
    for number in range(1, len(names) + 1):
        for sent in SIGNALS:
            yield Signal(number, sent)


@pytest.mark.parametrize("kind", [*VERBS, *COMMANDS], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("trouble", [failures, signals], ids=lambda trouble: trouble.__name__)
def test_at_any_system_call(
    kind: type[Case],
    trouble: Callable[[list[str]], Iterator[Any]],
    backend: str,
    host: nl.RTNetlink,
    bare_namespaces: Callable[[int], list[BareNamespace]],
    table: Table,
) -> None:
    case = kind(host, bare_namespaces(3))
    case.do()  # modules are loaded
    case.undo()
    with Watched(case.do, lambda call: 0) as watched:
        assert not watched.error, watched.words
        assert case.goes_on or not watched.left
        case.check_complete()
        done = state(case.places)
        case.undo()
    tried = list(trouble(watched.names))
    if not LONG:
        tried = random.Random(SEED).sample(tried, min(SAMPLE, len(tried)))
    unclean = [said for one in tried if (said := _try(case, one, done))]
    table.add(trouble.__name__, kind.__name__, len(tried), unclean, backend=backend)


def _try(case: Case, trouble: Any, done: dict[str, Any]) -> str:
    """Return what is wrong, "" if nothing is. done: the state when the verb's work is complete."""
    before = state(case.places)
    wrong = []
    try:
        watched = Watched(case.do, trouble, seconds=PATIENCE)
    except TimeoutError as error:
        return f"{trouble}: {error}"
    with watched:
        if watched.left and not (case.goes_on and not watched.error):
            wrong.append(f"left {watched.left}")
        failed, complete = bool(watched.error), False
        # Who interrupts is told just that, also when all was done.
        interrupted = watched.error == "KeyboardInterrupt" or watched.words.endswith("[130]")
        now = eventually_same(before, lambda: state(case.places)) if failed else state(case.places)
        if failed and not watched.killed and is_bare(watched.words):
            wrong.append(f"a bare errno: {watched.words}")
        elif failed and not watched.killed and not interrupted and not tells(watched.words, case.says):
            wrong.append(f"it does not say {case.says!r}: {watched.words}")
        if now != before or not failed:
            try:
                case.check_complete()
            except Exception as error:
                if not watched.killed:
                    now = eventually_same(before, lambda: state(case.places))
                    if now != before or not failed:
                        wrong.append(
                            f"neither before nor complete: {difference(before, now)[:400]} {error!r:.200}"
                        )
            else:
                complete = True
                if failed and not interrupted:
                    wrong.append("it says it failed, and is complete")
        wrong += repeated(case, before, done, complete)
    said = f" ({watched.error}: {watched.words.strip()[:250]})" if watched.error else ""
    return f"{trouble}{said}: {'; '.join(wrong)}" if wrong else ""
