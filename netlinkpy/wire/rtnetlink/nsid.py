"""The namespace id message: struct rtgenmsg and the NETNSA_ attributes (linux/net_namespace.h)."""

from __future__ import annotations

from ..attributes import Attributes
from ..codecs import S32, U32
from ..message import Header, Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .typed_values import NsidValues

RTGENMSG = Header("=Bxxx", "rtgen_family")
NSID: Message[NsidValues] = Message(
    "namespace id",
    RTGENMSG,
    Attributes(
        nsid=(1, S32),
        pid=(2, U32),
        fd=(3, U32),
        target_nsid=(4, S32),
        current_nsid=(5, S32),
    ),
)
