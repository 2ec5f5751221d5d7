"""Rollback: undo the effects of a call that fails."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, Self


class Rollback:
    """Undoes everything noted, in reverse order, if its `with` block ends with an exception.

    Write `with Rollback() as rollback, rollback:`. The inner one undoes; if a second Ctrl-C comes before it
    has begun, the outer one does.

    Note what undoes an effect *before* the effect, so that no exception finds it missing: an undo must
    tolerate that nothing was done yet, and that it is begun again after a signal broke it off. If one fails,
    the others are tried all the same, and its error is added to the exception as a note
    (BaseException.add_note())."""

    __slots__ = ("_undo",)

    def __init__(self) -> None:
        self._undo: list[tuple[Callable[..., object], tuple[Any, ...]]] = []

    def before(self, undo: Callable[..., object], *arguments: Any) -> None:
        """Note that undo(*arguments) undoes what comes next."""
        self._undo.append((undo, arguments))

    def commit(self) -> None:
        """Keep what was done up to now."""
        self._undo.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.undo(error)

    def undo(self, error: BaseException) -> None:
        """Undo everything that was noted; if a signal interrupts an undo, begin it again."""
        try:
            while self._undo:
                undo, arguments = self._undo[-1]
                try:
                    undo(*arguments)
                except Exception as failed:
                    error.add_note(f"what was done could not be undone whole: {failed}")
                self._undo.pop()
        except BaseException:
            self.undo(error)
            raise
