"""The address message: struct ifaddrmsg and the IFA_ attributes (linux/if_addr.h)."""

from __future__ import annotations

from ..attributes import Attributes
from ..codecs import IP, S32, STRING, U8, U32, Fields
from ..message import Header, Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .typed_values import AddressValues

CACHEINFO = Fields(
    "=IIII", "ifa_prefered ifa_valid cstamp tstamp"
)  # seconds, seconds, hundredths, hundredths
IFADDRMSG = Header("=BBBBI", "ifa_family ifa_prefixlen ifa_flags ifa_scope ifa_index")
ADDRESS: Message[AddressValues] = Message(
    "address",
    IFADDRMSG,
    Attributes(
        address=(1, IP),
        local=(2, IP),
        label=(3, STRING),
        broadcast=(4, IP),
        anycast=(5, IP),
        cacheinfo=(6, CACHEINFO),
        multicast=(7, IP),
        flags=(8, U32),
        rt_priority=(9, U32),
        target_netnsid=(10, S32),
        proto=(11, U8),
    ),
)
