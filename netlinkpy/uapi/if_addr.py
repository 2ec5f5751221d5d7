"""linux/if_addr.h: flags of addresses."""

from __future__ import annotations

IFA_F_SECONDARY, IFA_F_NODAD, IFA_F_OPTIMISTIC, IFA_F_DADFAILED, IFA_F_HOMEADDRESS = 0x1, 0x2, 0x4, 0x8, 0x10
IFA_F_DEPRECATED, IFA_F_TENTATIVE, IFA_F_PERMANENT, IFA_F_MANAGETEMPADDR = 0x20, 0x40, 0x80, 0x100
IFA_F_NOPREFIXROUTE, IFA_F_MCAUTOJOIN, IFA_F_STABLE_PRIVACY = 0x200, 0x400, 0x800

INFINITY_LIFE_TIME = 0xFFFFFFFF  # seconds of a lifetime that never ends (net/addrconf.h)
