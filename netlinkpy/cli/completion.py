"""`netlinkpy completion bash`: print the completion, which is a file beside this one."""

from __future__ import annotations

from .command_error import CommandError
from .output import write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Print the completion of a shell; return the exit code."""
    if list(arguments) != ["bash"]:
        raise CommandError("usage: netlinkpy completion bash", 2)
    path = __file__.rpartition("/")[0] + "/completion.bash"
    with open(path, encoding="utf-8") as file:
        write(file.read())
    return 0
