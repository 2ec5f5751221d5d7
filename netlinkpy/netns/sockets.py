"""Netlink sockets in other namespaces."""

from __future__ import annotations

from ..transport.socket import Socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .handle import Target


def open_socket(protocol: int, netns: Target | None, timeout: float) -> Socket:
    """Open a netlink socket of a protocol (NETLINK_) in a namespace, None: the caller's.

    timeout: seconds for each request. Raise OSError if the namespace cannot be opened or entered."""
    if netns is None:
        return Socket(protocol, timeout=timeout)
    from .handle import Netns

    with Netns.open(netns) as handle:
        return Socket(protocol, netns_fd=handle.fileno(), where=handle.label, timeout=timeout)
