"""linux/sockios.h: ioctls of sockets (netdevice(7))."""

from __future__ import annotations

SIOCSIFFLAGS = 0x8914
