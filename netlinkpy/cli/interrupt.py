"""SIGTERM as an interrupt, so that a command rolls back before it ends; no interrupt when all is done."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of `signal`, which imports enum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def interrupt_on_terminate() -> None:
    """Make SIGTERM and SIGHUP raise KeyboardInterrupt in the main thread as SIGINT does, from now on. One
    that is ignored stays so (nohup)."""
    for number in (_signal.SIGTERM, _signal.SIGHUP):
        if _signal.getsignal(number) != _signal.SIG_IGN:
            _signal.signal(number, _interrupt)


def ignore_interrupts() -> None:
    """Ignore SIGHUP, SIGINT and SIGTERM from now on."""
    for number in (_signal.SIGHUP, _signal.SIGINT, _signal.SIGTERM):
        _signal.signal(number, _signal.SIG_IGN)


def _interrupt(_number: int, _frame: Any) -> None:
    raise KeyboardInterrupt
