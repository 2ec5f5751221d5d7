"""SIGTERM as an interrupt, so that a command rolls back before it ends."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of `signal`, which imports enum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def interrupt_on_terminate() -> None:
    """Make SIGTERM and SIGHUP raise KeyboardInterrupt in the main thread from now on, as SIGINT does."""
    for number in (_signal.SIGTERM, _signal.SIGHUP):
        _signal.signal(number, _interrupt)


def _interrupt(_number: int, _frame: Any) -> None:
    raise KeyboardInterrupt
