"""What the fuzzers begin with: bytes that the kernel, engines, supervisors and we ourselves really write."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

import netlinkpy as nl
from netlinkpy import backends
from netlinkpy.framing import frame
from netlinkpy.nat.table import SETS
from netlinkpy.nft.tables import Nftables
from netlinkpy.run.running import Running
from netlinkpy.uapi import nf_tables as nf
from netlinkpy.uapi import rtnetlink as rt
from netlinkpy.uapi.nfnetlink import NFNL_SUBSYS_NFTABLES
from netlinkpy.wire.message import Message
from netlinkpy.wire.netfilter import conntrack, elements, tables
from netlinkpy.wire.netfilter.nfnetlink import message_type
from netlinkpy.wire.rtnetlink.address import ADDRESS
from netlinkpy.wire.rtnetlink.link import LINK
from netlinkpy.wire.rtnetlink.neighbour import NEIGHBOUR
from netlinkpy.wire.rtnetlink.nsid import NSID
from netlinkpy.wire.rtnetlink.route import ROUTE
from netlinkpy.wire.rtnetlink.rule import RULE
from netlinkpy.wire.sock_diag import UNIX_SOCKET
from tests.support.namespaces import BareNamespace
from tests.torture.verbs import SUBNET, Publish

INDEX = 7  # of a bridge, in names that claim its addresses


def collect(containers: list[BareNamespace]) -> dict[str, list[bytes]]:
    """Return what the kernel says of a host with a network, a container and ports, and the others in their
    ways."""
    programs: list[bytes] = []
    with nl.RTNetlink() as host, Nftables() as nft:
        with pytest.MonkeyPatch.context() as patched:
            door = type(backends.load())
            patched.setattr(door, "visit", _kept(door.visit, programs))
            Publish(host, containers).do()
        host.rules.add(table=100, priority=100, source="10.0.0.0/8")
        asked: dict[str, tuple[Any, Message, int, Iterable[dict[str, Any]]]] = {
            "link": (host, LINK, rt.RTM_GETLINK, [{}]),
            "address": (host, ADDRESS, rt.RTM_GETADDR, [{}]),
            "route": (host, ROUTE, rt.RTM_GETROUTE, [{}]),
            "neighbour": (host, NEIGHBOUR, rt.RTM_GETNEIGH, [{"ndm_family": 7}]),
            "rule": (host, RULE, rt.RTM_GETRULE, [{}]),
            "nsid": (host, NSID, rt.RTM_GETNSID, [{}]),
            "nft_table": (nft, tables.TABLE, _nft(nf.NFT_MSG_GETTABLE), [{}]),
            "nft_chain": (nft, tables.CHAIN, _nft(nf.NFT_MSG_GETCHAIN), [{}]),
            "nft_rule": (nft, tables.RULE, _nft(nf.NFT_MSG_GETRULE), [{}]),
            "nft_set": (nft, tables.SET, _nft(nf.NFT_MSG_GETSET), [{}]),
        }
        (table,) = nft.tables()
        asked["nft_elements"] = (
            nft,
            elements.SET_ELEMENTS,
            _nft(nf.NFT_MSG_GETSETELEM),
            [{"nfgen_family": table["nfgen_family"], "table": table["name"], "set": name} for name in SETS],
        )
        found = {
            name: [
                reply.body
                for values in questions
                for reply in where.socket.dump_bodies(message, type, values)
            ]
            for name, (where, message, type, questions) in asked.items()
        }
        names = [name for link in host.links.list() for name in link.altnames]
    ends = {"ip": {"v4_src": bytes(4), "v4_dst": bytes(4)}, "proto": {"num": 6, "src_port": 1, "dst_port": 2}}
    found["flow"] = [conntrack.FLOW.pack({"tuple_orig": ends, "tuple_reply": ends, "status": 8, "id": 1})]
    unix = {"family": 1, "type": 5, "state": 10, "ino": 1, "name": b"\0netlinkpy/run/one/0", "uid": 0}
    found["unix_socket"] = [UNIX_SOCKET.pack(unix)]
    found["extended_ack"] = [b"\x0e\0\x01\0no such\0\0\0\0\0\x08\0\x02\0\x14\0\0\0\x08\0\x05\0\x03\0\0\0"]
    ack = frame(2, 0, 1, bytes(20)) + frame(
        2, 0x200, 2, b"\xed\xff\xff\xff" + bytes(16) + found["extended_ack"][0]
    )
    found["datagram"] = [ack, *(frame(rt.RTM_NEWLINK, 2, 1, body) for body in found["link"])]
    found["names"] = [
        "\0".join([*names, f"ip:{INDEX}:172.30.0.1", f"net:web:range={SUBNET}".replace("/", "-")]).encode(),
        *(name.encode() for name in names),
    ]
    told = Running(
        "one", 7, "web", 1, "h", ("172.30.0.2/16",), ("0.0.0.0:80->80/tcp",), ("1.1.1.1",), ("sh",)
    )
    found["running"] = [told.pack()]
    found["port"] = [b"8080:80", b"127.0.0.1:53:53/udp", b"[::1]:1:2/tcp"]
    state = b'{"Id": "f6", "Names": ["/web"], "State": {"Pid": 7, "Status": "exited", "ExitCode": 1}}'
    chunks = b"%X\r\n%s\r\n0\r\n\r\n" % (len(state), state)
    found["http"] = [
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(state), state),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks,
        b"HTTP/1.0 404 No\r\n\r\n[" + state + b"]",
    ]
    found["program"] = programs
    assert all(found.values()), {name for name, those in found.items() if not those}
    return found


def _nft(message: int) -> int:
    return message_type(NFNL_SUBSYS_NFTABLES, message)


def _kept(visit: Callable[..., None], programs: list[bytes]) -> Callable[..., None]:
    """Return visit(), which keeps the programs that it runs."""

    def wrapped(self: Any, program: bytes, *rest: Any) -> None:
        programs.append(bytes(program))
        visit(self, program, *rest)

    return wrapped
