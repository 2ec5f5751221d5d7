"""netlinkpy network: make, show and remove networks, connect containers to them, in docker's words."""

from __future__ import annotations

import sys

from ..engines.target import HELP, read_target
from .command import Command, Option, for_each, misused, number
from .command_error import complain
from .interrupt import interrupt_on_terminate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..wiring.attachment import Attachment

COMMAND = Command(
    usage="netlinkpy network create|ls|inspect|rm|connect|disconnect|prune|reload|watch ...",
    summary="Networks: bridges with subnets and automatic addresses, masqueraded to the outside. There is\n"
    "no daemon and no file: the kernel holds all of it.\n\n"
    "  create NAME [--subnet CIDR]...   make one\n"
    "  ls                               list them\n"
    "  inspect NAME...                  one with its containers and published ports\n"
    "  connect NAME TARGET...           give containers an interface and an address on it\n"
    "  disconnect NAME TARGET...        take them away again\n"
    "  rm NAME...                       remove those that no container is connected to\n"
    "  prune                            remove all that no container is connected to\n"
    "  reload [NAME]...                 make them again what they were made as\n"
    "  watch                            stay, and reload whatever other programs change\n\n"
    "netlinkpy network VERB --help tells more.",
    examples=(
        "netlinkpy network create blue --subnet 172.30.0.0/16",
        "netlinkpy network connect blue 2778",
        "netlinkpy network inspect blue",
    ),
)

CREATE = Command(
    usage="netlinkpy network create NAME [--subnet CIDR]... [OPTIONS]",
    summary="Make a network, whole or not at all. Without --subnet it takes the first free one of docker's\n"
    "pools (172.17.0.0/16 and on). One of that name, identical or not, is an error. The host is made to\n"
    "forward; what is changed for that, and whose rules stand in the way, is said on standard error.",
    options=(
        Option(("--subnet",), "CIDR", "IPv4 or IPv6; one of each at most", many=True),
        Option(("--gateway",), "IP", "the host's own address in it (default: the first)", many=True),
        Option(("--ip-range",), "CIDR", "the part of it that automatic addresses come from", many=True),
        Option(("--aux-address",), "[NAME=]IP", "an address that no container gets", many=True),
        Option(("--ipv6",), "", "if no IPv6 subnet is given: a random one (RFC 4193)"),
        Option(("--mtu",), "BYTES", "of the bridge and the containers", read=number(68, 65535)),
        Option(("--internal",), "", "nothing passes to or from the outside"),
        Option(("--isolate",), "", "nothing passes to or from other networks"),
        Option(("--no-masquerade",), "", "what leaves keeps the container's address"),
        Option(("--mcast-snooping",), "", "the bridge forwards multicast only to who asked for it"),
        Option(("--bridge",), "NAME", "name of the bridge (default: the network's)"),
        Option(("--forward-all",), "", "make the host a router between all its links"),
        Option(("-d", "--driver"), "DRIVER", "bridge, there is no other", default="bridge"),
        Option(("--json",), "", "print the network as JSON"),
    ),
    least=1,
    most=1,
    examples=(
        "netlinkpy network create blue",
        "netlinkpy network create red --subnet 172.30.0.0/16 --subnet fd00:30::/64 --isolate",
        "netlinkpy network create lab --subnet 10.7.0.0/24 --ip-range 10.7.0.128/25 --internal",
    ),
)

REMOVE = Command(
    usage="netlinkpy network rm NAME...",
    summary="Remove networks that no container is connected to.",
    least=1,
    most=None,
)

PRUNE = Command(
    usage="netlinkpy network prune [--force]",
    summary="Remove all networks that no container is connected to, and what commands that were killed left.",
    options=(Option(("-f", "--force"), "", "do not ask"),),
)

RELOAD = Command(
    usage="netlinkpy network reload [NAME]...",
    summary="Make networks (all, if none is named) again what they were made as, whatever other programs\n"
    "changed: packet filter, forwarding, published ports, the bridge's addresses, MAC and state. Containers\n"
    "keep their links. What was put back is said on standard error.",
    most=None,
)

WATCH = Command(
    usage="netlinkpy network watch [-q]",
    summary="Stay in the foreground, and reload networks as soon as other programs take something of them\n"
    "away (a reload of the host's firewall, say); print what was put back. examples/ has a unit for systemd.",
    options=(Option(("-q", "--quiet"), "", "print nothing"),),
)

CONNECT = Command(
    usage="netlinkpy network connect NAME TARGET... [OPTIONS]",
    summary=f"Give containers an interface and an address on a network: all of them or none.\n{HELP}.",
    options=(
        Option(("--ip",), "IP", "this address (default: a free one)"),
        Option(("--ip6",), "IP", "this IPv6 address (default: a free one)"),
        Option(("--mac-address",), "MAC", "its MAC, or random (default: 02:42 and the IPv4 address)"),
        Option(("--ifname",), "NAME", "its name in the container (default: the first free ethN)"),
        Option(("--host-ifname",), "NAME", "the name of the host's end"),
        Option(
            ("--default-gateway",),
            "IP",
            "of the default route (default: the network's, if the container has no default route)",
            many=True,
        ),
        Option(("--no-gateway",), "", "no default route"),
        Option(("--metric",), "N", "of the default route", read=number(1, 0xFFFFFFFF)),
        Option(("-q", "--quiet"), "", "print nothing"),
    ),
    least=2,
    most=None,
    examples=(
        "netlinkpy network connect blue 2778",
        "netlinkpy network connect blue docker:web --ip 172.30.0.9",
        "netlinkpy netns | xargs netlinkpy network connect blue",
    ),
)

DISCONNECT = Command(
    usage="netlinkpy network disconnect NAME TARGET...",
    summary=f"Take the interfaces of containers on a network away.\n{HELP}.",
    least=2,
    most=None,
)


def main(arguments: list[str]) -> int:
    """Exit codes: 0 done; 1 refused (nothing is left of what failed); 2 the words do not fit."""
    verb = arguments[0] if arguments else "--help"
    if verb in ("--help", "-h", "help"):
        print(COMMAND.help())
        return 0
    if verb not in _VERBS:
        raise misused(f"network has no verb {verb!r}; usage: {COMMAND.usage}")
    command, run = _command(verb)
    parsed = command.parse(arguments[1:])
    if parsed is None:
        return 0
    return run(*parsed)


def _command(verb: str) -> tuple[Command, Callable[[dict[str, Any], list[str]], int]]:
    if verb in ("ls", "list"):
        from .network_show import LIST, run_list

        return LIST, run_list
    if verb == "inspect":
        from .network_show import INSPECT, run_inspect

        return INSPECT, run_inspect
    return _OWN[verb]


def _create(values: dict[str, Any], names: list[str]) -> int:
    from ..networks.network import Network

    if values["driver"] != "bridge":
        raise misused(f"--driver: {values['driver']!r} is unknown; the driver is bridge, there is no other")
    interrupt_on_terminate()
    network = Network.create(
        names[0],
        subnets=values["subnet"],
        gateways=values["gateway"],
        ip_ranges=values["ip_range"],
        aux_addresses=[text.rpartition("=")[2] for text in values["aux_address"]],
        ipv6=values["ipv6"],
        mtu=values["mtu"],
        internal=values["internal"],
        isolate=values["isolate"],
        masquerade=not values["no_masquerade"],
        mcast_snooping=values["mcast_snooping"],
        bridge=values["bridge"],
        forward_all=values["forward_all"],
    )
    for note in network.notes:
        complain(f"netlinkpy: {note}")
    from .output import dump
    from .tell import tell

    tell(lambda: print(dump(network.to_dict(), None) if values["json"] else network.name), network.remove)
    return 0


def _remove(_: dict[str, Any], names: list[str]) -> int:
    from ..networks.removing import remove

    def remove_one(name: str) -> None:
        remove(name)
        print(name)

    return for_each(names, remove_one)


def _prune(values: dict[str, Any], _: list[str]) -> int:
    from ..networks.network import Network

    if not values["force"]:
        if not sys.stdin.isatty():
            raise misused("prune asks before it removes, and there is nobody to ask: say --force")
        print("All networks that no container is connected to will be removed. Go on? [y/N] ", end="")
        sys.stdout.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            return 1
    for name in Network.prune():
        print(name)
    return 0


def _reload(_: dict[str, Any], names: list[str]) -> int:
    from ..networks.network import Network

    def reload(name: str) -> None:
        for note in Network.get(name).reload():
            complain(f"netlinkpy: {note}")
        print(name)

    return for_each(names or [network.name for network in Network.list()], reload)


def _watch(values: dict[str, Any], _: list[str]) -> int:
    from ..networks.watching import watch

    def tell(note: str) -> None:
        if not values["quiet"]:
            print(note, flush=True)

    interrupt_on_terminate()
    try:
        watch(tell)
    except KeyboardInterrupt:
        return 0
    return 0


def _connect(values: dict[str, Any], arguments: list[str]) -> int:
    from ..networks.connecting import connect_many
    from ..networks.connection import Connection
    from ..wiring.attachment import warnings
    from .attach import take_away
    from .progress import Progress
    from .tell import tell

    name, *targets = arguments
    fixed = [option for option in ("ip", "ip6", "mac_address", "host_ifname") if values[option] is not None]
    if len(targets) > 1 and fixed:
        raise misused(f"--{fixed[0].replace('_', '-')} is for one TARGET, and here are {len(targets)}")
    for option, six in (("ip", False), ("ip6", True)):
        if values[option] is not None and (":" in values[option]) is not six:
            raise misused(f"--{option}: {values[option]!r} is not an IPv{6 if six else 4} address")
    interrupt_on_terminate()
    wanted = [
        Connection(
            netns=read_target(target),
            ip=tuple(text for text in (values["ip"], values["ip6"]) if text is not None),
            mac=values["mac_address"],
            ifname=values["ifname"],
            host_ifname=values["host_ifname"],
            gateways=tuple(values["default_gateway"]) or (() if values["no_gateway"] else None),
            metric=values["metric"],
        )
        for target in targets
    ]
    with Progress("connect") as progress:
        made = connect_many(name, wanted, progress=progress)

    def show() -> None:
        for one in made:
            for warning in warnings(one):
                complain(f"netlinkpy: {warning}")
            if not values["quiet"]:
                print(one.to_json())

    tell(show, lambda: take_away(made))
    return 0


def _disconnect(_: dict[str, Any], arguments: list[str]) -> int:
    from ..networks.connecting import disconnect

    name, *targets = arguments

    def take_away(target: str) -> list[Attachment]:
        return disconnect(name, read_target(target))

    return for_each(targets, take_away)


_OWN = {
    "create": (CREATE, _create),
    "rm": (REMOVE, _remove),
    "remove": (REMOVE, _remove),
    "prune": (PRUNE, _prune),
    "reload": (RELOAD, _reload),
    "watch": (WATCH, _watch),
    "connect": (CONNECT, _connect),
    "disconnect": (DISCONNECT, _disconnect),
}
_VERBS = (*_OWN, "ls", "list", "inspect")
