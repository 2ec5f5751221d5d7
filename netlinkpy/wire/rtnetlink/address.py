"""The address message: struct ifaddrmsg and the IFA_ attributes (linux/if_addr.h)."""

from __future__ import annotations

from ..attributes import Attributes
from ..codecs import RAW, S32, STRING, U8, U32, Fields
from ..message import Header, Message

RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22

IFA_F_SECONDARY, IFA_F_NODAD, IFA_F_OPTIMISTIC, IFA_F_DADFAILED, IFA_F_HOMEADDRESS = 0x1, 0x2, 0x4, 0x8, 0x10
IFA_F_DEPRECATED, IFA_F_TENTATIVE, IFA_F_PERMANENT, IFA_F_MANAGETEMPADDR = 0x20, 0x40, 0x80, 0x100
IFA_F_NOPREFIXROUTE, IFA_F_MCAUTOJOIN, IFA_F_STABLE_PRIVACY = 0x200, 0x400, 0x800

INFINITY = 0xFFFFFFFF  # a lifetime in seconds that never ends

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
