"""Messages built by hand for the tests of the backends, and the backends that there are."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from netlinkpy import backends

if TYPE_CHECKING:
    from netlinkpy.backends.interface import Backend

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_NEWADDR, RTM_NEWROUTE, RTM_GETROUTE = 20, 24, 26
NLM_F_REQUEST, NLM_F_ACK, NLM_F_ECHO, NLM_F_DUMP = 1, 4, 8, 0x300
NLM_F_EXCL, NLM_F_CREATE = 0x200, 0x400
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINKINFO, IFLA_INFO_KIND, IFLA_INFO_DATA = 1, 3, 4, 18, 1, 2
VETH_INFO_PEER, IFLA_NET_NS_FD = 1, 28
RTA_DST, RTA_OIF, RTA_TABLE = 1, 4, 15
NLMSGERR_ATTR_MSG = 1
SECOND = 1_000_000_000


def available() -> list[Backend]:
    """All backends that this installation has."""
    found = []
    for name in ("cffi", "native", "python"):
        try:
            found.append(backends.get(name))
        except ImportError:
            continue
    return found


def attribute(kind: int, payload: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, sequence, 0) + body + bytes(-len(body) % 4)


def link_header(index: int = 0, flags: int = 0, change: int = 0) -> bytes:
    return struct.pack("=BxHiII", 0, 0, index, flags, change)


def make_veth(
    sequence: int, name: str, peer: str, host_fd: int | None = None, flags: int = NLM_F_ECHO
) -> bytes:
    """RTM_NEWLINK of a veth pair; with host_fd the peer is born in that namespace."""
    end = link_header() + attribute(IFLA_IFNAME, peer.encode() + b"\0")
    if host_fd is not None:
        end += attribute(IFLA_NET_NS_FD, struct.pack("=I", host_fd))
    info = attribute(IFLA_INFO_KIND, b"veth") + attribute(IFLA_INFO_DATA, attribute(VETH_INFO_PEER, end))
    body = link_header() + attribute(IFLA_IFNAME, name.encode() + b"\0") + attribute(IFLA_LINKINFO, info)
    return message(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL | flags, sequence, body)


def set_up(sequence: int, index: int = 0, flags: int = NLM_F_ACK) -> bytes:
    """RTM_NEWLINK that raises the link; its index is at offset 20."""
    return message(RTM_NEWLINK, NLM_F_REQUEST | flags, sequence, link_header(index, 1, 1))


def get_link(sequence: int, index: int = 0, name: str | None = None) -> bytes:
    body = link_header(index) + (attribute(IFLA_IFNAME, name.encode() + b"\0") if name else b"")
    return message(RTM_GETLINK, NLM_F_REQUEST, sequence, body)


def add_route(sequence: int, destination: bytes, index: int) -> bytes:
    """RTM_NEWROUTE of a /32 on a link; the destination is at offset 32, the index at 40."""
    header = struct.pack("=BBBBBBBBI", 2, 32, 0, 0, 254, 4, 253, 1, 0)
    body = header + attribute(RTA_DST, destination) + attribute(RTA_OIF, struct.pack("=I", index))
    return message(RTM_NEWROUTE, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL, sequence, body)


def texts(tlvs: bytes) -> list[str]:
    """The NLMSGERR_ATTR_MSG texts in extended-ack attributes; the attributes must be whole."""
    found = []
    while tlvs:
        length, kind = struct.unpack_from("=HH", tlvs)
        assert 4 <= length <= len(tlvs)
        if kind == NLMSGERR_ATTR_MSG:
            found.append(tlvs[4:length].rstrip(b"\0").decode())
        tlvs = tlvs[(length + 3) & ~3 :]
    return found


@contextmanager
def namespaces(backend: Backend, count: int) -> Iterator[list[int]]:
    """Fresh network namespaces, closed afterwards."""
    fds = backend.make_netns(count)
    try:
        yield fds
    finally:
        for fd in fds:
            os.close(fd)
