"""linux/netfilter/nfnetlink.h: subsystems and batches of NETLINK_NETFILTER."""

from __future__ import annotations

NFNL_SUBSYS_CTNETLINK, NFNL_SUBSYS_NFTABLES = 1, 10
NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END = 16, 17
NFNLGRP_NFTABLES = 7
