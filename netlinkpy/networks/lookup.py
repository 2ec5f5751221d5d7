"""Networks read from the kernel's links and addresses."""

from __future__ import annotations

import errno

from ..rtnl.claims import claim_name, claimed_address
from ..rtnl.values import format_ip, network, parse_ip, parse_prefix
from ..wire.errors import NetlinkError
from ..wiring.link_group import is_staging
from .altnames import ANNOUNCES, name_of, network_altname, properties_of
from .network_record import NetworkRecord, Subnet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..rtnl.address import Address
    from ..rtnl.link import Link
    from ..rtnl.netlink import RTNetlink


def find_network(host: RTNetlink, name: str) -> NetworkRecord:
    """Return the network of that name. Raise NetlinkError (ENOENT) if there is none."""
    verb = f"find network {name}"
    link = find_bridge(host, name)
    if link is None:
        raise NetlinkError(errno.ENOENT, verb, text="there is no network of that name")
    if is_staging(link.group):
        text = "it is being made or removed; if the process that did so died, create or prune repairs it"
        raise NetlinkError(errno.ENOENT, verb, text=text)
    found = read_network(link, host.addresses.list(dev=link.index))
    if found is None:
        raise NetlinkError(errno.ENOENT, verb, text=f"link {link.name} bears that name, but is no bridge")
    return found


def list_networks(host: RTNetlink) -> list[NetworkRecord]:
    """Return all networks by name, except those that are being made or removed."""
    links = host.links.list(kind="bridge")
    addresses = host.addresses.list()
    found = (read_network(link, addresses) for link in links if not is_staging(link.group))
    return sorted((one for one in found if one is not None), key=lambda one: one.name)


def find_bridge(host: RTNetlink, name: str) -> Link | None:
    """Return the link with a network's name, finished or not; None if there is none."""
    if not name or ":" in name:
        return None
    try:
        return host.links.find(network_altname(name))
    except ValueError:  # no link can have such a name
        return None


def read_network(link: Link, addresses: Iterable[Address]) -> NetworkRecord | None:
    """Return the network that a link is, None if it is none. addresses: the link's; others may be among
    them."""
    attributes = link.attributes
    altnames = attributes.get("prop_list", {}).get("alt_ifname", ())
    name = name_of(altnames)
    if not name or link.kind != "bridge":
        return None
    words, ranges = properties_of(name, altnames)
    claimed = [text for text in (claimed_address(one, link.index) for one in altnames) if text is not None]
    gateways = [
        address
        for address in addresses
        if address.index == link.index and claim_name(link.index, parse_ip(address.address)) in altnames
    ]
    return NetworkRecord(
        name=name,
        bridge=link.name,
        index=link.index,
        mac=link.address,
        mtu=link.mtu,
        subnets=tuple(_subnet(gateway, claimed, ranges) for gateway in gateways),
        internal="internal" in words,
        isolate="isolate" in words,
        masquerade="no-masquerade" not in words,
        mcast_snooping=bool(attributes["linkinfo"]["data"].get("mcast_snooping")),
        announces=ANNOUNCES in words,
    )


def _subnet(gateway: Address, claimed: Iterable[str], ranges: Iterable[str]) -> Subnet:
    base = network(parse_ip(gateway.address), gateway.prefix_length)
    found = Subnet(f"{format_ip(base)}/{gateway.prefix_length}", gateway.address)
    return found.replace(
        ip_range=next((text for text in ranges if found.holds(parse_prefix(text)[0])), ""),
        aux_addresses=tuple(
            text for text in claimed if text != gateway.address and found.holds(parse_ip(text))
        ),
    )
