"""CommandError: what a command says is wrong, and its exit code."""

from __future__ import annotations


class CommandError(Exception):
    """text: what goes to stderr (one sentence, more lines if the original has them); code: the exit code;
    final: it ends a batch too, even with -force (iproute2 exits on the spot when a word makes no sense)."""

    def __init__(self, text: str, code: int = 1, *, final: bool = False) -> None:
        super().__init__(text)
        self.text = text
        self.code = code
        self.final = final


class HelpError(CommandError):
    """The words ask for help, or leave nothing but help to give."""

    def __init__(self) -> None:
        super().__init__("", 255, final=True)


def complain(text: str) -> None:
    """Write one message to stderr; a closed stderr is no reason to fail."""
    import os

    try:
        if os.isatty(2):
            from .output import printable

            text = printable(text)
        os.write(2, f"{text}\n".encode("utf-8", "surrogateescape"))
    except OSError:
        return
