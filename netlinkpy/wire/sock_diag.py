"""The sock_diag messages: a question about sockets of one family, and what is told of one (sock_diag(7),
linux/unix_diag.h, linux/netlink_diag.h)."""

from __future__ import annotations

from .attributes import Attributes
from .codecs import RAW, U32
from .message import Header, Message

UNIX_QUESTION = Message(
    "unix diag request", Header("=BBxxIIIQ", "family protocol states ino show cookie"), Attributes()
)
UNIX_SOCKET = Message(
    "unix socket", Header("=BBBxIQ", "family type state ino cookie"), Attributes(name=(0, RAW), uid=(7, U32))
)
NETLINK_QUESTION = Message(
    "netlink diag request", Header("=BBxxIIQ", "family protocol ino show cookie"), Attributes()
)
NETLINK_SOCKET = Message(
    "netlink socket",
    Header("=BBBBIIIIQ", "family type protocol state portid dst_portid dst_group ino cookie"),
    Attributes(),
)
