"""Closing: an object with a close(), which `with` calls."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self


class Closing:
    """Base of classes that own a descriptor: `with` calls close() at its end."""

    __slots__ = ()

    def close(self) -> None:
        """Release what it owns; a second time does nothing."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
