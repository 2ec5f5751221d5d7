"""What other programs take from a network is seen, told, and put back: by every verb what is the packet
filter's and forwarding, by a reload all of it."""

from __future__ import annotations

import errno
import json
import subprocess
from collections.abc import Callable, Iterator

import pytest

import netlinkpy as nl
from netlinkpy.nat import Nat, Port
from netlinkpy.nat.table import CHAIN_USES, FAMILY, TABLE
from netlinkpy.networks import Network, connect
from netlinkpy.nft.tables import Nftables, delete_table, flush_chain
from tests.support.command import Run
from tests.support.namespaces import Container, ping
from tests.support.nat_testbed import FAR, INTERNET, TCP, UPLINK, Testbed, claim, passes, serving, source_seen
from tests.support.networks_testbed import GATEWAY, SUBNET, SUBNET6

Containers = Callable[..., list[Container]]
PORT = Port("tcp", 8080, "172.30.0.5", 80)
WALL = """table inet wall { chain forward { type filter hook forward priority 0; policy drop;
ct state established accept; oifname blue accept; }; }"""


@pytest.fixture
def street(host: nl.RTNetlink, containers: Containers) -> Iterator[Testbed]:
    """The host with its uplink and the internet behind; nothing forwards but what the networks need."""
    for setting in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        write(setting, "0")
    with Nat() as nat:
        yield Testbed(host, nat, containers)


@pytest.fixture
def one(street: Testbed, containers: Containers) -> Container:
    """A container on the network blue, with a published port."""
    Network.create("blue", subnets=[SUBNET, SUBNET6])
    (made,) = containers(1, loopback=True)
    connect("blue", made.pid, ip="172.30.0.5")
    street.nat.publish([PORT])
    return made


def write(setting: str, value: str) -> None:
    with open(f"/proc/sys/net/{setting}", "w") as file:
        file.write(value)


def read(setting: str) -> str:
    with open(f"/proc/sys/net/{setting}") as file:
        return file.read().strip()


def flush() -> None:
    """Do what `nft flush ruleset` does to us."""
    with Nftables() as tables:
        tables.commit([delete_table(FAMILY, TABLE)], verb="flush")


def works(street: Testbed, one: Container) -> bool:
    """Return whether the container reaches the internet, masqueraded, and the internet its port."""
    with serving(street.internet, TCP, "", 99) as outside, serving(one, TCP, "", 80) as inside:
        seen = [source_seen(one, (address, 99), outside) for address in INTERNET[:1]]
        return seen == [UPLINK[0]] and passes(street.internet, (UPLINK[0], 8080), inside)


VERBS: dict[str, Callable[[Run, Containers], object]] = {
    "create": lambda network, make: Network.create("red", subnets="172.31.0.0/16"),
    "connect": lambda network, make: connect("blue", make(1)[0].pid),
    "prune": lambda network, make: Network.prune(),
    "ls": lambda network, make: network("ls"),
    "inspect": lambda network, make: network("inspect", "blue"),
    "reload": lambda network, make: Network.get("blue").reload(),
}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_puts_a_flushed_filter_back(
    street: Testbed, one: Container, containers: Containers, network: Run, verb: str
) -> None:
    assert works(street, one)
    flush()
    assert not works(street, one)
    VERBS[verb](network, containers)
    assert works(street, one)
    assert street.nat.ports() == [PORT] and Network.get("blue").differences() == []


@pytest.mark.parametrize("chain", CHAIN_USES)
def test_a_flushed_chain_is_seen_and_put_back(street: Testbed, one: Container, chain: str) -> None:
    with Nftables() as tables:
        tables.commit([flush_chain(FAMILY, TABLE, chain)], verb="flush")
    (told,) = Network.get("blue").differences()
    assert told == "chains or rules of the table inet netlinkpy are missing"
    assert Network.restore() == [f"network blue: {told}; put back"]
    assert works(street, one) and Network.restore() == []


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_puts_forwarding_back(
    street: Testbed, one: Container, containers: Containers, network: Run, verb: str
) -> None:
    for value in "10":  # a change turns it on or off for every link
        write("ipv4/ip_forward", value)
    assert not works(street, one)
    assert any("net.ipv4.conf.blue.forwarding is 0" in text for text in Network.get("blue").differences())
    VERBS[verb](network, containers)
    assert works(street, one) and read("ipv4/ip_forward") == "0"


def test_a_default_route_that_comes_later_is_found(street: Testbed, one: Container) -> None:
    street.host.links.add("vpn", kind="bridge", up=True)
    street.host.addresses.add("198.51.100.1/24", dev="vpn")
    street.host.routes.add("default", gateway="198.51.100.2", metric=1, replace=True)
    assert read("ipv4/conf/vpn/forwarding") == "0"
    (told,) = [text for text in Network.restore() if "vpn" in text]
    assert told.startswith("net.ipv4.conf.vpn.forwarding is 1 now")
    assert read("ipv4/conf/vpn/forwarding") == "1" and read("ipv4/ip_forward") == "0"


HARM: dict[str, Callable[[nl.RTNetlink], object]] = {
    "down": lambda host: host.links.set("blue", up=False),
    "address": lambda host: host.addresses.delete(f"{GATEWAY}/16", dev="blue"),
    "link-local": lambda host: host.addresses.delete("fe80::1/64", dev="blue"),
    "mac": lambda host: host.links.set("blue", address="02:00:00:00:00:99"),
}


@pytest.mark.parametrize("harm", HARM)
def test_a_bridge_that_cuts_its_containers_off_is_refused_and_reloaded(
    street: Testbed, one: Container, containers: Containers, harm: str
) -> None:
    before = Network.get("blue")
    HARM[harm](street.host)
    (other,) = containers(1)
    with pytest.raises(nl.AttachError, match="netlinkpy network reload blue") as caught:
        connect("blue", other.pid)
    assert caught.value.errno == 100  # ENETDOWN
    told = Network.get("blue").differences()
    assert told and before.reload()[: len(told)] == told
    assert Network.get("blue") == before.replace(notes=()) and before.differences() == []
    connect("blue", other.pid)
    assert works(street, one) and ping(one, GATEWAY) is not None


def test_snooping_is_told_and_reloaded(street: Testbed, one: Container) -> None:
    street.host.links.set("blue", mcast_snooping=1)
    (told,) = Network.get("blue").differences()
    assert told == "multicast snooping of bridge blue is on, it was made otherwise"
    Network.get("blue").reload()
    assert not street.host.links.get("blue").data["mcast_snooping"]


def test_a_renamed_bridge_is_as_made(street: Testbed, one: Container) -> None:
    street.host.links.set("blue", name="moved")
    assert Network.get("blue").differences() == [] and Network.get("blue").bridge == "moved"
    flush()
    Network.get("blue").reload()
    assert works(street, one)


@pytest.mark.parametrize("verb", VERBS)
def test_ports_of_the_dead_go(
    street: Testbed, one: Container, containers: Containers, network: Run, verb: str
) -> None:
    claim("blue", "172.30.0.9")
    gone = Port("tcp", 9090, "172.30.0.9", 90)
    street.nat.publish([gone])
    street.host.links.delete(
        next(link.name for link in street.host.links.list() if link.name.startswith("c"))
    )
    assert gone in street.nat.ports()
    VERBS[verb](network, containers)
    assert street.nat.ports() == [PORT]


def test_inspect_says_as_made_or_each_difference(street: Testbed, one: Container, network: Run) -> None:
    assert "state    as made" in network("inspect", "blue").out
    flush()
    street.host.links.set("blue", up=False)
    _, out, err = network("inspect", "blue", "--json")
    assert json.loads(out)["differences"][0] == "bridge blue is down"
    assert "the packet filter does not know the network: another program emptied it; put back" in err
    _, out, _ = network("inspect", "blue")
    assert (
        "  state    bridge blue is down\n" in out and "`netlinkpy network reload blue` puts it right" in out
    )
    code, out, err = network("reload")
    assert (code, out) == (0, "blue\n") and "bridge blue is down" in err


@pytest.mark.needs("nft")
def test_inspect_says_what_blocks_it(street: Testbed, one: Container, network: Run) -> None:
    assert json.loads(network("inspect", "blue", "--json").out)["blocks"] == []
    subprocess.run(["nft", "-f", "-"], check=True, input=WALL, text=True)
    assert ping(one, INTERNET[0]) is None
    (told,) = json.loads(network("inspect", "blue", "--json").out)["blocks"]
    assert f"  blocked  {told}\n" in network("inspect", "blue").out
    code, out, err = network("reload")
    assert (code, out, err) == (0, "blue\n", f"netlinkpy: {told}\n")
    subprocess.run(["nft", told.partition("help: nft ")[2]], check=True)
    assert Network.get("blue").blocks() == [] and ping(one, INTERNET[0]) is not None


@pytest.mark.parametrize("verb", ["connect", "reload", "inspect"])
def test_the_link_of_a_vpn_that_comes_later_forwards(
    street: Testbed, one: Container, containers: Containers, network: Run, verb: str
) -> None:
    """It leads to both halves of all addresses, beside the default route."""
    street.vpn()
    far = [ping(one, address) for address in FAR]
    assert far == [None, None]
    told = Network.get("blue").differences()
    assert "net.ipv4.conf.vpn0.forwarding is 0: packets are not forwarded there" in told
    VERBS[verb](network, containers)
    assert read("ipv4/conf/vpn0/forwarding") == "1" and Network.get("blue").differences() == []
    assert None not in [ping(one, address) for address in FAR]


def test_forward_all_makes_a_router(host: nl.RTNetlink, network: Run) -> None:
    write("ipv4/ip_forward", "0")
    assert network("create", "blue", "--subnet", SUBNET, "--forward-all").code == 0
    assert read("ipv4/ip_forward") == "1"
    Network.get("blue").remove()
    assert read("ipv4/ip_forward") == "1"


def test_what_connect_puts_back_is_a_note_of_its_attachment(
    street: Testbed, one: Container, containers: Containers, network: Run
) -> None:
    flush()
    other, another = containers(2)
    made = connect("blue", other.pid)
    assert made.notes[0].startswith("network blue: the packet filter does not know the network")
    assert nl.Attachment.from_json(made.to_json()) == made
    flush()
    _, out, err = network("connect", "blue", str(another.pid))
    assert "the packet filter does not know the network" in err and json.loads(out)["notes"]
    assert connect("blue", containers(1)[0].pid).notes == ()


def test_what_cannot_be_looked_at_afterwards_is_a_note(
    street: Testbed, one: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "no more")

    flush()
    monkeypatch.setattr(Nat, "foreign_drops_by_bridge", fail)
    notes = Network.get("blue").reload()
    assert notes[-1] == "what other firewalls block was not looked at: [Errno 5] no more"
    assert not Network.get("blue").differences()
