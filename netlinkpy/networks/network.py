"""Network and Subnet: a network as the kernel has it: a bridge that bears the alternative name `net:NAME`.

Nothing else says that a bridge is a network, and nothing else is kept anywhere:

    net:NAME                        it is the network NAME (the bridge is called NAME too, where that fits)
    net:NAME:internal               and the other words of WORDS: what it was made with
    net:NAME:announces              some address there had a MAC that is not its own
    net:NAME:range=ADDRESS-LENGTH   automatic addresses come from this part of the subnet (no slash in names)
    ip:IFINDEX:ADDRESS              the bridge's own claims (wiring/claims.py): its gateways, and the reserved
                                    addresses

The subnets are those of the bridge's addresses that it claims."""

from __future__ import annotations

import errno

from ..record import Record
from ..rtnl.claims import claim_name, claimed_address
from ..rtnl.values import format_ip, network, parse_ip, parse_prefix
from ..wire.errors import NetlinkError
from ..wiring.bridge import is_private

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from collections.abc import Iterable
    from typing import Any, Unpack

    from ..netns.handle import Target
    from ..rtnl.address import Address
    from ..rtnl.link import Link
    from ..rtnl.netlink import RTNetlink
    from ..wiring.attachment import Attachment
    from .connecting import Options
    from .members import Member

WORDS = ("internal", "isolate", "no-masquerade")
ANNOUNCES = "announces"
_RANGE = "range="


class Subnet(Record):
    """One subnet of a network: "172.30.0.0/16"; its gateway, an address of the bridge; ip_range: the part
    that automatic addresses come from, empty where that is all of it; aux_addresses: those that are
    reserved."""

    subnet: str
    gateway: str
    ip_range: str = ""
    aux_addresses: tuple[str, ...] = ()

    @property
    def packed(self) -> tuple[bytes, int]:
        """Its lowest address, 4 or 16 bytes, and its prefix length."""
        return parse_prefix(self.subnet)

    def holds(self, packed: bytes) -> bool:
        """Whether an address (4 or 16 bytes) is in it."""
        base, length = self.packed
        return len(packed) == len(base) and network(packed, length) == base


class Network(Record):
    """A network of this host.

    bridge, index, mac, mtu: the bridge's; subnets: at most one of each family; internal: nothing passes to or
    from the outside, and containers get no default route; isolate: nothing passes to or from other networks;
    masquerade: what leaves has the host's address; mcast_snooping: the bridge's; announces: whoever connects
    announces his addresses, since some had a MAC that is not their own; notes: what create() changed on the
    host beside the network, and what stands in its way, each in a sentence (else empty)."""

    name: str
    bridge: str
    index: int
    mac: str
    mtu: int
    subnets: tuple[Subnet, ...]
    internal: bool = False
    isolate: bool = False
    masquerade: bool = True
    mcast_snooping: bool = False
    announces: bool = False
    notes: tuple[str, ...] = ()

    @classmethod
    def create(
        cls,
        name: str,
        *,
        subnets: str | Iterable[str] = (),
        gateways: str | Iterable[str] = (),
        ip_ranges: str | Iterable[str] = (),
        aux_addresses: str | Iterable[str] = (),
        ipv6: bool = False,
        mtu: int | None = None,
        internal: bool = False,
        isolate: bool = False,
        masquerade: bool = True,
        mcast_snooping: bool = False,
        bridge: str | None = None,
    ) -> Network:
        """Make a network, whole or not at all. One of that name, identical or not, is an error, as it is for
        docker.

        subnets: one IPv4 and one IPv6 subnet at most, "172.30.0.0/16"; none: the first free one of docker's
        pools (172.17.0.0/16 and on, then 192.168.0.0/20 and on). ipv6: where no IPv6 subnet is given, a
        random one of RFC 4193 as well. gateways: the bridge's own addresses in them (default: the first of
        each). ip_ranges: parts of the subnets from which automatic addresses are taken. aux_addresses:
        reserved ones. mtu: in bytes, of the bridge and of what is connected (None: 1500). internal, isolate,
        masquerade, mcast_snooping: see Network. bridge: its name (default: the network's own where an
        interface may bear it, else its beginning and a checksum).

        ValueError: a value that cannot be, or does not fit the others. NetlinkError: EEXIST the name, or the
        bridge's, is taken; EADDRINUSE a subnet overlaps another network, an interface's or a route of the
        host; EBUSY another process is just making it; or what the kernel refuses. Nothing is left then. What
        a call that was killed left is removed first."""
        from .creating import create
        from .spec import Wishes

        return create(
            Wishes(
                name,
                subnets=subnets,
                gateways=gateways,
                ip_ranges=ip_ranges,
                aux_addresses=aux_addresses,
                ipv6=ipv6,
                mtu=mtu,
                internal=internal,
                isolate=isolate,
                masquerade=masquerade,
                mcast_snooping=mcast_snooping,
                bridge=bridge,
            )
        )

    @classmethod
    def get(cls, name: str) -> Network:
        """The network of that name. NetlinkError (ENOENT) where there is none."""
        from ..rtnl.netlink import RTNetlink

        with RTNetlink() as host:
            return find(host, name)

    @classmethod
    def list(cls) -> builtins.list[Network]:
        """The networks of this host, by name; not those that are just being made or removed."""
        from ..rtnl.netlink import RTNetlink

        with RTNetlink() as host:
            links = host.links.list(kind="bridge")
            addresses = host.addresses.list()
        found = (read(link, addresses) for link in links if not is_private(link.group))
        return sorted((one for one in found if one is not None), key=lambda one: one.name)

    @classmethod
    def prune(cls) -> builtins.list[str]:
        """Remove every network that no container is connected to: see `networks.removing.prune`."""
        from .removing import prune

        return prune()

    def remove(self) -> None:
        """Remove this network. NetlinkError: EBUSY while containers are connected, ENOENT it is gone."""
        from .removing import remove

        remove(self)

    def connect(self, netns: Target, **options: Unpack[Options]) -> Attachment:
        """Connect a container: see `networks.connecting.connect`."""
        from .connecting import connect

        return connect(self, netns, **options)

    def disconnect(self, netns: Target) -> builtins.list[Attachment]:
        """Disconnect a container: see `networks.connecting.disconnect`."""
        from .connecting import disconnect

        return disconnect(self, netns)

    def members(self) -> builtins.list[Member]:
        """The containers that are connected: see `networks.members.members`."""
        from .members import members

        return members(self)

    def subnet_of(self, packed: bytes) -> Subnet | None:
        """The subnet that holds an address (4 or 16 bytes)."""
        return next((subnet for subnet in self.subnets if subnet.holds(packed)), None)

    def to_dict(self) -> dict[str, Any]:
        """All of it in plain values, for JSON; notes only where there are some."""
        values = {**self.as_dict(), "subnets": [subnet.as_dict() for subnet in self.subnets]}
        if not self.notes:
            del values["notes"]
        return values


def network_name(name: str) -> str:
    """The alternative name that makes a bridge the network `name`."""
    return f"net:{name}"


def property_names(name: str, words: Iterable[str], ranges: Iterable[str] = ()) -> builtins.list[str]:
    """The alternative names that say more of a network: words, and address ranges."""
    return [f"net:{name}:{word}" for word in (*words, *(_RANGE + one.replace("/", "-") for one in ranges))]


def name_of(altnames: Iterable[str]) -> str:
    """The network that a link with these alternative names is; empty where it is none."""
    for altname in altnames:
        scheme, _, name = altname.partition(":")
        if scheme == "net" and name and ":" not in name:
            return name
    return ""


def find(host: RTNetlink, name: str) -> Network:
    """See Network.get()."""
    verb = f"find network {name}"
    link = look(host, name)
    if link is None:
        raise NetlinkError(errno.ENOENT, verb, text="there is no network of that name")
    if is_private(link.group):
        text = "it is just being made or removed, or who did so died: then create or prune repairs it"
        raise NetlinkError(errno.ENOENT, verb, text=text)
    found = read(link, host.addresses.list(dev=link.index))
    if found is None:
        raise NetlinkError(errno.ENOENT, verb, text=f"link {link.name} bears that name, but is no bridge")
    return found


def look(host: RTNetlink, name: str) -> Link | None:
    """The link that bears a network's name, finished or not; None where there is none."""
    if not name or ":" in name:
        return None
    try:
        return host.links.get(network_name(name))
    except (NetlinkError, ValueError) as error:
        if isinstance(error, NetlinkError) and error.errno != errno.ENODEV:
            raise
        return None


def read(link: Link, addresses: Iterable[Address]) -> Network | None:
    """The network that a bridge with these addresses (others may be among them) is; None where it is none."""
    attributes = link.attributes
    altnames = attributes.get("prop_list", {}).get("alt_ifname", ())
    name = name_of(altnames)
    if not name or link.kind != "bridge":
        return None
    prefix = f"net:{name}:"
    words = {altname[len(prefix) :] for altname in altnames if altname.startswith(prefix)}
    ranges = [word[len(_RANGE) :].replace("-", "/") for word in words if word.startswith(_RANGE)]
    claimed = [text for text in (claimed_address(one, link.index) for one in altnames) if text is not None]
    gateways = [
        address
        for address in addresses
        if address.index == link.index and claim_name(link.index, parse_ip(address.address)) in altnames
    ]
    return Network(
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
