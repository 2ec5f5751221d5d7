"""The nf_tables messages of tables, chains, rules, sets and the generation (linux/netfilter/nf_tables.h)."""

from __future__ import annotations

from ..attributes import Attributes, Repeated
from ..codecs import BE32, RAW, STRING, Integer
from ..message import Message
from .expressions import EXPRESSION, EXPRESSIONS
from .nfnetlink import BE64, NFGENMSG

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

FIELD = Attributes(flagged=True, len=(1, BE32))
DESCRIPTION = Attributes(
    flagged=True, size=(1, BE32), concat=(2, Attributes(flagged=True, elem=(1, Repeated(FIELD))))
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
        desc=(9, DESCRIPTION),
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
