"""A system call of a verb fails, or a signal comes there: all is as it was, or the verb's work is complete,
and what is said is true. Then the same call succeeds, and the undoing one leaves nothing.

NETLINKPY_LONG=1 runs it. Not every verb holds yet: NETLINKPY_TORTURE_LOG names a file that gets a table."""

from __future__ import annotations

import errno
import os
import re
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import netlinkpy as nl
from netlinkpy import backends
from tests.support.namespaces import BareNamespace
from tests.support.system_calls import ERRORS, Call, Watched
from tests.torture.commands import COMMANDS
from tests.torture.host_state import difference, eventually_same, state
from tests.torture.verbs import VERBS, Case

LONG = bool(os.environ.get("NETLINKPY_LONG"))
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
    """Who makes the call `number` gets a signal before it."""

    def __init__(self, number: int, sent: signal.Signals) -> None:
        self.number, self.sent, self.name = number, sent, ""

    def __call__(self, call: Call) -> int:
        if call.number == self.number:
            self.name = call.name
            os.kill(_process_of(call.thread), self.sent)
        return 0

    def __str__(self) -> str:
        return f"{self.sent.name} at {self.name} {self.number}"


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


@pytest.mark.skipif(not LONG, reason="a campaign of many minutes: NETLINKPY_LONG=1")
@pytest.mark.parametrize("kind", [*VERBS, *COMMANDS], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("trouble", [failures, signals], ids=lambda trouble: trouble.__name__)
def test_at_any_system_call(
    kind: type[Case],
    trouble: Callable[[list[str]], Iterator[Any]],
    host: nl.RTNetlink,
    bare_namespaces: Callable[[int], list[BareNamespace]],
) -> None:
    case = kind(host, bare_namespaces(3))
    case.do()  # modules are loaded
    case.undo()
    with Watched(case.do, lambda call: 0) as watched:
        assert not watched.error, watched.words
        assert not watched.left
        case.check_complete()
        done = state(case.places)
        case.undo()
    tried = list(trouble(watched.names))
    unclean = [said for one in tried if (said := _try(case, one, done))]
    with open(os.environ.get("NETLINKPY_TORTURE_LOG", os.devnull), "a") as file:
        head = f"{backends.backend()} {kind.__name__} {trouble.__name__}"
        print(f"{head} {len(tried)} tried, {len(tried) - len(unclean)} clean", file=file)
        for said in unclean:
            print(f"    {said}", file=file)
    assert not unclean, f"{len(unclean)} of {len(tried)}:\n" + "\n".join(unclean[:30])


def _is_bare(words: str) -> bool:
    """Return whether an error tells an errno, and not what it was that failed."""
    plain = re.sub(r"^netlinkpy: |^\[Errno \d+\] |(^| )\[(?!130|143)\d+\]$", "", words.strip())
    return bool(re.fullmatch(r"[\w ]*", plain)) and words != ""


def _try(case: Case, trouble: Any, done: dict[str, Any]) -> str:
    """Return what is wrong, "" if nothing is. done: the state when the verb's work is complete."""
    before = state(case.places)
    wrong = []
    try:
        watched = Watched(case.do, trouble)
    except TimeoutError as error:
        return f"{trouble}: {error}"
    with watched:
        if watched.left:
            wrong.append(f"left {watched.left}")
        failed, complete = bool(watched.error), False
        now = eventually_same(before, lambda: state(case.places)) if failed else state(case.places)
        if failed and not watched.killed and _is_bare(watched.words):
            wrong.append(f"a bare errno: {watched.words}")
        if now != before or not failed:
            try:
                case.check_complete()
            except (AssertionError, OSError, ValueError) as error:
                if not watched.killed:
                    now = eventually_same(before, lambda: state(case.places))
                    if now != before or not failed:
                        wrong.append(
                            f"neither before nor complete: {difference(before, now)[:400]} {error!r:.200}"
                        )
            else:
                complete = True
                if watched.error not in ("", "KeyboardInterrupt"):
                    wrong.append("it says it failed, and is complete")
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
    said = f" ({watched.error}: {watched.words.strip()[:250]})" if watched.error else ""
    return f"{trouble}{said}: {'; '.join(wrong)}" if wrong else ""
