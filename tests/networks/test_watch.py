"""`network watch`: what others take is put back at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

import netlinkpy as nl
from netlinkpy.nat import Nat, Port
from netlinkpy.nat.table import FAMILY, TABLE
from netlinkpy.networks import Network, connect, watch
from netlinkpy.nft.tables import Nftables, delete_table, flush_chain
from tests.support.forked import fork
from tests.support.namespaces import Container, ping
from tests.support.nat_testbed import INTERNET, TCP, UPLINK, Testbed, passes, serving
from tests.support.networks_testbed import GATEWAY, SUBNET, SUBNET6
from tests.support.waiting import eventually

Containers = Callable[..., list[Container]]
PORT = Port("tcp", 8080, "172.30.0.5", 80)
PROGRAM = "import sys; from netlinkpy.cli import main; sys.argv[0] = 'netlinkpy'; sys.exit(main())"
COMMAND = [sys.executable, "-c", PROGRAM, "network", "watch"]
HANDED = os.path.exists("/proc/sys/net/bridge")  # bridged packets come to the forward hook


@pytest.fixture
def street(host: nl.RTNetlink, containers: Containers) -> Iterator[Testbed]:
    write("ipv4/ip_forward", "0")
    with Nat() as nat:
        yield Testbed(host, nat, containers)


@pytest.fixture
def one(street: Testbed, containers: Containers) -> Container:
    """A container on the network blue, with a published port, and one on an internal network."""
    Network.create("blue", subnets=[SUBNET, SUBNET6])
    Network.create("inner", subnets="172.31.0.0/16", internal=True)
    made, other = containers(2, loopback=True)
    connect("blue", made.pid, ip="172.30.0.5")
    connect("inner", other.pid)
    street.nat.publish([PORT])
    return made


@pytest.fixture
def watcher(one: Container) -> Iterator[int]:
    """A process that watches."""
    read_end, write_end = os.pipe()
    pid = fork(lambda: watch(lambda note: None, ready=lambda: os.write(write_end, b".")))
    os.close(write_end)
    assert os.read(read_end, 1) == b"."
    os.close(read_end)
    yield pid
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def write(setting: str, value: str) -> None:
    with open(f"/proc/sys/net/{setting}", "w") as file:
        file.write(value)


def flush() -> None:
    with Nftables() as tables:
        tables.commit([delete_table(FAMILY, TABLE)], verb="flush")


def flush_one_chain() -> None:
    with Nftables() as tables:
        tables.commit([flush_chain(FAMILY, TABLE, "postrouting")], verb="flush")


def forwarding_off() -> None:
    for value in "10":
        write("ipv4/ip_forward", value)


HARM: dict[str, Callable[[nl.RTNetlink], object]] = {
    "ruleset": lambda host: flush(),
    "chain": lambda host: flush_one_chain(),
    "forwarding": lambda host: forwarding_off(),
    "rule": lambda host: host.rules.delete(next(rule for rule in host.rules.list() if rule.protocol == 78)),
    "down": lambda host: host.links.set("blue", up=False),
    "address": lambda host: host.addresses.delete(f"{GATEWAY}/16", dev="blue"),
    "mac": lambda host: host.links.set("blue", address="02:00:00:00:00:99"),
    "name": lambda host: host.links.set("inner", name="moved"),
}


@pytest.mark.parametrize("harm", HARM)
def test_it_is_as_made_again(street: Testbed, one: Container, watcher: int, harm: str) -> None:
    HARM[harm](street.host)
    assert eventually(lambda: not any(network.differences() for network in Network.list()))
    with serving(one, TCP, "", 80) as listener:
        assert passes(street.internet, (UPLINK[0], 8080), listener)
    assert ping(one, INTERNET[0], 1000) is not None


@pytest.mark.needs("nft")
def test_the_command_tells_what_begins_to_block(street: Testbed, one: Container) -> None:
    """Once: not again with each later change."""
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for wall in ("first", "second"):
            rules = (
                f"table inet {wall} {{ chain c {{ type filter hook forward priority 0; policy drop; }}; }}"
            )
            subprocess.run(["nft", rules], check=True)
            for name in ("blue", "inner") if HANDED else ("blue",):
                told = process.stdout.readline()
                assert told.startswith(f"network {name}: chain c of table inet {wall} drops"), told
        process.terminate()
        assert process.wait(10) == 0


def test_it_rests_when_all_is_as_made(street: Testbed, one: Container, watcher: int) -> None:
    """Its own changes do not keep it busy."""
    flush()
    assert eventually(lambda: street.nat.ports() == [PORT] and Network.get("blue").differences() == [])
    time.sleep(0.2)
    with Nftables() as tables:
        before = tables.generation()
        time.sleep(0.3)
        assert tables.generation() == before


def test_the_command_tells_and_ends_at_sigterm(street: Testbed, one: Container) -> None:
    flush()
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "another program emptied it; put back" in process.stdout.readline()
        process.terminate()
        assert process.wait(10) == 0
