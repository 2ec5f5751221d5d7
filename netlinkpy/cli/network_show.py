"""netlinkpy network ls and inspect: networks as tables, or as JSON."""

from __future__ import annotations

import errno

from .command import Command, Option, for_each
from .command_error import complain
from .output import dump, print_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ..nat import Port
    from ..networks.members import Member
    from ..networks.network import Network
    from ..networks.network_record import Subnet

LIST = Command(
    usage="netlinkpy network ls [--json] [-q]",
    summary="List the networks of this host.",
    options=(
        Option(("--json",), "", "one JSON object a line"),
        Option(("-q", "--quiet"), "", "names only"),
    ),
)

INSPECT = Command(
    usage="netlinkpy network inspect NAME... [--json]",
    summary="Show networks with their containers and published ports.",
    options=(Option(("--json",), "", "one JSON object a line"),),
    least=1,
    most=None,
)

_LIST_HEADINGS = ("NAME", "BRIDGE", "SUBNETS", "GATEWAYS", "CONTAINERS", "OPTIONS")
_MEMBER_HEADINGS = ("CONTAINER", "IFNAME", "ADDRESSES", "MAC", "HOST END", "STATE")
_PORT_HEADINGS = ("PUBLISHED", "LEADS TO")


def run_list(values: dict[str, Any], _: list[str]) -> int:
    """Run `ls`; return the exit code."""
    from ..networks.network import Network

    _restore()
    networks = Network.list()
    if values["quiet"]:
        for network in networks:
            print(network.name)
        return 0
    counts = _counts()
    if values["json"]:
        for network in networks:
            print(dump({**network.to_dict(), "containers": counts.get(network.index, 0)}, None))
        return 0
    print_table([_LIST_HEADINGS, *(_row(network, counts.get(network.index, 0)) for network in networks)])
    return 0


def run_inspect(values: dict[str, Any], names: list[str]) -> int:
    """Run `inspect`; return the exit code."""
    from ..networks.network import Network

    shown: list[str] = []
    _restore()

    def show(name: str) -> None:
        network = Network.get(name)
        members, ports = network.members(), _ports(network)
        differences, blocks = network.differences(), network.blocks()
        if values["json"]:
            whole = network.to_dict()
            whole["differences"] = differences
            whole["blocks"] = blocks
            whole["containers"] = [member.as_dict() for member in members]
            whole["ports"] = [port.as_dict() for port in ports]
            print(dump(whole, None))
            return
        if shown:
            print()
        shown.append(name)
        _show(network, members, ports, differences, blocks)

    return for_each(names, show)


def _restore() -> None:
    """Put back what others took from networks, and tell; who may not do so is shown what there is."""
    from ..networks.network import Network

    try:
        notes = Network.restore()
    except OSError as error:
        notes = [] if error.errno == errno.EPERM else [str(error)]
    for note in notes:
        complain(f"netlinkpy: {note}")


def _counts() -> dict[int, int]:
    """Return how many ports each bridge has, by its index."""
    from ..rtnl.netlink import RTNetlink

    with RTNetlink() as host:
        masters = [link.master for link in host.links.list(kind="veth")]
    return {master: masters.count(master) for master in set(masters) if master is not None}


def _ports(network: Network) -> list[Port]:
    from ..nat import Nat
    from ..rtnl.values import parse_ip

    with Nat() as nat:
        return [port for port in nat.ports() if network.subnet_of(parse_ip(port.address)) is not None]


def _row(network: Network, containers: int) -> tuple[str, ...]:
    return (
        network.name,
        network.bridge,
        ",".join(subnet.subnet for subnet in network.subnets) or "-",
        ",".join(subnet.gateway for subnet in network.subnets) or "-",
        str(containers),
        ",".join(_options(network)) or "-",
    )


def _options(network: Network) -> list[str]:
    options = {
        "internal": network.internal,
        "isolate": network.isolate,
        "no-masquerade": not network.masquerade,
        "mcast-snooping": network.mcast_snooping,
    }
    return [name for name, applies in options.items() if applies]


def _show(
    network: Network,
    members: Sequence[Member],
    ports: Sequence[Port],
    differences: Sequence[str],
    blocks: Sequence[str],
) -> None:
    print(network.name)
    print(f"  bridge   {network.bridge}, index {network.index}, mac {network.mac}, mtu {network.mtu}")
    for subnet in network.subnets:
        print(f"  subnet   {_subnet(subnet)}")
    if options := _options(network):
        print(f"  options  {', '.join(options)}")
    for difference in differences or ("as made",):
        print(f"  state    {difference}")
    if differences:
        print(f"           `netlinkpy network reload {network.name}` puts it right")
    for block in blocks:
        print(f"  blocked  {block}")
    if members:
        print()
        print_table([_MEMBER_HEADINGS, *map(_member_row, members)], indent="  ")
    if ports:
        print()
        rows = [(str(port), _end(port)) for port in ports]
        print_table([_PORT_HEADINGS, *rows], indent="  ")


def _subnet(subnet: Subnet) -> str:
    words = [subnet.subnet, f"gateway {subnet.gateway}"]
    if subnet.ip_range:
        words.append(f"automatic addresses from {subnet.ip_range}")
    if subnet.aux_addresses:
        words.append(f"reserved {' '.join(subnet.aux_addresses)}")
    return ", ".join(words)


def _end(port: Port) -> str:
    address = f"[{port.address}]" if ":" in port.address else port.address
    return f"{address}:{port.target}"


def _member_row(member: Member) -> tuple[str, ...]:
    return (
        member.container or "?",
        member.ifname or "?",
        ",".join(member.addresses) or "-",
        member.mac or "?",
        member.host_ifname,
        member.port,
    )
