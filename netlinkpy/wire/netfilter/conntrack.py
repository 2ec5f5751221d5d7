"""The conntrack messages: a tracked flow, and the number of all (linux/netfilter/nfnetlink_conntrack.h)."""

from __future__ import annotations

from ..attributes import Attributes
from ..codecs import BE16, BE32, RAW, U8, U32
from ..message import Message
from .nfnetlink import NFGENMSG

IP = Attributes(flagged=True, v4_src=(1, RAW), v4_dst=(2, RAW), v6_src=(3, RAW), v6_dst=(4, RAW))
PROTO = Attributes(
    flagged=True,
    num=(1, U8),
    src_port=(2, BE16),
    dst_port=(3, BE16),
    icmp_id=(4, BE16),
    icmp_type=(5, U8),
    icmp_code=(6, U8),
    icmpv6_id=(7, BE16),
    icmpv6_type=(8, U8),
    icmpv6_code=(9, U8),
)
TUPLE = Attributes(flagged=True, ip=(1, IP), proto=(2, PROTO), zone=(3, BE16))

FLOW = Message(
    "flow",
    NFGENMSG,
    Attributes(
        tuple_orig=(1, TUPLE),
        tuple_reply=(2, TUPLE),
        status=(3, BE32),
        timeout=(7, BE32),
        mark=(8, BE32),
        id=(12, BE32),
        zone=(18, BE16),
        filter=(25, Attributes(flagged=True, orig_flags=(1, U32), reply_flags=(2, U32))),
        status_mask=(26, BE32),
    ),
)

STATISTICS = Message("conntrack statistics", NFGENMSG, Attributes(entries=(1, BE32), max_entries=(2, BE32)))
