"""Announcements: an address that is used again with another MAC is reached at once by those who knew the
old one."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable, Iterator

import pytest

import netlinkpy as nl
from netlinkpy.networks import Connection, connect_many
from netlinkpy.wiring.announce import arp_announcement, neighbour_advertisement
from tests.support.namespaces import Container, checksum, entered, ping
from tests.support.wiring_testbed import BRIDGE, check, endpoint, make_bridge

Containers = Callable[..., list[Container]]
ETH_P_ALL = 3
OWN, GIVEN, OTHER = "02:42:ac:11:00:05", "02:00:00:00:00:aa", "02:00:00:00:00:bb"


@pytest.fixture
def host(fresh_namespace: None) -> Iterator[nl.RTNetlink]:
    with nl.RTNetlink() as rt:
        make_bridge(rt, BRIDGE, "172.17.42.1/16", "fd00::1/64")
        yield rt


@pytest.fixture
def network(host: nl.RTNetlink) -> nl.RTNetlink:
    host.links.add_altnames(BRIDGE, ["net:web"])
    return host


@pytest.fixture
def wire(host: nl.RTNetlink) -> Iterator[socket.socket]:
    """Hears every frame on the bridge."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as sock:
        sock.bind((BRIDGE, 0))
        sock.setblocking(False)
        yield sock


def heard(sock: socket.socket) -> list[bytes]:
    """The announcements among the frames heard so far."""
    frames = []
    while True:
        try:
            frame = sock.recv(2048)
        except BlockingIOError:
            break
        arp = frame[12:14] == b"\x08\x06" and frame[28:32] == frame[38:42]
        advertisement = frame[12:14] == b"\x86\xdd" and frame[20] == 58 and frame[54] == 136
        if arp or advertisement:
            frames.append(frame)
    return frames


def test_the_arp_announcement_is_that_of_rfc_5227() -> None:
    mac, address = bytes.fromhex("0242ac110005"), bytes((172, 17, 0, 5))
    assert arp_announcement(address, mac) == bytes.fromhex(
        "ffffffffffff 0242ac110005 0806"  # Ethernet: to all
        "0001 0800 06 04 0001"  # Ethernet, IPv4, a request
        "0242ac110005 ac110005"  # from us
        "000000000000 ac110005"  # who has our own address
    )


def test_the_neighbour_advertisement_is_that_of_rfc_4861() -> None:
    mac, address = bytes.fromhex("0242ac110005"), bytes.fromhex("fd00" + "00" * 12 + "0005")
    frame = neighbour_advertisement(address, mac)
    assert frame[:14] == bytes.fromhex("333300000001 0242ac110005 86dd")
    assert frame[14:22] == bytes.fromhex("60000000 0020 3a ff")  # 32 bytes of ICMPv6, hop limit 255
    assert frame[22:38] == address
    assert frame[38:54] == bytes.fromhex("ff02" + "00" * 13 + "01")
    assert frame[54:56] + frame[58:62] == bytes.fromhex("8800 20000000")  # advertisement, override
    assert frame[62:78] == address
    assert frame[78:] == bytes.fromhex("0201 0242ac110005")  # target link-layer address
    pseudo = frame[22:54] + struct.pack("!II", len(frame) - 54, 58)
    assert checksum(pseudo + frame[54:]) == 0


def test_an_address_with_its_own_mac_is_not_announced(
    host: nl.RTNetlink, wire: socket.socket, container: Container
) -> None:
    nl.attach(endpoint(container, ("172.17.0.5/16", "fd00::ac11:5/64")))
    assert heard(wire) == []


@pytest.mark.parametrize(
    ("addresses", "mac", "told"),
    [
        (("172.17.0.5/16",), OWN, 0),
        (("172.17.0.5/16",), GIVEN, 1),
        (("172.17.0.5/16",), "random", 1),
        (("172.17.0.5/16", "fd00::7/64"), None, 2),
        (("fd00::7/64",), None, 1),
    ],
)
def test_an_address_with_another_mac_is_announced(
    host: nl.RTNetlink,
    wire: socket.socket,
    container: Container,
    addresses: tuple[str, ...],
    mac: str | None,
    told: int,
) -> None:
    one = nl.attach(endpoint(container, addresses, mac=mac))
    frames = heard(wire)
    assert len(frames) == told
    assert all(frame[6:12].hex(":") == one.mac for frame in frames)


@pytest.mark.parametrize("address", ["172.17.0.5/16", "fd00::5/64"])
def test_who_knew_the_old_mac_reaches_the_new_one(
    host: nl.RTNetlink, containers: Containers, address: str
) -> None:
    neighbour, first, second = containers(3)
    target = address.partition("/")[0]
    own = "172.17.0.9/16" if "." in address else "fd00::9/64"
    nl.attach(endpoint(neighbour, own))
    old = nl.attach(endpoint(first, address, mac=GIVEN))
    assert ping(neighbour, target) is not None
    nl.detach(old)
    nl.attach(endpoint(second, address, mac=OTHER))
    assert ping(neighbour, target) is not None
    assert ping(None, target) is not None


# -- on the bridge of a network, which is here docker0 by its alternative name ------------------------------

MARK = "net:web:announces"


def test_a_network_announces_nothing_without_its_mark(
    network: nl.RTNetlink, wire: socket.socket, container: Container
) -> None:
    nl.attach(endpoint(container, "172.17.0.5/16"))
    assert heard(wire) == [] and network.links.get(BRIDGE).altnames == ("net:web",)


def test_a_network_with_the_mark_announces_all(
    network: nl.RTNetlink, wire: socket.socket, containers: Containers
) -> None:
    network.links.add_altnames(BRIDGE, [MARK])
    one, two, three = containers(3)
    nl.attach(endpoint(one, "172.17.0.5/16"))
    assert len(heard(wire)) == 1
    nl.attach_many([endpoint(two, "172.17.0.6/16"), endpoint(three, ("172.17.0.7/16", "fd00::ac11:7/64"))])
    assert len(heard(wire)) == 3


@pytest.mark.parametrize(
    ("addresses", "mac"),
    [(("172.17.0.5/16",), GIVEN), (("fd00::7/64",), None), (("172.17.0.5/16",), "random")],
)
def test_a_mac_that_differs_sets_the_mark(
    network: nl.RTNetlink, container: Container, addresses: tuple[str, ...], mac: str | None
) -> None:
    nl.attach(endpoint(container, addresses, mac=mac))
    assert set(network.links.get(BRIDGE).altnames) == {"net:web", MARK}


def test_only_the_bridge_of_a_network_has_the_mark(host: nl.RTNetlink, containers: Containers) -> None:
    host.links.add("br1", kind="bridge", altnames=["net:web"], up=True)
    host.links.add_altnames(BRIDGE, ["web"])
    one, two = containers(2)
    nl.attach_many(
        [endpoint(one, "172.17.0.5/16", mac=GIVEN), endpoint(two, "10.0.0.2/16", bridge="br1", gateways=())]
    )
    assert host.links.get(BRIDGE).altnames == ("web",)
    assert host.links.get("br1").altnames == ("net:web",)


@pytest.mark.parametrize("address", ["172.17.0.5/16", "fd00::ac11:5/64"])
def test_the_owner_after_one_with_another_mac_is_reached(
    network: nl.RTNetlink, containers: Containers, address: str
) -> None:
    neighbour, first, second = containers(3)
    target = address.partition("/")[0]
    own = "172.17.0.9/16" if "." in address else "fd00::ac11:9/64"
    nl.attach(endpoint(neighbour, own))
    old = nl.attach(endpoint(first, address, mac=GIVEN))
    assert ping(neighbour, target) is not None and ping(None, target) is not None
    nl.detach(old)
    made = nl.attach(endpoint(second, address, mac=OWN))
    assert made.mac == OWN
    assert ping(neighbour, target) is not None and ping(None, target) is not None


def test_another_may_rely_on_the_mark_of_a_call_that_fails(
    host: nl.RTNetlink, containers: Containers
) -> None:
    blue = nl.Network.create("blue", subnets="172.30.0.0/16")
    failing, other = containers(2)

    def meanwhile(done: int, of: int) -> None:
        blue.connect(other.pid, mac=OTHER)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        connect_many("blue", [Connection(failing.pid, mac=GIVEN)], progress=meanwhile)
    assert nl.Network.get("blue").announces


# -- refusals ----------------------------------------------------------------------------------------------


def test_it_is_refused_whole_where_it_cannot_be_announced(
    host: nl.RTNetlink, container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(rows: object, handles: object) -> object:
        raise PermissionError(errno.EPERM, "no")

    monkeypatch.setattr("netlinkpy.wiring.announce._announce", refuse)
    with pytest.raises(nl.AttachError) as caught:
        nl.attach(endpoint(container, "172.17.0.5/16", mac=GIVEN))
    check(caught.value, errno.EPERM, "announce the addresses of eth0", "CAP_NET_RAW")
    assert host.links.list(kind="veth") == []
    with entered(container), nl.RTNetlink() as rt:
        assert [link.name for link in rt.links.list()] == ["lo"]
