"""linux/sock_diag.h: the message by which NETLINK_SOCK_DIAG tells of sockets (sock_diag(7))."""

from __future__ import annotations

SOCK_DIAG_BY_FAMILY = 20
