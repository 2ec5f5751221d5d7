"""The rule message: struct fib_rule_hdr and the FRA_ attributes (linux/fib_rules.h)."""

from __future__ import annotations

from ..attributes import Attributes
from ..codecs import IP, RAW, STRING, U8, U32
from ..message import Header, Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .typed_values import RuleValues

FIB_RULE_HDR = Header("=BBBBBxxBI", "family dst_len src_len tos table action flags")
RULE: Message[RuleValues] = Message(
    "rule",
    FIB_RULE_HDR,
    Attributes(
        dst=(1, IP),
        src=(2, IP),
        iifname=(3, STRING),
        goto=(4, U32),
        priority=(6, U32),
        fwmark=(10, U32),
        flow=(11, U32),
        tun_id=(12, RAW),
        suppress_ifgroup=(13, U32),
        suppress_prefixlen=(14, U32),
        table_id=(15, U32),
        fwmask=(16, U32),
        oifname=(17, STRING),
        l3mdev=(19, U8),
        uid_range=(20, RAW),
        protocol=(21, U8),
        ip_proto=(22, U8),
        sport_range=(23, RAW),
        dport_range=(24, RAW),
    ),
)
