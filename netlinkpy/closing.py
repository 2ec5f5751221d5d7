"""Closing: what has a close(), closed at the end of a `with` too."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self


class Closing:
    """Base of what holds a descriptor: `with` calls close() at its end."""

    __slots__ = ()

    def close(self) -> None:
        """Give back what it holds; a second time does nothing."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
