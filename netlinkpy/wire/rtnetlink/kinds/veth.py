"""veth: a pair of Ethernet devices, each the peer of the other (linux/veth.h)."""

from __future__ import annotations

from ..kind import Kind, Option
from ..link import LINK

KIND = Kind("veth", Option("peer", 1, LINK), needs="peer")
