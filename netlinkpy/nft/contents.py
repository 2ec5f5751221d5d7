"""Contents: what a set or map of nf_tables holds, and what a look-up of a key finds that is known in part."""

from __future__ import annotations

from bisect import bisect_right

from ..uapi.nf_tables import NFT_SET_ELEM_CATCHALL, NFT_SET_ELEM_INTERVAL_END, NFT_SET_INTERVAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..wire.attributes import Values
    from ..wire.netfilter.elements import Element

    Words = Sequence[bytes | None]  # of four bytes, as in registers; None: not known

_WORD = 4  # bytes


def words_of(length: int) -> int:
    """Return how many words a value of so many bytes takes in registers."""
    return -(-length // _WORD)


class Contents:
    """The elements of one set or map. description: what the kernel says of the set."""

    def __init__(self, description: Values, elements: Iterable[Element]) -> None:
        length = description.get("key_len", 0)
        fields = [one.get("len", 0) for one in description.get("desc", {}).get("concat", {}).get("elem", ())]
        self._fields = fields or [length]
        self._otherwise: Element | None = None
        self._elements: list[Element] = []
        for one in elements:
            if one.flags & NFT_SET_ELEM_CATCHALL:
                self._otherwise = one
            else:
                self._elements.append(one)
        # An element begins an interval, and one with a flag ends it; that of several fields says both.
        self._in_line = bool(description.get("flags", 0) & NFT_SET_INTERVAL) and len(self._fields) == 1
        if self._in_line:
            self._elements.sort(key=lambda one: (one.key, not one.flags & NFT_SET_ELEM_INTERVAL_END))

    def found(self, key: Words) -> list[Element | None]:
        """Return all that a look-up may find: one thing, if it is certain. None: the key is not there."""
        if self._in_line:
            return self._in_intervals(key)
        matching = [one for one in self._elements if self._agrees(key, one)]
        if matching and None not in key:
            return [matching[0]]
        return [*matching, self._otherwise]

    def _in_intervals(self, key: Words) -> list[Element | None]:
        whole = _joined(key)
        if whole is None:
            begins = [one for one in self._elements if not one.flags & NFT_SET_ELEM_INTERVAL_END]
            return [*begins, self._otherwise]
        at = bisect_right(self._elements, whole, key=lambda one: one.key.ljust(len(whole), b"\0"))
        before = self._elements[at - 1] if at else None
        inside = before is not None and not before.flags & NFT_SET_ELEM_INTERVAL_END
        return [before if inside else self._otherwise]

    def _agrees(self, key: Words, element: Element) -> bool:
        """Return whether a key may be an element's, going by what is known of it."""
        for at, length in self._places():
            value = _joined(key[at : at + words_of(length)])
            if value is not None:
                start, end = at * _WORD, at * _WORD + length
                low = element.key[start:end]
                high = element.end[start:end] if element.end else low
                if not low <= value[:length] <= high:
                    return False
        return True

    def _places(self) -> Iterator[tuple[int, int]]:
        """Yield the word at which each field begins, and its length in bytes."""
        at = 0
        for length in self._fields:
            yield at, length
            at += words_of(length)


def _joined(words: Words) -> bytes | None:
    """Return the bytes of words, None if one is not known."""
    known = [word for word in words if word is not None]
    return b"".join(known) if len(known) == len(words) else None
