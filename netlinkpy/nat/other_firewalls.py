"""Forward chains of other firewalls that drop or reject our packets, and the rules that would let them pass.

A packet passes only if every chain of the hook accepts it: an accept in our table does not count in
another's. Other tables belong to the administrator; so we report them and never change them."""

from __future__ import annotations

import _socket
import os
from sys import byteorder

from ..nft.walk import Packet, Reader, Walk
from ..record import Record
from ..uapi.if_ import IFNAMSIZ
from ..uapi.netfilter import NF_ACCEPT, NF_DROP, NF_INET_FORWARD, NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6
from ..uapi.nf_conntrack_common import IP_CT_NEW, IPS_DST_NAT
from ..uapi.nf_tables import (
    NFT_CT_DIRECTION,
    NFT_CT_STATE,
    NFT_CT_STATUS,
    NFT_META_IIF,
    NFT_META_IIFNAME,
    NFT_META_NFPROTO,
    NFT_META_OIF,
    NFT_META_OIFNAME,
)
from .table import FAMILY, TABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ..nft.tables import Nftables
    from ..rtnl.link import Link
    from ..wire.attributes import Values

    _End = tuple[str, int]  # the name of a link and its index

_FAMILIES = {NFPROTO_INET: "inet", NFPROTO_IPV4: "ip", NFPROTO_IPV6: "ip6"}
_VERSIONS = {4: NFPROTO_IPV4, 6: NFPROTO_IPV6}
_NEW = 1 << IP_CT_NEW + 1  # NF_CT_STATE_BIT()
_IPTABLES = {NFPROTO_IPV4: "iptables", NFPROTO_IPV6: "ip6tables"}


class Bridge(Record):
    """A bridge whose packets are followed: name; index, 0 if it is not known; versions: the IP versions it
    has; routed: packets pass from there to other links, and back."""

    name: str
    index: int
    versions: tuple[int, ...] = (4, 6)
    routed: bool = True


class ForeignDrop(Record):
    """A chain of another firewall that drops or rejects what is forwarded and not accepted there: family as
    nft writes it, table and chain; commands: what would let the traffic of our networks pass, as one types
    it."""

    family: str
    table: str
    chain: str
    commands: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"chain {self.chain} of table {self.family} {self.table} drops what it does not accept; "
            f"this would help: {'; '.join(self.commands)}"
        )


def foreign_drops(
    tables: Nftables, bridges: Iterable[Bridge], outside: Mapping[int, Sequence[Link]]
) -> dict[str, list[ForeignDrop]]:
    """Return, by the name of the bridge, the chains of the forward hook, except those of our own table, that
    drop or reject a new connection from the bridge to the outside, one from there by a published port, or one
    between two of its ports (see bridged_drops()).

    outside: by IP version, the links that lead there: first the one that packets take now. Each chain is
    followed rule by rule. What a rule asks besides (an address, a port) does not hold for all connections, so
    such a rule neither lets ours pass nor drops them. iptables-legacy is not seen: its rules are not
    nf_tables'."""
    handed = handed_over()

    def ways(bridge: Bridge) -> Iterator[_Way]:
        here = bridge.name, bridge.index
        for version in bridge.versions:
            if bridge.routed:
                links: list[_End | None] = [(one.name, one.index) for one in outside.get(version, ())]
                links = links or [None]
                yield _Way(version, here, links[0])
                for link in links:
                    yield _Way(version, link, here)
            if version in handed:
                yield _Way(version, here, here)

    return _drops(tables, {bridge.name: list(ways(bridge)) for bridge in bridges})


def bridged_drops(bridges: Iterable[str], *, timeout: float = 10.0) -> list[ForeignDrop]:
    """Return the chains that drop or reject a new connection between two ports of one of the bridges.

    Only where br_netfilter hands bridged packets to the forward hook, as its sysctls say (bridge(8)), which
    Docker loads it for. timeout: seconds for each request. Raise NetlinkError if the kernel refuses."""
    handed = handed_over()
    names = list(bridges)
    if not handed:
        return []
    from ..nft.tables import Nftables

    with Nftables(timeout=timeout) as tables:

        def read() -> list[ForeignDrop]:
            ways = {}
            for name in names:
                here = name, _index(name)
                ways[name] = [_Way(version, here, here) for version in handed]
            return merged(_drops(tables, ways))

        return tables.consistent(read, verb="look for chains that drop")


def merged(drops: Mapping[str, Iterable[ForeignDrop]]) -> list[ForeignDrop]:
    """Return each chain once, with the commands for all bridges."""
    commands: dict[tuple[str, str, str], list[str]] = {}
    for one in (one for some in drops.values() for one in some):
        commands.setdefault((one.family, one.table, one.chain), []).extend(one.commands)
    return [ForeignDrop(*chain, tuple(dict.fromkeys(some))) for chain, some in commands.items()]


def handed_over() -> list[int]:
    """Return the IP versions whose bridged packets br_netfilter hands to the forward hook."""
    names = {4: "bridge-nf-call-iptables", 6: "bridge-nf-call-ip6tables"}
    return [version for version, name in names.items() if _is_on(f"/proc/sys/net/bridge/{name}")]


def _index(name: str) -> int:
    try:
        return _socket.if_nametoindex(name)
    except OSError:  # it has just gone
        return 0


def _is_on(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(2)[:1] != b"0"
    except OSError:  # br_netfilter is not there
        return False


class _Way(Record):
    """The way of a new connection: its IP version; the links by which its packets come and go, each with its
    index (0: not known); None: any link."""

    version: int
    came: _End | None
    goes: _End | None

    def packet(self, published: bool) -> Packet:
        """Return its first packet. published: it comes by a published port."""
        meta = {NFT_META_NFPROTO: bytes((_VERSIONS[self.version],))}
        ends = (
            (self.came, NFT_META_IIFNAME, NFT_META_IIF),
            (self.goes, NFT_META_OIFNAME, NFT_META_OIF),
        )
        for end, by_name, by_index in ends:
            if end is not None:
                meta[by_name] = os.fsencode(end[0]).ljust(IFNAMSIZ, b"\0")
                if end[1]:
                    meta[by_index] = _number(end[1])
        status = _number(IPS_DST_NAT if published else 0)
        ct = {NFT_CT_STATE: _number(_NEW), NFT_CT_STATUS: status, NFT_CT_DIRECTION: b"\0"}
        return Packet(meta, ct, bridged=self.came == self.goes)


def _number(value: int) -> bytes:
    return value.to_bytes(4, byteorder)


def _drops(tables: Nftables, ways: Mapping[str, Iterable[_Way]]) -> dict[str, list[ForeignDrop]]:
    """ways: of connections, by the name of the bridge at one end, as what is returned."""
    chains = tables.chains() if ways else []
    found: dict[str, list[ForeignDrop]] = {bridge: [] for bridge in ways}
    for chain in chains:
        family, table, name = chain["nfgen_family"], chain.get("table", ""), chain.get("name", "")
        if family not in _FAMILIES or not _filters_forwarded(chain) or (family, table) == (FAMILY, TABLE):
            continue
        reader = Reader(tables, family, table)
        own = [one for one in chains if (one["nfgen_family"], one.get("table")) == (family, table)]
        users = {one.get("name", "") for one in own}
        for bridge, some in ways.items():
            commands = []
            for way in some:
                if family not in (NFPROTO_INET, _VERSIONS[way.version]):
                    continue
                outward = way.came is not None and way.came[0] == bridge
                verdict = Walk(reader, way.packet(not outward)).verdict_of(name)
                if (chain.get("policy", NF_ACCEPT) if verdict is None else verdict) == NF_DROP:
                    commands += _cures(family, table, name, users, outward, bridge)
            if commands:
                whole = tuple(dict.fromkeys(commands))
                found[bridge].append(ForeignDrop(_FAMILIES[family], table, name, whole))
    return found


def _filters_forwarded(chain: Values) -> bool:
    return chain.get("hook", {}).get("hooknum") == NF_INET_FORWARD and chain.get("type") == "filter"


def _cures(family: int, table: str, chain: str, users: set[str], outward: bool, bridge: str) -> list[str]:
    """Return what helps, in the words of the firewall whose chain it is, so that its users recognize it.
    Docker keeps the chain DOCKER-USER for such rules, and calls it before all others."""
    if table == "firewalld":
        zone = f"--zone=trusted --add-interface={bridge}"
        return [f"firewall-cmd {zone}", f"firewall-cmd --permanent {zone}"]
    if any(name.startswith("ufw") for name in users):
        return [f"ufw route allow {'in' if outward else 'out'} on {bridge}"]
    if family in _IPTABLES and (table, chain) == ("filter", "FORWARD"):
        place = "DOCKER-USER" if "DOCKER-USER" in users else chain
        return [f"{_IPTABLES[family]} -I {place} {'-i' if outward else '-o'} {bridge} -j ACCEPT"]
    word = "iifname" if outward else "oifname"
    return [f'nft insert rule {_FAMILIES[family]} {table} {chain} {word} "{bridge}" accept']
