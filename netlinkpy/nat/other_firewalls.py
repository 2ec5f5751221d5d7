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
    NFT_META_OIF,
    NFT_META_OIFNAME,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..nft.tables import Nftables
    from ..wire.attributes import Values

    Ends = tuple[tuple[int, int], ...]

_FAMILIES = {NFPROTO_INET: "inet", NFPROTO_IPV4: "ip", NFPROTO_IPV6: "ip6"}
_NEW = 1 << IP_CT_NEW + 1  # NF_CT_STATE_BIT()
_IPTABLES = {NFPROTO_IPV4: "iptables", NFPROTO_IPV6: "ip6tables"}
# At which ends of its way a packet meets the bridge: what tells its name, and its index.
_OUT: Ends = ((NFT_META_IIFNAME, NFT_META_IIF),)
_IN: Ends = ((NFT_META_OIFNAME, NFT_META_OIF),)  # by DNAT
_BOTH: Ends = _OUT + _IN


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


def foreign_drops(tables: Nftables, bridges: Mapping[str, int], own: tuple[int, str]) -> list[ForeignDrop]:
    """Return the chains of the forward hook, except those of our own table, that drop or reject a new
    connection from one of the bridges, or one to it by a published port.

    bridges: the index of each by its name, 0 if it is not known. Each chain is followed rule by rule. What a
    rule asks besides (an address, a port, another interface) does not hold for all connections, so such a
    rule neither lets ours pass nor drops them. iptables-legacy is not seen: its rules are not nf_tables'."""
    return _drops(tables, bridges, lambda family, table: (family, table) != own, (_OUT, _IN))


def bridged_drops(bridges: Iterable[str], *, timeout: float = 10.0) -> list[ForeignDrop]:
    """Return the chains that drop or reject a new connection between two ports of one of the bridges.

    Only where br_netfilter hands bridged packets to the forward hook, as its sysctls say (bridge(8)), which
    Docker loads it for. timeout: seconds for each request. Raise NetlinkError if the kernel refuses."""
    versions = {NFPROTO_IPV4: "bridge-nf-call-iptables", NFPROTO_IPV6: "bridge-nf-call-ip6tables"}
    handed = {version for version, name in versions.items() if _is_on(f"/proc/sys/net/bridge/{name}")}
    if not handed:
        return []
    from ..nft.tables import Nftables

    with Nftables(timeout=timeout) as tables:

        def read() -> list[ForeignDrop]:
            indices = {name: _index(name) for name in bridges}
            return _drops(tables, indices, lambda family, _: family in {*handed, NFPROTO_INET}, (_BOTH,))

        return tables.consistent(read, verb="look for chains that drop")


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


def _drops(
    tables: Nftables,
    bridges: Mapping[str, int],
    concerns: Callable[[int, str], bool],
    ways: tuple[Ends, ...],
) -> list[ForeignDrop]:
    """ways: at which ends the bridge is, for each packet that is followed."""
    chains = tables.chains() if bridges else []
    found = []
    for chain in chains:
        family, table, name = chain["nfgen_family"], chain.get("table", ""), chain.get("name", "")
        if family not in _FAMILIES or not _filters_forwarded(chain) or not concerns(family, table):
            continue
        reader = Reader(tables, family, table)
        users = {one.get("name", "") for one in chains if one.get("table") == table}
        commands = []
        for bridge, index in bridges.items():
            for ends in ways:
                verdict = Walk(reader, _packet(bridge, index, ends)).verdict_of(name)
                if (chain.get("policy", NF_ACCEPT) if verdict is None else verdict) == NF_DROP:
                    commands += _cures(family, table, name, users, ends != _IN, bridge)
        if commands:
            found.append(ForeignDrop(_FAMILIES[family], table, name, tuple(dict.fromkeys(commands))))
    return found


def _packet(bridge: str, index: int, ends: Ends) -> Packet:
    """Return the first packet of a connection that has the bridge at these ends."""
    meta = {}
    for by_name, by_index in ends:
        meta[by_name] = os.fsencode(bridge).ljust(IFNAMSIZ, b"\0")
        if index:
            meta[by_index] = _number(index)
    status = IPS_DST_NAT if ends == _IN else 0
    ct = {NFT_CT_STATE: _number(_NEW), NFT_CT_STATUS: _number(status), NFT_CT_DIRECTION: b"\0"}
    return Packet(meta, ct, bridged=ends == _BOTH)


def _number(value: int) -> bytes:
    return value.to_bytes(4, byteorder)


def _filters_forwarded(chain: Values) -> bool:
    return chain.get("hook", {}).get("hooknum") == NF_INET_FORWARD and chain.get("type") == "filter"


def _cures(family: int, table: str, chain: str, users: set[str], incoming: bool, bridge: str) -> list[str]:
    """Return what helps, in the words of the firewall whose chain it is, so that its users recognize it.
    Docker keeps the chain DOCKER-USER for such rules, and calls it before all others."""
    if table == "firewalld":
        zone = f"--zone=trusted --add-interface={bridge}"
        return [f"firewall-cmd {zone}", f"firewall-cmd --permanent {zone}"]
    if any(name.startswith("ufw") for name in users):
        return [f"ufw route allow {'in' if incoming else 'out'} on {bridge}"]
    if family in _IPTABLES and (table, chain) == ("filter", "FORWARD"):
        place = "DOCKER-USER" if "DOCKER-USER" in users else chain
        return [f"{_IPTABLES[family]} -I {place} {'-i' if incoming else '-o'} {bridge} -j ACCEPT"]
    word = "iifname" if incoming else "oifname"
    return [f'nft insert rule {_FAMILIES[family]} {table} {chain} {word} "{bridge}" accept']
