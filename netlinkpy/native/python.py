"""The pure twin of the shim: the same surface with the standard library alone, where no shared object was
built."""

from __future__ import annotations

from netlinkpy.native.pure_bytes import compile_plan, gather, stamp
from netlinkpy.native.pure_netns import make_netns, make_netns_at, mount, open_socket, setns, umount, unshare
from netlinkpy.native.pure_talk import exchange, visit

NAME = "python"

__all__ = [
    "NAME",
    "compile_plan",
    "exchange",
    "gather",
    "make_netns",
    "make_netns_at",
    "mount",
    "open_socket",
    "setns",
    "stamp",
    "umount",
    "unshare",
    "visit",
]
