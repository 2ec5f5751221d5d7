"""The table `inet netlinkpy`: its sets, chains and rules, as changes that may be made again at any time.

With two networks, br0 (masqueraded; a port published at any address and on localhost, one at an address of
the host) and br1 (internal), whose bridges have the indices 7 and 8, `nft list table inet netlinkpy` shows:

    table inet netlinkpy {
        set networks {
            type iface_index
            elements = { "br0", "br1" }
        }

        set within {
            type iface_index . iface_index
            elements = { "br0" . "br0", "br1" . "br1" }
        }

        set internal {
            type iface_index
            elements = { "br1" }
        }

        set isolated {
            type iface_index
        }

        set masquerade4 {
            type ipv4_addr
            flags interval
            elements = { 172.17.0.0/16 comment "7", 172.18.0.0/16 comment "8" }
        }

        set masquerade6 {
            type ipv6_addr
            flags interval
            elements = { fd00:17::/64 comment "7" }
        }

        set routed4 {
            type ipv4_addr
            flags interval
        }

        set routed6 {
            type ipv6_addr
            flags interval
        }

        map ports4 {
            type inet_proto . inet_service : ipv4_addr . inet_service
            elements = { tcp . 8080 : 172.17.0.2 . 80 }
        }

        map ports6 {
            type inet_proto . inet_service : ipv6_addr . inet_service
        }

        map bound4 {
            type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service
            elements = { 192.0.2.1 . udp . 53 : 172.17.0.3 . 5353 }
        }

        map bound6 {
            type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service
        }

        map localhost4 {
            type inet_proto . inet_service : ipv4_addr . inet_service
            elements = { tcp . 8080 : 172.17.0.2 . 80 }
        }

        chain loopback {
            type filter hook prerouting priority raw; policy accept;
            iif != "lo" ip daddr 127.0.0.0/8 drop
            iif != "lo" ip saddr 127.0.0.0/8 drop
        }

        chain prerouting {
            type nat hook prerouting priority dstnat; policy accept;
            fib daddr type local goto published
        }

        chain output {
            type nat hook output priority -100; policy accept;
            ip6 daddr ::1 accept
            ip daddr 127.0.0.0/8 goto localhost
            fib daddr type local goto published
        }

        chain localhost {
            dnat ip to ip daddr . meta l4proto . th dport map @bound4
            dnat ip to meta l4proto . th dport map @localhost4
        }

        chain published {
            dnat ip to ip daddr . meta l4proto . th dport map @bound4
            dnat ip to meta l4proto . th dport map @ports4
            dnat ip6 to ip6 daddr . meta l4proto . th dport map @bound6
            dnat ip6 to meta l4proto . th dport map @ports6
        }

        chain forward {
            type filter hook forward priority filter; policy accept;
            iif . oif @within accept
            iif @internal drop
            oif @internal drop
            iif @isolated oif @networks drop
            iif @networks oif @isolated drop
            ct state established,related accept
            ct status dnat accept
            iif @networks accept
            ip daddr @routed4 accept
            ip6 daddr @routed6 accept
            oif @networks drop
        }

        chain postrouting {
            type nat hook postrouting priority srcnat; policy accept;
            iif . oif @within ct status dnat masquerade
            iif 0 oif @networks ct status dnat masquerade
            oif @networks accept
            ip saddr @masquerade4 masquerade
            ip6 saddr @masquerade6 masquerade
        }
    }

What is not in it passes as if it were not there: the policy of every chain is to accept, and to accept ends
the chains of this table alone. Why each rule is there:

- the sets know a bridge by its index, so it may be renamed; the comment of a subnet is its bridge's index.
- loopback: route_localnet lets packets for 127/8 in from a bridge, and DNAT would take a neighbour's packet
  for a port published on 127.0.0.1 before the kernel's own check. Only lo may use these addresses.
- output: for ::1 the kernel takes answers from lo alone, so a port is refused there rather than dead. So is
  127.0.0.0/8, except for the ports that were published for it too (Port.localhost).
- published: two look-ups find one port among any number; the one at an address of the host comes first.
- forward: what stays within a network passes (br_netfilter shows it, and a published port may lead back).
  Internal networks exchange nothing with anybody else, isolated ones nothing with other networks, published
  ports included. From outside only answers and published ports reach a masqueraded network; a routed one is
  open.
- postrouting: who reaches a container of his own network by a published port gets the bridge's address as
  source, so that the answer comes back through the host. So does the host itself, whose address may be a
  loopback one: it has no interface (iif 0), nor has what br_netfilter shows. Between networks no source is
  changed; what else leaves a masqueraded subnet has the host's address."""

from __future__ import annotations

from struct import Struct

from ..nft.rules import (
    ACCEPT,
    DROP,
    MASQUERADE,
    compare,
    ct,
    dnat,
    fib_type,
    goto,
    lookup,
    mask,
    meta,
    payload,
)
from ..nft.tables import add_rule, flush_chain, new_chain, new_set, new_table
from ..uapi.netfilter import (
    NF_INET_FORWARD,
    NF_INET_LOCAL_OUT,
    NF_INET_POST_ROUTING,
    NF_INET_PRE_ROUTING,
    NFPROTO_INET,
    NFPROTO_IPV4,
    NFPROTO_IPV6,
)
from ..uapi.netfilter_ipv4 import NF_IP_PRI_FILTER, NF_IP_PRI_NAT_DST, NF_IP_PRI_NAT_SRC, NF_IP_PRI_RAW
from ..uapi.nf_conntrack_common import IP_CT_ESTABLISHED, IP_CT_RELATED, IPS_DST_NAT
from ..uapi.nf_tables import (
    NFT_CMP_NEQ,
    NFT_CT_STATE,
    NFT_CT_STATUS,
    NFT_META_IIF,
    NFT_META_L4PROTO,
    NFT_META_NFPROTO,
    NFT_META_OIF,
    NFT_PAYLOAD_NETWORK_HEADER,
    NFT_PAYLOAD_TRANSPORT_HEADER,
    NFT_SET_INTERVAL,
    NFT_SET_MAP,
    NFTA_FIB_F_DADDR,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..nft.tables import Change
    from ..wire.attributes import Values

FAMILY, TABLE = NFPROTO_INET, "netlinkpy"

# nft's own numbers of data types (datatype.h), by which it shows keys; the kernel only keeps them. Each part
# of a concatenation has six bits.
_IPV4_ADDR, _IPV6_ADDR, _INET_PROTO, _INET_SERVICE, _IFINDEX = 7, 8, 12, 13, 20
_LENGTH = {_IPV4_ADDR: 4, _IPV6_ADDR: 16, _INET_PROTO: 4, _INET_SERVICE: 4, _IFINDEX: 4}  # bytes in registers

# (flags, types of the key, types of the data)
SETS: dict[str, tuple[int, tuple[int, ...], tuple[int, ...]]] = {
    "networks": (0, (_IFINDEX,), ()),
    "within": (0, (_IFINDEX, _IFINDEX), ()),
    "internal": (0, (_IFINDEX,), ()),
    "isolated": (0, (_IFINDEX,), ()),
    "masquerade4": (NFT_SET_INTERVAL, (_IPV4_ADDR,), ()),
    "masquerade6": (NFT_SET_INTERVAL, (_IPV6_ADDR,), ()),
    "routed4": (NFT_SET_INTERVAL, (_IPV4_ADDR,), ()),
    "routed6": (NFT_SET_INTERVAL, (_IPV6_ADDR,), ()),
    "ports4": (NFT_SET_MAP, (_INET_PROTO, _INET_SERVICE), (_IPV4_ADDR, _INET_SERVICE)),
    "ports6": (NFT_SET_MAP, (_INET_PROTO, _INET_SERVICE), (_IPV6_ADDR, _INET_SERVICE)),
    "bound4": (NFT_SET_MAP, (_IPV4_ADDR, _INET_PROTO, _INET_SERVICE), (_IPV4_ADDR, _INET_SERVICE)),
    "bound6": (NFT_SET_MAP, (_IPV6_ADDR, _INET_PROTO, _INET_SERVICE), (_IPV6_ADDR, _INET_SERVICE)),
    "localhost4": (NFT_SET_MAP, (_INET_PROTO, _INET_SERVICE), (_IPV4_ADDR, _INET_SERVICE)),
}

_CHAINS: dict[str, tuple[str, int, int] | None] = {  # (type, hook, priority) of base chains
    "loopback": ("filter", NF_INET_PRE_ROUTING, NF_IP_PRI_RAW),
    "prerouting": ("nat", NF_INET_PRE_ROUTING, NF_IP_PRI_NAT_DST),
    "output": ("nat", NF_INET_LOCAL_OUT, NF_IP_PRI_NAT_DST),
    "localhost": None,
    "published": None,
    "forward": ("filter", NF_INET_FORWARD, NF_IP_PRI_FILTER),
    "postrouting": ("nat", NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC),
}

CHAIN_USES = {  # what the kernel counts of each chain: its rules, and the rules that lead to it
    "loopback": 2,
    "prerouting": 1,
    "output": 3,
    "localhost": 3,
    "published": 6,
    "forward": 11,
    "postrouting": 5,
}


def ensure() -> list[Change]:
    """Return the changes that make the table what it must be, whatever of it is there; elements stay."""
    return [
        new_table(FAMILY, TABLE),
        *(new_chain(FAMILY, TABLE, chain, base) for chain, base in _CHAINS.items()),
        *(_set(number, name) for number, name in enumerate(SETS, 1)),
        *(flush_chain(FAMILY, TABLE, chain) for chain in _CHAINS),
        *(add_rule(FAMILY, TABLE, chain, expressions) for chain, expressions in _rules()),
    ]


# -- sets --------------------------------------------------------------------------------------------------


def _set(number: int, name: str) -> Change:
    flags, key, data = SETS[name]
    what = {"flags": flags, "key_type": _type_of(key), "key_len": sum(_LENGTH[part] for part in key)}
    if data:
        what |= {"data_type": _type_of(data), "data_len": sum(_LENGTH[part] for part in data)}
    return new_set(FAMILY, TABLE, name, number, _userdata(key, data), **what)


def _type_of(parts: tuple[int, ...]) -> int:
    number = 0
    for part in parts:
        number = number << 6 | part
    return number


_U32 = Struct("=I")


def _userdata(key: tuple[int, ...], data: tuple[int, ...]) -> bytes:
    """Return what nft notes beside a set to show it right (libnftnl, udata.h): u8 type, u8 length, value:
    byte order of key (0) and data (1), the expressions that concatenations come from (3, 4), whether data are
    intervals (6)."""
    notes = _note(0, _U32.pack(_byte_order(key)))
    if data:
        notes += _note(1, _U32.pack(_byte_order(data)))
    if len(key) > 1:
        notes += _note(3, _CONCATENATION)
    if len(data) > 1:
        notes += _note(4, _CONCATENATION)
    if data:
        notes += _note(6, _U32.pack(0))
    return notes


def _note(type: int, value: bytes) -> bytes:
    return bytes((type, len(value))) + value


_CONCATENATION = _note(0, _U32.pack(13)) + _note(1, b"")  # EXPR_CONCAT of nft's expression.h, without more


def _byte_order(parts: tuple[int, ...]) -> int:
    """Return nft's enum byteorder: 1 the host's, 2 the network's, 0 if each part has its own."""
    if len(parts) > 1:
        return 0
    return 1 if parts == (_IFINDEX,) else 2


# -- rules -------------------------------------------------------------------------------------------------

_NUMBERS = {name: number for number, name in enumerate(SETS, 1)}
_LO = _U32.pack(1)  # LOOPBACK_IFINDEX: lo has this index in every namespace
_RTN_LOCAL = _U32.pack(2)
_ESTABLISHED_OR_RELATED = _U32.pack(2 << IP_CT_ESTABLISHED | 2 << IP_CT_RELATED)  # NF_CT_STATE_BIT()
_DNAT = _U32.pack(IPS_DST_NAT)
_DESTINATION = {NFPROTO_IPV4: (16, 4), NFPROTO_IPV6: (24, 16)}  # offset in the IP header, length
_SOURCE = {NFPROTO_IPV4: (12, 4), NFPROTO_IPV6: (8, 16)}


def _rules() -> Iterator[tuple[str, list[Values]]]:
    """Yield (chain, expressions) of each rule, in order."""
    for offset, _ in (_DESTINATION[NFPROTO_IPV4], _SOURCE[NFPROTO_IPV4]):
        in_127 = [payload(NFT_PAYLOAD_NETWORK_HEADER, offset, 1), compare(b"\x7f")]
        yield (
            "loopback",
            [meta(NFT_META_IIF), compare(_LO, NFT_CMP_NEQ), *_version(NFPROTO_IPV4), *in_127, DROP],
        )

    to_published = [fib_type(NFTA_FIB_F_DADDR), compare(_RTN_LOCAL), goto("published")]
    to_loopback = [_address(_DESTINATION, NFPROTO_IPV6), compare(bytes(15) + b"\1")]
    yield "prerouting", to_published
    yield "output", [*_version(NFPROTO_IPV6), *to_loopback, ACCEPT]
    to_127 = [payload(NFT_PAYLOAD_NETWORK_HEADER, _DESTINATION[NFPROTO_IPV4][0], 1), compare(b"\x7f")]
    yield "output", [*_version(NFPROTO_IPV4), *to_127, goto("localhost")]
    yield "output", to_published

    words = _DESTINATION[NFPROTO_IPV4][1] // 4
    to = dnat(NFPROTO_IPV4, words)
    bound = [*_version(NFPROTO_IPV4), _address(_DESTINATION, NFPROTO_IPV4), *_port(words), _look("bound4")]
    yield "localhost", [*bound, to]
    yield "localhost", [*_port(0), _look("localhost4"), to]

    for version, suffix in ((NFPROTO_IPV4, "4"), (NFPROTO_IPV6, "6")):
        words = _DESTINATION[version][1] // 4
        to = dnat(version, words)
        bound = [*_version(version), _address(_DESTINATION, version), *_port(words), _look(f"bound{suffix}")]
        yield "published", [*bound, to]
        yield "published", [*_port(0), _look(f"ports{suffix}"), to]

    yield "forward", [*_WITHIN, ACCEPT]
    yield "forward", [*_from("internal"), DROP]
    yield "forward", [*_towards("internal"), DROP]
    yield "forward", [*_from("isolated"), *_towards("networks"), DROP]
    yield "forward", [*_from("networks"), *_towards("isolated"), DROP]
    yield "forward", [*_any_bit(NFT_CT_STATE, _ESTABLISHED_OR_RELATED), ACCEPT]
    yield "forward", [*_any_bit(NFT_CT_STATUS, _DNAT), ACCEPT]
    yield "forward", [*_from("networks"), ACCEPT]
    for version, suffix in ((NFPROTO_IPV4, "4"), (NFPROTO_IPV6, "6")):
        routed = [*_version(version), _address(_DESTINATION, version), _look(f"routed{suffix}")]
        yield "forward", [*routed, ACCEPT]
    yield "forward", [*_towards("networks"), DROP]

    translated = _any_bit(NFT_CT_STATUS, _DNAT)
    from_nowhere = [meta(NFT_META_IIF), compare(_U32.pack(0))]
    yield "postrouting", [*_WITHIN, *translated, MASQUERADE]
    yield "postrouting", [*from_nowhere, *_towards("networks"), *translated, MASQUERADE]
    yield "postrouting", [*_towards("networks"), ACCEPT]
    for version, suffix in ((NFPROTO_IPV4, "4"), (NFPROTO_IPV6, "6")):
        ours = [*_version(version), _address(_SOURCE, version), _look(f"masquerade{suffix}")]
        yield "postrouting", [*ours, MASQUERADE]


def _look(name: str) -> Values:
    return lookup(name, _NUMBERS[name], map=bool(SETS[name][2]))


def _from(name: str) -> list[Values]:
    return [meta(NFT_META_IIF), _look(name)]


def _towards(name: str) -> list[Values]:
    return [meta(NFT_META_OIF), _look(name)]


_WITHIN = [meta(NFT_META_IIF), meta(NFT_META_OIF, 1), _look("within")]


def _version(version: int) -> list[Values]:
    return [meta(NFT_META_NFPROTO), compare(bytes((version,)))]


def _address(which: dict[int, tuple[int, int]], version: int) -> Values:
    return payload(NFT_PAYLOAD_NETWORK_HEADER, *which[version])


def _port(word: int) -> list[Values]:
    """Load protocol and destination port (at offset 2 in TCP, UDP and SCTP alike) from a word on."""
    return [meta(NFT_META_L4PROTO, word), payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, word + 1)]


def _any_bit(key: int, bits: bytes) -> list[Values]:
    return [ct(key), mask(bits), compare(bytes(len(bits)), NFT_CMP_NEQ)]
