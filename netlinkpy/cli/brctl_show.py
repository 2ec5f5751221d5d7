"""`brctl show`, `showmacs` and `showstp`: bridges as bridge-utils shows them."""

from __future__ import annotations

from errno import ENODEV, EOPNOTSUPP
from os import strerror

from ..uapi.if_bridge import PORT_STATES
from ..uapi.neighbour import NUD_PERMANENT
from ..uapi.rtnetlink import RTM_GETNEIGH
from ..uapi.socket import AF_BRIDGE
from ..wire.rtnetlink.neighbour import NEIGHBOUR
from .brctl_links import Bridges, is_bridge
from .command_error import CommandError, complain
from .output import write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..wire.attributes import Values


def show(bridges: Bridges, names: Sequence[str]) -> None:
    """`brctl show [BRIDGE ...]`."""
    links = bridges.links()
    by_name = {link["ifname"]: link for link in links}
    wanted, failed = [], False
    for name in names or sorted(link["ifname"] for link in links if is_bridge(link)):
        link = by_name.get(name)
        if link is not None and is_bridge(link):
            wanted.append(link)
            continue
        complain(f"bridge {name} does not exist!" if link is None else f"device {name} is not a bridge!")
        failed = True
    if wanted:
        write("bridge name\tbridge id\t\tSTP enabled\tinterfaces\n")
    for link in wanted:
        data = link["linkinfo"]["data"]
        ports = sorted(port["ifname"] for port in links if port.get("master") == link["ifi_index"])
        stp = "yes" if data.get("stp_state") else "no"
        first = f"{link['ifname']}\t\t{_bridge_id(data['bridge_id'])}\t{stp}\t\t{ports[0] if ports else ''}\n"
        write(first + "".join([f"\t\t\t\t\t\t\t{port}\n" for port in ports[1:]]))
    if failed:
        raise CommandError("")


def _bridge_id(packed: bytes) -> str:
    """Return a bridge id (IEEE 802.1D, 9.2.5): two bytes of priority, six of address."""
    return f"{packed[:2].hex()}.{packed[2:].hex()}"


def show_macs(bridges: Bridges, name: str) -> None:
    """`brctl showmacs BRIDGE`: the forwarding table, by address."""
    failed = "read of forward table failed: "
    bridge = bridges.find(name)
    if bridge is None:
        raise CommandError(failed + strerror(ENODEV))
    if not is_bridge(bridge):
        raise CommandError(failed + strerror(EOPNOTSUPP))
    ports = {port["ifi_index"]: _port_data(port)["no"] for port in _ports(bridges, bridge)}
    values = {"ndm_family": AF_BRIDGE, "master": bridge["ifi_index"]}
    entries = bridges.socket.dump(NEIGHBOUR, RTM_GETNEIGH, values, verb="list forwarding entries")
    seen: dict[tuple[bytes, int], Values] = {}
    for entry in entries:
        if entry["ndm_ifindex"] in ports and entry.get("master") == bridge["ifi_index"]:
            seen.setdefault((entry["lladdr"], ports[entry["ndm_ifindex"]]), entry)
    lines = ["port no\tmac addr\t\tis local?\tageing timer\n"]
    for (address, number), entry in sorted(seen.items()):
        local = bool(entry["ndm_state"] & NUD_PERMANENT)
        age = 0 if local else entry.get("cacheinfo", {}).get("updated", 0)
        lines.append(f"{number:3}\t{address.hex(':')}\t{'yes' if local else 'no'}\t\t{_time(age)}\n")
    write("".join(lines))


def _ports(bridges: Bridges, bridge: Values) -> list[Values]:
    return [link for link in bridges.links() if link.get("master") == bridge["ifi_index"]]


def _port_data(port: Values) -> Values:
    data: Values = port["linkinfo"]["slave_data"]
    return data


def _time(hundredths: int) -> str:
    return f"{hundredths // 100:4}.{hundredths % 100:02}"


def show_stp(bridges: Bridges, name: str) -> None:
    """`brctl showstp BRIDGE`."""
    bridge = bridges.find(name)
    if bridge is None:
        raise CommandError(f"bridge {name} does not exist!")
    if not is_bridge(bridge):
        raise CommandError(f"{name}: can't get info Operation not supported")
    data = bridge["linkinfo"]["data"]
    get = data.get
    flags = "TOPOLOGY_CHANGE " * bool(get("topology_change")) + "TOPOLOGY_CHANGE_DETECTED " * bool(
        get("topology_change_detected")
    )
    age, hello, delay = _time(get("max_age", 0)), _time(get("hello_time", 0)), _time(get("forward_delay", 0))
    lines = [
        f"{name}",
        f" bridge id\t\t{_bridge_id(data['bridge_id'])}",
        f" designated root\t{_bridge_id(data['root_id'])}",
        f" root port\t\t{get('root_port', 0):4}\t\t\tpath cost\t\t{get('root_path_cost', 0):4}",
        f" max age\t\t{age}\t\t\tbridge max age\t\t{age}",
        f" hello time\t\t{hello}\t\t\tbridge hello time\t{hello}",
        f" forward delay\t\t{delay}\t\t\tbridge forward delay\t{delay}",
        f" ageing time\t\t{_time(get('ageing_time', 0))}",
        f" hello timer\t\t{_time(get('hello_timer', 0))}\t\t\ttcn timer\t\t{_time(get('tcn_timer', 0))}",
        f" topology change timer\t{_time(get('topology_change_timer', 0))}"
        f"\t\t\tgc timer\t\t{_time(get('gc_timer', 0))}",
        f" flags\t\t\t{flags}",
        "",
        "",
    ]
    for port in sorted(_ports(bridges, bridge), key=lambda port: str(port["ifname"])):
        lines += _stp_lines(port)
    write("\n".join(lines) + "\n")


def _stp_lines(port: Values) -> list[str]:
    data = _port_data(port)
    get = data.get
    state = get("state", 0)
    flags = "CONFIG_PENDING " * bool(get("config_pending")) + "TOPOLOGY_CHANGE_ACK " * bool(
        get("topology_change_ack")
    )
    word = PORT_STATES[state] if state < len(PORT_STATES) else state
    lines = [
        f"{port['ifname']} ({get('no', 0)})",
        f" port id\t\t{get('id', 0):04x}\t\t\tstate\t\t{word:>15}",
        f" designated root\t{_bridge_id(data['root_id'])}\tpath cost\t\t{get('cost', 0):4}",
        f" designated bridge\t{_bridge_id(data['bridge_id'])}"
        f"\tmessage age timer\t{_time(get('message_age_timer', 0))}",
        f" designated port\t{get('designated_port', 0):04x}"
        f"\t\t\tforward delay timer\t{_time(get('forward_delay_timer', 0))}",
        f" designated cost\t{get('designated_cost', 0):4}\t\t\thold timer\t\t{_time(get('hold_timer', 0))}",
        f" flags\t\t\t{flags}",
    ]
    if get("mode"):
        lines.append(f" hairpin mode\t\t{1:4}")
    return [*lines, ""]
