"""Sixteen processes wire the same containers and networks at the same time, while another deletes namespaces,
renames links and deletes bridges: each sees nothing but OSErrors in words, none waits for ever, and in the
end prune leaves nothing.

By default some seconds; with NETLINKPY_LONG=1 ten minutes on each backend."""

from __future__ import annotations

import collections
import contextlib
import os
import pickle
import random
import select
import signal
import time
import traceback
from collections.abc import Callable
from typing import Any

import netlinkpy as nl
from netlinkpy.nat import Nat, Port
from tests.support.namespaces import BareNamespace
from tests.support.waiting import eventually
from tests.support.wiring_testbed import BRIDGE, GATEWAY, endpoint, make_bridge
from tests.torture.host_state import difference, eventually_same, state
from tests.torture.table import LONG, SEED, Table
from tests.torture.words import is_bare

WORKERS = 16
SECONDS = 600 if LONG else 8
CONTAINERS = 8  # bare ones, and as many names in /run/netns
NETWORKS = ("n0", "n1", "n2")
PATIENCE = 120.0  # seconds for the last calls to end: each has its own deadline


class Worker:
    """One process: what it calls, at random."""

    def __init__(self, seed: str, places: list[str]) -> None:
        self.chosen = random.Random(seed)
        self.places = places
        self.tried: collections.Counter[str] = collections.Counter()
        self.errors: collections.Counter[str] = collections.Counter()
        self.wrong: list[str] = []

    def work(self, until: float) -> None:
        verbs = [self.attach, self.attach_many, self.detach, self.create, self.remove, self.connect]
        verbs += [self.connect_many, self.disconnect, self.publish, self.unpublish, self.create_namespaces]
        while time.monotonic() < until:
            verb = self.chosen.choice(verbs)
            self.tried[verb.__name__] += 1
            try:
                verb()
            except OSError as error:
                self.errors[type(error).__name__] += 1
                if is_bare(str(error)):
                    self.wrong.append(f"{verb.__name__}: a bare errno: {error}")
            except BaseException as error:
                where = traceback.extract_tb(error.__traceback__)[-1]
                self.wrong.append(f"{verb.__name__}: {error!r:.200} at {where.filename}:{where.lineno}")

    # -- the verbs -------------------------------------------------------------------------------------

    def place(self) -> str:
        return self.chosen.choice(self.places)

    def network(self) -> str:
        return self.chosen.choice(NETWORKS)

    def endpoint(self, place: str) -> nl.Endpoint:
        return endpoint(place, f"172.17.1.{self.chosen.randrange(1, 40)}/16")

    def attach(self) -> Any:
        return nl.attach(self.endpoint(self.place()))

    def attach_many(self) -> Any:
        return nl.attach_many([self.endpoint(place) for place in self.chosen.sample(self.places, 3)])

    def detach(self) -> Any:
        return nl.detach(nl.Attachment.find(self.place()))

    def create(self) -> Any:
        name = self.network()
        return nl.Network.create(name, subnets=f"172.3{name[1:]}.0.0/16", internal=self.chosen.random() < 0.2)

    def remove(self) -> Any:
        return nl.Network.get(self.network()).remove()

    def connect(self) -> Any:
        return nl.Network.get(self.network()).connect(self.place())

    def connect_many(self) -> Any:
        return nl.networks.connect_many(self.network(), self.chosen.sample(self.places, 3))

    def disconnect(self) -> Any:
        return nl.Network.get(self.network()).disconnect(self.place())

    def port(self) -> Port:
        last = self.chosen.randrange(2, 9)
        return Port("tcp", 8000 + self.chosen.randrange(20), f"172.3{self.network()[1:]}.0.{last}", 80)

    def publish(self) -> Any:
        with Nat() as nat:
            try:
                return nat.publish([self.port()])
            except ValueError as error:
                if "is in no network of this host" not in str(error):
                    raise

    def unpublish(self) -> Any:
        with Nat() as nat:
            return nat.unpublish([self.port()])

    def create_namespaces(self) -> Any:
        return nl.netns.create_many([f"own{self.chosen.randrange(6)}" for _ in range(2)])


class Chaos(Worker):
    """The process that takes away what the others use."""

    def work(self, until: float) -> None:
        verbs = [self.delete_namespace, self.rename_link, self.delete_bridge, self.delete_link, self.prune]
        while time.monotonic() < until:
            verb = self.chosen.choice(verbs)
            self.tried[verb.__name__] += 1
            with contextlib.suppress(OSError):
                verb()
            time.sleep(self.chosen.uniform(0, 0.02))

    def delete_namespace(self) -> None:
        name = self.chosen.choice(nl.netns.list())
        nl.netns.delete(name)
        if name.startswith("place"):
            nl.netns.create(name)

    def link(self, kind: str) -> nl.Link:
        with nl.RTNetlink() as host:
            found = host.links.list(kind=kind)
        if not found:
            raise FileNotFoundError
        return self.chosen.choice(found)

    def rename_link(self) -> None:
        link = self.link(self.chosen.choice(["veth", "bridge"]))
        with nl.RTNetlink() as host:
            host.links.set(link.index, name=f"x{self.chosen.randrange(1 << 30):x}")

    def delete_bridge(self) -> None:
        link = self.link("bridge")
        with nl.RTNetlink() as host:
            host.links.delete(link.index)
            if host.links.find(BRIDGE) is None:
                make_bridge(host, BRIDGE, f"{GATEWAY}/16")

    def delete_link(self) -> None:
        link = self.link("veth")
        with nl.RTNetlink() as host:
            host.links.delete(link.index)

    def prune(self) -> None:
        nl.netns.prune()
        nl.Network.prune()


class Process:
    """A worker in a child, until a moment."""

    def __init__(self, worker: Worker, until: float) -> None:
        self.report, write_end = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                worker.work(until)
                with open(write_end, "wb") as pipe:
                    pickle.dump((worker.tried, worker.errors, worker.wrong), pipe)
            finally:
                os._exit(0)
        os.close(write_end)

    def result(self, deadline: float) -> tuple[collections.Counter[str], collections.Counter[str], list[str]]:
        """Wait for it, and return what it tried, the errors that it met, and what is wrong."""
        with open(self.report, "rb") as pipe:
            told = select.select([pipe], [], [], max(0, deadline - time.monotonic()))[0]
            data = pipe.read() if told else b""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        if not data:
            return (
                collections.Counter(),
                collections.Counter(),
                ["it ended without a word" if told else "it hangs"],
            )
        tried, errors, wrong = pickle.loads(data)
        return tried, errors, wrong


def test_at_the_same_time(
    backend: str,
    host: nl.RTNetlink,
    bare_namespaces: Callable[[int], list[BareNamespace]],
    table: Table,
) -> None:
    names = [f"place{number}" for number in range(CONTAINERS)]
    nl.Network.create("n0", subnets="172.30.0.0/16", internal=True)  # modules are loaded
    nl.Network.prune()
    nl.netns.create_many(names)
    nl.netns.delete_many(names)
    before = state([])
    containers = bare_namespaces(CONTAINERS)
    nl.netns.create_many(names)
    make_bridge(host, BRIDGE, f"{GATEWAY}/16")
    places = [*names, *(one.path for one in containers)]
    until = time.monotonic() + SECONDS
    kinds = [Worker] * WORKERS + [Chaos]
    processes = [Process(kind(f"{SEED} {n}", places), until) for n, kind in enumerate(kinds)]
    tried: collections.Counter[str] = collections.Counter()
    wrong: list[str] = []
    for process in processes:
        some, _, bad = process.result(until + PATIENCE)
        tried += some
        wrong += bad
    assert len(tried) == 16 and tried.total() > SECONDS * 20, tried
    for one in containers:
        one.close()
    wrong += _left(host, before)
    table.add("many_processes", "all", tried.total(), wrong, backend=backend)


def _left(host: nl.RTNetlink, before: dict[str, Any]) -> list[str]:
    """Return what is there once all containers are gone and all is pruned, but was not before, in words."""
    nl.netns.delete_many(nl.netns.list())
    eventually(lambda: not host.links.list(kind="veth"))  # gone with the containers
    nl.Network.prune()
    if bridge := host.links.find(BRIDGE):
        host.links.delete(bridge.index)
    for link in host.links.list(kind="bridge"):
        if not link.altnames:  # our bridge, renamed
            host.links.delete(link.index)
    now = eventually_same(before, lambda: state([]))
    return [f"left in the end: {difference(before, now)[:1000]}"] if now != before else []
