"""A progress bar on standard error, if that is a terminal."""

from __future__ import annotations

import sys
from time import monotonic

_WIDTH = 30
_EVERY = 0.05  # seconds between two drawings


class Progress:
    """Draws `label [#####.....] 120/200`, redrawn in place; silent if stderr is no terminal. Call it with
    (done, of)."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._shown = 0.0
        self._on = sys.stderr.isatty()

    def __call__(self, done: int, of: int) -> None:
        now = monotonic()
        if not self._on or (now - self._shown < _EVERY and done < of):
            return
        self._shown = now
        filled = _WIDTH * done // of if of else _WIDTH
        sys.stderr.write(f"\r{self._label} [{'#' * filled}{'.' * (_WIDTH - filled)}] {done}/{of} ")
        sys.stderr.flush()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._on and self._shown:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
