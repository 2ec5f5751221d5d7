"""Batch: commands from a file, one on each line; a failure names file and line."""

from __future__ import annotations

from ..command_error import CommandError, complain
from . import run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .session import Session


def run_file(session: Session, path: str) -> int:
    """Run the commands of a file ("-": standard input); return 1 if one failed. With -force go on after a
    failure."""
    code = 0
    for line, words in _commands(path):
        session.forget()
        if run(session, words):
            complain(f"Command failed {path}:{line}")
            code = 1
            if not session.options.force:
                break
    return code


def _commands(path: str) -> Iterator[tuple[int, list[str]]]:
    if path == "-":
        yield from _read(0)
        return
    import os

    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise CommandError(
            f'Cannot open file "{path}" for reading: {os.strerror(error.errno or 0)}'
        ) from None
    try:
        yield from _read(descriptor)
    finally:
        os.close(descriptor)


def _read(descriptor: int) -> Iterator[tuple[int, list[str]]]:
    """Yield (number of its last line, words) of each command: `#` begins a comment, a backslash at the end of
    a line continues it."""
    with open(descriptor, errors="surrogateescape", closefd=False) as file:
        number, held = 0, ""
        for line in file:
            number += 1
            text = held + line.rstrip("\n").partition("#")[0]
            if text.endswith("\\"):
                held = text[:-1]
                continue
            held = ""
            words = split(text)
            if words:
                yield number, words
        words = split(held)
        if words:
            yield number, words


def split(text: str) -> list[str]:
    """Return the words of a line; one that begins with a quote ends at the next one of its kind."""
    words: list[str] = []
    at, end = 0, len(text)
    while True:
        while at < end and text[at] in " \t\r\n":
            at += 1
        if at == end:
            return words
        if text[at] in "'\"":
            stop = text.find(text[at], at + 1)
            if stop < 0:
                raise CommandError("Unterminated quoted string", final=True)
            words.append(text[at + 1 : stop])
            at = stop + 1
        else:
            start = at
            while at < end and text[at] not in " \t\r\n":
                at += 1
            words.append(text[start:at])
