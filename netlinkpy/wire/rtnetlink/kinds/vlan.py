"""vlan: one virtual LAN of a parent link (IEEE 802.1Q; IFLA_VLAN_ of linux/if_link.h)."""

from __future__ import annotations

from ...codecs import BE16, U8, U16, Bits
from ..kind import ON_OFF, Kind, Option, Pairs

KIND = Kind(
    "vlan",
    Option("id", 1, U16, high=4094),
    Option("flags", 2, Bits("flags mask")),  # struct ifla_vlan_flags; VLAN_FLAG_ of linux/if_vlan.h
    Option("reorder_hdr", 0, U8, bits="flags", words=ON_OFF),
    Option("gvrp", 1, U8, bits="flags", words=ON_OFF),
    Option("mvrp", 3, U8, bits="flags", words=ON_OFF),
    Option("loose_binding", 2, U8, bits="flags", words=ON_OFF),
    Option("bridge_binding", 4, U8, bits="flags", words=ON_OFF),
    Option("egress_qos", 3, Pairs(1), word="egress-qos-map"),  # a packet's priority to that of its tag
    Option("ingress_qos", 4, Pairs(1), word="ingress-qos-map"),
    Option("protocol", 5, BE16, words={"802.1Q": 0x8100, "802.1ad": 0x88A8}),  # ETH_P_ of linux/if_ether.h
    needs="link id",
    shown="protocol id flags ingress_qos egress_qos",
)
