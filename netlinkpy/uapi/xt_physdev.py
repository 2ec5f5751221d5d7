"""linux/netfilter/xt_physdev.h: iptables' match of a bridge's ports."""

from __future__ import annotations

XT_PHYSDEV_OP_BRIDGED = 0x04
