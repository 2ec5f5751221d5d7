"""netlinkpy show: a picture of the host: networks, ports, containers, addresses, published ports."""

from __future__ import annotations

import sys

from .command import Command, Option, misused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..show.model import Host

COMMAND = Command(
    usage="netlinkpy show [--svg FILE | --dot | --json]",
    summary="Draw this host: its networks, their ports, the containers behind them, their addresses and\n"
    "published ports; as a tree on the terminal, or:",
    options=(
        Option(("--svg",), "FILE", "as an SVG, complete in itself; - is standard output"),
        Option(("--dot",), "", "as a graph for graphviz"),
        Option(("--json",), "", "as JSON, with all that was seen"),
    ),
    examples=(
        "netlinkpy show",
        "netlinkpy show --svg host.svg",
        "netlinkpy show --dot | dot -Tpdf > host.pdf",
        "netlinkpy show --json | jq '.networks[].ports[].ends[].container.title'",
    ),
)


def main(arguments: list[str]) -> int:
    """Exit codes: 0 drawn; 1 the kernel refuses, or FILE cannot be written; 2 the words do not fit."""
    parsed = COMMAND.parse(arguments)
    if parsed is None:
        return 0
    values, _ = parsed
    if bool(values["svg"]) + values["dot"] + values["json"] > 1:
        raise misused("one of --svg, --dot and --json is enough")
    from ..show.collect import read
    from .output import write

    host = read()
    if values["svg"]:
        from ..show import svg

        _write(values["svg"], svg.draw(host))
    elif values["dot"]:
        from ..show import dot

        write(dot.draw(host))
    elif values["json"]:
        write(_json(host))
    else:
        from ..show import tree

        encoding = sys.stdout.encoding or ""
        write(tree.draw(host, ascii=not encoding.lower().startswith("utf")))
    return 0


def _write(path: str, text: str) -> None:
    if path == "-":
        from .output import write

        write(text)
        return
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def _json(host: Host) -> str:
    import json

    return json.dumps(host.to_dict(), indent=1) + "\n"
