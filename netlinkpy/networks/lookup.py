"""Networks read from the alternative names of bridges."""

from __future__ import annotations

import errno

from ..rtnl.claims import claimed_address
from ..rtnl.values import format_ip, network, parse_ip, parse_prefix
from ..wire.errors import NetlinkError
from ..wiring.link_group import is_staging
from .altnames import ANNOUNCES, MadeAs, network_altname
from .network_record import NetworkRecord, Subnet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..rtnl.link import Link
    from ..rtnl.netlink import RTNetlink


def find_network(host: RTNetlink, name: str) -> NetworkRecord:
    """Return the network of that name. Raise NetlinkError (ENOENT) if there is none."""
    return find_network_link(host, name)[1]


def find_network_link(host: RTNetlink, name: str) -> tuple[Link, NetworkRecord]:
    """Return the bridge of the network of that name, and the network. Raise NetlinkError (ENOENT) if there is
    none."""
    verb = f"find network {name}"
    link = find_bridge(host, name)
    if link is None:
        raise NetlinkError(errno.ENOENT, verb, text="there is no network of that name")
    if is_staging(link.group):
        text = "it is being made or removed; if the process that did so died, create, rm or prune repairs it"
        raise NetlinkError(errno.ENOENT, verb, text=text)
    found = read_network(link)
    if found is None:
        raise NetlinkError(errno.ENOENT, verb, text=f"link {link.name} bears that name, but is no bridge")
    return link, found


def list_networks(host: RTNetlink, *, unfinished: bool = False) -> list[NetworkRecord]:
    """Return all networks by name. unfinished: also those that are being made or removed."""
    return [network for _, network in list_network_links(host, unfinished=unfinished)]


def list_network_links(host: RTNetlink, *, unfinished: bool = False) -> list[tuple[Link, NetworkRecord]]:
    """Return list_networks(), each with its bridge."""
    links = host.links.list(kind="bridge")
    found = [
        (link, network)
        for link in links
        if (unfinished or not is_staging(link.group)) and (network := read_network(link)) is not None
    ]
    return sorted(found, key=lambda one: one[1].name)


def find_bridge(host: RTNetlink, name: str) -> Link | None:
    """Return the link with a network's name, finished or not; None if there is none."""
    if not name or ":" in name:
        return None
    try:
        return host.links.find(network_altname(name))
    except ValueError:  # no link can have such a name
        return None


def read_network(link: Link) -> NetworkRecord | None:
    """Return the network that a link is, as it was made; None if it is none. Words that cannot be ours are
    passed over: anybody may give names."""
    made = MadeAs.read(link.altnames)
    if made is None or link.kind != "bridge":
        return None
    claims = [text for text in (claimed_address(one, link.index) for one in link.altnames) if text]
    claimed, ranges = _read_by(parse_ip, claims), _read_by(parse_prefix, made.ranges)
    return NetworkRecord(
        name=made.name,
        bridge=link.name,
        index=link.index,
        mac=made.mac or link.address,
        mtu=link.mtu,
        subnets=tuple(_subnet(one, claimed, ranges) for one in _read_by(parse_prefix, made.gateways)),
        internal="internal" in made.words,
        isolate="isolate" in made.words,
        masquerade="no-masquerade" not in made.words,
        mcast_snooping="mcast-snooping" in made.words,
        announces=ANNOUNCES in made.words,
    )


def _read_by(parse: Callable[[str], object], texts: Iterable[str]) -> list[str]:
    """Return the texts that a parser takes."""
    taken = []
    for text in texts:
        try:
            parse(text)
        except ValueError:
            continue
        taken.append(text)
    return taken


def _subnet(gateway: str, claimed: Iterable[str], ranges: Iterable[str]) -> Subnet:
    packed, length = parse_prefix(gateway)
    address = format_ip(packed)
    found = Subnet(f"{format_ip(network(packed, length))}/{length}", address)
    return found.replace(
        ip_range=next((text for text in ranges if found.holds(parse_prefix(text)[0])), ""),
        aux_addresses=tuple(text for text in claimed if text != address and found.holds(parse_ip(text))),
    )
