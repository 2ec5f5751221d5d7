"""The `python` backend, the pure twin of the shim: the same calls by the standard library alone, for where no
shared object was built. Each function is described in csrc/shim.h and takes the same bytes."""

from __future__ import annotations

from sys import modules

from netlinkpy.backends.interface import Backend
from netlinkpy.backends.pure.columns import gather as gather
from netlinkpy.backends.pure.columns import stamp as stamp
from netlinkpy.backends.pure.exchange import exchange as exchange
from netlinkpy.backends.pure.netns import make_netns as make_netns
from netlinkpy.backends.pure.netns import make_netns_at as make_netns_at
from netlinkpy.backends.pure.netns import open_ahead as open_ahead
from netlinkpy.backends.pure.netns import open_socket as open_socket
from netlinkpy.backends.pure.netns import opened as opened
from netlinkpy.backends.pure.process import capset as capset
from netlinkpy.backends.pure.process import mount as mount
from netlinkpy.backends.pure.process import prctl as prctl
from netlinkpy.backends.pure.process import setns as setns
from netlinkpy.backends.pure.process import umount as umount
from netlinkpy.backends.pure.process import unshare as unshare
from netlinkpy.backends.pure.visit import visit as visit

BACKEND = Backend("python", modules[__name__])
