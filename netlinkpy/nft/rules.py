"""The expressions that rules are made of, each as `nft --debug=netlink` writes it in brackets.

A register is named by the number of the 4-byte word at which it begins: what is loaded from word 0 on, word
after word, is the concatenation that a look-up takes as its key."""

from __future__ import annotations

from ..uapi.netfilter import NF_ACCEPT, NF_DROP
from ..uapi.nf_tables import (
    NFT_CMP_EQ,
    NFT_FIB_RESULT_ADDRTYPE,
    NFT_GOTO,
    NFT_NAT_DNAT,
    NFT_REG32_00,
    NFT_REG_1,
    NFT_REG_VERDICT,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..wire.attributes import Values


def _expression(name: str, **data: object) -> Values:
    return {"name": name, "data": data}


def register(word: int) -> int:
    """Return the kernel's number of the register at a word: every fourth has an old one (NFT_REG_1 to 4), and
    nft prefers it."""
    return NFT_REG32_00 + word if word % 4 else NFT_REG_1 + word // 4


def meta(key: int, word: int = 0) -> Values:
    """[ meta load KEY => reg ]: NFT_META_."""
    return _expression("meta", key=key, dreg=register(word))


def payload(base: int, offset: int, length: int, word: int = 0) -> Values:
    """[ payload load LENGTH b @ BASE + OFFSET => reg ]: NFT_PAYLOAD_, bytes."""
    return _expression("payload", dreg=register(word), base=base, offset=offset, len=length)


def fib_type(flags: int) -> Values:
    """[ fib daddr type => reg ]: the kind of route to an address (RTN_); flags: NFTA_FIB_F_SADDR or DADDR."""
    return _expression("fib", flags=flags, result=NFT_FIB_RESULT_ADDRTYPE, dreg=register(0))


def ct(key: int) -> Values:
    """[ ct load KEY => reg ]: NFT_CT_."""
    return _expression("ct", key=key, dreg=register(0))


def compare(value: bytes, operation: int = NFT_CMP_EQ) -> Values:
    """[ cmp eq reg VALUE ]: the rule goes on if it holds."""
    return _expression("cmp", sreg=register(0), op=operation, data={"value": value})


def mask(value: bytes) -> Values:
    """[ bitwise reg = ( reg & VALUE ) ^ 0 ]."""
    return _expression(
        "bitwise",
        sreg=register(0),
        dreg=register(0),
        len=len(value),
        mask={"value": value},
        xor={"value": bytes(len(value))},
    )


def lookup(set: str, number: int, *, map: bool = False) -> Values:
    """[ lookup reg set SET ]: the rule goes on if the key is there; of a map, the data takes the key's
    place. number: as in new_set()."""
    data = register(0) if map else None
    return _expression("lookup", sreg=register(0), dreg=data, set=set, set_id=number)


def verdict(code: int, chain: str | None = None) -> Values:
    """[ immediate reg 0 VERDICT ]."""
    how = {"verdict": {"code": code, "chain": chain}}
    return _expression("immediate", dreg=NFT_REG_VERDICT, data=how)


def dnat(family: int, port_word: int) -> Values:
    """[ nat dnat ip addr_min reg proto_min reg ]: address at word 0, port at another."""
    return _expression(
        "nat",
        type=NFT_NAT_DNAT,
        family=family,
        reg_addr_min=register(0),
        reg_proto_min=register(port_word),
    )


def goto(chain: str) -> Values:
    """[ immediate reg 0 goto -> CHAIN ]."""
    return verdict(NFT_GOTO, chain)


ACCEPT = verdict(NF_ACCEPT)
DROP = verdict(NF_DROP)
MASQUERADE: Values = {"name": "masq", "data": {}}
