"""linux/netfilter/xt_conntrack.h: iptables' match of tracked connections."""

from __future__ import annotations

XT_CONNTRACK_STATE, XT_CONNTRACK_STATE_ALIAS = 1 << 0, 1 << 13
XT_CONNTRACK_STATE_DNAT = 1 << 7
