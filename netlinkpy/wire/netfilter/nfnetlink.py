"""What all messages of NETLINK_NETFILTER share: struct nfgenmsg, subsystems, and batches
(linux/netfilter/nfnetlink.h).

A batch is what stands between NFNL_MSG_BATCH_BEGIN and NFNL_MSG_BATCH_END in one datagram; nf_tables does all
of it or nothing. Numbers inside attributes are in network byte order throughout."""

from __future__ import annotations

from ..attributes import BE32, Attributes, Integer
from ..message import Header, Message

NFPROTO_UNSPEC, NFPROTO_INET, NFPROTO_IPV4, NFPROTO_ARP = 0, 1, 2, 3  # nfgen_family, linux/netfilter.h
NFPROTO_NETDEV, NFPROTO_BRIDGE, NFPROTO_IPV6 = 5, 7, 10

NFNL_SUBSYS_CTNETLINK, NFNL_SUBSYS_NFTABLES = 1, 10
NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END = 16, 17

BE64 = Integer(">Q")
NFGENMSG = Header(">BBH", "nfgen_family version res_id")

#: Opens and closes a batch; res_id is the subsystem. genid: refuse it all (ERESTART) where the tables are
#: of another generation by now.
BATCH = Message("batch", NFGENMSG, Attributes(genid=(1, BE32)))


def message_type(subsystem: int, message: int) -> int:
    """The nlmsg_type of a subsystem's message."""
    return subsystem << 8 | message
