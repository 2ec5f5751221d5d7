"""The neighbour message, also of forwarding entries: struct ndmsg and the NDA_ attributes
(linux/neighbour.h)."""

from __future__ import annotations

from ..attributes import Attributes
from ..codecs import BE16, IP, LLADDR, RAW, S32, U8, U16, U32, Fields
from ..message import Header, Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .typed_values import NeighbourValues

CACHEINFO = Fields("=IIII", "confirmed used updated refcnt")  # hundredths of a second ago, but the last
NDMSG = Header("=BxxxiHBB", "ndm_family ndm_ifindex ndm_state ndm_flags ndm_type")
NEIGHBOUR: Message[NeighbourValues] = Message(
    "neighbour",
    NDMSG,
    Attributes(
        dst=(1, IP),
        lladdr=(2, LLADDR),
        cacheinfo=(3, CACHEINFO),
        probes=(4, U32),
        vlan=(5, U16),
        port=(6, BE16),
        vni=(7, U32),
        ifindex=(8, U32),
        master=(9, U32),
        link_netnsid=(10, S32),
        src_vni=(11, U32),
        protocol=(12, U8),
        nh_id=(13, U32),
        fdb_ext_attrs=(14, RAW),
        flags_ext=(15, U32),
        ndm_state_mask=(16, U16),
        ndm_flags_mask=(17, U8),
    ),
)
