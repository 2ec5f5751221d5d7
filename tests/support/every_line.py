"""An exception raised at a chosen line of netlinkpy, and what the process holds, to compare after it.

`raise_at(work, n)` counts the line events of the package's files in the calling thread, and raises at the
n-th. This is harder than a signal, whose handler runs only after some instructions. What a throw-away thread
runs (of the pure twin, and netns.call) is left out: Python runs no handler there. So is a line of `try:`
alone: CPython has a NOP there that no handler covers, not even those of an enclosing `try`, and that raises
nothing. Of what does no I/O and keeps nothing (PURE) every 16th is counted: most lines are there, and where
among them an exception comes makes no difference."""

from __future__ import annotations

import functools
import gc
import linecache
import os
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import netlinkpy
from tests.support.possessions import descriptors, threads

PACKAGE = os.path.dirname(netlinkpy.__file__) + os.sep
PURE = tuple(PACKAGE + name for name in ("wire/", "framing.py", "record.py", "backends/pure/columns.py"))


class Interruption(BaseException):
    """The exception raised, which nothing in netlinkpy knows."""


class Outcome:
    """What came of it: the line events counted, the line at which it was raised ("" it was not), and what
    was raised in place of it ("" nothing)."""

    def __init__(self) -> None:
        self.lines = 0
        self.where = ""
        self.error = ""


def raise_at(work: Callable[[], Any], at: int) -> Outcome:
    """Run work(), and raise at its line event `at`, counted from 1 (0: never)."""
    outcome, pure = Outcome(), 0

    def line(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal pure
        if event != "line" or is_bare_try(frame.f_code.co_filename, frame.f_lineno):
            return line
        if frame.f_code.co_filename.startswith(PURE):
            pure += 1
        if pure % 16 == 0 or not frame.f_code.co_filename.startswith(PURE):
            outcome.lines += 1
            if outcome.lines == at:
                code = frame.f_code
                file = code.co_filename.removeprefix(PACKAGE)
                outcome.where = f"{file}:{frame.f_lineno} ({code.co_name})"
                raise Interruption
        return line

    def call(frame: FrameType, event: str, argument: object) -> Any:
        return line if frame.f_code.co_filename.startswith(PACKAGE) else None

    before, hook = sys.gettrace(), sys.unraisablehook
    sys.unraisablehook = lambda unraisable: None  # what is raised in a __del__ is told, and goes no further
    sys.settrace(call)
    try:
        work()
    except Interruption:
        pass
    except Exception as error:
        outcome.error = repr(error)
    finally:
        sys.settrace(before)
        gc.collect()  # what the traceback held
        sys.unraisablehook = hook
    return outcome


@functools.cache
def is_bare_try(file: str, number: int) -> bool:
    """Return whether a line of a file is `try:`."""
    return linecache.getline(file, number).strip() == "try:"


# -- what there is -----------------------------------------------------------------------------------------


def possessed() -> set[str]:
    """Return the descriptors and the threads of this process."""
    return descriptors() | threads()


def settled() -> set[str]:
    """Return the same, once no thread is ending any more."""
    gc.collect()
    gc.freeze()  # what is there now need not be looked at each time
    before, now = set[str](), possessed()
    while now != before:
        time.sleep(0.1)
        before, now = now, possessed()
    return now
