"""The pure twin of the shim: the same surface with the standard library alone, where no shared object was
built."""

from __future__ import annotations

from netlinkpy.backends.pure_bytes import compile_plan, gather, stamp
from netlinkpy.backends.pure_netns import (
    capset,
    make_netns,
    make_netns_at,
    mount,
    open_socket,
    prctl,
    setns,
    umount,
    unshare,
)
from netlinkpy.backends.pure_talk import compile_script, exchange, open_ahead, opened, visit

NAME = "python"

__all__ = [
    "NAME",
    "capset",
    "compile_plan",
    "compile_script",
    "exchange",
    "gather",
    "make_netns",
    "make_netns_at",
    "mount",
    "open_ahead",
    "open_socket",
    "opened",
    "prctl",
    "setns",
    "stamp",
    "umount",
    "unshare",
    "visit",
]
