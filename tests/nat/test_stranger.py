"""What a dead container leaves: its ports and flows must not lead to the next who gets its address."""

from __future__ import annotations

import socket
import time

import pytest

from netlinkpy.nat import Port
from netlinkpy.nft.conntrack import Conntrack
from netlinkpy.wire.errors import NetlinkError
from tests.support.namespaces import Container, Namespace, entered
from tests.support.nat_testbed import INTERNET, PATIENCE, TCP, UDP, UPLINK, Testbed, claim, passes, serving

SUBNETS, GATEWAYS = ("172.17.0.0/16", "fd00:17::/64"), ("172.17.0.1/16", "fd00:17::1/64")
FIRST, SECOND = ("172.17.0.2", "fd00:17::2"), ("172.17.0.3", "fd00:17::3")
VERSIONS = pytest.mark.parametrize("version", [0, 1], ids=["v4", "v6"])


@pytest.fixture
def plain(testbed: Testbed) -> Testbed:
    """br0 is a masqueraded network."""
    testbed.bridge("br0", *GATEWAYS)
    testbed.nat.add_network("br0", SUBNETS)
    return testbed


def first(testbed: Testbed) -> Container:
    return testbed.container("br0", f"{FIRST[0]}/16", f"{FIRST[1]}/64")


def replaced(testbed: Testbed, one: Container) -> Container:
    """Kill a container, and have another get its addresses."""
    port = testbed.host.links.get(f"ip:{testbed.host.links.get('br0').index}:{FIRST[0]}").name
    one.kill()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            testbed.host.links.get(port)
        except NetlinkError:
            return first(testbed)
        time.sleep(0.01)
    raise TimeoutError("the kernel did not take the dead container's link away")


def client(where: Namespace, version: int) -> socket.socket:
    """A UDP socket of somebody who sends to the published port again and again."""
    with entered(where):
        sock = socket.socket((socket.AF_INET, socket.AF_INET6)[version], UDP)
    sock.settimeout(PATIENCE)
    sock.connect((UPLINK[version], 8080))
    return sock


def reaches(sock: socket.socket, listener: socket.socket) -> bool:
    sock.send(b"once more")
    try:
        return listener.recvfrom(100)[0] == b"once more"
    except TimeoutError:
        return False


@VERSIONS
@pytest.mark.parametrize("forget", [True, False], ids=["forgotten", "not"])
def test_old_port_leads_nowhere_after_forget(plain: Testbed, version: int, forget: bool) -> None:
    """Without forget() it does lead to the stranger: so the test would see it."""
    one = first(plain)
    plain.nat.publish(
        [Port(protocol, 8080, FIRST[version], 80) for protocol in ("tcp", "udp")]
        + [Port("tcp", 8081, FIRST[version], 80, UPLINK[version])]
    )
    with client(plain.internet, version) as sender:
        with serving(one, UDP, FIRST[version], 80) as inside:
            assert reaches(sender, inside)
        stranger = replaced(plain, one)
        if forget:
            assert [port.port for port in plain.nat.forget([FIRST[version]])] == [8080, 8080, 8081]
            assert plain.nat.ports() == []
        with serving(stranger, UDP, FIRST[version], 80) as inside:
            assert reaches(sender, inside) is not forget
        with serving(stranger, TCP, FIRST[version], 80) as inside:
            for number in (8080, 8081):
                assert passes(plain.internet, (UPLINK[version], number), inside) is not forget


@VERSIONS
def test_forget_leaves_the_ports_and_flows_of_others(plain: Testbed, version: int) -> None:
    first(plain)
    two = plain.container("br0", f"{SECOND[0]}/16", f"{SECOND[1]}/64")
    mine, other = Port("tcp", 8081, FIRST[version], 80), Port("udp", 8080, SECOND[version], 80)
    plain.nat.publish([mine, other])
    with client(plain.internet, version) as sender, serving(two, UDP, SECOND[version], 80) as inside:
        assert reaches(sender, inside)
        flows = Conntrack(plain.nat._tables.socket)
        before = {flow.attributes["id"] for flow in flows.flows() if flow.destination_port == 8080}
        assert plain.nat.forget([FIRST[version]]) == [mine]
        assert plain.nat.forget([FIRST[version]]) == []
        assert plain.nat.ports() == [other]
        assert before == {flow.attributes["id"] for flow in flows.flows() if flow.destination_port == 8080}


def test_flows_that_no_port_made_are_forgotten_when_asked(plain: Testbed) -> None:
    one = first(plain)
    flows = Conntrack(plain.nat._tables.socket)
    with serving(plain.internet, UDP, INTERNET[0], 7000) as there:
        assert passes(one, (INTERNET[0], 7000), there)
    own = FIRST[0].split(".")
    packed = bytes(map(int, own))
    assert [flow for flow in flows.flows() if flow.source == packed]
    plain.nat.forget([FIRST[0]])
    assert [flow for flow in flows.flows() if flow.source == packed]
    plain.nat.forget([FIRST[0]], flows=True)
    assert not [flow for flow in flows.flows() if flow.source == packed]


def test_a_withdrawn_port_ends_its_flows(plain: Testbed) -> None:
    one = first(plain)
    port = Port("udp", 8080, FIRST[0], 80)
    plain.nat.publish([port])
    with client(plain.internet, 0) as sender, serving(one, UDP, FIRST[0], 80) as inside:
        assert reaches(sender, inside)
        plain.nat.unpublish([port])
        assert not reaches(sender, inside)


def test_a_published_port_takes_over_a_sender_who_did_not_wait_for_it(plain: Testbed) -> None:
    """His first packet went to the host itself, and UDP flows keep their way as long as packets come."""
    one = first(plain)
    with client(plain.internet, 0) as sender:
        with serving(None, UDP, "", 8080) as host:
            assert reaches(sender, host)
        plain.nat.publish([Port("udp", 8080, FIRST[0], 80)])
        with serving(one, UDP, FIRST[0], 80) as inside:
            assert reaches(sender, inside)


def test_removing_a_network_withdraws_its_ports(plain: Testbed) -> None:
    plain.bridge("br1", "172.18.0.1/16")
    plain.nat.add_network("br1", ["172.18.0.0/16"])
    claim("br1", "172.18.0.2")
    one = first(plain)
    stays = Port("tcp", 8081, "172.18.0.2", 80)
    plain.nat.publish([Port("udp", 8080, FIRST[0], 80), stays])
    with client(plain.internet, 0) as sender, serving(one, UDP, FIRST[0], 80) as inside:
        assert reaches(sender, inside)
        plain.nat.remove_network("br0")
        assert not reaches(sender, inside)
    assert plain.nat.ports() == [stays]
    assert [network.bridge for network in plain.nat.networks()] == ["br1"]
