"""The kinds of link and their options: the words after `type bridge`, `type veth`, `type bridge_slave`."""

from __future__ import annotations

from struct import pack

from ..errors import CommandError
from .grammar import U32, Words, c_number, mac, matches, not_built, on_off_of, wrong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...wire.attributes import Values
    from .link_words import LinkWords
    from .session import Session

U8, U16, U64 = 0xFF, 0xFFFF, 0xFFFFFFFFFFFFFFFF

# word -> (attribute, highest value); linux/if_link.h (IFLA_BR_), times in hundredths of a second
BRIDGE = {
    "forward_delay": ("forward_delay", U32),
    "hello_time": ("hello_time", U32),
    "max_age": ("max_age", U32),
    "ageing_time": ("ageing_time", U32),
    "stp_state": ("stp_state", U32),
    "priority": ("priority", U16),
    "vlan_filtering": ("vlan_filtering", U8),
    "vlan_default_pvid": ("vlan_default_pvid", U16),
    "vlan_stats_enabled": ("vlan_stats_enabled", U8),
    "vlan_stats_per_port": ("vlan_stats_per_port", U8),
    "group_fwd_mask": ("group_fwd_mask", U16),
    "mcast_router": ("mcast_router", U8),
    "mcast_snooping": ("mcast_snooping", U8),
    "mcast_query_use_ifaddr": ("mcast_query_use_ifaddr", U8),
    "mcast_querier": ("mcast_querier", U8),
    "mcast_hash_elasticity": ("mcast_hash_elasticity", U32),
    "mcast_hash_max": ("mcast_hash_max", U32),
    "mcast_last_member_count": ("mcast_last_member_cnt", U32),
    "mcast_startup_query_count": ("mcast_startup_query_cnt", U32),
    "mcast_last_member_interval": ("mcast_last_member_intvl", U64),
    "mcast_membership_interval": ("mcast_membership_intvl", U64),
    "mcast_querier_interval": ("mcast_querier_intvl", U64),
    "mcast_query_interval": ("mcast_query_intvl", U64),
    "mcast_query_response_interval": ("mcast_query_response_intvl", U64),
    "mcast_startup_query_interval": ("mcast_startup_query_intvl", U64),
    "mcast_stats_enabled": ("mcast_stats_enabled", U8),
    "mcast_igmp_version": ("mcast_igmp_version", U8),
    "mcast_mld_version": ("mcast_mld_version", U8),
    "nf_call_iptables": ("nf_call_iptables", U8),
    "nf_call_ip6tables": ("nf_call_ip6tables", U8),
    "nf_call_arptables": ("nf_call_arptables", U8),
}
BRIDGE_BITS = {"no_linklocal_learn": 0, "mcast_vlan_snooping": 1}  # BR_BOOLOPT_ of linux/if_bridge.h
VLAN_PROTOCOLS = {"802.1q": 0x8100, "802.1ad": 0x88A8}  # ETH_P_8021Q, ETH_P_8021AD of linux/if_ether.h

# word -> (attribute, highest value; 0 for a switch); linux/if_link.h (IFLA_BRPORT_)
BRIDGE_PORT = {
    "state": ("state", U8),
    "priority": ("priority", U16),
    "cost": ("cost", U32),
    "hairpin": ("mode", 0),
    "guard": ("guard", 0),
    "root_block": ("protect", 0),
    "fastleave": ("fast_leave", 0),
    "learning": ("learning", 0),
    "flood": ("unicast_flood", 0),
    "proxy_arp": ("proxyarp", 0),
    "proxy_arp_wifi": ("proxyarp_wifi", 0),
    "mcast_router": ("multicast_router", U8),
    "mcast_fast_leave": ("fast_leave", 0),
    "mcast_flood": ("mcast_flood", 0),
    "bcast_flood": ("bcast_flood", 0),
    "mcast_to_unicast": ("mcast_to_ucast", 0),
    "group_fwd_mask": ("group_fwd_mask", U16),
    "neigh_suppress": ("neigh_suppress", 0),
    "vlan_tunnel": ("vlan_tunnel", 0),
    "isolated": ("isolated", 0),
    "locked": ("locked", 0),
    "mcast_eht_hosts_limit": ("mcast_eht_hosts_limit", U32),
}


def kind_info(session: Session, kind: str, words: Words) -> tuple[Values, list[LinkWords]]:
    """IFLA_LINKINFO of a kind and its options, and what is to be closed once it is sent."""
    if kind.endswith("_slave"):
        port: Values = {"slave_kind": kind.removesuffix("_slave")}
        if kind == "bridge_slave":
            data = _port_options(session, words)
            return {**port, "slave_data": data} if data else port, []
        _nothing_more(kind, words)
        return port, []
    info: Values = {"kind": kind}
    if kind == "veth":
        peer = _peer(session, words)
        return ({**info, "data": {"peer": peer.values}}, [peer]) if peer else (info, [])
    if kind == "bridge":
        data = _bridge_options(words)
        return {**info, "data": data} if data else info, []
    _nothing_more(kind, words)
    return info, []


def _nothing_more(kind: str, words: Words) -> None:
    if words:
        raise not_built(f"the options of kind {kind} ({words.next()})")


def _peer(session: Session, words: Words) -> LinkWords | None:
    from .link_words import LinkWords

    if not words:
        return None
    if words.next() != "peer":
        raise CommandError("Usage: ip link <options> type veth [peer <options>]")
    return LinkWords(session, words, creating=True, peer=True)


def _bridge_options(words: Words) -> Values:
    values: Values = {}
    bits = mask = 0
    while words:
        word = words.next()
        name = next((name for name in BRIDGE if matches(word, name)), None)
        bit = next((bit for name, bit in BRIDGE_BITS.items() if matches(word, name)), None)
        if name is not None:
            attribute, high = BRIDGE[name]
            values[attribute] = _bounded(words.next(), name, high)
        elif bit is not None:
            mask |= 1 << bit
            bits |= bool(_bounded(words.next(), word, U8)) << bit
        elif matches(word, "vlan_protocol"):
            values["vlan_protocol"] = _vlan_protocol(words.next())
        elif matches(word, "group_address"):
            values["group_addr"] = mac(words.next())
        elif matches(word, "fdb_flush"):
            values["fdb_flush"] = True
        elif matches(word, "help"):
            raise CommandError(
                _usage("bridge", [*BRIDGE, *BRIDGE_BITS, "vlan_protocol", "group_address", "fdb_flush"])
            )
        else:
            raise CommandError(f'bridge: unknown command "{word}"?')
    if mask:
        values["multi_boolopt"] = pack("=II", bits, mask)  # struct br_boolopt_multi
    return values


def _port_options(session: Session, words: Words) -> Values:
    values: Values = {}
    while words:
        word = words.next()
        if word in BRIDGE_PORT or any(matches(word, name) for name in BRIDGE_PORT):
            name = word if word in BRIDGE_PORT else next(name for name in BRIDGE_PORT if matches(word, name))
            attribute, high = BRIDGE_PORT[name]
            values[attribute] = _bounded(words.next(), name, high) if high else int(on_off_of(words, name, 1))
        elif matches(word, "fdb_flush"):
            values["flush"] = True
        elif matches(word, "backup_port"):
            device = words.next()
            link = session.find(device)
            if link is None:
                raise CommandError("Error: argument backup_port: device does not exist", 255, final=True)
            values["backup_port"] = link["ifi_index"]
        elif matches(word, "nobackup_port"):
            values["backup_port"] = 0
        elif matches(word, "help"):
            raise CommandError(
                _usage("bridge_slave", [*BRIDGE_PORT, "fdb_flush", "backup_port", "nobackup_port"])
            )
        else:
            raise CommandError(f'bridge_slave: unknown option "{word}"?')
    return values


def _bounded(text: str, name: str, high: int) -> int:
    value = c_number(text)
    if value is None or not 0 <= value <= high:
        raise wrong(text, f"invalid {name}")
    return value


def _vlan_protocol(text: str) -> int:
    value = VLAN_PROTOCOLS.get(text.lower())
    if value is None:
        raise wrong(text, "invalid vlan_protocol")
    return value


def _usage(kind: str, names: list[str]) -> str:
    return f"Usage: ... type {kind} [ OPTION VALUE ]...\n\nOPTION := {{ {' | '.join(names)} }}"
