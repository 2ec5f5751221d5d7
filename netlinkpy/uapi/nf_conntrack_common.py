"""linux/netfilter/nf_conntrack_common.h: states of tracked flows."""

from __future__ import annotations

IP_CT_ESTABLISHED, IP_CT_RELATED = 0, 1
IPS_DST_NAT = 0x20
IP_CT_NEW, IP_CT_IS_REPLY = 2, 3
