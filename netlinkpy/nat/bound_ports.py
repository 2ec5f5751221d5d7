"""Ports that a process of the host has bound, and that publishing would silently take from it."""

from __future__ import annotations

import _socket
import errno
from _socket import AF_INET, AF_INET6, SOCK_DGRAM, SOCK_STREAM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .records import Port

_TCP_LISTEN = "0A"  # net/tcp_states.h
_KINDS = {"tcp": SOCK_STREAM, "udp": SOCK_DGRAM}
_MANY = 256  # from this many ports on read the kernel's list of sockets first: it saves most binding


def check_free(ports: Sequence[Port]) -> None:
    """Bind every port for a moment, in the namespace of the calling thread. Raise OSError for the first that
    cannot be bound: EADDRINUSE if a process has it, EADDRNOTAVAIL if the host has no such address. SCTP is
    skipped (many kernels lack it)."""
    seen: set[str] = set()
    used = _in_use() if len(ports) >= _MANY else None
    for port in ports:
        if port.protocol not in _KINDS:
            continue
        if used is None or port.host not in seen or (port.protocol, port.port) in used:
            seen.add(port.host)
            number = _bind(port)
            if number == errno.EADDRINUSE:
                raise OSError(number, f"port {port} is taken by a process of the host")
            if number == errno.EADDRNOTAVAIL:
                raise OSError(number, f"port {port}: {port.host} is no address of the host")


def _in_use() -> set[tuple[str, int]]:
    """Return the ports at which some socket listens, at any address (/proc/net/tcp: local address and port in
    hexadecimal, the other end's, the state)."""
    found: set[tuple[str, int]] = set()
    for protocol in _KINDS:
        for name in (protocol, f"{protocol}6"):
            try:
                with open(f"/proc/thread-self/net/{name}") as file:
                    rows = [line.split(None, 4) for line in file][1:]
            except FileNotFoundError:  # no IPv6
                continue
            listening = (row for row in rows if protocol == "udp" or row[3] == _TCP_LISTEN)
            found.update((protocol, int(row[1].rpartition(":")[2], 16)) for row in listening)
    return found


def _bind(port: Port) -> int:
    """Return the errno of binding a port; 0 if it can be bound, or this cannot be found out."""
    family = AF_INET6 if ":" in port.address else AF_INET
    any_address = "::" if family == AF_INET6 else "0.0.0.0"
    try:
        socket = _socket.socket(family, _KINDS[port.protocol] | _socket.SOCK_CLOEXEC)
    except OSError:
        return 0
    try:
        if family == AF_INET6:
            socket.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY, 1)
        if port.protocol == "tcp":  # no process is behind a socket in TIME_WAIT
            socket.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
        socket.bind((port.host or any_address, port.port))
    except OSError as error:
        return error.errno or 0
    finally:
        socket.close()
    return 0
