"""linux/netfilter/nfnetlink_conntrack.h: messages about tracked flows."""

from __future__ import annotations

IPCTNL_MSG_CT_GET, IPCTNL_MSG_CT_DELETE, IPCTNL_MSG_CT_GET_STATS = 1, 2, 5

# In orig_flags and reply_flags: what of the tuple must be equal (net/netfilter/nf_conntrack_netlink.c).
CTA_FILTER_F_IP_SRC = 0x1
