"""Hostile bytes into every parser of what others write: the kernel, an engine, a supervisor, whoever may give
a link a name. Each gives a value or the error that it says it raises; and the shim gives what its twin gives.

What begins an input is what the kernel and the others really write. By default some ten thousand inputs a
parser; with NETLINKPY_LONG=1 twenty million; NETLINKPY_INPUTS=N: so many."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

import netlinkpy as nl
from netlinkpy import backends
from netlinkpy.engines import container_pid, http
from netlinkpy.framing import frame
from netlinkpy.nat import port_names
from netlinkpy.nat.records import networks_of, ports_of
from netlinkpy.nat.table import SETS
from netlinkpy.networks import altnames, lookup
from netlinkpy.nft import walk, xt
from netlinkpy.nft.conntrack import Flow
from netlinkpy.nft.contents import Contents
from netlinkpy.rtnl import link as links
from netlinkpy.rtnl.claims import claimed_address
from netlinkpy.run.published_ports import PublishedPort
from netlinkpy.run.running import Running
from netlinkpy.uapi import nf_tables as nf
from netlinkpy.uapi import rtnetlink as rt
from netlinkpy.uapi.nf_conntrack_common import IPS_DST_NAT
from netlinkpy.wire.errors import MalformedError, OverrunError
from netlinkpy.wire.extack import decode
from netlinkpy.wire.message import Message
from netlinkpy.wire.netfilter import conntrack, elements, tables
from netlinkpy.wire.rtnetlink.address import ADDRESS
from netlinkpy.wire.rtnetlink.link import LINK
from netlinkpy.wire.rtnetlink.neighbour import NEIGHBOUR
from netlinkpy.wire.rtnetlink.nsid import NSID
from netlinkpy.wire.rtnetlink.route import ROUTE
from netlinkpy.wire.rtnetlink.rule import RULE
from netlinkpy.wire.sock_diag import NETLINK_SOCKET, UNIX_SOCKET
from netlinkpy.wire.transaction import Request, Transaction
from tests.support.mutations import mutations
from tests.torture.seeds import INDEX
from tests.torture.table import LONG, SEED, Table

INPUTS = int(os.environ.get("NETLINKPY_INPUTS", "20000000" if LONG else "20000"))


class Parser(NamedTuple):
    """What is fed, with what it may raise, and the name of the inputs that it begins with."""

    name: str
    feed: Callable[[bytes], object]
    seeds: str
    raises: tuple[type[Exception], ...] = ()


def of(message: Message) -> Callable[[bytes], object]:
    return message.parse


# -- what is fed -------------------------------------------------------------------------------------------


def transaction(data: bytes) -> object:
    made = Transaction([Request("do it", LINK, rt.RTM_GETLINK, 0, {})] * 3)
    made.feed(data)
    return [str(answer.error) for answer in made.answers]


def extended_ack(data: bytes) -> object:
    return decode(data, LINK, bytes(16)).sentence


def link_record(data: bytes) -> object:
    one = nl.Link.from_body(data)
    return one.altnames, one.alias, one.data, one.port, one.peer, repr(one)


def record(kind: Any) -> Callable[[bytes], object]:
    return lambda data: repr(kind.from_body(data))


def set_elements(data: bytes) -> object:
    found = elements.SET_ELEMENTS.parse(data).get("elements", [])
    for description in ({"key_len": 4, "flags": nf.NFT_SET_INTERVAL}, {"key_len": 8}):
        Contents(description, found).found([b"\1\2\3\4", None][: description["key_len"] // 4])
    return [one.comment for one in found]


def table_of_nat(data: bytes) -> object:
    found: Any = elements.SET_ELEMENTS.parse(data).get("elements", [])
    return networks_of(dict.fromkeys(SETS, found)), ports_of({"ports4": found, "localhost4": found})


def rule(data: bytes) -> object:
    """A walk through chains of which each is this rule alone."""
    told = tables.RULE.parse(data)
    reader = SimpleNamespace(
        rules=lambda chain: [told],
        description=lambda name: {"key_len": 4},
        contents=lambda name: Contents({"key_len": 4}, []),
    )
    packet = walk.Packet({nf.NFT_META_IIFNAME: b"web\0"}, {nf.NFT_CT_STATUS: bytes(4)})
    for one in told.get("expressions", {}).get("elem", []):
        if isinstance(one.get("data"), dict):
            xt.holds(one["data"], IPS_DST_NAT, True)
    return walk.Walk(reader, packet).verdict_of("forward")  # type: ignore[arg-type]


def flow(data: bytes) -> object:
    return Flow.from_values(conntrack.FLOW.parse(data))


def names_of_a_link(data: bytes) -> object:
    names = data.decode("utf-8", "surrogateescape").split("\0")
    link: Any = SimpleNamespace(
        altnames=names, kind="bridge", name="web", index=INDEX, address="02:00:00:00:00:01", mtu=1500
    )
    told = altnames.MadeAs.read(names), [claimed_address(one, INDEX) for one in names]
    return told, lookup.read_network(link), port_names.decode(names), port_names.named_ports([link])


def supervisors_answer(data: bytes) -> object:
    return Running.parse(data, 1)


def published_port(data: bytes) -> object:
    return PublishedPort.parse(data.decode("utf-8", "surrogateescape"))


class FromMemory(http.HttpConnection):
    """A connection whose other side said all at once, and closed."""

    def __init__(self, data: bytes) -> None:
        self._said = [data]
        self._buffer = bytearray()
        self._socket: Any = SimpleNamespace(sendall=len)

    def _set_time_left(self) -> None:
        pass

    def _more(self) -> bytes:
        return self._said.pop() if self._said else b""


def http_answer(data: bytes) -> object:
    status, body = FromMemory(data).get("/")
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return status
    return container_pid._listed(answer), container_pid._condition(answer)


MALFORMED = (MalformedError,)
PARSERS = [
    Parser("link", of(LINK), "link", MALFORMED),
    Parser("address", of(ADDRESS), "address", MALFORMED),
    Parser("route", of(ROUTE), "route", MALFORMED),
    Parser("neighbour", of(NEIGHBOUR), "neighbour", MALFORMED),
    Parser("rule", of(RULE), "rule", MALFORMED),
    Parser("nsid", of(NSID), "nsid", MALFORMED),
    Parser("nft_table", of(tables.TABLE), "nft_table", MALFORMED),
    Parser("nft_chain", of(tables.CHAIN), "nft_chain", MALFORMED),
    Parser("nft_set", of(tables.SET), "nft_set", MALFORMED),
    Parser("nft_rule", rule, "nft_rule", MALFORMED),
    Parser("nft_elements", set_elements, "nft_elements", MALFORMED),
    Parser("nat_elements", table_of_nat, "nft_elements", (MalformedError, ValueError)),
    Parser("flow", flow, "flow", MALFORMED),
    Parser("unix_socket", of(UNIX_SOCKET), "unix_socket", MALFORMED),
    Parser("netlink_socket", of(NETLINK_SOCKET), "unix_socket", MALFORMED),
    Parser("extended_ack", extended_ack, "extended_ack"),
    Parser("datagram", transaction, "datagram", (MalformedError, OverrunError)),
    Parser("Link", link_record, "link", MALFORMED),
    Parser("Address", record(nl.Address), "address", MALFORMED),
    Parser("Neighbour", record(nl.Neighbour), "neighbour", MALFORMED),
    Parser("ForwardingEntry", record(nl.ForwardingEntry), "neighbour", MALFORMED),
    Parser("Rule", record(nl.Rule), "rule", MALFORMED),
    Parser("names_of_a_link", names_of_a_link, "names"),
    Parser("supervisors_answer", supervisors_answer, "running", (ValueError,)),
    Parser("published_port", published_port, "port", (ValueError,)),
    Parser("http_answer", http_answer, "http", (OSError,)),
]


# -- the campaign ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_any_bytes(parser: Parser, seeds: Mapping[str, list[bytes]], table: Table) -> None:
    unclean = []
    for data, _ in zip(mutations(seeds[parser.seeds], random.Random(SEED)), range(INPUTS), strict=False):
        try:
            parser.feed(data)
        except parser.raises as error:
            if "\n" in str(error) or len(str(error)) < 10:
                unclean.append(f"no words: {error!r:.200}, of {data.hex()}")
        except Exception as error:
            unclean.append(f"{error!r:.200}, of {data.hex()}")
    table.add("inputs", parser.name, INPUTS, unclean, backend="")


def test_the_shim_gathers_as_its_twin(seeds: Mapping[str, list[bytes]], table: Table) -> None:
    doors = [backends.get(name) for name in ("native", "python")]
    plan = links.plan()
    widths = list(plan.widths.values())
    dumps = [frame(rt.RTM_NEWLINK, 2, 1, body) for body in seeds["link"]]
    dumps.append(b"".join(dumps))
    unclean = []
    for data, _ in zip(mutations(dumps, random.Random(SEED)), range(INPUTS), strict=False):
        outcomes = []
        for door in doors:
            columns, present = [bytearray(width * 4) for width in widths], bytearray(32)
            try:
                told: Any = door.gather(data, len(data), plan.compiled, columns, present, 0, 4)
            except ValueError:  # each in its own words
                outcomes.append("refused")
            else:
                outcomes.append(repr((told, columns, present)))
        if outcomes[0] != outcomes[1]:
            unclean.append(f"{outcomes}, of {data.hex()}")
    table.add("inputs", "gather, shim and twin", INPUTS, unclean, backend="")
