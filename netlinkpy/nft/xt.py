"""What matches of iptables ask, where its rules are nf_tables' (linux/netfilter/xt_*.h)."""

from __future__ import annotations

from struct import Struct

from ..uapi.nf_conntrack_common import IP_CT_NEW, IPS_DST_NAT
from ..uapi.xt_conntrack import XT_CONNTRACK_STATE, XT_CONNTRACK_STATE_ALIAS, XT_CONNTRACK_STATE_DNAT
from ..uapi.xt_physdev import XT_PHYSDEV_OP_BRIDGED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..wire.attributes import Values

_CONNTRACK = Struct("=146xHHH")  # of revision 2 and later: match_flags, invert_flags, state_mask
_PHYSDEV = Struct("=64xBB")  # invert, bitmask
_NEW = 1 << IP_CT_NEW + 1  # XT_CONNTRACK_STATE_BIT()


def holds(match: Values, status: int, bridged: bool) -> bool:
    """Return whether a match holds for all new connections. status: IPS_ bits of theirs; bridged: the packets
    go from port to port of one bridge."""
    name, info = match.get("name"), match.get("info", b"")
    if name == "comment":
        return True
    if name == "conntrack" and match.get("rev", 0) >= 2 and len(info) >= _CONNTRACK.size:
        asked, inverted, states = _CONNTRACK.unpack_from(info)
        state = _NEW | (XT_CONNTRACK_STATE_DNAT if status & IPS_DST_NAT else 0)
        only = not asked & ~(XT_CONNTRACK_STATE | XT_CONNTRACK_STATE_ALIAS)
        return only and bool(states & state) != bool(inverted & XT_CONNTRACK_STATE)
    if name == "physdev" and len(info) >= _PHYSDEV.size:
        inverted, asked = _PHYSDEV.unpack_from(info)
        return bool(asked == XT_PHYSDEV_OP_BRIDGED and bridged != bool(inverted & XT_PHYSDEV_OP_BRIDGED))
    return False
