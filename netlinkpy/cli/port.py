"""netlinkpy port: the ports that a container has published."""

from __future__ import annotations

from .options import Command

COMMAND = Command(
    usage="netlinkpy port NAME",
    summary="List the published ports of a container that `netlinkpy run` started.",
    least=1,
    most=1,
)


def main(arguments: list[str]) -> int:
    """Exit codes: 0; 1 no such container; 2 the words do not fit."""
    parsed = COMMAND.parse(arguments)
    if parsed is None:
        return 0
    from ..run.names import find

    for port in find(parsed[1][0]).ports:
        print(port)
    return 0
