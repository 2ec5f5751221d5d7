"""The expressions of nf_tables rules (NFTA_EXPR_ of linux/netfilter/nf_tables.h) that packet filters and NAT
consist of. The data of others is kept as bytes."""

from __future__ import annotations

from ..attributes import Attributes, Repeated
from ..codecs import BE32, RAW, STRING, Integer, Select

VERDICT = Attributes(flagged=True, code=(1, Integer(">i")), chain=(2, STRING), chain_id=(3, BE32))
DATA = Attributes(flagged=True, value=(1, RAW), verdict=(2, VERDICT))

META = Attributes(flagged=True, dreg=(1, BE32), key=(2, BE32), sreg=(3, BE32))
PAYLOAD = Attributes(
    flagged=True,
    dreg=(1, BE32),
    base=(2, BE32),
    offset=(3, BE32),
    len=(4, BE32),
    sreg=(5, BE32),
    csum_type=(6, BE32),
    csum_offset=(7, BE32),
    csum_flags=(8, BE32),
)
CMP = Attributes(flagged=True, sreg=(1, BE32), op=(2, BE32), data=(3, DATA))
LOOKUP = Attributes(
    flagged=True, set=(1, STRING), sreg=(2, BE32), dreg=(3, BE32), set_id=(4, BE32), flags=(5, BE32)
)
IMMEDIATE = Attributes(flagged=True, dreg=(1, BE32), data=(2, DATA))
BITWISE = Attributes(
    flagged=True,
    sreg=(1, BE32),
    dreg=(2, BE32),
    len=(3, BE32),
    mask=(4, DATA),
    xor=(5, DATA),
    op=(6, BE32),
    data=(7, DATA),
)
RANGE = Attributes(flagged=True, sreg=(1, BE32), op=(2, BE32), from_data=(3, DATA), to_data=(4, DATA))
BYTEORDER = Attributes(
    flagged=True, sreg=(1, BE32), dreg=(2, BE32), op=(3, BE32), len=(4, BE32), size=(5, BE32)
)
CT = Attributes(flagged=True, dreg=(1, BE32), key=(2, BE32), direction=(3, Integer("=B")), sreg=(4, BE32))
FIB = Attributes(flagged=True, dreg=(1, BE32), result=(2, BE32), flags=(3, BE32))
NAT = Attributes(
    flagged=True,
    type=(1, BE32),
    family=(2, BE32),
    reg_addr_min=(3, BE32),
    reg_addr_max=(4, BE32),
    reg_proto_min=(5, BE32),
    reg_proto_max=(6, BE32),
    flags=(7, BE32),
)
MASQ = Attributes(flagged=True, flags=(1, BE32), reg_proto_min=(2, BE32), reg_proto_max=(3, BE32))
COUNTER = Attributes(flagged=True, bytes=(1, Integer(">Q")), packets=(2, Integer(">Q")))
OBJREF = Attributes(flagged=True, imm_type=(1, BE32), imm_name=(2, STRING))
XT = Attributes(flagged=True, name=(1, STRING), rev=(2, BE32), info=(3, RAW))  # a match or target of iptables

EXPRESSION = Attributes(
    flagged=True,
    name=(1, STRING),
    data=(
        2,
        Select(
            "name",
            {
                "meta": META,
                "payload": PAYLOAD,
                "cmp": CMP,
                "range": RANGE,
                "byteorder": BYTEORDER,
                "lookup": LOOKUP,
                "immediate": IMMEDIATE,
                "bitwise": BITWISE,
                "ct": CT,
                "fib": FIB,
                "nat": NAT,
                "masq": MASQ,
                "counter": COUNTER,
                "objref": OBJREF,
                "match": XT,
                "target": XT,
            }.get,
            flagged=True,
        ),
    ),
)
EXPRESSIONS = Attributes(flagged=True, elem=(1, Repeated(EXPRESSION)))  # NFTA_LIST_ELEM
