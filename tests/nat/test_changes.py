"""Each change is whole or not at all, told in one sentence, and leaves what is not ours as it was."""

from __future__ import annotations

import errno
import socket
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

import netlinkpy as nl
from netlinkpy.nat import Nat, NatNetwork, Port
from netlinkpy.uapi.sched import CLONE_NEWNET, CLONE_NEWUSER
from netlinkpy.wire.errors import NetlinkError
from tests.support.namespaces import Container, inside, setns
from tests.support.nat_testbed import Testbed

FOUR, SIX = "172.17.0.0/16", "fd00:17::/64"
WEB = Port("tcp", 8080, "172.17.0.2", 80)


def ruleset() -> str:
    return subprocess.run(["nft", "list", "ruleset"], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def plain(testbed: Testbed) -> Testbed:
    """br0 is a network, with one port."""
    testbed.bridge("br0", "172.17.0.1/16", "fd00:17::1/64")
    testbed.nat.add_network("br0", [FOUR, SIX])
    testbed.nat.publish([WEB])
    return testbed


# -- reading back ------------------------------------------------------------------------------------------


def test_nothing_is_there_at_first(nat: Nat) -> None:
    assert nat.networks() == []
    assert nat.ports() == []
    assert nat.forget(["172.17.0.2"]) == []
    assert nat.unpublish([WEB]) == []
    assert nat.remove_network("br0") == []
    assert nat.remove() is False


def test_networks_are_read_back_as_they_were_told(nat: Nat) -> None:
    told = [
        NatNetwork("br0", ("172.16.0.0/12", "fd00::/8")),
        NatNetwork("br1", ("10.0.0.0/9", "10.128.0.0/9"), masquerade=False),
        NatNetwork("br2", (), isolate=True),
        NatNetwork("br3", ("255.255.255.0/24", "ffff:ff00::/24"), internal=True, isolate=True),
        NatNetwork("fifteen-letters", ("0.0.0.0/8", "::/16"), masquerade=False),
    ]
    for one in reversed(told):
        options = {name: getattr(one, name) for name in ("internal", "isolate", "masquerade")}
        nat.add_network(one.bridge, reversed(one.subnets), **options)
    assert nat.networks() == [told[0], told[1], told[2].replace(masquerade=True), told[3], told[4]]


def test_ports_are_read_back_as_they_were_told(plain: Testbed) -> None:
    told = [
        Port("sctp", 8080, "172.17.0.2", 80),
        WEB,
        Port("tcp", 8080, "fd00:17::2", 65535),
        Port("tcp", 8080, "172.17.0.3", 80, "192.0.2.1"),
        Port("udp", 1, "172.17.0.2", 1),
        Port("udp", 65535, "fd00:17::2", 80, "2001:db8::1"),
    ]
    plain.nat.publish(told)
    plain.nat.publish([Port("tcp", 8080, "172.17.0.2", 80, "0.0.0.0")])  # the same as at any address
    assert plain.nat.ports() == told


@pytest.mark.needs("nft")
def test_a_renamed_network_is_served_as_before(plain: Testbed) -> None:
    nat = plain.nat
    nat.add_network("br1", ["172.18.0.0/16"], internal=True, masquerade=False)
    before, networks = ruleset(), nat.networks()
    nat.rename_networks({"br0": "moved", "br7": "br8"})
    assert sorted(nat.networks(), key=lambda one: one.subnets) == [
        networks[0].replace(bridge="moved"),
        networks[1],
    ]
    assert nat.ports() == [WEB]
    assert _words(ruleset()) == _words(before.replace('"br0"', '"moved"'))


def _words(rules: str) -> list[str]:
    """The words of a ruleset, sorted: elements in a set have no order."""
    return sorted(rules.replace(",", " ").split())


def test_two_networks_change_names(nat: Nat) -> None:
    """Where one's subnet ends the other's begins."""
    nat.add_network("br0", ["10.0.0.0/16", "fd00::/64"])
    nat.add_network("br1", ["10.1.0.0/16", "fd00:0:0:1::/64"], isolate=True)
    nat.add_network("br2", ["10.2.0.0/16"], masquerade=False)
    nat.rename_networks({"br0": "br1", "br1": "br0"})
    assert nat.networks() == [
        NatNetwork("br0", ("10.1.0.0/16", "fd00:0:0:1::/64"), isolate=True),
        NatNetwork("br1", ("10.0.0.0/16", "fd00::/64")),
        NatNetwork("br2", ("10.2.0.0/16",), masquerade=False),
    ]
    nat.rename_networks({"br2": "br1", "br1": "br3"})
    assert [(one.bridge, one.subnets[0]) for one in nat.networks()] == [
        ("br0", "10.1.0.0/16"),
        ("br1", "10.2.0.0/16"),
        ("br3", "10.0.0.0/16"),
    ]


def test_a_renamed_network_replaces_what_had_its_name(nat: Nat) -> None:
    nat.add_network("br0", [FOUR], isolate=True)
    nat.add_network("br1", ["172.18.0.0/16"])
    nat.rename_networks({"br0": "br1"})
    assert nat.networks() == [NatNetwork("br1", (FOUR,), isolate=True)]
    nat.rename_networks({"br0": "br1"})
    assert nat.networks() == [NatNetwork("br1", (FOUR,), isolate=True)]


def test_a_network_is_changed_to_what_is_said_last(nat: Nat) -> None:
    nat.add_network("br0", [FOUR, SIX])
    nat.add_network("br0", ["172.17.0.0/17"], isolate=True, masquerade=False)
    assert nat.networks() == [NatNetwork("br0", ("172.17.0.0/17",), isolate=True, masquerade=False)]
    nat.add_network("br0", [FOUR, SIX])
    assert nat.networks() == [NatNetwork("br0", (FOUR, SIX))]


# -- what is there already ---------------------------------------------------------------------------------


@pytest.mark.needs("nft")
def test_everything_may_be_said_twice(plain: Testbed) -> None:
    before = ruleset()
    assert plain.nat.add_network("br0", [FOUR, SIX]) == []
    assert plain.nat.publish([WEB]) == []
    plain.nat.ensure()
    assert ruleset() == before


@pytest.mark.needs("nft")
def test_what_somebody_spoiled_is_put_right(plain: Testbed) -> None:
    before = ruleset()
    for spoil in (
        "flush chain inet netlinkpy forward",
        "add rule inet netlinkpy forward drop",
        "delete element inet netlinkpy within { br0 . br0 }",
        "flush set inet netlinkpy masquerade4",
    ):
        subprocess.run(["nft", spoil], check=True)
        assert ruleset() != before
        plain.nat.add_network("br0", [FOUR, SIX])
        assert ruleset() == before


@pytest.mark.needs("nft")
def test_a_table_of_our_name_that_is_not_ours_is_left_alone(nat: Nat) -> None:
    subprocess.run(
        ["nft", "add table inet netlinkpy; add set inet netlinkpy within { type mark; }"], check=True
    )
    before = ruleset()
    with pytest.raises(NetlinkError, match="add network br0: it exists already, in another form") as caught:
        nat.add_network("br0", [FOUR])
    assert caught.value.errno == errno.EEXIST
    assert ruleset() == before


FOREIGN = """
table ip nat {
    chain POSTROUTING {
        type nat hook postrouting priority srcnat
        ip saddr 172.20.0.0/16 masquerade
    }
    chain DOCKER {
        iifname "docker0" return
    }
}
table ip filter {
    chain FORWARD {
        type filter hook forward priority filter; policy drop
        oifname "docker0" accept
    }
}
table inet firewalld {
    set trusted {
        type ipv4_addr
        elements = { 192.0.2.9 }
    }
}
table netdev guard {
    chain in {
        type filter hook ingress device "lo" priority 0
    }
}
"""


@pytest.mark.needs("nft")
@pytest.mark.parametrize("foreign", ["", FOREIGN], ids=["alone", "beside others"])
def test_removing_leaves_all_as_before(
    testbed: Testbed, snapshot: Callable[[], dict[str, object]], foreign: str
) -> None:
    testbed.bridge("br0", "172.17.0.1/16", "fd00:17::1/64")
    testbed.bridge("br1", "172.18.0.1/16")
    subprocess.run(["nft", "-f", "-"], input=foreign, text=True, check=True)
    testbed.nat.add_network(
        "br0", [FOUR, SIX]
    )  # forwarding stays on: a link tells of it, and listens as a router
    testbed.nat.remove_network("br0")
    before, state = ruleset(), snapshot()
    testbed.nat.add_network("br0", [FOUR, SIX])
    with_one = ruleset()
    assert with_one.startswith(before)
    testbed.nat.add_network("br1", ["172.18.0.0/16"], internal=True)
    testbed.nat.publish([WEB, Port("udp", 53, "172.18.0.2", 53)])
    testbed.nat.remove_network("br1")
    testbed.nat.unpublish([WEB])
    assert ruleset() == with_one
    assert testbed.nat.remove() is False
    testbed.nat.remove_network("br0")
    assert ruleset() == before
    assert testbed.nat.remove() is False
    testbed.nat.ensure()
    assert testbed.nat.remove() is True
    assert ruleset() == before
    assert snapshot() == state


@pytest.mark.needs("nft")
def test_ports_that_somebody_else_put_there_are_told_and_go_too(plain: Testbed) -> None:
    """Of protocols that publish() does not take."""
    elements = "{ udplite . 53 : 172.17.0.2 . 53, dccp . 53 : 172.17.0.3 . 53 }"
    subprocess.run(["nft", f"add element inet netlinkpy ports4 {elements}"], check=True)
    assert plain.nat.ports() == [Port("136", 53, "172.17.0.2", 53), Port("33", 53, "172.17.0.3", 53), WEB]
    assert plain.nat.forget(["172.17.0.2"]) != []
    plain.nat.add_network("br1", ["172.18.0.0/16"])
    plain.nat.remove_network("br0")
    assert plain.nat.ports() == []


# -- refusals ----------------------------------------------------------------------------------------------


@pytest.mark.needs("nft")
@pytest.mark.parametrize(
    "change, sentence",
    [
        (lambda nat: nat.add_network("br1", ["172.17.8.0/24"]), "172.17.8.0/24 overlaps 172.17.0.0/16 of"),
        (lambda nat: nat.add_network("br1", ["fd00::/16"]), "fd00::/16 overlaps fd00:17::/64 of network"),
        (lambda nat: nat.add_network("br1", ["172.18.0.1/16"]), "'172.18.0.1/16' is no subnet"),
        (lambda nat: nat.add_network("br1", ["somewhere"]), "'somewhere' is no IP address"),
        (lambda nat: nat.add_network("br/1", [FOUR]), "'br/1' cannot name an interface"),
        (lambda nat: nat.add_network("all", [FOUR]), "a bridge called all has no settings of its own"),
        (lambda nat: nat.publish([Port("tcp", 1, "10.9.9.9", 80)]), "port 1/tcp: 10.9.9.9 is in no network"),
        (lambda nat: nat.publish([Port("icmp", 1, "172.17.0.2", 80)]), "a protocol is one of tcp, udp, sctp"),
        (lambda nat: nat.publish([Port("tcp", 0, "172.17.0.2", 80)]), "a port is from 1 to 65535, not 0"),
        (lambda nat: nat.publish([Port("tcp", 1, "172.17.0.2", 65536)]), "from 1 to 65535, not 65536"),
        (lambda nat: nat.publish([Port("tcp", 1, "fd00:17::2", 1, "192.0.2.1")]), "are of two families"),
        (lambda nat: nat.publish([Port("tcp", 1, "fd00:17::2", 1, "0.0.0.0")]), "are of two families"),
        (lambda nat: nat.publish([Port("tcp", 1, "fd00:17::2", 1, "::1")]), "takes answers from lo alone"),
        (lambda nat: nat.publish([Port("tcp", 1, "", 1)]), "port 1/tcp leads to no address"),
        (lambda nat: nat.publish([WEB, WEB.replace(target=81)]), "port 8080/tcp cannot lead to two places"),
        (lambda nat: nat.forget(["172.17.0.2", "x"]), "'x' is no IP address"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_a_sentence(
    plain: Testbed, change: Callable[[Nat], Any], sentence: str
) -> None:
    before = ruleset()
    with pytest.raises(ValueError, match=sentence.replace("[", r"\[")):
        change(plain.nat)
    assert ruleset() == before


@pytest.mark.needs("nft")
def test_a_published_port_is_taken_for_others_and_nothing_of_their_call_is_done(plain: Testbed) -> None:
    before = ruleset()
    many = [Port("tcp", number, "172.17.0.3", 80) for number in range(8000, 8200)]
    sentence = "publish 200 ports: port 8080/tcp is taken: it leads to 172.17.0.2 port 80"
    with pytest.raises(NetlinkError, match=sentence) as caught:
        plain.nat.publish(many)
    assert caught.value.errno == errno.EADDRINUSE
    assert ruleset() == before
    assert localnet("br0") == "1"


def localnet(bridge: str) -> str:
    with open(f"/proc/sys/net/ipv4/conf/{bridge}/route_localnet") as file:
        return file.read().strip()


@pytest.mark.needs("nft")
@pytest.mark.parametrize("kind, protocol", [(socket.SOCK_STREAM, "tcp"), (socket.SOCK_DGRAM, "udp")])
def test_a_port_that_a_process_has_is_taken(plain: Testbed, kind: int, protocol: str) -> None:
    before = ruleset()
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 9000))
        if protocol == "tcp":
            sock.listen()
        port = Port(protocol, 9000, "172.17.0.2", 80)
        with pytest.raises(
            OSError, match=f"port 9000/{protocol} is taken by a process of the host"
        ) as caught:
            plain.nat.publish([Port("tcp", 9001, "172.17.0.2", 80), port])
        assert caught.value.errno == errno.EADDRINUSE
        many = [Port(protocol, number, "172.17.0.2", 80) for number in range(8900, 9300)]
        with pytest.raises(OSError, match=f"port 9000/{protocol} is taken by a process of the host"):
            plain.nat.publish(many)
        assert ruleset() == before
        plain.nat.publish([port.replace(host="192.0.2.1"), Port(protocol, 9000, "fd00:17::2", 80)])
        plain.nat.publish([port], check=False)


def test_a_port_at_an_address_that_the_host_has_not_is_refused(plain: Testbed) -> None:
    with pytest.raises(OSError, match=r"port 192\.0\.2\.77:81/tcp: 192\.0\.2\.77 is no address of the host"):
        plain.nat.publish([Port("tcp", 81, "172.17.0.2", 80, "192.0.2.77")])
    many = [Port("udp", number, "172.17.0.2", 80, "192.0.2.1") for number in range(8900, 9300)]
    with pytest.raises(
        OSError, match=r"port 192\.0\.2\.77:8000/udp: 192\.0\.2\.77 is no address of the host"
    ):
        plain.nat.publish([*many, Port("udp", 8000, "172.17.0.2", 80, "192.0.2.77")])


def test_settings_are_put_back_where_publishing_fails(testbed: Testbed) -> None:
    testbed.bridge("br0", "172.17.0.1/16")
    testbed.nat.add_network("br0", [FOUR])
    first = Port("udp", 53, "172.17.0.2", 53, "192.0.2.1")
    testbed.nat.publish([first])
    assert localnet("br0") == "0"
    with pytest.raises(NetlinkError, match="is taken"):
        testbed.nat.publish([WEB, first.replace(target=54)])
    assert localnet("br0") == "0"
    assert testbed.nat.ports() == [first]


# -- elsewhere ---------------------------------------------------------------------------------------------


def test_the_tables_of_another_namespace(containers: Callable[..., list[Container]]) -> None:
    one, other = containers(2, loopback=True)
    with Nat(one.pid) as nat, Nat(other.pid) as apart, Nat() as own:
        with nl.RTNetlink(one.pid) as rt:
            rt.links.add("br0", kind="bridge", up=True)
            rt.addresses.add("172.17.0.1/16", dev="br0")
        told = nat.add_network("br0", [FOUR])
        assert "net.ipv4.ip_forward" in [setting.name for setting in told]
        (told_port,) = nat.publish([WEB, Port("udp", 53, "172.17.0.2", 53, "172.17.0.1")])
        assert told_port.name == "net.ipv4.conf.br0.route_localnet"
        assert [network.bridge for network in nat.networks()] == ["br0"]
        assert apart.networks() == own.networks() == []
        assert nat.add_network("br0", [FOUR]) == []
        nat.remove_network("br0")


def test_in_a_user_namespace(containers: Callable[..., list[Container]]) -> None:
    """As a rootless engine has it: its root may do with its own network what root does."""
    (one,) = containers(1, user=True)

    def work() -> list[str]:
        with open(f"/proc/{one.pid}/ns/user") as user, open(f"/proc/{one.pid}/ns/net") as net:
            setns(user.fileno(), CLONE_NEWUSER)
            setns(net.fileno(), CLONE_NEWNET)
        with Nat() as nat:
            nat.add_network("br0", [FOUR, SIX])
            nat.publish([Port("tcp", number, "172.17.0.2", 80) for number in range(1, 9999)], check=False)
            assert len(nat.ports()) == 9998
            assert len(nat.forget(["172.17.0.2"])) == 9998
            return [network.bridge for network in nat.networks()]

    assert inside(None, work) == ["br0"]
