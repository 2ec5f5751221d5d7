"""The address message: struct ifaddrmsg and the IFA_ attributes (linux/if_addr.h)."""

from __future__ import annotations

from ..attributes import Attributes
from ..codecs import RAW, S32, STRING, U8, U32, Fields
from ..message import Header, Message

CACHEINFO = Fields(
    "=IIII", "ifa_prefered ifa_valid cstamp tstamp"
)  # seconds, seconds, hundredths, hundredths
IFADDRMSG = Header("=BBBBI", "ifa_family ifa_prefixlen ifa_flags ifa_scope ifa_index")
ADDRESS = Message(
    "address",
    IFADDRMSG,
    Attributes(
        address=(1, RAW),
        local=(2, RAW),
        label=(3, STRING),
        broadcast=(4, RAW),
        anycast=(5, RAW),
        cacheinfo=(6, CACHEINFO),
        multicast=(7, RAW),
        flags=(8, U32),
        rt_priority=(9, U32),
        target_netnsid=(10, S32),
        proto=(11, U8),
    ),
)
