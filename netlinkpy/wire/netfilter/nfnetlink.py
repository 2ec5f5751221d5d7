"""What all messages of NETLINK_NETFILTER share: struct nfgenmsg, subsystems, batches
(linux/netfilter/nfnetlink.h).

A batch is what lies between NFNL_MSG_BATCH_BEGIN and NFNL_MSG_BATCH_END in one datagram; nf_tables does all
of it or nothing. All numbers inside attributes are in network byte order."""

from __future__ import annotations

from ..attributes import Attributes
from ..codecs import BE32, Integer
from ..message import Header, Message

BE64 = Integer(">Q")
NFGENMSG = Header(">BBH", "nfgen_family version res_id")

#: Opens and closes a batch; res_id is the subsystem. genid: refuse all of it (ERESTART) if the tables are of
#: another generation by now.
BATCH = Message("batch", NFGENMSG, Attributes(genid=(1, BE32)))


def message_type(subsystem: int, message: int) -> int:
    """Return the nlmsg_type of a subsystem's message."""
    return subsystem << 8 | message
