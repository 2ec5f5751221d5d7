"""Beside real firewalls: what passes, what is told, and that the cure helps, by real packets: each is a row
of the table in docs/network.md."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import netlinkpy as nl
from netlinkpy.nat import Port
from netlinkpy.networks import Network, connect
from tests.support import firewalls
from tests.support.command import Run, runner
from tests.support.namespaces import Container
from tests.support.nat_testbed import FAR, INTERNET, TCP, UPLINK, Testbed, passes, serving

ROWS = (Path(__file__).parents[2] / "docs" / "network.md").read_text().splitlines()
ONE, OTHER = "172.30.0.5", "172.30.0.6"
KILL_SWITCH = "iptables -I FORWARD ! -o %i -m conntrack --ctstate NEW -j REJECT"
NFTABLES = """table inet fw { chain passing { type filter hook forward priority 10 ; policy drop ;
ct state vmap { established : accept, related : accept } ; } ; }"""
BRIDGED = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")

Firewall = Callable[[Testbed, Path], contextlib.AbstractContextManager[object]]
Measured = list[bool]


def run(*commands: str) -> None:
    for command in commands:
        subprocess.run(command, check=True, shell=True)


def rules(*commands: str) -> Firewall:
    """The firewall that commands make."""

    @contextlib.contextmanager
    def laid(testbed: Testbed, folder: Path) -> Iterator[None]:
        run(*commands)
        yield

    return laid


@contextlib.contextmanager
def zoned(testbed: Testbed, folder: Path) -> Iterator[None]:
    """firewalld that is told the uplink's zone, as NetworkManager does."""
    with firewalls.firewalld(folder):
        run("firewall-cmd -q --zone=public --add-interface=up0")
        yield


FIREWALLS: dict[str, tuple[Firewall, tuple[str, ...]]] = {  # by the row's name: how it is made, what it needs
    "`nft flush ruleset`": (rules("nft flush ruleset"), ("nft",)),
    "iptables, `-P FORWARD DROP`": (rules("iptables -P FORWARD DROP"), ("iptables",)),
    "the same with br_netfilter": (rules("iptables -P FORWARD DROP"), ("iptables", "br_netfilter")),
    "iptables, a last `REJECT` (RHEL)": (rules("iptables -A FORWARD -j REJECT"), ("iptables",)),
    "iptables-legacy, `-P FORWARD DROP`": (
        rules("iptables-legacy -P FORWARD DROP"),
        ("root", "iptables-legacy"),
    ),
    "nftables, `policy drop`": (rules(f"nft '{NFTABLES}'"), ("nft",)),
    "firewalld": (
        lambda testbed, folder: firewalls.firewalld(folder),
        ("root", "firewalld", "dbus-daemon", "nft"),
    ),
    "firewalld, the uplink in a zone": (zoned, ("root", "firewalld", "dbus-daemon", "nft")),
    "ufw": (lambda testbed, folder: firewalls.ufw(folder), ("root", "ufw", "iptables")),
    "dockerd": (
        lambda testbed, folder: firewalls.dockerd(folder),
        ("root", "dockerd", "docker", "iptables", "br_netfilter"),
    ),
    "wg-quick": (
        lambda testbed, folder: firewalls.wireguard(folder, testbed.internet, INTERNET[0]),
        ("root", "wg-quick", "ip", "nft", "iptables"),
    ),
    "wg-quick, a kill switch": (
        lambda testbed, folder: firewalls.wireguard(folder, testbed.internet, INTERNET[0], KILL_SWITCH),
        ("root", "wg-quick", "ip", "nft", "iptables"),
    ),
}


WITH_BR_NETFILTER = ("the same with br_netfilter", "dockerd")  # which loads it
MENDED_BY_CREATE = ("`nft flush ruleset`", "wg-quick", "wg-quick, a kill switch")
BY_HAND = {  # where no cure is told
    "iptables-legacy, `-P FORWARD DROP`": [
        f"iptables-legacy -I FORWARD {way} blue -j ACCEPT" for way in ("-i", "-o")
    ]
}


class Street:
    """A network with two containers, of which one has a published port."""

    def __init__(self, testbed: Testbed, one: Container, other: Container) -> None:
        self._testbed, self._one, self._other = testbed, one, other
        self.network = Network.create("blue", subnets="172.30.0.0/16")
        for made, address in ((one, ONE), (other, OTHER)):
            connect("blue", made.pid, ip=address)
        testbed.nat.publish([Port("tcp", 8080, ONE, 80)])

    def passing(self) -> Measured:
        """Return whether packets pass out of a container, into a published port, between two containers."""
        internet, one, other = self._testbed.internet, self._one, self._other
        with (
            serving(internet, TCP, "", 7000) as outside,
            serving(one, TCP, ONE, 80) as published,
            serving(other, TCP, OTHER, 80) as neighbour,
        ):
            return [
                passes(one, (FAR[0], 7000), outside),
                passes(internet, (UPLINK[0], 8080), published),
                passes(one, (OTHER, 80), neighbour),
            ]

    def told(self) -> tuple[list[str], list[str]]:
        """Return what is told, and the commands that would help."""
        what = self.network.differences()[:1]
        cures = ["netlinkpy network reload blue"] * len(what)
        drops = self._testbed.nat.foreign_drops()
        for drop in drops:
            what.append(f"chain {drop.chain} of {drop.family} {drop.table}")
            cures += drop.commands
        blocks = self.network.blocks()
        assert blocks[: len(drops)] == [str(drop) for drop in drops]
        return what + blocks[len(drops) :], cures

    def row(self, name: str) -> str:
        """Return the row of the table."""
        what, cures = self.told()
        passing = ["yes" if one else "no" for one in self.passing()]
        helps = [f"`{cure.replace('blue', 'BRIDGE')}`" for cure in cures]
        return f"| {' | '.join([name, *passing, '; '.join(what) or 'nothing', ', '.join(helps) or '-'])} |"


@pytest.fixture
def netlinkpy(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    return runner("netlinkpy", monkeypatch, capfd)


@pytest.fixture
def testbed(testbed: Testbed) -> Testbed:
    """The host, with FAR behind the internet. br_netfilter is as where nobody loaded it."""
    with nl.RTNetlink(testbed.internet.pid) as there:
        there.addresses.add(f"{FAR[0]}/32", dev="lo")
    if BRIDGED.exists():
        BRIDGED.write_text("0")
    return testbed


@pytest.mark.parametrize("later", [False, True], ids=["it was there before", "it came later"])
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.needs(*needs)) for name, (_, needs) in FIREWALLS.items()]
)
def test_a_row_of_the_table(
    testbed: Testbed,
    containers: Callable[..., list[Container]],
    netlinkpy: Run,
    tmp_path: Path,
    name: str,
    later: bool,
) -> None:
    firewall, _ = FIREWALLS[name]
    with contextlib.ExitStack() as stack:
        if not later:
            stack.enter_context(firewall(testbed, tmp_path))
        street = Street(testbed, *containers(2, loopback=True))
        if later:
            assert street.passing() == [True, True, True]
            stack.enter_context(firewall(testbed, tmp_path))
        if name in WITH_BR_NETFILTER:
            BRIDGED.write_text("1")  # as the module begins
        what, cures = street.told()
        if later or name not in MENDED_BY_CREATE:
            assert street.row(name) in ROWS
            assert bool(what) == (not all(street.passing()))
        if not later:
            assert set(street.network.blocks()) <= set(street.network.notes)
        for cure in cures or BY_HAND.get(name, []):
            if cure.startswith("netlinkpy "):
                assert netlinkpy(*cure.split()[1:]).code == 0
            else:
                run(cure)
        assert street.passing() == [True, True, True]
        assert street.told() == ([] if cures else what, [])


def test_the_table_has_no_other_rows() -> None:
    start = ROWS.index("| there | out | in | between | what is told | the cure that is told |") + 2
    names = [row.split(" | ")[0][2:] for row in ROWS[start : ROWS.index("", start)]]
    assert names == list(FIREWALLS)
