"""netlinkpy exec: one more command in a container that runs."""

from __future__ import annotations

from .command import Command, Option, misused

COMMAND = Command(
    usage="netlinkpy exec [OPTIONS] NAME COMMAND [ARGUMENT]...\n"
    "       netlinkpy exec NAME [OPTIONS] -- COMMAND [ARGUMENT]...",
    summary="Run one more command in a container that `netlinkpy run` started, in all of its namespaces.",
    options=(
        Option(("-i", "--interactive"), "", "pass standard input on"),
        Option(("-t", "--tty"), "", "give it a terminal of its own"),
        Option(("--privileged",), "", "keep every capability"),
    ),
    least=1,
    most=None,
    examples=("netlinkpy exec -it web /bin/bash", "netlinkpy exec web -- ip address"),
    stop_at_argument=True,
)


def main(arguments: list[str]) -> int:
    """Exit codes: as of `netlinkpy run`."""
    words: list[str] = []
    head = arguments
    if "--" in arguments:  # the command stands behind it, and options may stand behind the name
        cut = arguments.index("--")
        head, words = arguments[:cut], arguments[cut + 1 :]
        parsed = COMMAND.replace(stop_at_argument=False).parse(head)
    else:
        parsed = COMMAND.parse(head)
    if parsed is None:
        return 0
    values, (name, *rest) = parsed
    words = rest + words
    if not words or not words[0]:
        raise misused(f"a command is needed; usage: {COMMAND.usage}")
    from ..run.executing import execute
    from .run import complaint, say

    try:
        return execute(
            name,
            tuple(words),
            interactive=values["interactive"],
            tty=values["tty"],
            privileged=values["privileged"],
        )
    except (OSError, ValueError) as error:
        sentence, code = complaint(error)
        say(sentence)
        return code
