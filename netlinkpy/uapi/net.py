"""linux/net.h: flags of sockets in /proc/net/unix (there __SO_ACCEPTCON)."""

from __future__ import annotations

SO_ACCEPTCON = 0x10000  # it listens
