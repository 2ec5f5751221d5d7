"""A second Ctrl-C while the first is on its way, or while what was made is taken back."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from types import FrameType, ModuleType
from typing import Any, NoReturn

from netlinkpy import rollback
from netlinkpy.wiring import link_group


class SecondInterruption:
    """Raises KeyboardInterrupt at the event `at` (counted from 1) in what takes back: a line, or the entry of
    a function, of rollback, link_group and the other modules given."""

    def __init__(self, at: int, modules: tuple[ModuleType, ...]) -> None:
        self.left = at
        self._files = {module.__file__ for module in (rollback, link_group, *modules)}

    def begin(self) -> NoReturn:
        """The first Ctrl-C."""
        sys.settrace(self._trace)
        raise KeyboardInterrupt

    def _trace(self, frame: FrameType, event: str, argument: object) -> Any:
        if frame.f_code.co_filename not in self._files or frame.f_code.co_name == "close":
            return None
        if event in ("call", "line"):
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self._trace


def second_interruptions(*modules: ModuleType) -> Iterator[SecondInterruption]:
    """Yield one for each event at which it may come; its `begin` is the first Ctrl-C. modules: where else
    something is taken back."""
    at = 0
    while True:
        at += 1
        one = SecondInterruption(at, modules)
        yield one
        if one.left > 0:
            break
    assert at > 15


def check_broken_off(work: Callable[[], object]) -> None:
    """Check that work() ends with a KeyboardInterrupt. What was not closed because of it, Python closes."""
    hook = sys.unraisablehook
    sys.unraisablehook = lambda unraisable: None
    broken_off = False
    try:
        work()
    except KeyboardInterrupt:
        broken_off = True
    finally:
        sys.settrace(None)
        gc.collect()
        sys.unraisablehook = hook
    assert broken_off


def after(function: Callable[..., Any], begin: Callable[[], NoReturn]) -> Callable[..., Any]:
    """Return a function that does the same, and then calls begin()."""

    def wrapped(*arguments: Any, **named: Any) -> NoReturn:
        function(*arguments, **named)
        begin()

    return wrapped
