"""Closing: an object with a close(), which `with` calls."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    def close_descriptor(fd: int) -> int | None:
        """os.close(). `fd = close_descriptor(fd) or -1` closes and notes it in one line: no exception comes
        in between."""

else:
    from os import close as close_descriptor  # noqa: F401


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

    def __reduce_ex__(self, protocol: object) -> str:
        """Refuse to be copied or pickled: two objects would close one descriptor, the second time perhaps a
        stranger's."""
        raise TypeError(f"a {type(self).__name__} owns a descriptor: it can be neither copied nor pickled")
