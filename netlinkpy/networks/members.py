"""Member: a container that is connected to a network, found from the bridge's ports."""

from __future__ import annotations

from sys import byteorder

from ..netns.discovery import discover
from ..record import Record
from ..rtnl.claims import claimed_address
from ..rtnl.netlink import RTNetlink
from ..rtnl.values import format_ip, format_mac, parse_ip
from ..uapi.if_bridge import PORT_STATES
from ..uapi.rtnetlink import RTEXT_FILTER_SKIP_STATS, RTM_GETLINK
from ..wire.errors import NetlinkError
from ..wire.rtnetlink.link import LINK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..rtnl.link import Link
    from .network_record import NetworkRecord


class Member(Record):
    """A container on a network.

    container: "namespace NAME" (in /run/netns) or "process PID", the lowest in it; empty if neither is found.
    ifname, mac: of its interface, empty if we may not look at it; addresses: those it claims, with prefix
    lengths; host_ifname: the port; port: its state."""

    container: str
    ifname: str
    mac: str
    addresses: tuple[str, ...]
    host_ifname: str
    port: str


def members(network: NetworkRecord) -> list[Member]:
    """Return the containers on a network, by their addresses."""
    with RTNetlink() as host:
        ports = host.links.list(master=network.index)
        labels = _labels(host, {nsid for port in ports if (nsid := _nsid_of(port)) >= 0})
        found = [_member(host, network, port, labels) for port in ports]
    return sorted(found, key=lambda one: [parse_ip(text.partition("/")[0]) for text in one.addresses])


def _member(host: RTNetlink, network: NetworkRecord, port: Link, labels: dict[int, str]) -> Member:
    claimed = [text for text in (claimed_address(one, network.index) for one in port.altnames) if text]
    ifname, mac = _inner_end(host, port)
    return Member(
        container=labels.get(_nsid_of(port), ""),
        ifname=ifname,
        mac=mac,
        addresses=tuple(_with_length(network, text) for text in sorted(claimed, key=len)),
        host_ifname=port.name,
        port=PORT_STATES[port.port["state"]] if "state" in port.port else "none",
    )


def _with_length(network: NetworkRecord, text: str) -> str:
    packed = parse_ip(text)
    subnet = network.subnet_of(packed)
    return f"{format_ip(packed)}/{subnet.packed[1]}" if subnet else text


def _nsid_of(port: Link) -> int:
    """Return the id of the namespace that the container's end is in; -1 if it is here, or in one that is
    ending: the kernel gives that no id."""
    return -1 if port.peer_nsid is None else port.peer_nsid


def _inner_end(host: RTNetlink, port: Link) -> tuple[str, str]:
    """Return name and MAC of the container's end, read by the id of its namespace (IFLA_TARGET_NETNSID)."""
    if port.kind != "veth" or port.peer is None or _nsid_of(port) < 0:
        return "", ""
    asked = {
        "ifi_index": port.peer,
        "if_netnsid": _nsid_of(port).to_bytes(4, byteorder),
        "ext_mask": RTEXT_FILTER_SKIP_STATS,
    }
    verb = f"look at the other end of {port.name}"
    try:
        link = host.socket.get(LINK, RTM_GETLINK, asked, verb=verb)
    except NetlinkError:
        return "", ""  # it is being removed, or we may not look at it
    return link["ifname"], format_mac(link["address"])


def _labels(host: RTNetlink, wanted: set[int]) -> dict[int, str]:
    """Return the label of each of the namespaces with these ids: a name, or else a process."""
    found: dict[int, str] = {}
    for namespace in discover().values() if wanted else ():
        try:
            with namespace.open() as handle:
                number = host.nsids.get(handle)
        except OSError:
            continue  # it went meanwhile, or is no network namespace
        if number is not None and number in wanted:
            named = namespace.names
            found[number] = f"namespace {named[0]}" if named else f"process {namespace.pid}"
            if len(found) == len(wanted):
                break
    return found
