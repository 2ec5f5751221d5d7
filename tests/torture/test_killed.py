"""A process that calls a verb is killed, or asked to end, at a random moment: the same call repairs, and the
undoing one leaves nothing.

By default one kill of each verb and backend; with NETLINKPY_LONG=1 more than a thousand in all."""

from __future__ import annotations

import contextlib
import os
import random
import select
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

import netlinkpy as nl
from tests.support.namespaces import BareNamespace
from tests.torture.commands import COMMANDS
from tests.torture.host_state import eventually_same, state
from tests.torture.repeated import repeated
from tests.torture.table import LONG, SEED, Table
from tests.torture.verbs import VERBS, Case

CASES = [*VERBS, *COMMANDS]
KILLS = 1 + 1000 // (2 * len(CASES)) if LONG else 1  # of one verb on one backend
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
PATIENCE = 20.0  # seconds for one that was asked to end


class Caller:
    """A child that calls the verb of a case."""

    def __init__(self, case: Case) -> None:
        self.pid = os.fork()
        if self.pid == 0:
            try:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                with contextlib.suppress(BaseException):
                    case.do()
            finally:
                os._exit(0)

    def end(self) -> bool:
        """Return whether it ends by itself in time. It has ended then in any case."""
        process = os.pidfd_open(self.pid)
        try:
            in_time = bool(select.select([process], [], [], PATIENCE)[0])
        finally:
            os.close(process)
        if not in_time:
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        return in_time


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)
def test_killed_at_a_random_moment(
    kind: type[Case],
    backend: str,
    host: nl.RTNetlink,
    bare_namespaces: Callable[[int], list[BareNamespace]],
    table: Table,
) -> None:
    chosen = random.Random(f"{kind.__name__} {SEED}")
    case = kind(host, bare_namespaces(3))
    case.do()  # modules are loaded
    case.undo()
    begin = time.monotonic()
    assert Caller(case).end()
    whole = time.monotonic() - begin
    case.check_complete()
    done = state(case.places)
    case.undo()
    unclean = []
    for _ in range(KILLS):
        sent, moment = chosen.choice(SIGNALS), chosen.uniform(0, whole)
        if wrong := _kill(case, sent, moment, done):
            unclean.append(
                f"{sent.name} after {moment * 1e3:.2f} of {whole * 1e3:.2f} ms: {'; '.join(wrong)}"
            )
    table.add("killed", kind.__name__, KILLS, unclean, backend=backend)


def _kill(case: Case, sent: signal.Signals, moment: float, done: dict[str, Any]) -> list[str]:
    """Return what is wrong, in words."""
    before = state(case.places)
    caller = Caller(case)
    time.sleep(moment)
    os.kill(caller.pid, sent)
    wrong = [] if caller.end() else [f"it goes on {PATIENCE} s later"]
    complete = False
    if eventually_same(before, lambda: state(case.places)) != before:
        with contextlib.suppress(Exception):
            case.check_complete()
            complete = True
    return wrong + repeated(case, before, done, complete)
