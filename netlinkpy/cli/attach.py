"""netlinkpy attach: give containers an interface, one by options or many from JSON lines."""

from __future__ import annotations

from ..engines.target import HELP, read_target
from .command import Command, Option, misused, number
from .command_error import complain
from .interrupt import interrupt_on_terminate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ..wiring.attachment import Attachment
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
        Option(("--onlink",), "", "take the gateway to be a neighbour, though no address covers it"),
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
        'echo \'{"netns": "blue", "bridge": "br0", "addresses": "10.0.0.2/24"}\' | netlinkpy attach --from -',
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
        _refuse_beside_file(values, targets)
        return _attach_lines(source, values["continue"], values["quiet"])
    if not targets or values["bridge"] is None:
        raise misused(f"a TARGET and --bridge are needed; usage: {COMMAND.usage}")
    if values["continue"]:
        raise misused("--continue goes with --from")
    if values["no_gateway"] and values["default_gateway"]:
        raise misused("--no-gateway and --default-gateway contradict each other")
    return _attach_one(targets[0], values)


def _refuse_beside_file(values: dict[str, Any], targets: list[str]) -> None:
    """Refuse options for what the lines say: they would be ignored."""
    for option in COMMAND.options:
        key = option.key
        default = [] if option.many else (option.default if option.metavar else False)
        if key not in ("from", "continue", "quiet") and values[key] != default:
            raise misused(f"--from takes everything from the file: no --{key.replace('_', '-')} beside it")
    if targets:
        raise misused("--from takes everything from the file: no TARGET beside it")


def _attach_one(target: str, values: dict[str, Any]) -> int:
    from ..networks.attaching import attach
    from ..wiring.attachment import warnings
    from ..wiring.endpoint import Endpoint
    from .tell import tell

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
            onlink=values["onlink"],
            routes=tuple(_route(text) for text in values["route"]),
        )
    )

    def show() -> None:
        for warning in warnings(attachment):
            complain(f"netlinkpy: {warning}")
        if not values["quiet"]:
            print(attachment.to_json())

    tell(show, lambda: take_away([attachment]))
    _warn_of_drops([attachment])
    return 0


def _warn_of_drops(made: list[Attachment]) -> None:
    """Tell of firewalls that drop what goes between two ports of the bridges. All is done and told: raise
    nothing, and let a signal end it."""
    from ..nat.other_firewalls import bridged_drops

    try:
        for drop in bridged_drops(dict.fromkeys(one.bridge for one in made)):
            complain(f"netlinkpy: from container to container: {drop}")
    except (OSError, KeyboardInterrupt):  # no nf_tables
        return


def take_away(made: list[Attachment]) -> None:
    """Detach those that this call made."""
    from ..wiring.detach import detach_many

    detach_many(one for one in made if one.changed)


def _attach_lines(source: str, each_alone: bool, quiet: bool) -> int:
    from ..networks.attaching import attach_many
    from ..wiring.attachment import Attachment, warnings
    from ..wiring.errors import AttachError
    from .progress import Progress
    from .tell import tell

    lines = list(read_lines(source, _endpoint))
    endpoints = [endpoint for _, endpoint in lines]
    try:
        with Progress("attach") as progress:
            if each_alone:
                results = attach_many(endpoints, on_error="continue", progress=progress)
            else:
                results = list(attach_many(endpoints, progress=progress))
    except AttachError as error:
        raise ValueError(f"line {lines[error.position][0]}: {error}") from None
    except TypeError:
        _name_mistyped(lines)
        raise
    failed = [result for result in results if not isinstance(result, Attachment)]

    def show() -> None:
        for result in results:
            if isinstance(result, Attachment):
                for warning in warnings(result):
                    complain(f"netlinkpy: {warning}")
                if not quiet:
                    print(result.to_json())
                continue
            line = lines[result.position][0]
            complain(f"netlinkpy: line {line}: {result}")
            if not quiet:
                import json

                print(json.dumps({"line": line, "errno": result.errno, "error": str(result)}))

    made = [result for result in results if isinstance(result, Attachment)]
    tell(show, lambda: take_away(made))
    _warn_of_drops(made)
    return 1 if failed else 0


def read_lines(source: str, read: Any) -> Iterator[tuple[int, Any]]:
    """Yield the number of each line of a file ("-": standard input) that is not blank, and what it holds,
    read as JSON. Raise ValueError, which names the line."""
    import json

    with open(
        0 if source == "-" else source, encoding="utf-8", errors="surrogateescape", closefd=source != "-"
    ) as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                yield number, read(json.loads(line))
            except (ValueError, TypeError, RecursionError) as error:
                raise ValueError(f"line {number}: {error}") from None


def _endpoint(values: Any) -> Endpoint:
    from ..wiring.endpoint import Endpoint

    if not isinstance(values, dict):
        raise ValueError("an endpoint is a JSON object")
    netns = values.get("netns", "")
    if isinstance(netns, str) and "netns" in values:
        values["netns"] = read_target(netns)
    elif isinstance(netns, bool) or not isinstance(netns, (str, int)):
        raise TypeError(f"netns is a TARGET or a process id, not {netns!r}")
    for name, others in (("addresses", str), ("gateways", (str, type(None))), ("routes", ())):
        value = values.get(name, [])
        if not isinstance(value, list) and not isinstance(value, others):
            raise TypeError(f"{name} is a list, not {value!r}")
        if isinstance(value, list) and name in values:
            values[name] = tuple(tuple(item) if isinstance(item, list) else item for item in values[name])
    return Endpoint(**values)


def _name_mistyped(lines: list[tuple[int, Endpoint]]) -> None:
    """Raise ValueError, with its line, for the first endpoint that holds a value of a wrong type."""
    from ..wiring.endpoint import check

    for line, endpoint in lines:
        try:
            check(endpoint)
        except TypeError as error:
            raise ValueError(f"line {line}: {error}") from None
        except ValueError:  # reported when its turn comes
            continue


def _route(text: str) -> tuple[str, str | None]:
    destination, _, gateway = text.partition(",")
    return destination, gateway or None
