"""bridge: an Ethernet bridge (IFLA_BR_) and its ports (IFLA_BRPORT_), linux/if_link.h; times are hundredths
of a second."""

from __future__ import annotations

from ...codecs import BE16, FLAG, MAC, RAW, U8, U16, U32, U64, Bits
from ..kind import IFINDEX, ON_OFF, Kind, Option

_ID = RAW  # struct ifla_bridge_id: u16 priority, hardware address

KIND = Kind(
    "bridge",
    Option("forward_delay", 1, U32),
    Option("hello_time", 2, U32),
    Option("max_age", 3, U32),
    Option("ageing_time", 4, U32),
    Option("stp_state", 5, U32),
    Option("priority", 6, U16),
    Option("vlan_filtering", 7, U8),
    Option("vlan_protocol", 8, BE16, words={"802.1Q": 0x8100, "802.1ad": 0x88A8}),
    Option("group_fwd_mask", 9, U16),
    Option("root_id", 10, _ID, word="designated_root", told=True),
    Option("bridge_id", 11, _ID, told=True),
    Option("root_port", 12, U16, told=True),
    Option("root_path_cost", 13, U32, told=True),
    Option("topology_change", 14, U8, told=True),
    Option("topology_change_detected", 15, U8, told=True),
    Option("hello_timer", 16, U64, told=True),
    Option("tcn_timer", 17, U64, told=True),
    Option("topology_change_timer", 18, U64, told=True),
    Option("gc_timer", 19, U64, told=True),
    Option("group_addr", 20, MAC, word="group_address"),
    Option("fdb_flush", 21, FLAG),
    Option("mcast_router", 22, U8),
    Option("mcast_snooping", 23, U8),
    Option("mcast_query_use_ifaddr", 24, U8),
    Option("mcast_querier", 25, U8),
    Option("mcast_hash_elasticity", 26, U32),
    Option("mcast_hash_max", 27, U32),
    Option("mcast_last_member_cnt", 28, U32, word="mcast_last_member_count"),
    Option("mcast_startup_query_cnt", 29, U32, word="mcast_startup_query_count"),
    Option("mcast_last_member_intvl", 30, U64, word="mcast_last_member_interval"),
    Option("mcast_membership_intvl", 31, U64, word="mcast_membership_interval"),
    Option("mcast_querier_intvl", 32, U64, word="mcast_querier_interval"),
    Option("mcast_query_intvl", 33, U64, word="mcast_query_interval"),
    Option("mcast_query_response_intvl", 34, U64, word="mcast_query_response_interval"),
    Option("mcast_startup_query_intvl", 35, U64, word="mcast_startup_query_interval"),
    Option("nf_call_iptables", 36, U8),
    Option("nf_call_ip6tables", 37, U8),
    Option("nf_call_arptables", 38, U8),
    Option("vlan_default_pvid", 39, U16),
    Option("vlan_stats_enabled", 41, U8),
    Option("mcast_stats_enabled", 42, U8),
    Option("mcast_igmp_version", 43, U8),
    Option("mcast_mld_version", 44, U8),
    Option("vlan_stats_per_port", 45, U8),
    Option("multi_boolopt", 46, Bits("optval optmask")),  # struct br_boolopt_multi, linux/if_bridge.h
    Option("no_linklocal_learn", 0, U8, bits="multi_boolopt"),  # BR_BOOLOPT_
    Option("mcast_vlan_snooping", 1, U8, bits="multi_boolopt"),
    Option("mcast_querier_state", 47, RAW, told=True),
    shown="forward_delay hello_time max_age ageing_time stp_state priority vlan_filtering vlan_protocol"
    " bridge_id root_id root_port root_path_cost topology_change topology_change_detected"
    " hello_timer tcn_timer topology_change_timer gc_timer vlan_default_pvid vlan_stats_enabled"
    " vlan_stats_per_port group_fwd_mask group_addr mcast_snooping no_linklocal_learn"
    " mcast_vlan_snooping mcast_router mcast_query_use_ifaddr mcast_querier mcast_hash_elasticity"
    " mcast_hash_max mcast_last_member_cnt mcast_startup_query_cnt mcast_last_member_intvl"
    " mcast_membership_intvl mcast_querier_intvl mcast_query_intvl mcast_query_response_intvl"
    " mcast_startup_query_intvl mcast_stats_enabled mcast_igmp_version mcast_mld_version"
    " nf_call_iptables nf_call_ip6tables nf_call_arptables",
)

PORT = Kind(
    "bridge_slave",
    Option("state", 1, U8),
    Option("priority", 2, U16),
    Option("cost", 3, U32),
    Option("mode", 4, U8, words=ON_OFF, word="hairpin", key="hairpin"),
    Option("guard", 5, U8, words=ON_OFF),
    Option("protect", 6, U8, words=ON_OFF, word="root_block", key="root_block"),
    Option("fast_leave", 7, U8, words=ON_OFF, word="fastleave mcast_fast_leave", key="fastleave"),
    Option("learning", 8, U8, words=ON_OFF),
    Option("unicast_flood", 9, U8, words=ON_OFF, word="flood", key="flood"),
    Option("proxyarp", 10, U8, words=ON_OFF, word="proxy_arp", key="proxy_arp"),
    Option("learning_sync", 11, U8, told=True),
    Option("proxyarp_wifi", 12, U8, words=ON_OFF, word="proxy_arp_wifi", key="proxy_arp_wifi"),
    Option("root_id", 13, _ID, word="designated_root", told=True),
    Option("bridge_id", 14, _ID, word="designated_bridge", told=True),
    Option("designated_port", 15, U16, told=True),
    Option("designated_cost", 16, U16, told=True),
    Option("id", 17, U16, word="port_id", told=True),
    Option("no", 18, U16, word="port_no", told=True),
    Option("topology_change_ack", 19, U8, told=True),
    Option("config_pending", 20, U8, told=True),
    Option("message_age_timer", 21, U64, told=True),
    Option("forward_delay_timer", 22, U64, told=True),
    Option("hold_timer", 23, U64, told=True),
    Option("flush", 24, FLAG, word="fdb_flush"),
    Option("multicast_router", 25, U8, word="mcast_router"),
    Option("mcast_flood", 27, U8, words=ON_OFF),
    Option("mcast_to_ucast", 28, U8, words=ON_OFF, word="mcast_to_unicast", key="mcast_to_unicast"),
    Option("vlan_tunnel", 29, U8, words=ON_OFF),
    Option("bcast_flood", 30, U8, words=ON_OFF),
    Option("group_fwd_mask", 31, U16),
    Option("neigh_suppress", 32, U8, words=ON_OFF),
    Option("isolated", 33, U8, words=ON_OFF),
    Option("backup_port", 34, IFINDEX),
    Option("mrp_ring_open", 35, U8, told=True),
    Option("mrp_in_open", 36, U8, told=True),
    Option("mcast_eht_hosts_limit", 37, U32),
    Option("mcast_eht_hosts_cnt", 38, U32, told=True),
    Option("locked", 39, U8, words=ON_OFF),
    shown="state priority cost mode guard protect fast_leave learning unicast_flood id no"
    " designated_port designated_cost bridge_id root_id hold_timer message_age_timer"
    " forward_delay_timer topology_change_ack config_pending proxyarp proxyarp_wifi"
    " multicast_router mcast_flood bcast_flood mcast_to_ucast neigh_suppress group_fwd_mask"
    " vlan_tunnel isolated locked backup_port",
)
