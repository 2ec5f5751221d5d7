"""Networks removed and pruned: nothing of them is left, and nothing else is touched."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

import netlinkpy as nl
from netlinkpy.nat import Nat, Port
from netlinkpy.networks import Network, connect, disconnect
from netlinkpy.networks.firewall import withdraw_networks
from netlinkpy.wiring.link_group import StagingGroup
from tests.support.namespaces import Container
from tests.support.networks_testbed import SUBNET, SUBNET6, check_restored, leftovers, outcome_at, settle
from tests.support.refusals import refused
from tests.support.snapshot import snapshot

Containers = Callable[..., list[Container]]


def ruleset() -> str:
    """What `nft list ruleset` prints."""
    done = subprocess.run(["nft", "list", "ruleset"], check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def strangers(host: nl.RTNetlink) -> nl.RTNetlink:
    """A host with links, routes and rules of others."""
    host.links.add("docker0", kind="bridge", up=True)
    host.addresses.add("172.17.0.1/16", dev="docker0")
    if shutil.which("nft"):
        rules = """
        table ip filter { chain FORWARD { type filter hook forward priority 0; policy accept; accept; }; }
        table inet other { set s { type ipv4_addr; elements = { 10.0.0.1 }; }; }
        """
        subprocess.run(["nft", "-f", "-"], check=True, input=rules, text=True)
    settle()
    return host


@pytest.mark.needs("nft")
def test_links_and_ruleset_are_as_before(strangers: nl.RTNetlink, containers: Containers) -> None:
    before = snapshot()
    rules = ruleset()
    kept = Network.create("kept", subnets="10.7.0.0/16", ip_ranges="10.7.1.0/24", aux_addresses="10.7.0.9")
    with_kept, rules_with_kept = snapshot(), ruleset()
    assert "netlinkpy" in rules_with_kept
    gone = Network.create("gone", subnets=[SUBNET, SUBNET6], isolate=True)
    one, other = containers(2)
    gone.connect(one.pid)
    disconnect("gone", one.pid)
    gone.connect(other.pid)
    disconnect("gone", other.pid)
    gone.remove()
    check_restored([with_kept])
    assert ruleset() == rules_with_kept
    kept.remove()
    check_restored([before])
    assert ruleset() == rules


def test_one_in_use_is_kept(host: nl.RTNetlink, container: Container) -> None:
    network = Network.create("blue", subnets=SUBNET)
    network.connect(container.pid)
    with refused(
        nl.NetlinkError,
        errno.EBUSY,
        "remove network blue",
        "in use by 1 container: process",
        among=(container,),
    ):
        network.remove()
    assert leftovers(host) == []
    disconnect("blue", container.pid)
    network.remove()
    assert Network.list() == []


def test_it_is_free_when_its_containers_are_dead(host: nl.RTNetlink, containers: Containers) -> None:
    network = Network.create("blue", subnets=SUBNET)
    attachments = [network.connect(one.pid) for one in containers(3)]
    with pytest.raises(nl.NetlinkError, match="in use by 3 containers"):
        network.remove()
    nl.detach_many(attachments)
    network.remove()


def test_one_that_is_gone(host: nl.RTNetlink) -> None:
    network = Network.create("blue", subnets=SUBNET)
    network.remove()
    with refused(nl.NetlinkError, errno.ENOENT, "network blue", "no network of that name"):
        network.remove()
    host.links.add("apart", kind="bridge")
    Network.create("blue", subnets=SUBNET)
    with refused(nl.NetlinkError, errno.ENOENT, "network blue", "another has its name"):
        network.remove()


def test_published_ports_go_with_their_container_and_network(
    host: nl.RTNetlink, containers: Containers
) -> None:
    network = Network.create("blue", subnets=SUBNET)
    one, other = containers(2)
    for container, address, port in ((one, "172.30.0.5", 8080), (other, "172.30.0.6", 8081)):
        network.connect(container.pid, ip=address)
        with Nat() as nat:
            nat.publish([Port("tcp", port, address, 80)])
    disconnect("blue", one.pid)
    with Nat() as nat:
        assert [port.port for port in nat.ports()] == [8081]
        other_end = nl.Attachment.find(other.pid)
        nl.detach(other_end)  # as when it dies
        network.remove()
        assert nat.ports() == [] and nat.networks() == []


@pytest.mark.parametrize("completed_by", ["the same call", "prune"])
def test_a_removal_killed_at_any_moment_is_completed(host: nl.RTNetlink, completed_by: str) -> None:
    before = snapshot()
    at = 0
    while True:
        at += 1
        network = Network.create("blue", subnets=[SUBNET, SUBNET6])
        outcome = outcome_at(at, network.remove)
        if outcome == "killed" and completed_by == "prune":
            assert Network.prune() in (["blue"], [])
        elif outcome == "killed":
            with contextlib.suppress(nl.NetlinkError):  # killed when all was done
                network.remove()
        assert Network.list() == [] and leftovers(host) == []
        check_restored([before])
        with Nat() as nat:
            assert nat.networks() == [] and nat.remove() is False
        if outcome != "killed":
            break
    assert outcome == "done" and at > 5


# -- prune -------------------------------------------------------------------------------------------------


def test_prune_removes_what_nobody_uses(host: nl.RTNetlink, container: Container) -> None:
    host.links.add("docker0", kind="bridge")
    for name in ("used", "b", "a"):
        Network.create(name)
    connect("used", container.pid)
    assert Network.prune() == ["a", "b"]
    assert [network.name for network in Network.list()] == ["used"]
    assert host.links.get("docker0").kind == "bridge"
    assert Network.prune() == []


def test_prune_removes_what_the_dead_left(host: nl.RTNetlink, container: Container) -> None:
    before = snapshot(), snapshot(container)

    def create() -> Network:
        return Network.create("blue", subnets=SUBNET)

    at, pruned = 0, set()
    while outcome_at(at := at + 1, create) == "killed":
        pruned |= set(Network.prune())
        check_restored(before, container)
        with Nat() as nat:
            assert nat.remove() is False
    assert pruned == {"blue"} and at > 10
    assert Network.prune() == ["blue"]


def test_prune_leaves_what_is_just_being_made(host: nl.RTNetlink) -> None:
    group = StagingGroup()
    try:
        host.links.add("blue", kind="bridge", group=group.number, altnames=["net:blue"])
        assert Network.prune() == []
        assert host.links.get("blue").group == group.number
    finally:
        group.close()
    assert Network.prune() == ["blue"]


def test_prune_withdraws_what_leads_nowhere(host: nl.RTNetlink, containers: Containers) -> None:
    network = Network.create("blue", subnets=[SUBNET, SUBNET6])
    dead, alive = containers(2)
    old = network.connect(dead.pid, ip="172.30.0.5")
    network.connect(alive.pid, ip="172.30.0.6")
    with Nat() as nat:
        nat.publish([Port("tcp", 8080, "172.30.0.5", 80), Port("tcp", 8080, "fd00:30::ac1e:5", 80)])
        nat.publish([Port("tcp", 8081, "172.30.0.6", 80), Port("tcp", 8081, "fd00:30::ac1e:6", 80)])
        host.links.add("vanished", kind="bridge")
        nat.add_network("vanished", ["10.99.0.0/16"])
        host.links.delete("vanished")
        nl.detach(old)
        assert Network.prune() == []
        assert {(port.port, port.address) for port in nat.ports()} == {
            (8081, "172.30.0.6"),
            (8081, "fd00:30::ac1e:6"),
        }
        assert [one.bridge for one in nat.networks()] == ["blue"]


def test_a_network_that_vanished_by_hand_is_in_nobodys_way(host: nl.RTNetlink) -> None:
    Network.create("blue", subnets=SUBNET, internal=True)
    host.links.delete("blue")
    Network.create("red", subnets=SUBNET)
    with Nat() as nat:
        assert [(one.bridge, one.internal) for one in nat.networks()] == [("red", False)]


# -- meeting -----------------------------------------------------------------------------------------------


def test_who_removes_and_who_connects_at_once_agree(host: nl.RTNetlink, containers: Containers) -> None:
    """Whatever the moment at which the network is removed: either it is gone and nothing of the container's
    is left, or it is kept."""
    (one,) = containers(1)
    removed = connected = 0
    pause = 0.0005  # seconds: it goes to the moment at which either may come first
    for at in range(1, 40):
        network = Network.create("blue", subnets=SUBNET)
        read_end, write_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            _connect_and_say(write_end, one.pid)
        os.close(write_end)
        time.sleep(pause)
        outcome: Any = None
        try:
            network.remove()
        except nl.NetlinkError as error:
            outcome = error.errno
        with open(read_end) as pipe:
            said = pipe.read()
        os.waitpid(pid, 0)
        pause *= 1.4 if outcome is None else 0.75
        if outcome is None:
            removed += 1
            assert said != "connected", at
            assert host.links.list(kind="veth") == []
        else:
            connected += 1
            assert outcome == errno.EBUSY and said == "connected", (at, outcome, said)
            disconnect("blue", one.pid)
            network.remove()
        assert leftovers(host) == []
    assert removed and connected


def _connect_and_say(pipe: int, pid: int) -> None:
    """The child's side: never returns."""
    try:
        connect("blue", pid)
        os.write(pipe, b"connected")
    except BaseException as error:
        os.write(pipe, f"{type(error).__name__}: {error}".encode())
    finally:
        os._exit(0)


def test_an_attach_never_removes_a_network_whose_removal_died(
    host: nl.RTNetlink, containers: Containers
) -> None:
    network = Network.create("blue", subnets=SUBNET, aux_addresses="172.30.0.9")
    other = Network.create("other", subnets="10.7.0.0/16")
    one, two = containers(2)
    network.connect(one.pid)
    group = StagingGroup()
    assert group.borrow([network.index]) == []
    group.close()  # who was removing it is dead
    with refused(nl.AttachError, errno.EEXIST, "172.30.0.9 is taken"):
        nl.attach(nl.Endpoint(two.pid, "blue", addresses="172.30.0.9/16"))
    with refused(nl.AttachError, errno.EEXIST, "the name blue is taken on the host"):
        connect(other, two.pid, host_ifname="blue")
    assert host.links.get("blue").index == network.index
    assert len(host.links.list(master="blue")) == 1


def removal_dies(network: Network) -> None:
    """What remove() leaves if it is killed when it has looked for ports and withdrawn the rules."""
    group = StagingGroup()
    assert group.borrow([network.index]) == []
    withdraw_networks([network.index])
    group.close()


def repaired_by_prune(pid: int) -> None:
    assert Network.prune() == []


def repaired_by_create(pid: int) -> None:
    with pytest.raises(nl.NetlinkError, match="create network blue: network blue exists already"):
        Network.create("blue", subnets="10.7.0.0/16")


def repaired_by_attach(pid: int) -> None:
    nl.attach(nl.Endpoint(pid, "blue", "172.30.0.5/16"))


def repaired_by_who_needs_addresses(pid: int) -> None:
    Network.create("tiny", subnets="10.7.0.0/30", aux_addresses="10.7.0.2")
    with pytest.raises(nl.AttachError, match="network tiny is full"):
        connect("tiny", pid)
    Network.get("tiny").remove()


@pytest.mark.parametrize(
    "repair", [repaired_by_prune, repaired_by_create, repaired_by_attach, repaired_by_who_needs_addresses]
)
def test_a_network_whose_removal_died_is_served_again(
    host: nl.RTNetlink, containers: Containers, repair: Callable[[int], None]
) -> None:
    blue = Network.create("blue", subnets=[SUBNET, SUBNET6], isolate=True, masquerade=False)
    one, two = containers(2)
    with Nat() as nat:
        served = nat.networks()
        removal_dies(blue)
        nl.attach(nl.Endpoint(one.pid, "blue", "172.30.0.4/16"))
        removal_dies(blue)  # now it has a port
        repair(two.pid)
        assert nat.networks() == served
    assert host.links.get("blue").group == 0 and leftovers(host) == []


def test_a_network_that_cannot_be_served_again_stays_a_leftover(
    host: nl.RTNetlink, container: Container
) -> None:
    blue = Network.create("blue", subnets=SUBNET)
    connect("blue", container.pid)
    removal_dies(blue)
    with Nat() as nat:
        host.links.add("other", kind="bridge")
        nat.add_network("other", ["172.30.7.0/24"])
        with pytest.raises(nl.NetlinkError, match=r"serve network blue: .* overlaps") as caught:
            Network.prune()
        assert caught.value.errno == errno.EADDRINUSE
        assert leftovers(host) == ["blue"]
        nat.remove_network("other")
        assert Network.prune() == []
        assert [one.bridge for one in nat.networks()] == ["blue"]
    assert leftovers(host) == []


def test_a_removal_that_fails_and_cannot_be_undone_leaves_a_leftover(
    host: nl.RTNetlink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never a network that is not filtered."""
    blue = Network.create("blue", subnets=SUBNET)

    def fail(*arguments: object) -> None:
        raise OSError(errno.EIO, "no")

    with monkeypatch.context() as patched:
        patched.setattr(StagingGroup, "delete_members", fail)
        patched.setattr("netlinkpy.networks.leftovers.serve", fail)
        with pytest.raises(OSError, match="no") as caught:
            blue.remove()
    assert any("could not be undone" in note for note in caught.value.__notes__)
    assert leftovers(host) == ["blue"]
    assert Network.prune() == ["blue"]


@pytest.mark.needs("nft")
def test_an_old_record_does_not_withdraw_the_rules_of_another(host: nl.RTNetlink) -> None:
    old = Network.create("old", subnets=SUBNET, bridge="nb")
    host.links.set("nb", name="moved")
    Network.create("new", subnets="10.7.0.0/16", bridge="nb")
    before = ruleset()
    assert "nb" in before
    old.remove()
    assert '"nb"' in ruleset()
    assert host.links.find("moved") is None
