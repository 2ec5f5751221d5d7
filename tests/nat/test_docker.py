"""Beside a real dockerd: what it drops is named, the rules do help, and its own rules are as it left them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from netlinkpy.nat import Port
from tests.support import firewalls
from tests.support.nat_testbed import INTERNET, TCP, UPLINK, Testbed, passes, serving


@pytest.fixture
def dockerd(testbed: Testbed, tmp_path: Path) -> Iterator[None]:
    """A dockerd whose rules are in the test's namespace."""
    with firewalls.dockerd(tmp_path):
        yield


@pytest.mark.needs("root", "dockerd", "docker", "iptables", "nft")
def test_beside_dockerd(testbed: Testbed, dockerd: None) -> None:
    def theirs() -> str:
        listed = subprocess.run(["nft", "-s", "list", "ruleset"], check=True, capture_output=True, text=True)
        return listed.stdout

    before = theirs()
    assert "DOCKER-USER" in before
    testbed.bridge("br0", "172.30.0.1/16")
    one = testbed.container("br0", "172.30.0.2/16")
    testbed.nat.add_network("br0", ["172.30.0.0/16"])
    testbed.nat.publish([Port("tcp", 8080, "172.30.0.2", 80, localhost=True)])
    with (
        serving(testbed.internet, TCP, INTERNET[0], 7000) as there,
        serving(one, TCP, "172.30.0.2", 80) as inside,
    ):
        assert passes(None, ("127.0.0.1", 8080), inside)
        assert not passes(one, (INTERNET[0], 7000), there)
        (drop,) = testbed.nat.foreign_drops()
        assert (drop.family, drop.table, drop.chain) == ("ip", "filter", "FORWARD")
        for command in drop.commands:
            subprocess.run(command.split(), check=True)
        assert passes(one, (INTERNET[0], 7000), there)
        assert passes(testbed.internet, (UPLINK[0], 8080), inside)
        assert testbed.nat.foreign_drops() == []
    for command in drop.commands:
        subprocess.run(command.replace(" -I ", " -D ").split(), check=True)
    testbed.nat.remove_network("br0")
    assert theirs() == before
