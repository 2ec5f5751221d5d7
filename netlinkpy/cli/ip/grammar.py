"""The grammar of `ip`: a cursor over words, abbreviations, numbers, and the sentences for wrong words."""

from __future__ import annotations

import os

from ...rtnl.values import fits_name
from ...uapi.if_ import ALTIFNAMSIZ, IFNAMSIZ
from ..command_error import CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeVar

    T = TypeVar("T")

U32 = 0xFFFFFFFF


class Words:
    """The words of a command, read from left to right. True while some are left."""

    __slots__ = ("_at", "_words")

    def __init__(self, words: Sequence[str]) -> None:
        self._words = list(words)
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._words)

    def next(self) -> str:
        """Return the next word. Raise CommandError if there is none: the command line is not complete."""
        if self._at >= len(self._words):
            raise CommandError('Command line is not complete. Try option "help"', 255, final=True)
        self._at += 1
        return self._words[self._at - 1]

    def peek(self) -> str:
        """Return the next word without reading it; empty if there is none."""
        return self._words[self._at] if self else ""

    def take(self, word: str) -> bool:
        """Return whether the next word is this one; if so, read it."""
        if self.peek() != word:
            return False
        self._at += 1
        return True

    def rest(self) -> list[str]:
        """Read and return all words that are left."""
        rest = self._words[self._at :]
        self._at = len(self._words)
        return rest


def matches(word: str, name: str) -> bool:
    """Return whether a word is a name or an abbreviation of it."""
    return bool(word) and name.startswith(word)


def choose(word: str, table: Sequence[tuple[str, T]]) -> T | None:
    """Return the first entry that a word abbreviates: the order of the table decides which one `a` is."""
    for name, entry in table:
        if matches(word, name):
            return entry
    return None


def wrong(value: str, why: str) -> CommandError:
    """Return the error for an invalid argument."""
    return CommandError(f'Error: argument "{value}" is wrong: {why}', 255, final=True)


def duplicate(key: str, value: str) -> CommandError:
    """Return the error for a key that is given twice."""
    return CommandError(f'Error: duplicate "{key}": "{value}" is the second value.', 255, final=True)


def garbage(key: str, value: str) -> CommandError:
    """Return the error for an unknown word, or a second one where only one may be."""
    return CommandError(f'Error: either "{key}" is duplicate, or "{value}" is a garbage.', 255, final=True)


def no_device(name: str) -> CommandError:
    """Return the error for a device that is to be changed and does not exist."""
    return CommandError(f'Cannot find device "{name}"')


def not_built(what: str) -> CommandError:
    """Something that iproute2 has and netlinkpy does not."""
    return CommandError(f"netlinkpy does not have {what} yet; nothing was done.")


def number(text: str, why: str, high: int = U32, *, low: int = 0, base: int = 0) -> int:
    """Return a number as C reads it (0x hexadecimal, leading 0 octal) within bounds. Raise CommandError,
    which says `why`, if the text is none."""
    value = c_number(text, base)
    if value is None or not low <= value <= high:
        raise wrong(text, why)
    return value


def c_number(text: str, base: int = 0) -> int | None:
    """Return a number in C's notation (strtol()), None if the text is none."""
    digits = text.strip().removeprefix("+").lower()
    sign = -1 if digits.startswith("-") else 1
    digits = digits.removeprefix("-")
    if not digits[:1].isalnum() or "_" in digits or not digits.isascii():
        return None
    if not base:
        base = 16 if digits.startswith("0x") else 8 if digits.startswith("0") and digits != "0" else 10
    try:
        return sign * int(digits, base)
    except ValueError:
        return None


def on_off(words: Words, key: str) -> bool:
    """Return the value of a switch: on or off."""
    value = words.next()
    if value in ("on", "off"):
        return value == "on"
    raise CommandError(f'Error: argument of "{key}" must be "on" or "off", not "{value}"')


def on_off_of(words: Words, key: str, code: int) -> bool:
    """As on_off(), for words that have iproute2's newer sentence and exit code."""
    value = words.next()
    if value in ("on", "off"):
        return value == "on"
    why = f'Error: argument of "{key}" must be one of "off", "on", not "{value}"'
    raise CommandError(why, code)


def check_ifname(name: str, key: str) -> str:
    """Return the name if a link may have it; key: the word that it follows."""
    if not fits_name(os.fsencode(name), IFNAMSIZ):
        raise wrong(name, f'"{key}" not a valid ifname')
    return name


def check_altname(name: str, key: str) -> str:
    """As check_ifname(), for a name that may also be an alternative one (up to 127 bytes)."""
    if not fits_name(os.fsencode(name), ALTIFNAMSIZ):
        raise wrong(name, f'"{key}" not a valid ifname')
    return name
