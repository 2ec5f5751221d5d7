"""The extended ack: what the kernel adds to an ack or an error: a text, the attribute it means, the policy
broken.

TLVs of linux/netlink.h (enum nlmsgerr_attrs). They begin 4 bytes into the body of a DONE, 20 into a capped
error (NETLINK_CAP_ACK), and 4 + the echoed message into an uncapped one."""

from __future__ import annotations

from ..framing import NLMSG_HDRLEN
from ..record import Record
from .attributes import Attributes
from .codecs import RAW, S64, STRING, U32, U64
from .errors import MalformedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .message import Message


POLICY = Attributes(  # enum netlink_policy_type_attr
    flagged=True,
    type=(1, U32),
    min_value_s=(2, S64),
    max_value_s=(3, S64),
    min_value_u=(4, U64),
    max_value_u=(5, U64),
    min_length=(6, U32),
    max_length=(7, U32),
    policy_idx=(8, U32),
    policy_maxtype=(9, U32),
    bitfield32_mask=(10, U32),
    pad=(11, RAW),
    mask=(12, U64),
)
EXTACK = Attributes(
    msg=(1, STRING),
    offs=(2, U32),
    cookie=(3, RAW),
    policy=(4, POLICY),
    miss_type=(5, U32),
    miss_nest=(6, U32),
)


class ExtendedAck(Record):
    """What an extended ack says.

    text: the kernel's sentence; path: the attribute it points at; missing: the attribute that is missing;
    range: the bounds of the policy that was broken, in words. Each is empty if the kernel did not say it."""

    text: str = ""
    path: str = ""
    missing: str = ""
    range: str = ""

    @property
    def sentence(self) -> str:
        """The kernel's text, with what it gave as numbers only."""
        parts = [self.text] if self.text else []
        if self.missing:
            parts.append(f"attribute {self.missing} is missing")
        if self.range:
            parts.append(f"must be {self.range}")
        return "; ".join(parts)


NOTHING = ExtendedAck()


def decode(tlvs: bytes, message: Message | None = None, body: bytes = b"") -> ExtendedAck:
    """Return the TLVs of an ack decoded; message, body: of what was sent, to turn offsets into paths. What
    cannot be decoded is left out."""
    if not tlvs:
        return NOTHING
    try:
        told = EXTACK.parse(tlvs, {})
    except MalformedError:
        return NOTHING
    path = missing = ""
    try:
        if message is not None and "offs" in told:
            path = message.path_at(body, told["offs"] - NLMSG_HDRLEN)
        if message is not None and "miss_type" in told:
            nest = told.get("miss_nest")
            inside = "" if nest is None else message.path_at(body, nest - NLMSG_HDRLEN)
            missing = message.name_inside(inside, told["miss_type"], body)
    except (MalformedError, KeyError, TypeError):
        pass  # an ack is no place to fail twice: what cannot be read is left out
    return ExtendedAck(told.get("msg", ""), path, missing, _range(told.get("policy", {})))


def _range(policy: dict[Any, Any]) -> str:
    low = policy.get("min_value_u", policy.get("min_value_s"))
    high = policy.get("max_value_u", policy.get("max_value_s"))
    if low is not None or high is not None:
        return f"{'' if low is None else low}..{'' if high is None else high}"
    if "min_length" in policy or "max_length" in policy:
        return f"{policy.get('min_length', 0)} to {policy.get('max_length', 'any number of')} bytes long"
    if "mask" in policy:
        return f"within the bits 0x{policy['mask']:x}"
    return ""
