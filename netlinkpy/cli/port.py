"""netlinkpy port: the ports that a container has published."""

from __future__ import annotations

from .command import Command, misused

COMMAND = Command(
    usage="netlinkpy port NAME [PORT[/PROTOCOL]]",
    summary="List where a container that `netlinkpy run` started has its ports published, or one of them.",
    least=1,
    most=2,
    examples=("netlinkpy port web", "netlinkpy port web 80/tcp"),
)


def main(arguments: list[str]) -> int:
    """Exit codes: 0; 1 no such container, or that port is not published; 2 the words do not fit."""
    parsed = COMMAND.parse(arguments)
    if parsed is None:
        return 0
    from ..run.running import Call

    name, *wanted = parsed[1]
    with Call(name) as call:
        ports = [port.split("->") for port in call.tell().ports]
    if not wanted:
        for place, target in ports:
            print(f"{target} -> {place}")
        return 0
    target = wanted[0] if "/" in wanted[0] else f"{wanted[0]}/tcp"
    if not target.partition("/")[0].isdigit():
        raise misused(f"{wanted[0]!r} is no port; usage: {COMMAND.usage}")
    places = [place for place, one in ports if one == target]
    for place in places:
        print(place)
    if not places:
        from .command_error import complain

        complain(f"netlinkpy: container {name} has not published port {target}")
    return 0 if places else 1
