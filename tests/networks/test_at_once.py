"""Many processes that connect containers to one network at the same time, and die."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from typing import Any

import pytest

import netlinkpy as nl
from netlinkpy import backends
from netlinkpy.networks import Connection, Network, connect_many
from tests.support.namespaces import ping
from tests.support.networks_testbed import leftovers

PROCESSES, EACH = 16, 50


class Crowd:
    """Processes that each hold EACH namespaces, connect them to the network `blue` when the gate opens, say
    what became of them, and wait for their end."""

    def __init__(self) -> None:
        gate, self._gate = os.pipe()
        self._pids: list[int] = []
        self._pipes: list[int] = []
        for _ in range(PROCESSES):
            read_end, write_end = os.pipe()
            pid = os.fork()
            if pid == 0:
                os.close(self._gate)
                _connect_and_wait(gate, write_end)
            os.close(write_end)
            self._pids.append(pid)
            self._pipes.append(read_end)
        os.close(gate)

    def go(self) -> list[list[dict[str, Any]]]:
        """Opens the gate; what each process says."""
        os.close(self._gate)
        said = []
        for pipe in self._pipes:
            with open(pipe, closefd=False) as file:
                said.append(json.loads(file.readline()))
        return said

    def kill(self) -> None:
        for pid in self._pids:
            os.kill(pid, signal.SIGKILL)
        for pid in self._pids:
            os.waitpid(pid, 0)
        for pipe in self._pipes:
            os.close(pipe)
        with contextlib.suppress(OSError):
            os.close(self._gate)


def _connect_and_wait(gate: int, pipe: int) -> None:
    """The child's side: never returns."""
    try:
        fds = backends.load().make_netns(EACH)
        places = [nl.Netns.from_fd(fd) for fd in fds]
        os.read(gate, 1)  # ends when the gate is closed
        results = connect_many("blue", [Connection(place) for place in places], on_error="continue")
        said = [
            {"error": str(one)} if isinstance(one, nl.AttachError) else {"address": one.addresses[0]}
            for one in results
        ]
        # Of 800 ports' first questions some are lost: the kernel asks again after a second.
        if ping(fds[0], "172.30.0.1", 5000) is None:
            said.append({"error": "no ping"})
        os.write(pipe, json.dumps(said).encode() + b"\n")
        while True:
            signal.pause()
    except BaseException as error:
        os.write(pipe, json.dumps([{"error": f"{type(error).__name__}: {error}"}]).encode() + b"\n")
    finally:
        os._exit(1)


@pytest.mark.parametrize("subnet", ["172.30.0.0/16", "172.30.0.0/22"])
def test_800_at_once_have_800_addresses_and_leave_nothing(host: nl.RTNetlink, subnet: str) -> None:
    """In the smaller subnet four of five addresses are taken in the end, so many guesses meet."""
    blue = Network.create("blue", subnets=subnet)
    crowd = Crowd()
    try:
        said = [one for each in crowd.go() for one in each]
        errors = [one["error"] for one in said if "error" in one]
        assert errors == []
        addresses = {one["address"].partition("/")[0] for one in said}
        assert len(said) == len(addresses) == PROCESSES * EACH
        claims = {name for link in host.links.list(kind="veth") for name in link.altnames}
        assert claims == {f"ip:{blue.index}:{address}" for address in addresses}
        assert len(host.links.list(master="blue")) == PROCESSES * EACH and leftovers(host) == []
    finally:
        crowd.kill()
    deadline = time.monotonic() + 30  # the kernel takes namespaces down in its own time
    while host.links.list(kind="veth") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [link.name for link in host.links.list()] == ["lo", "blue"]
    blue.remove()
