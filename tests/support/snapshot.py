"""The configured state of a network namespace as plain values, to compare before and after.

It reads raw rtnetlink dumps, without netlinkpy or iproute2: so it sees the same everywhere, also attributes
that no program prints. What changes by itself (counters, timers, carrier, learned neighbours) is left out.
"""

from __future__ import annotations

import socket
import struct

from tests.support.namespaces import Namespace, entered

# linux/netlink.h, linux/rtnetlink.h
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_DUMP, NLM_F_DUMP_INTR = 0x1, 0x300, 0x10
SOL_NETLINK, NETLINK_GET_STRICT_CHK = 270, 12
EXT_MASK_SKIP_STATS = struct.pack("=HHI", 8, 29, 1 << 3)  # IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS
NLA_TYPE_MASK = 0x3FFF
RTM_F_CLONED = 0x200
NUD_PERMANENT = 0x80

# What is dumped: the request's type and family, the length of the fixed header, attributes of the request.
TABLES = {
    "links": (18, socket.AF_UNSPEC, 16, EXT_MASK_SKIP_STATS),
    "addresses": (22, socket.AF_UNSPEC, 8, b""),
    "routes": (26, socket.AF_UNSPEC, 12, b""),
    "neighbours": (30, socket.AF_UNSPEC, 12, b""),
    "fdb": (30, socket.AF_BRIDGE, 12, b""),
    "rules": (34, socket.AF_UNSPEC, 12, b""),
    "nexthops": (106, socket.AF_UNSPEC, 8, b""),
}

# What changes by itself, by table: {attribute: None to drop it, or the same again for what is nested in it}.
# Of a bridge: root, topology changes, timers, querier, FDB count; of a port: state, designated root, timers.
BRIDGE_WEATHER = dict.fromkeys((10, *range(12, 20), 47, 48))
PORT_WEATHER = dict.fromkeys((1, *range(13, 17), *range(19, 24), 38))
WEATHER: dict[str, dict[int, object]] = {
    "links": {
        **dict.fromkeys((7, 16, 23, 33, 35, 47, 48)),  # statistics, operational state, carrier and its counts
        18: {2: BRIDGE_WEATHER, 3: None, 5: PORT_WEATHER},  # linkinfo: data, extra statistics, slave data
        26: {socket.AF_INET6: dict.fromkeys((1, 3, 5, 6))},  # AF_SPEC: IPv6 flags, statistics, cache info
    },
    "addresses": {6: None},  # lifetimes count down
    "routes": {12: None},
    "neighbours": {3: None, 4: None},  # cache info, probes
    "fdb": {3: None, 4: None},
    "rules": {},
    "nexthops": {},
}
FLAGS_WEATHER = {
    "links": 0x40 | 0x10000 | 0x20000,  # IFF_RUNNING, IFF_LOWER_UP, IFF_DORMANT
    "addresses": 0x40 | 0x04 | 0x08,  # IFA_F_TENTATIVE, IFA_F_OPTIMISTIC, IFA_F_DADFAILED
    "routes": 0x01 | 0x10,  # RTNH_F_DEAD, RTNH_F_LINKDOWN
}
FLAGS_OFFSET = {"links": 8, "routes": 8}
IFA_FLAGS = 8
NDA_LLADDR = 2


def snapshot(namespace: Namespace = None) -> dict[str, object]:
    """Return the state of the namespace: {"links": [...], "addresses": [...], ...}, each row a dict."""
    with entered(namespace):
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    with sock:
        sock.settimeout(5)
        sock.setsockopt(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)
        return {table: _rows(table, sock) for table in TABLES}


def _rows(table: str, sock: socket.socket) -> list[dict[int | str, object]]:
    kind, family, header, attributes = TABLES[table]
    for _ in range(10):
        messages = _dump(sock, kind, bytes([family]).ljust(header, b"\0") + attributes)
        if messages is not None:
            break
    else:
        raise AssertionError(f"the dump of {table} was interrupted ten times")
    rows = (_row(table, message, header) for message in messages if _is_configured(table, message))
    return sorted(rows, key=repr)


def _dump(sock: socket.socket, kind: int, body: bytes) -> list[bytes] | None:
    """Return the bodies of the messages of one dump; None if the kernel says that it was interrupted."""
    sock.send(struct.pack("=IHHII", 16 + len(body), kind, NLM_F_REQUEST | NLM_F_DUMP, 1, 0) + body)
    bodies: list[bytes] = []
    interrupted = False
    while True:
        data = sock.recv(1 << 16)
        while data:
            length, answer, flags = struct.unpack_from("=IHH", data)
            if answer == NLMSG_ERROR or (answer == NLMSG_DONE and struct.unpack_from("=i", data, 16)[0]):
                raise OSError(-struct.unpack_from("=i", data, 16)[0], f"dump of type {kind} refused")
            interrupted |= bool(flags & NLM_F_DUMP_INTR)
            if answer == NLMSG_DONE:
                return None if interrupted else bodies
            bodies.append(data[16:length])
            data = data[(length + 3) & ~3 :]


def _is_configured(table: str, body: bytes) -> bool:
    if table in ("neighbours", "fdb"):  # learned ones come and go
        return bool(struct.unpack_from("=H", body, 8)[0] & NUD_PERMANENT) and not _is_multicast(body)
    return not (table == "routes" and struct.unpack_from("=I", body, 8)[0] & RTM_F_CLONED)


def _is_multicast(neighbour: bytes) -> bool:
    """Return the groups that the kernel makes an interface join and leave, in its own time, as it gets
    addresses."""
    hardware = _attributes(neighbour[12:], {}).get(NDA_LLADDR)
    return isinstance(hardware, bytes) and len(hardware) == 6 and bool(hardware[0] & 1)


def _row(table: str, body: bytes, header: int) -> dict[int | str, object]:
    fixed = bytearray(body[:header])
    attributes = _attributes(body[header:], WEATHER[table])
    mask = ~FLAGS_WEATHER.get(table, 0) & 0xFFFFFFFF
    if table in FLAGS_OFFSET:
        at = FLAGS_OFFSET[table]
        struct.pack_into("=I", fixed, at, struct.unpack_from("=I", fixed, at)[0] & mask)
    if table == "addresses":
        fixed[2] &= mask & 0xFF
        flags = attributes.get(IFA_FLAGS)
        if isinstance(flags, bytes):
            attributes[IFA_FLAGS] = (int.from_bytes(flags, "little") & mask).to_bytes(4, "little")
    return {"header": bytes(fixed), **attributes}


def _attributes(data: bytes, weather: dict[int, object]) -> dict[int | str, object]:
    found: dict[int | str, object] = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        kind &= NLA_TYPE_MASK
        payload = data[4:length]
        inner = weather.get(kind, payload)
        if isinstance(inner, dict):
            found[kind] = _attributes(payload, inner)
        elif inner is not None:
            found[kind] = payload
        data = data[(length + 3) & ~3 :]
    return found
