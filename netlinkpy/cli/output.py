"""Output: records as text or as JSON, both from one description, laid out as iproute2 lays them out."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, TypeAlias

    #: (key in JSON or None, value in JSON, text): a None key is for text only, an empty text for JSON only.
    Field: TypeAlias = tuple[str | None, Any, str]

_ENOUGH = 1 << 16  # characters kept before they are written
_ESCAPES = {  # in JSON: what it requires, what a terminal obeys, and bytes that are no UTF-8
    **{number: f"\\u{number:04x}" for number in (*range(0x20), *range(0x7F, 0xA0), *range(0xDC80, 0xDD00))},
    ord('"'): '\\"',
    ord("\\"): "\\\\",
    ord("\n"): "\\n",
    ord("\r"): "\\r",
    ord("\t"): "\\t",
    ord("\f"): "\\f",
    ord("\b"): "\\b",
}


class Output:
    """One list of records. JSON is one array, pretty or compact; text is whatever the fields say."""

    __slots__ = ("_colours", "_count", "_parts", "_pretty", "_size", "json")

    def __init__(self, *, json: bool = False, pretty: bool = False, colours: bool = False) -> None:
        self.json = json
        self._colours = colours
        self._pretty = pretty
        self._parts: list[str] = []
        self._size = self._count = 0

    def record(self, fields: Iterable[Field]) -> None:
        """Add one record."""
        if not self.json:
            self.text("".join([text for _, _, text in fields]))
            return
        if self._count == 0:
            self.text("[ " if self._pretty else "[")
        else:
            self.text(",")
        self._count += 1
        self.text(dump(mapping(fields), 1 if self._pretty else None))

    def text(self, text: str) -> None:
        """Add text as it is."""
        self._parts.append(text)
        self._size += len(text)
        if self._size > _ENOUGH:
            self.flush()

    def close(self) -> None:
        """End the list and write what is left."""
        if self.json:
            if self._count == 0:
                self.text("[ ]\n" if self._pretty else "[]\n")
            else:
                self.text(" ]\n" if self._pretty else "]\n")
        self.flush()

    def flush(self) -> None:
        """Write what was gathered. Raise BrokenPipeError if nobody reads any more."""
        data = "".join(self._parts)
        self._parts.clear()
        self._size = 0
        write(data, colours=self._colours)


def printable(text: str, *, colours: bool = False) -> str:
    """Return text with what a terminal would obey (control characters, changes of direction) and bytes that
    are no UTF-8 as escapes: names and answers come from strangers. Line ends and tabs stay. colours: those
    of terminals (ESC [ ... m) stay too."""
    if text.isprintable():
        return text
    parts = text.split("\033[") if colours else [text]
    for place, part in enumerate(parts):
        code, end, rest = part.partition("m") if place else ("", "", part)
        ours = end and all(letter.isdigit() or letter == ";" for letter in code)
        plain = rest if ours or not place else part
        escaped = "".join([one if one.isprintable() or one in "\n\t" else _escape(one) for one in plain])
        parts[place] = f"\033[{code}m{escaped}" if ours else f"\\x1b[{escaped}" if place else escaped
    return "".join(parts)


def _escape(character: str) -> str:
    number = ord(character)
    if 0xDC80 <= number < 0xDD00:  # surrogateescape: a byte
        number -= 0xDC00
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


class Terminal:
    """Standard output, if that is a terminal: what is printed is printable."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text; return its length."""
        self._stream.write(printable(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def write(text: str, *, colours: bool = False) -> None:
    """Write text to standard output, whole, past Python's own buffer; to a terminal as it is printable."""
    if not text.isprintable() and os.isatty(1):
        text = printable(text, colours=colours)
    data = memoryview(text.encode("utf-8", "surrogateescape"))
    while data:
        data = data[os.write(1, data) :]


def print_table(rows: Iterable[tuple[str, ...]], indent: str = "") -> None:
    """Print rows in aligned columns, the headings first among them."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = "  ".join([f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)])
        print(f"{indent}{cells}".rstrip())


def mapping(fields: Iterable[Field]) -> dict[str, Any]:
    """Return the JSON object of a record."""
    return {key: value for key, value, _ in fields if key is not None}


def dump(value: Any, depth: int | None) -> str:
    """Return JSON as iproute2 writes it (the json module may be missing, and lays it out differently). depth:
    how deep the value stands, for the pretty layout; None: compact."""
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, str):
        return '"' + value.translate(_ESCAPES) + '"'
    if isinstance(value, dict):
        if depth is None:
            return "{" + ",".join([f'"{key}":{dump(item, None)}' for key, item in value.items()]) + "}"
        if not value:
            return "{}"
        margin = "    " * (depth + 1)
        items = [f'{margin}"{key}": {dump(item, depth + 1)}' for key, item in value.items()]
        return "{\n" + ",\n".join(items) + "\n" + "    " * depth + "}"
    if isinstance(value, (list, tuple)):
        if depth is None:
            return "[" + ",".join([dump(item, None) for item in value]) + "]"
        if not value:
            return "[ ]"
        return "[ " + ",".join([dump(item, depth + 1) for item in value]) + " ]"
    return str(value)
