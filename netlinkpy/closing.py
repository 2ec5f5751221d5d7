"""Closing: an object with a close(), which `with` calls. Descriptor, close_owned(): descriptors that no
exception out of a signal handler loses or closes twice.

The interpreter may call a handler after any call that a line of Python makes; so what opens and notes, or
closes and notes, is one call of a method written in C that consumes a map()."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

_NONE = b"\xff\xff\xff\xff"  # -1 as a C int


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


class Descriptor(Closing):
    """A descriptor that has an owner the instant it is opened."""

    __slots__ = ("_numbers",)

    def __init__(self) -> None:
        self._numbers: list[int | None] = []

    def open(self, path: str, flags: int) -> None:
        """Open a file; one that is made has the mode 0. Raise OSError if the kernel refuses."""
        self._numbers.extend(map(os.open, (path,), (flags,), (0,)))

    def fileno(self) -> int:
        """Return the descriptor, -1 if it is not open."""
        return -1 if not self._numbers or self._numbers[0] is None else self._numbers[0]

    def close(self) -> None:
        """Close it; a second time does nothing."""
        if self.fileno() >= 0:
            self._numbers[:] = map(os.close, self._numbers)  # type: ignore[arg-type]

    __del__ = close


def close_owned(numbers: bytearray | memoryview, doomed: list[int | None]) -> None:
    """Close the descriptors in a buffer of C ints, and put -1 in their place; again after an exception broke
    it off. doomed: a list that belongs to the buffer, empty at first."""
    if None in doomed:
        doomed.clear()
    if not doomed:
        doomed[:] = [number for number in memoryview(numbers).cast("i") if number >= 0]
    numbers[:] = _NONE * (len(numbers) // len(_NONE))
    doomed[:] = map(os.close, doomed)  # type: ignore[arg-type]
    doomed.clear()
