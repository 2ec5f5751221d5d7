"""Command and Option: netlinkpy's own commands (attach, run, network ...) in docker's manner. argparse costs
10 ms to import."""

from __future__ import annotations

from ..record import Record
from .command_error import CommandError, complain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def misused(sentence: str) -> CommandError:
    """Return the error for words of a command that do not fit: exit code 2."""
    return CommandError(f"netlinkpy: {sentence}", 2)


class Option(Record):
    """One option: its names ("-d", "--detach"); the word that stands for its value in the help (empty: a
    flag); what it does; many: it may be given several times, and is a list; read: turns the text into the
    value, or raises ValueError."""

    names: tuple[str, ...]
    metavar: str
    help: str
    many: bool = False
    default: Any = None
    read: Callable[[str], Any] = str

    @property
    def key(self) -> str:
        """The name under which its value is found: the last of its names, without dashes."""
        return self.names[-1].lstrip("-").replace("-", "_")


class Command(Record):
    """One command: how it is called, what it does, its options, and examples for its help.

    least, most: how many arguments follow the options (most None: any number); stop_at_argument: options end
    at the first argument (what follows is another program's)."""

    usage: str
    summary: str
    options: tuple[Option, ...] = ()
    least: int = 0
    most: int | None = 0
    examples: tuple[str, ...] = ()
    stop_at_argument: bool = False

    def parse(self, words: list[str]) -> tuple[dict[str, Any], list[str]] | None:
        """Return (values by key, arguments); None if the help was asked for, which is printed then. Raise
        CommandError for words that do not fit."""
        table = {name: option for option in self.options for name in option.names}
        values: dict[str, Any] = {
            option.key: [] if option.many else (option.default if option.metavar else False)
            for option in self.options
        }
        arguments: list[str] = []
        queue = list(words)
        while queue:
            word = queue.pop(0)
            if word == "--":
                arguments += queue
                break
            if word in ("--help", "-h") and word not in table:
                print(self.help())
                return None
            if not word.startswith("-") or word == "-":
                arguments.append(word)
                if self.stop_at_argument:
                    arguments += queue[1:] if queue[:1] == ["--"] else queue
                    break
                continue
            self._take(word, queue, table, values)
        if len(arguments) < self.least or (self.most is not None and len(arguments) > self.most):
            raise misused(f"usage: {self.usage}")
        return values, arguments

    def _take(self, word: str, queue: list[str], table: dict[str, Option], values: dict[str, Any]) -> None:
        name, equals, value = word.partition("=")
        option = table.get(name)
        if option is None and not word.startswith("--") and len(word) > 2:
            short = table.get(word[:2])  # -it, -p80:80
            if short is not None and not short.metavar:
                queue.insert(0, "-" + word[2:])
                name, equals, option = word[:2], "", short
            elif short is not None:
                name, equals, value, option = word[:2], "=", word[2:], short
        if option is None:
            raise misused(f"{name} is no option here; usage: {self.usage}")
        if not option.metavar:
            if equals:
                raise misused(f"{name} takes no value")
            values[option.key] = True
            return
        if not equals:
            if not queue:
                raise misused(f"{name} needs a value: {name} {option.metavar}")
            value = queue.pop(0)
        try:
            read = option.read(value)
        except ValueError as error:
            raise misused(f"{name}: {error}") from None
        if option.many:
            values[option.key].append(read)
        else:
            values[option.key] = read

    def help(self) -> str:
        """Return the help, with every option and the examples."""
        lines = [f"Usage: {self.usage}", "", self.summary]
        if self.options:
            rows = [
                (", ".join(option.names) + (f" {option.metavar}" if option.metavar else ""), option.help)
                for option in self.options
            ]
            width = min(max(len(left) for left, _ in rows), 34)
            lines += ["", "Options:"]
            lines += [
                f"  {left:<{width}}  {right}" if len(left) <= width else f"  {left}\n  {'':<{width}}  {right}"
                for left, right in rows
            ]
        if self.examples:
            lines += ["", "Examples:", *(f"  {example}" for example in self.examples)]
        return "\n".join(lines)


def number(low: int, high: int) -> Callable[[str], int]:
    """Return a reader of whole numbers within bounds."""

    def read(text: str) -> int:
        digits = text.isascii() and text.isdigit() and len(text) < 20
        if not digits or not low <= int(text) <= high:
            raise ValueError(f"{text[:30]!r} is not a number from {low} to {high}")
        return int(text)

    return read


def for_each(words: list[str], do: Callable[[str], object]) -> int:
    """Do something for each word; complain of one that fails, and go on with the others. Return the exit
    code."""
    code = 0
    for word in words:
        try:
            do(word)
        except (OSError, ValueError) as error:
            complain(f"netlinkpy: {(isinstance(error, OSError) and error.strerror) or error}")
            code = 1
    return code
