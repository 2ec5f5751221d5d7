"""linux/ipv6_route.h: flags of routes in /proc/net/ipv6_route."""

from __future__ import annotations

RTF_DEFAULT, RTF_ADDRCONF = 0x10000, 0x40000
