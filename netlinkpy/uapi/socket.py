"""linux/socket.h: address families; SO_ options of asm-generic/socket.h."""

from __future__ import annotations

AF_UNSPEC, AF_INET, AF_BRIDGE, AF_INET6, AF_PACKET = 0, 2, 7, 10, 17
SO_NETNS_COOKIE = 71  # u64, of the namespace; never used twice
SO_PEERPIDFD = 77  # of a unix socket; since Linux 6.5
