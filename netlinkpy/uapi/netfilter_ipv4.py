"""linux/netfilter_ipv4.h: priorities of chains."""

from __future__ import annotations

NF_IP_PRI_RAW, NF_IP_PRI_NAT_DST, NF_IP_PRI_FILTER, NF_IP_PRI_NAT_SRC = -300, -100, 0, 100
