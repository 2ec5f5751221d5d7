"""netlinkpy attach: give containers an interface, one by options or many from JSON lines."""

from __future__ import annotations

import sys

from ..engines.target import HELP, read_target
from .options import Command, Option, misused, number
from .signals import interrupt_on_terminate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ..wiring.endpoint import Endpoint

COMMAND = Command(
    usage=(
        "netlinkpy attach TARGET --bridge BRIDGE [--ip CIDR]... [OPTIONS]\n"
        "       netlinkpy attach --from FILE|- [--continue]"
    ),
    summary="Give a container an interface wired to a bridge, ready for its first packet on return.\n"
    + HELP
    + ".",
    options=(
        Option(("-b", "--bridge"), "BRIDGE", "the bridge, which must exist"),
        Option(
            ("--ip",), "CIDR", "an address with its prefix length, v4 or v6; may be given again", many=True
        ),
        Option(
            ("--default-gateway",), "IP", "of the default route (default: the bridge's address)", many=True
        ),
        Option(("--no-gateway",), "", "no default route"),
        Option(("--mac-address",), "MAC", "its MAC, or random (default: 02:42 and the IPv4 address)"),
        Option(("--ifname",), "NAME", "its name in the container", default="eth0"),
        Option(
            ("--host-ifname",), "NAME", "the name of the host's end (default: veth and eight random digits)"
        ),
        Option(("--mtu",), "BYTES", "of both ends", read=number(68, 65535)),
        Option(("--metric",), "N", "of the default route", read=number(1, 0xFFFFFFFF)),
        Option(("--route",), "CIDR[,GATEWAY]", "one more route; may be given again", many=True),
        Option(
            ("--from",), "FILE", "JSON lines, one endpoint each, by the library's names; - is standard input"
        ),
        Option(("--continue",), "", "with --from: each endpoint on its own, not all or nothing"),
        Option(("-q", "--quiet"), "", "print nothing"),
    ),
    most=1,
    examples=(
        "netlinkpy attach 2778 --bridge docker0 --ip 172.17.42.99/16 --default-gateway 172.17.42.1",
        "netlinkpy attach blue --bridge br0 --ip 10.0.0.2/24 --ip fd00::2/64 --mtu 1400",
        """echo '{"netns": "blue", "bridge": "br0", "addresses": "10.0.0.2/24"}' | netlinkpy attach --from
        -""",
    ),
)


def main(arguments: list[str]) -> int:
    """Exit codes: 0 done; 1 refused (nothing is left of what failed); 2 the words do not fit."""
    parsed = COMMAND.parse(arguments)
    if parsed is None:
        return 0
    values, targets = parsed
    interrupt_on_terminate()
    source = values["from"]
    if source is not None:
        if targets or values["bridge"]:
            raise misused("--from takes everything from the file: no TARGET and no --bridge beside it")
        return _attach_lines(source, values["continue"], values["quiet"])
    if not targets or values["bridge"] is None:
        raise misused(f"a TARGET and --bridge are needed; usage: {COMMAND.usage}")
    return _attach_one(targets[0], values)


def _attach_one(target: str, values: dict[str, Any]) -> int:
    from ..wiring.attach import attach
    from ..wiring.attachment import warn
    from ..wiring.endpoint import Endpoint

    gateways = values["default_gateway"] or (() if values["no_gateway"] else None)
    attachment = attach(
        Endpoint(
            netns=read_target(target),
            bridge=values["bridge"],
            addresses=tuple(values["ip"]),
            gateways=gateways,
            mac=values["mac_address"],
            ifname=values["ifname"],
            host_ifname=values["host_ifname"],
            mtu=values["mtu"],
            metric=values["metric"],
            routes=tuple(_route(text) for text in values["route"]),
        )
    )
    if warning := warn(attachment):
        print(f"netlinkpy: {warning}", file=sys.stderr)
    if not values["quiet"]:
        print(attachment.to_json())
    return 0


def _attach_lines(source: str, each_alone: bool, quiet: bool) -> int:
    from ..wiring.attach import attach_many
    from ..wiring.attachment import Attachment, warn
    from .progress import Progress

    endpoints = list(read_lines(source, _endpoint))
    failed = 0
    with Progress("attach") as progress:
        if each_alone:
            results = attach_many(endpoints, on_error="continue", progress=progress)
        else:
            results = list(attach_many(endpoints, progress=progress))
    for result in results:
        if isinstance(result, Attachment):
            if warning := warn(result):
                print(f"netlinkpy: {warning}", file=sys.stderr)
            if not quiet:
                print(result.to_json())
        else:
            failed += 1
            print(f"netlinkpy: line {result.position + 1}: {result}", file=sys.stderr)
            if not quiet:
                import json

                print(json.dumps({"line": result.position + 1, "errno": result.errno, "error": str(result)}))
    return 1 if failed else 0


def read_lines(source: str, read: Any) -> Iterator[Any]:
    """What the lines of a file ("-": standard input) hold, each read as JSON; ValueError names the line."""
    import json

    with open(0 if source == "-" else source, encoding="utf-8", closefd=source != "-") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                yield read(json.loads(line))
            except (ValueError, TypeError) as error:
                raise ValueError(f"line {number}: {error}") from None


def _endpoint(values: Any) -> Endpoint:
    from ..wiring.endpoint import Endpoint

    if not isinstance(values, dict):
        raise ValueError("an endpoint is a JSON object")
    if isinstance(values.get("netns"), str):
        values["netns"] = read_target(values["netns"])
    for name in ("addresses", "gateways", "routes"):
        if isinstance(values.get(name), list):
            values[name] = tuple(tuple(item) if isinstance(item, list) else item for item in values[name])
    return Endpoint(**values)


def _route(text: str) -> tuple[str, str | None]:
    destination, _, gateway = text.partition(",")
    return destination, gateway or None
