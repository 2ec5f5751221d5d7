"""linux/neighbour.h: states and flags of neighbours."""

from __future__ import annotations

NUD_NONE, NUD_INCOMPLETE, NUD_REACHABLE, NUD_STALE, NUD_DELAY = 0x0, 0x1, 0x2, 0x4, 0x8
NUD_PROBE, NUD_FAILED, NUD_NOARP, NUD_PERMANENT = 0x10, 0x20, 0x40, 0x80

NTF_USE, NTF_SELF, NTF_MASTER, NTF_PROXY = 0x1, 0x2, 0x4, 0x8
NTF_EXT_LEARNED, NTF_OFFLOADED, NTF_ROUTER = 0x10, 0x20, 0x80
