"""Forward chains of other firewalls that drop packets by policy, and the rules that would let ours pass.

A packet passes only if every chain of the hook accepts it: an accept in our table does not count in
another's. Other tables belong to the administrator; so we report them and never change them."""

from __future__ import annotations

from ..record import Record
from ..uapi.netfilter import NF_ACCEPT, NF_DROP, NF_INET_FORWARD, NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6
from ..uapi.nf_tables import NFT_META_IIFNAME, NFT_META_OIFNAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..nft.tables import Nftables
    from ..wire.attributes import Values

_FAMILIES = {NFPROTO_INET: "inet", NFPROTO_IPV4: "ip", NFPROTO_IPV6: "ip6"}
_IPTABLES = {NFPROTO_IPV4: "iptables", NFPROTO_IPV6: "ip6tables"}


class ForeignDrop(Record):
    """A chain of another firewall that drops what is forwarded and not accepted there: family as nft writes
    it, table and chain; commands: the rules that would let the traffic of our networks pass, as one types
    them."""

    family: str
    table: str
    chain: str
    commands: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"chain {self.chain} of table {self.family} {self.table} drops what it does not accept; "
            f"this would help: {'; '.join(self.commands)}"
        )


def foreign_drops(tables: Nftables, bridges: Iterable[str], own: tuple[int, str]) -> list[ForeignDrop]:
    """Return the chains of the forward hook with policy drop, except those of our own table, that do not
    accept all that comes from and goes to each of the bridges."""
    names = list(bridges)
    chains = tables.chains()
    found = []
    for chain in chains:
        family, table = chain["nfgen_family"], chain["table"]
        if (family, table) == own or family not in _FAMILIES or not _drops_forwarded(chain):
            continue
        accepted = {match for rule in tables.rules(family, table) if (match := _accepts(rule)) is not None}
        users = {one["name"] for one in chains if (one["nfgen_family"], one["table"]) == (family, table)}
        missing = [
            _command(family, table, chain["name"], "DOCKER-USER" in users, key, bridge)
            for bridge in names
            for key in (NFT_META_IIFNAME, NFT_META_OIFNAME)
            if (key, bridge) not in accepted
        ]
        if missing:
            found.append(ForeignDrop(_FAMILIES[family], table, chain["name"], tuple(missing)))
    return found


def _drops_forwarded(chain: Values) -> bool:
    hook = chain.get("hook", {}).get("hooknum")
    return hook == NF_INET_FORWARD and chain.get("type") == "filter" and chain.get("policy") == NF_DROP


def _accepts(rule: Values) -> tuple[int, str] | None:
    """Return (key, interface) of a rule that only accepts what comes from, or goes to, an interface."""
    expressions = rule.get("expressions", {}).get("elem", [])
    parts = [(one["name"], one.get("data", {})) for one in expressions if one["name"] != "counter"]
    if [name for name, _ in parts] != ["meta", "cmp", "immediate"]:
        return None
    (_, meta), (_, compared), (_, done) = parts
    if done["data"].get("verdict", {}).get("code") != NF_ACCEPT or compared["op"]:
        return None
    return meta["key"], compared["data"]["value"].rstrip(b"\0").decode("utf-8", "surrogateescape")


def _command(family: int, table: str, chain: str, docker: bool, key: int, bridge: str) -> str:
    """Return the rule as an iptables command if the chain is iptables', so that its users recognize it.
    Docker keeps the chain DOCKER-USER for such rules, and calls it before all others."""
    if family in _IPTABLES and (table, chain) == ("filter", "FORWARD"):
        option = "-i" if key == NFT_META_IIFNAME else "-o"
        place = "DOCKER-USER" if docker else chain
        return f"{_IPTABLES[family]} -I {place} {option} {bridge} -j ACCEPT"
    word = "iifname" if key == NFT_META_IIFNAME else "oifname"
    return f'nft insert rule {_FAMILIES[family]} {table} {chain} {word} "{bridge}" accept'
