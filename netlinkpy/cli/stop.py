"""netlinkpy stop: ask containers to end, and after a while kill them."""

from __future__ import annotations

from .command import Command, Option, for_each, number

COMMAND = Command(
    usage="netlinkpy stop [-t SECONDS] NAME...",
    summary="Send SIGTERM, then SIGKILL to what has not ended; return when nothing of it is left.",
    options=(
        Option(
            ("-t", "--time"), "SECONDS", "how long to wait (default: 10)", default=10, read=number(0, 86400)
        ),
    ),
    least=1,
    most=None,
)


def main(arguments: list[str]) -> int:
    """Exit codes: 0; 1 one of them does not run (the others are stopped); 2 the words do not fit."""
    parsed = COMMAND.parse(arguments)
    if parsed is None:
        return 0
    values, names = parsed
    return for_each(names, lambda name: _stop(name, values["time"]))


def _stop(name: str, seconds: int) -> None:
    from ..run.running import Call

    with Call(name) as call:
        call.stop(seconds)
    print(name)
