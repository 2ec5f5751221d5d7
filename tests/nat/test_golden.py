"""Our messages beside nft's, byte by byte (golden.txt), and the documented table beside what nft shows of
ours."""

from __future__ import annotations

import pathlib
import re
import struct
import subprocess
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest

import netlinkpy as nl
from netlinkpy.nat import Nat, NatNetwork, Port, table
from netlinkpy.nat.records import placed
from netlinkpy.nft.tables import add_elements, delete_elements, delete_table
from netlinkpy.uapi.netlink import NLM_F_CREATE, NLM_F_EXCL
from netlinkpy.uapi.rtnetlink import RTM_NEWLINK
from netlinkpy.wire.netfilter.elements import Element
from netlinkpy.wire.rtnetlink.link import LINK
from tests.nat.capture import NAMES, bare, documented
from tests.support.nat_testbed import Testbed, claim

FAMILY, TABLE = table.FAMILY, table.TABLE
if TYPE_CHECKING:
    from netlinkpy.nft.tables import Change

Told = tuple[str, int, bytes]  # type, flags, body


def golden() -> dict[str, list[Told]]:
    """The messages of golden.txt, by the name of their paragraph."""
    text = pathlib.Path(__file__).with_name("golden.txt").read_text()
    found: dict[str, list[Told]] = {}
    for name, paragraphs in re.findall(r"^\[(.*?)\] .*\n([^\[]*)", text, flags=re.M):
        found[name] = [
            (kind, int(flags, 16), bytes.fromhex(body))
            for kind, flags, body in re.findall(r"^(\w+) (0x\w+)\n((?:    .*\n)+)", paragraphs, flags=re.M)
        ]
    return found


GOLDEN = golden()


def told(changes: Iterable[Change]) -> list[Told]:
    """Our changes in the same form (NLM_F_REQUEST is set when they are sent)."""
    return [(NAMES[one.type & 0xFF], one.flags | 1, one.message.pack(one.values)) for one in changes]


def respelled(message: Told) -> Told:
    """nft's spelling of elements as ours: without the number of the set, which is for sets of the same
    transaction (4, NFTA_SET_ELEM_LIST_SET_ID), and all elements of a list of one type (1, NFTA_LIST_ELEM),
    where nft counts."""
    kind, flags, body = message
    out = body[:4]
    for number, whole in attributes(body[4:]):
        if number == 3:
            elements = b"".join(b"%b\1\x80%b" % (one[:2], one[4:]) for _, one in attributes(whole[4:]))
            out += whole[:4] + elements
        elif number != 4:
            out += whole
    return kind, flags, out


def attributes(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while data:
        length, number = struct.unpack_from("=HH", data)
        found.append((number & 0x3FFF, data[: length + 3 & ~3]))
        data = data[length + 3 & ~3 :]
    return found


def test_the_table_is_what_nft_sends_for_the_documented_one() -> None:
    ours = told(table.ensure())
    flushes = [f"DELRULE of {chain}" for chain in re.findall(r"chain (\w+) {", bare())]
    assert len(ours) == len(GOLDEN["table"]) + len(flushes)
    assert [message for message in ours if message[0] != "DELRULE"] == GOLDEN["table"]


NETWORK = NatNetwork(7, ("172.17.0.0/16", "fd00:17::/64"))
PORTS = placed(
    [
        Port("tcp", 8080, "172.17.0.2", 80),
        Port("udp", 53, "172.17.0.3", 5353),
        Port("tcp", 8080, "fd00:17::2", 80, "2001:db8::1"),
    ]
)
ELEMENTS = {
    **{name: [Element(key, data) for key, data in PORTS[name].items()] for name in ("ports4", "bound6")},
    **{name: NETWORK.elements()[name] for name in ("networks", "within", "masquerade4")},
    "routed6": NETWORK.replace(masquerade=False).elements()["routed6"],
}


@pytest.mark.parametrize("name", ELEMENTS)
def test_elements_are_added_as_nft_adds_them(name: str) -> None:
    ours = told(add_elements(FAMILY, TABLE, name, ELEMENTS[name]))
    assert ours == [respelled(message) for message in GOLDEN[f"add {name}"]]


@pytest.mark.parametrize("name", ["masquerade4", "ports4"])
def test_elements_are_deleted_as_nft_deletes_them(name: str) -> None:
    doomed = {
        "masquerade4": NatNetwork(7, ("10.0.0.0/8",)).elements()["masquerade4"],
        "ports4": [Element(k, d) for k, d in placed([Port("tcp", 1, "172.17.0.2", 80)])["ports4"].items()],
    }
    ours = told(delete_elements(FAMILY, TABLE, name, doomed[name]))
    assert ours == [respelled(message) for message in GOLDEN[f"delete {name}"]]


def test_chain_is_flushed_and_table_deleted_as_nft_does() -> None:
    flushed = [change for change in table.ensure() if change.values.get("chain") == "forward"][:1]
    assert told(flushed) == GOLDEN["flush chain"]
    assert told([delete_table(FAMILY, TABLE)]) == GOLDEN["delete table"]


# -- nft as oracle -----------------------------------------------------------------------------------------


def nft(*arguments: str, input: str | None = None) -> str:
    return subprocess.run(
        ["nft", *arguments], input=input, check=True, capture_output=True, text=True, timeout=30
    ).stdout


def words(text: str) -> str:
    """With all white space alike: nft breaks lists of elements into lines as it sees fit."""
    return " ".join(text.split())


DOCUMENTED_PORTS = [
    Port("tcp", 8080, "172.17.0.2", 80, localhost=True),
    Port("udp", 53, "172.17.0.3", 5353, "192.0.2.1"),
]


def make_bridges(host: nl.RTNetlink) -> None:
    """With the indices of the documentation."""
    for name, index in (("br0", 7), ("br1", 8)):
        request = {"ifi_index": index, "ifname": name, "linkinfo": {"kind": "bridge"}}
        host.socket.request(LINK, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, request, verb=f"add {name}")


@pytest.mark.needs("nft")
def test_nft_shows_the_table_as_documented(testbed: Testbed) -> None:
    make_bridges(testbed.host)
    testbed.nat.add_network("br0", ["172.17.0.0/16", "fd00:17::/64"])
    testbed.nat.add_network("br1", ["172.18.0.0/16"], internal=True)
    claim("br0", "172.17.0.2", "172.17.0.3")
    testbed.nat.publish(DOCUMENTED_PORTS)
    assert words(nft("list", "ruleset")) == words(documented())


@pytest.mark.needs("nft")
def test_what_nft_makes_of_the_documentation_is_read_back(nat: Nat) -> None:
    with nl.RTNetlink() as host:
        make_bridges(host)
    nft("-f", "-", input=documented())
    assert nat.networks() == [
        NatNetwork(7, ("172.17.0.0/16", "fd00:17::/64"), bridge="br0"),
        NatNetwork(8, ("172.18.0.0/16",), internal=True, bridge="br1"),
    ]
    assert nat.ports() == DOCUMENTED_PORTS
    assert nat.look().intact
    nat.ensure()
    assert words(nft("list", "ruleset")) == words(documented())
