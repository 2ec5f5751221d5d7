"""netlinkpy detach: take an interface away from its container, one by name or many from the lines that attach
printed."""

from __future__ import annotations

from ..engines.target import HELP, read_target
from .command import Command, Option, misused
from .command_error import complain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..wiring.attachment import Attachment

COMMAND = Command(
    usage="netlinkpy detach TARGET [--ifname eth0]\n       netlinkpy detach --from FILE|-",
    summary=f"Take a container's interface away (with --from, one that is gone is no error).\n{HELP}.",
    options=(
        Option(("--ifname",), "NAME", "its name in the container", default="eth0"),
        Option(("--from",), "FILE", "the lines that attach printed; - is standard input"),
    ),
    most=1,
    examples=(
        "netlinkpy detach 2778",
        "netlinkpy attach --from containers | tee made; netlinkpy detach --from made",
    ),
)


def main(arguments: list[str]) -> int:
    """Exit codes: 0 done; 1 refused; 2 the words do not fit."""
    parsed = COMMAND.parse(arguments)
    if parsed is None:
        return 0
    values, targets = parsed
    if values["from"] is not None:
        if targets or values["ifname"] != "eth0":
            raise misused("--from takes everything from the file: no TARGET and no --ifname beside it")
        from ..wiring.detach import detach_many
        from .attach import read_lines

        attachments = [one for _, one in read_lines(values["from"], _attachment) if one is not None]
        there = detach_many(attachments)
        if there < len(attachments):
            complain(f"netlinkpy: {len(attachments) - there} of {len(attachments)} were gone already")
        return 0
    if not targets:
        raise misused(f"usage: {COMMAND.usage}")
    from ..wiring.attachment import Attachment
    from ..wiring.detach import detach

    detach(Attachment.find(read_target(targets[0]), values["ifname"]))
    return 0


def _attachment(values: Any) -> Attachment | None:
    """Return the attachment of a line; None for the line of one that failed."""
    import json

    from ..wiring.attachment import Attachment

    if isinstance(values, dict) and "error" in values:
        return None
    return Attachment.from_json(json.dumps(values))
