"""The loopback guard: what says it is for, or from, 127.0.0.0/8 and does not come from lo is dropped."""

from __future__ import annotations

import socket
import struct
import subprocess

import pytest

import netlinkpy as nl
from netlinkpy.nat import Port
from tests.support.namespaces import Namespace, checksum, entered
from tests.support.nat_testbed import INTERNET, UDP, Testbed, claim, listen, passes, serving

GUARDED = pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "not"])


@pytest.fixture
def plain(testbed: Testbed) -> Testbed:
    """br0 is a network, and has a port published on 127.0.0.1: route_localnet is on."""
    testbed.bridge("br0", "172.17.0.1/16")
    testbed.nat.add_network("br0", ["172.17.0.0/16"])
    return testbed


def send(where: Namespace, interface: str, mac: str, source: str, target: tuple[str, int]) -> None:
    """One UDP packet with any addresses, past the sender's own routing."""
    message = b"forged"
    datagram = struct.pack("!HHHH", 9, target[1], 8 + len(message), 0) + message
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(datagram), 1, 0, 64, 17, 0)
    addresses = socket.inet_aton(source) + socket.inet_aton(target[0])
    header = header[:10] + checksum(header + addresses).to_bytes(2, "big") + addresses
    with entered(where):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
    with sock:
        sock.sendto(header + datagram, (interface, 0x0800, 0, 0, bytes.fromhex(mac.replace(":", ""))))


def comes(listener: socket.socket) -> bool:
    try:
        return listener.recvfrom(100)[0] == b"forged"
    except TimeoutError:
        return False


def unguard(guarded: bool) -> None:
    """Take the guard away, to show that the packets would come."""
    if not guarded:
        subprocess.run(["nft", "flush", "chain", "inet", "netlinkpy", "loopback"], check=True)


@pytest.mark.needs("nft")
@GUARDED
def test_neighbour_cannot_reach_a_port_published_on_loopback(plain: Testbed, guarded: bool) -> None:
    one = plain.container("br0", "172.17.0.2/16")
    plain.nat.publish([Port("udp", 8080, "172.17.0.2", 80, "127.0.0.1", True)])
    unguard(guarded)
    with listen(one, UDP, "172.17.0.2", 80) as inside:
        mac = plain.host.links.get("up0").address
        send(plain.internet, "eth0", mac, INTERNET[0], ("127.0.0.1", 8080))
        assert comes(inside) is not guarded


@pytest.mark.needs("nft")
@GUARDED
def test_container_cannot_reach_what_listens_on_the_hosts_loopback(plain: Testbed, guarded: bool) -> None:
    one = plain.container("br0", "172.17.0.2/16")
    plain.nat.publish([Port("udp", 8080, "172.17.0.2", 80, localhost=True)])
    unguard(guarded)
    with listen(None, UDP, "127.0.0.1", 9999) as host:
        mac = plain.host.links.get("br0").address
        send(one, "eth0", mac, "172.17.0.2", ("127.0.0.1", 9999))
        assert comes(host) is not guarded


@pytest.mark.needs("nft")
@GUARDED
def test_container_cannot_say_it_is_the_hosts_loopback(plain: Testbed, guarded: bool) -> None:
    """Where the host takes packets that say they are from itself (accept_local)."""
    with open("/proc/sys/net/ipv4/conf/br0/accept_local", "w") as file:
        file.write("1")
    one = plain.container("br0", "172.17.0.2/16")
    plain.nat.publish([Port("udp", 8080, "172.17.0.2", 80, localhost=True)])
    unguard(guarded)
    with listen(None, UDP, "172.17.0.1", 9999) as host:
        mac = plain.host.links.get("br0").address
        send(one, "eth0", mac, "127.0.0.1", ("172.17.0.1", 9999))
        assert comes(host) is not guarded


def test_route_localnet_comes_with_the_first_port_that_asks_for_it_and_goes_with_the_network(
    plain: Testbed,
) -> None:
    claim("br0", "172.17.0.2")
    name = "net.ipv4.conf.br0.route_localnet"
    plain.nat.publish([Port("udp", 8080, "172.17.0.2", 80, INTERNET[0])], check=False)
    plain.nat.publish([Port("tcp", 80, "172.17.0.2", 80), Port("tcp", 81, "172.17.0.2", 80, "192.0.2.1")])
    assert localnet() == "0"
    (told,) = plain.nat.publish([Port("tcp", 8080, "172.17.0.2", 80, localhost=True)])
    assert (told.name, told.before, told.after, localnet()) == (name, "0", "1", "1")
    assert plain.nat.publish([Port("tcp", 8081, "172.17.0.2", 80, "127.0.0.1", True)]) == []
    told = plain.nat.remove_network("br0")[0]
    assert (told.name, told.before, told.after, localnet()) == (name, "1", "0", "0")


def test_what_listens_on_loopback_is_left_alone_by_other_ports(plain: Testbed) -> None:
    """So that a relay there can serve the port."""
    one = plain.container("br0", "172.17.0.2/16")
    plain.nat.publish([Port("udp", 8080, "172.17.0.2", 80)], check=False)
    with listen(None, UDP, "127.0.0.1", 8080) as host, serving(one, UDP, "172.17.0.2", 80) as inside:
        assert passes(None, ("127.0.0.1", 8080), host)
        assert passes(None, ("172.17.0.1", 8080), inside)


def localnet() -> str:
    with open("/proc/sys/net/ipv4/conf/br0/route_localnet") as file:
        return file.read().strip()


def test_a_bridge_that_is_gone_does_not_stand_in_the_way(plain: Testbed) -> None:
    claim("br0", "172.17.0.2")
    plain.nat.publish([Port("tcp", 8080, "172.17.0.2", 80)])
    with nl.RTNetlink() as rt:
        index = rt.links.get("br0").index
        rt.links.delete("br0")
    assert [(one.index, one.bridge) for one in plain.nat.networks()] == [(index, "")]
    plain.nat.remove_network(index)
    assert plain.nat.networks() == []
