"""The nf_tables messages of tables, chains, rules, sets and the generation (linux/netfilter/nf_tables.h)."""

from __future__ import annotations

from ..attributes import BE32, RAW, STRING, Attributes, Integer, Repeated
from ..message import Message
from .expressions import EXPRESSION, EXPRESSIONS
from .nfnetlink import BE64, NFGENMSG

NFT_MSG_NEWTABLE, NFT_MSG_GETTABLE, NFT_MSG_DELTABLE = 0, 1, 2
NFT_MSG_NEWCHAIN, NFT_MSG_GETCHAIN, NFT_MSG_DELCHAIN = 3, 4, 5
NFT_MSG_NEWRULE, NFT_MSG_GETRULE, NFT_MSG_DELRULE = 6, 7, 8
NFT_MSG_NEWSET, NFT_MSG_GETSET, NFT_MSG_DELSET = 9, 10, 11
NFT_MSG_NEWGEN, NFT_MSG_GETGEN = 15, 16

NF_INET_PRE_ROUTING, NF_INET_LOCAL_IN, NF_INET_FORWARD = 0, 1, 2  # hooknum, linux/netfilter.h
NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING = 3, 4
NF_IP_PRI_RAW, NF_IP_PRI_NAT_DST, NF_IP_PRI_FILTER, NF_IP_PRI_NAT_SRC = -300, -100, 0, 100  # priority

NFT_SET_INTERVAL, NFT_SET_MAP = 0x4, 0x8  # flags of a set

TABLE = Message(
    "table",
    NFGENMSG,
    Attributes(
        name=(1, STRING), flags=(2, BE32), use=(3, BE32), handle=(4, BE64), userdata=(6, RAW), owner=(7, BE32)
    ),
)

HOOK = Attributes(flagged=True, hooknum=(1, BE32), priority=(2, Integer(">i")), dev=(3, STRING))
CHAIN = Message(
    "chain",
    NFGENMSG,
    Attributes(
        table=(1, STRING),
        handle=(2, BE64),
        name=(3, STRING),
        hook=(4, HOOK),
        policy=(5, BE32),
        use=(6, BE32),
        type=(7, STRING),
        counters=(8, RAW),
        flags=(10, BE32),
        id=(11, BE32),
        userdata=(12, RAW),
    ),
)

RULE = Message(
    "rule",
    NFGENMSG,
    Attributes(
        table=(1, STRING),
        chain=(2, STRING),
        handle=(3, BE64),
        expressions=(4, EXPRESSIONS),
        compat=(5, RAW),
        position=(6, BE64),
        userdata=(7, RAW),
        id=(9, BE32),
    ),
)

SET = Message(
    "set",
    NFGENMSG,
    Attributes(
        table=(1, STRING),
        name=(2, STRING),
        flags=(3, BE32),
        key_type=(4, BE32),
        key_len=(5, BE32),
        data_type=(6, BE32),
        data_len=(7, BE32),
        policy=(8, BE32),
        desc=(9, RAW),
        id=(10, BE32),
        timeout=(11, BE64),
        gc_interval=(12, BE32),
        userdata=(13, RAW),
        obj_type=(15, BE32),
        handle=(16, BE64),
        expr=(17, Repeated(EXPRESSION)),
        expressions=(18, EXPRESSIONS),
    ),
)

GENERATION = Message(
    "generation", NFGENMSG, Attributes(id=(1, BE32), proc_pid=(2, BE32), proc_name=(3, STRING))
)
