"""Chaos: while containers run, others take away what networks are made of, or kill who watches over them.

NETLINKPY_CHAOS=ROUNDS[,SEED] makes it a campaign of 20 containers: so many rounds with the watch and so many
without, and the figures on standard output (pytest -s)."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

import netlinkpy as nl
from netlinkpy.nat import Nat
from netlinkpy.nat.table import CHAIN_USES, FAMILY, TABLE
from netlinkpy.networks import Network
from netlinkpy.nft.tables import Nftables, delete_table, flush_chain
from netlinkpy.run import Call, Running, listing
from tests.support.namespaces import Container, entered
from tests.support.nat_testbed import INTERNET, UPLINK, Testbed
from tests.support.run_testbed import ROOT, detached, exists
from tests.support.waiting import eventually

CAMPAIGN = os.environ.get("NETLINKPY_CHAOS", "")
ROUNDS, SEED = (int(word) for word in f"{CAMPAIGN},1".split(",")[:2]) if CAMPAIGN else (0, 1)
SUBNETS = {"blue": "172.30.0.0/16", "red": "172.31.0.0/16", "inner": "172.32.0.0/16"}
MANY = {"blue": 8, "red": 8, "inner": 4} if CAMPAIGN else {"blue": 2, "red": 1, "inner": 1}
SECRET = b"of an internal network"
PATIENCE = 0.05  # seconds for one answer

#: Answers every connection to TCP port 8000.
SERVER = (
    "import socket\n"
    "server = socket.create_server(('', 8000), backlog=100)\n"
    "while True:\n"
    "    with server.accept()[0] as caller:\n"
    "        caller.send(b'here')\n"
)
#: Tries to get out all the time, by a default route that it gives itself.
PRISONER = f"""
import socket, sys, time
sys.path.insert(0, {ROOT!r})
import netlinkpy as nl
with nl.RTNetlink() as rt:
    rt.routes.add("default", gateway="172.32.0.1")
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    try:
        sock.sendto({SECRET!r}, ({INTERNET[0]!r}, 4444))
    except OSError:
        pass
    time.sleep(0.002)
"""


class Street:
    """A host with an uplink, networks on it, and containers that run."""

    def __init__(self, testbed: Testbed) -> None:
        self.testbed = testbed
        self.ports: dict[str, int] = {}
        self.watcher: subprocess.Popen[bytes] | None = None
        with entered(testbed.internet):
            self.outside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.outside.bind(("", 99))
            self.outside.settimeout(PATIENCE)
            self.wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
            self.wire.setblocking(False)
            self.wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)

    def begin(self) -> None:
        for name, subnet in SUBNETS.items():
            Network.create(name, subnets=subnet, internal=name == "inner")
            for number in range(MANY[name]):
                self.start(f"{name}{number}")

    def start(self, name: str) -> Running:
        network = name.rstrip("0123456789")
        if network == "inner":
            command = (sys.executable, "-c", PRISONER)
            return detached("--net=inner", "--privileged", name=name, command=command)
        port = self.ports.setdefault(name, 9000 + len(self.ports))
        return detached(
            f"--net={network}", "-p", f"{port}:8000", name=name, command=(sys.executable, "-c", SERVER)
        )

    def close(self) -> None:
        self.stop_watching()
        self.outside.close()
        self.wire.close()
        for one in listing():
            with Call(one.name) as call:
                call.kill(signal.SIGKILL)
                call.wait(10)

    def watch(self) -> None:
        code = (
            "from netlinkpy.networks import watch; watch(lambda note: None, ready=lambda: print(flush=True))"
        )
        line = [sys.executable, "-c", f"import sys; sys.path.insert(0, {ROOT!r}); {code}"]
        self.watcher = subprocess.Popen(line, stdout=subprocess.PIPE)
        assert self.watcher.stdout is not None and self.watcher.stdout.readline() == b"\n"

    def stop_watching(self) -> None:
        if self.watcher is not None:
            self.watcher.kill()
            self.watcher.wait()
            assert self.watcher.stdout is not None
            self.watcher.stdout.close()
            self.watcher = None

    # -- what is seen ----------------------------------------------------------------------------------

    def answers(self, name: str) -> bool:
        """Whether the internet reaches a container's published port."""
        with entered(self.testbed.internet):
            sock = socket.socket()
        with sock:
            sock.settimeout(PATIENCE)
            try:
                sock.connect((UPLINK[0], self.ports[name]))
                return sock.recv(10) == b"here"
            except OSError:
                return False

    def masquerades(self, one: Running) -> bool:
        """Whether a container reaches the internet as the host."""
        with entered(f"/proc/{one.pid}/ns/net"):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with sock:
            try:
                sock.sendto(b"hello", (INTERNET[0], 99))
                return bool(self.outside.recvfrom(10)[1][0] == UPLINK[0])
            except OSError:
                return False

    def works(self, one: Running) -> bool:
        return self.answers(one.name) and self.masquerades(one)

    def escaped(self) -> int:
        """How many packets of the internal network came out since the last look."""
        count = 0
        while True:
            try:
                count += SECRET in self.wire.recv(65536)
            except BlockingIOError:
                return count


def flush_table(street: Street, chosen: random.Random) -> None:
    with Nftables() as tables:
        tables.commit([delete_table(FAMILY, TABLE)], verb="flush")


def flush_chains(street: Street, chosen: random.Random) -> None:
    with Nftables() as tables:
        tables.commit([flush_chain(FAMILY, TABLE, chain) for chain in CHAIN_USES], verb="flush")


def forwarding_off(street: Street, chosen: random.Random) -> None:
    for link in (bridge_of(chosen), "up0"):
        with open(f"/proc/sys/net/ipv4/conf/{link}/forwarding", "w") as file:
            file.write("0")


def rename(street: Street, chosen: random.Random) -> None:
    name = bridge_of(chosen)
    street.testbed.host.links.set(name, name=f"br{chosen.randrange(1 << 30):x}")


def flush_address(street: Street, chosen: random.Random) -> None:
    host = street.testbed.host
    for address in host.addresses.list(dev=bridge_of(chosen), family=socket.AF_INET):
        host.addresses.delete(address)


def bridge_down(street: Street, chosen: random.Random) -> None:
    street.testbed.host.links.set(bridge_of(chosen), up=False)


def delete_veth(street: Street, chosen: random.Random) -> None:
    """Whose container is lost: it starts anew."""
    one = chosen.choice([one for one in listing() if not one.name.startswith("inner")])
    with nl.RTNetlink(one.pid) as inside:
        inside.links.delete("eth0")
    with Call(one.name) as call:
        call.kill(signal.SIGKILL)
        assert call.wait(10)
    street.start(one.name)


def kill_supervisor(street: Street, chosen: random.Random) -> None:
    one = chosen.choice(listing())
    links = len(street.testbed.host.links.list(kind="veth"))
    os.kill(one.holder, signal.SIGKILL)
    assert eventually(lambda: not exists(one.holder) and not exists(one.pid))
    # The kernel takes its link away a little later, and its ports with it.
    assert eventually(lambda: len(street.testbed.host.links.list(kind="veth")) < links)
    street.start(one.name)


def kill_watch(street: Street, chosen: random.Random) -> None:
    """While none watches the rules go; the next one finds that."""
    if street.watcher is not None:
        street.stop_watching()
        flush_table(street, chosen)
        street.watch()


FAULTS: tuple[Callable[[Street, random.Random], None], ...] = (
    flush_table,
    flush_chains,
    forwarding_off,
    rename,
    flush_address,
    bridge_down,
    delete_veth,
    kill_supervisor,
    kill_watch,
)


def bridge_of(chosen: random.Random) -> str:
    return chosen.choice(Network.list()).bridge


@pytest.fixture
def street(host: nl.RTNetlink, containers: Callable[..., list[Container]]) -> Iterator[Street]:
    with open("/proc/sys/net/ipv4/ip_forward", "w") as file:
        file.write("0")
    with Nat() as nat:
        made = Street(Testbed(host, nat, containers))
        try:
            made.begin()
            yield made
        finally:
            made.close()


@pytest.mark.parametrize("watched", [True, False], ids=["watched", "reloaded"])
def test_all_comes_back_and_nothing_gets_out(street: Street, watched: bool) -> None:
    chosen = random.Random(SEED)
    faults = chosen.choices(FAULTS, k=ROUNDS) if ROUNDS else list(FAULTS)
    times: dict[str, list[float]] = {fault.__name__: [] for fault in FAULTS}
    if watched:
        street.watch()
    assert all(street.works(one) for one in listing() if one.name in street.ports)
    for number, fault in enumerate(faults):
        told = f"seed {SEED}, round {number}: {fault.__name__}"
        fault(street, chosen)
        begin = time.monotonic()
        if not watched:
            for network in Network.list():
                network.reload()
        served = [one for one in listing() if one.name in street.ports]
        assert len(served) == len(street.ports), told
        one = chosen.choice(served)
        assert eventually(lambda one=one: street.works(one)), told  # type: ignore[misc]
        times[fault.__name__].append(time.monotonic() - begin)
        assert eventually(lambda: not any(one.differences() for one in Network.list())), told
        # A server that starts anew takes some time to listen.
        assert eventually(lambda served=served: all(map(street.works, served))), told  # type: ignore[misc]
        assert {one.name for one in Network.list()} == set(SUBNETS), told
        assert street.escaped() == 0, told
    for name, all_ in times.items() if CAMPAIGN else ():
        if all_:
            row = {"fault": name, "watched": watched, "rounds": len(all_)}
            figures = {"median_ms": statistics.median(all_) * 1e3, "most_ms": max(all_) * 1e3}
            print(json.dumps(row | {key: round(value, 1) for key, value in figures.items()}))


def test_the_prisoner_would_get_out(street: Street) -> None:
    """What is counted above is counted: without filter and boundary his packets come."""
    with nl.RTNetlink() as host:
        for rule in host.rules.list():
            if rule.priority in (32, 33, 34):
                host.rules.delete(rule)
    flush_table(street, random.Random(0))
    with open("/proc/sys/net/ipv4/ip_forward", "w") as file:
        file.write("1")
    assert eventually(lambda: street.escaped() > 0)
