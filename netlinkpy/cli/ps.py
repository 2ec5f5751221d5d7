"""netlinkpy ps: list the running containers, as their supervisors report them."""

from __future__ import annotations

from .command import Command, Option
from .output import dump, print_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..run.running import Running

COMMAND = Command(
    usage="netlinkpy ps [--json] [-q]",
    summary="List what `netlinkpy run` has running here, with the addresses that it has now.",
    options=(
        Option(("--json",), "", "one JSON object a line"),
        Option(("-q", "--quiet"), "", "names only"),
    ),
)

_HEADINGS = ("NAME", "PID", "NETWORK", "ADDRESSES", "PORTS", "UP", "COMMAND")


def main(arguments: list[str]) -> int:
    """Exit codes: 0; 2 the words do not fit."""
    parsed = COMMAND.parse(arguments)
    if parsed is None:
        return 0
    values, _ = parsed
    from ..run.running import listing

    found = listing()
    if values["json"]:
        for one in found:
            print(dump(one.as_dict(), None))
    elif values["quiet"]:
        for one in found:
            print(one.name)
    else:
        print_table([_HEADINGS, *map(_row, found)])
    return 0


def _row(one: Running) -> tuple[str, ...]:
    from time import time

    command = " ".join(one.command) if one.pid else f"(its supervisor {one.holder} does not answer)"
    return (
        one.name,
        str(one.pid or "-"),
        one.net,
        ",".join(one.addresses) or "-",
        ",".join(one.ports) or "-",
        _duration(int(time()) - one.started) if one.pid else "-",
        command if len(command) <= 40 else f"{command[:37]}...",
    )


def _duration(seconds: int) -> str:
    """Return it in the largest unit of which there are at least two: 90 seconds, 2 hours ..."""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length}{unit}"
    return f"{max(seconds, 0)}s"
