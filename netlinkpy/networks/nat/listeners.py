"""Listeners: whether a process of the host has a port already, which publishing it would take from it
unseen."""

from __future__ import annotations

import _socket
import errno
from _socket import AF_INET, AF_INET6, SOCK_DGRAM, SOCK_STREAM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from .records import Port

_KINDS = {"tcp": SOCK_STREAM, "udp": SOCK_DGRAM}


def check_free(ports: Iterable[Port]) -> None:
    """Bind every port for a moment, in the namespace of the calling thread. OSError names the first that
    cannot be had: EADDRINUSE a process has it, EADDRNOTAVAIL the host has no such address. SCTP is passed
    over (many kernels lack it)."""
    for port in ports:
        if port.protocol in _KINDS:
            number = _bind(port)
            if number == errno.EADDRINUSE:
                raise OSError(number, f"port {port} is taken by a process of the host")
            if number == errno.EADDRNOTAVAIL:
                raise OSError(number, f"port {port}: {port.host} is no address of the host")


def _bind(port: Port) -> int:
    """The errno of binding it; 0 where it can be bound, or nobody may tell."""
    family = AF_INET6 if ":" in port.address else AF_INET
    any_address = "::" if family == AF_INET6 else "0.0.0.0"
    try:
        socket = _socket.socket(family, _KINDS[port.protocol] | _socket.SOCK_CLOEXEC)
    except OSError:
        return 0
    try:
        if family == AF_INET6:
            socket.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY, 1)
        if port.protocol == "tcp":  # what lingers in TIME_WAIT has nobody behind it
            socket.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
        socket.bind((port.host or any_address, port.port))
    except OSError as error:
        return error.errno or 0
    finally:
        socket.close()
    return 0
