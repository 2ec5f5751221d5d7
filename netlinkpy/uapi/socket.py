"""linux/socket.h: address families."""

from __future__ import annotations

AF_UNSPEC, AF_INET, AF_BRIDGE, AF_INET6, AF_PACKET = 0, 2, 7, 10, 17
