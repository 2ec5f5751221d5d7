"""netlinkpy stop: containers are asked to end, and made to."""

from __future__ import annotations

from .command import Command, Option, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

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
    return act_on_each(names, lambda name: _stop(name, values["time"]))


def act_on_each(names: list[str], act: Callable[[str], None]) -> int:
    """Act on each, and print the names of those on which it was done. Return 1 if one failed, else 0."""
    from .run import complaint, say

    failed = 0
    for name in names:
        try:
            act(name)
        except (OSError, ValueError) as error:
            say(complaint(error)[0])
            failed = 1
        else:
            print(name)
    return failed


def _stop(name: str, seconds: int) -> None:
    from ..run.running import Call

    with Call(name) as call:
        call.stop(seconds)
