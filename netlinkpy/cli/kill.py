"""netlinkpy kill: send a signal to containers."""

from __future__ import annotations

from .command import Command, Option, for_each, misused

COMMAND = Command(
    usage="netlinkpy kill [-s SIGNAL] NAME...",
    summary="Send SIGKILL, which ends all of it, or another signal, which goes to its command.",
    options=(Option(("-s", "--signal"), "SIGNAL", "by name or number", default="KILL"),),
    least=1,
    most=None,
)


def main(arguments: list[str]) -> int:
    """Exit codes: 0; 1 one of them does not run (the others got it); 2 the words do not fit."""
    parsed = COMMAND.parse(arguments)
    if parsed is None:
        return 0
    values, names = parsed
    number = _number(values["signal"])
    return for_each(names, lambda name: _kill(name, number))


def _kill(name: str, number: int) -> None:
    from ..run.running import Call
    from ..run.signals import SIGKILL

    with Call(name) as call:
        call.kill(number)
        if number == SIGKILL:
            call.wait(None)
    print(name)


def _number(text: str) -> int:
    if text.isascii() and text.isdigit():
        return int(text)
    import signal

    name = text.upper().removeprefix("SIG")
    try:
        return signal.Signals[f"SIG{name}"].value
    except KeyError:
        raise misused(f"{text!r} is no signal") from None
