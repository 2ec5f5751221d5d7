"""Networks made, and found again from the kernel alone."""

from __future__ import annotations

import errno
import re
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

import netlinkpy as nl
from netlinkpy.networks import Network, Subnet, connect, default, subnets_in_use
from netlinkpy.wiring.link_group import StagingGroup
from tests.support.namespaces import Container
from tests.support.networks_testbed import GATEWAY, GATEWAY6, SUBNET, SUBNET6, leftovers, outcome_at, settle
from tests.support.refusals import refused
from tests.support.snapshot import snapshot


def test_a_network_is_a_bridge_with_its_address(host: nl.RTNetlink) -> None:
    made = Network.create("blue", subnets=SUBNET)
    link = host.links.get("net:blue")
    assert link.name == "blue" and link.kind == "bridge" and link.up and link.group == 0
    assert link.address == "02:42:ac:1e:00:01" and link.attributes["linkinfo"]["data"]["mcast_snooping"] == 0
    assert [address.cidr for address in host.addresses.list(dev="blue")] == [f"{GATEWAY}/16"]
    assert made.replace(notes=()) == Network(
        "blue", "blue", link.index, link.address, 1500, (Subnet(SUBNET, GATEWAY),)
    )


def test_it_is_found_again_from_the_kernel_alone(host: nl.RTNetlink) -> None:
    made = Network.create(
        "blue",
        subnets=[SUBNET, SUBNET6],
        gateways=["172.30.255.254", "fd00:30::ffff"],
        ip_ranges=["172.30.7.0/24", "fd00:30::7:0/112"],
        aux_addresses=["172.30.7.9", "172.30.0.1", "fd00:30::7:9"],
        mtu=1400,
        internal=True,
        isolate=True,
        masquerade=False,
        mcast_snooping=True,
        bridge="br-blue",
    )
    assert made.replace(notes=()) == Network.get("blue")
    assert Network.list() == [Network.get("blue")]
    link = host.links.get("br-blue")
    assert Network.get("blue") == Network(
        name="blue",
        bridge="br-blue",
        index=link.index,
        mac="02:42:ac:1e:ff:fe",
        mtu=1400,
        subnets=(
            Subnet(SUBNET, "172.30.255.254", "172.30.7.0/24", ("172.30.7.9", "172.30.0.1")),
            Subnet(SUBNET6, "fd00:30::ffff", "fd00:30::7:0/112", ("fd00:30::7:9",)),
        ),
        internal=True,
        isolate=True,
        masquerade=False,
        mcast_snooping=True,
    )


def test_an_address_that_others_give_the_bridge_is_no_subnet(host: nl.RTNetlink) -> None:
    Network.create("blue", subnets=SUBNET)
    host.addresses.add("10.1.1.1/24", dev="blue")
    assert [subnet.subnet for subnet in Network.get("blue").subnets] == [SUBNET]


def test_a_bridge_without_the_name_is_no_network(host: nl.RTNetlink) -> None:
    host.links.add("docker0", kind="bridge")
    host.links.add("odd", kind="veth", peer="odder", altnames=["net:odd"])
    assert Network.list() == []
    with refused(nl.NetlinkError, errno.ENOENT, "network docker0", "no network of that name"):
        Network.get("docker0")
    with refused(nl.NetlinkError, errno.ENOENT, "network odd", "no bridge"):
        Network.get("odd")


@pytest.mark.parametrize("name", ["blue", "fifteen-letters", "x"])
def test_the_bridge_has_the_networks_name(host: nl.RTNetlink, name: str) -> None:
    assert Network.create(name).bridge == name


@pytest.mark.parametrize("name", ["sixteen-letters-", "my-production-network", "x" * 63])
def test_a_long_name_is_kept_beside_the_bridges(host: nl.RTNetlink, name: str) -> None:
    made = Network.create(name)
    assert re.fullmatch(r".{6}-[0-9a-f]{8}", made.bridge) and made.bridge.startswith(name[:6])
    assert Network.get(name).bridge == made.bridge


def test_without_subnets_the_first_free_one_is_taken(host: nl.RTNetlink) -> None:
    host.links.add("eth7", kind="bridge", up=True)
    host.addresses.add("172.18.3.4/24", dev="eth7")
    host.routes.add("172.19.128.0/20", dev="eth7")
    made = [Network.create(name) for name in ("a", "b")]
    assert [one.subnets[0].subnet for one in made] == ["172.17.0.0/16", "172.20.0.0/16"]


def test_ipv6_alone_takes_a_random_unique_local_subnet(host: nl.RTNetlink) -> None:
    made = [Network.create(name, ipv6=True) for name in ("a", "b")]
    six = [one.subnets[1].subnet for one in made]
    assert all(re.fullmatch(r"fd[0-9a-f:]+::/64", text) for text in six) and six[0] != six[1]
    assert all(one.subnets[1].gateway == one.subnets[1].subnet.replace("/64", "1") for one in made)


def test_ipv6_beside_a_given_subnet(host: nl.RTNetlink) -> None:
    assert [one.subnet[:2] for one in Network.create("a", subnets=SUBNET, ipv6=True).subnets] == ["17", "fd"]
    assert [one.subnet for one in Network.create("b", subnets=SUBNET6, ipv6=True).subnets] == [SUBNET6]


def test_ipv6_only(host: nl.RTNetlink) -> None:
    made = Network.create("blue", subnets=SUBNET6)
    assert [one.gateway for one in made.subnets] == [GATEWAY6]
    assert int(made.mac[:2], 16) & 3 == 2


def test_the_pools_may_run_out(host: nl.RTNetlink) -> None:
    host.links.add("big", kind="bridge")
    for address in ("172.0.0.1/8", "192.0.0.1/8"):
        host.addresses.add(address, dev="big")
    with refused(nl.NetlinkError, errno.ENOSPC, "create network blue", "no subnet", "172.17.0.0/16"):
        Network.create("blue")


def test_the_default_network_is_made_once(host: nl.RTNetlink) -> None:
    made = default()
    assert made.name == "bridge" and made.subnets == (Subnet("172.17.0.0/16", "172.17.0.1"),)
    assert default().index == made.index


# -- bad input ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "wishes", "words"),
    [
        ("", {}, ["''", "letters, digits"]),
        ("-x", {}, ["beginning with a letter or digit"]),
        ("a:b", {}, ["letters, digits"]),
        ("a/b", {}, ["letters, digits"]),
        ("Ünlaut", {}, ["letters, digits"]),
        ("x" * 64, {}, ["63 at most"]),
        ("host", {}, ["'host'", "mode of its own"]),
        ("blue", {"subnets": "172.30.0.0"}, ["172.30.0.0", "prefix length"]),
        ("blue", {"subnets": "172.30.0.0/33"}, ["172.30.0.0/33"]),
        ("blue", {"subnets": "banana/16"}, ["'banana'", "no IP address"]),
        ("blue", {"subnets": "172.30.0.5/16"}, ["172.30.0.5/16", "write 172.30.0.0/16"]),
        ("blue", {"subnets": "172.30.0.0/31"}, ["172.30.0.0/31", "too small"]),
        ("blue", {"subnets": "224.0.0.0/16"}, ["224.0.0.0/16", "cannot hold containers"]),
        ("blue", {"subnets": "127.1.0.0/16"}, ["127.1.0.0/16", "cannot hold containers"]),
        ("blue", {"subnets": "fe80::/64"}, ["fe80::/64", "cannot hold containers"]),
        ("blue", {"subnets": "0.0.0.0/0"}, ["0.0.0.0/0", "cannot hold containers"]),
        ("blue", {"subnets": [SUBNET, "10.0.0.0/8"]}, ["one IPv4 and one IPv6"]),
        ("blue", {"gateways": "172.30.0.1"}, ["172.30.0.1", "without a subnet"]),
        ("blue", {"subnets": SUBNET, "gateways": "10.0.0.1"}, ["gateway 10.0.0.1", "outside", SUBNET]),
        ("blue", {"subnets": SUBNET, "gateways": "172.30.0.0"}, ["172.30.0.0", "first or last"]),
        ("blue", {"subnets": SUBNET, "gateways": "172.30.255.255"}, ["172.30.255.255", "first or last"]),
        ("blue", {"subnets": SUBNET, "gateways": ["172.30.0.1", "172.30.0.2"]}, ["one gateway at most"]),
        ("blue", {"subnets": SUBNET, "ip_ranges": "10.0.0.0/24"}, ["ip-range 10.0.0.0/24", "outside"]),
        ("blue", {"subnets": SUBNET, "ip_ranges": "172.30.0.0/15"}, ["172.30.0.0/15", "larger"]),
        ("blue", {"subnets": SUBNET, "ip_ranges": "172.30.1.1/24"}, ["172.30.1.1/24", "bits set"]),
        ("blue", {"subnets": SUBNET, "aux_addresses": "10.0.0.9"}, ["reserved address 10.0.0.9", "outside"]),
        ("blue", {"subnets": SUBNET, "aux_addresses": GATEWAY}, [GATEWAY, "is the gateway"]),
        ("blue", {"subnets": SUBNET, "mtu": 67}, ["mtu", "68"]),
        ("blue", {"subnets": SUBNET6, "mtu": 1279}, ["mtu", "1280"]),
        ("blue", {"ipv6": True, "mtu": 1279}, ["mtu", "1280"]),
        ("blue", {"subnets": SUBNET, "bridge": "sixteen-letters-"}, ["sixteen-letters-", "too long"]),
    ],
)
def test_values_that_cannot_be(
    host: nl.RTNetlink, name: str, wishes: dict[str, Any], words: list[str]
) -> None:
    with refused(ValueError, 0, *words):
        Network.create(name, **wishes)


@pytest.fixture
def street(host: nl.RTNetlink) -> nl.RTNetlink:
    """A host with a network, an interface and some routes."""
    Network.create("blue", subnets=[SUBNET, SUBNET6], bridge="br-blue")
    host.links.add("eth7", kind="bridge", up=True)
    host.addresses.add("192.0.2.7/24", dev="eth7")
    host.routes.add("10.0.0.0/8", gateway="192.0.2.1")
    host.routes.add("default", gateway="192.0.2.1")
    host.routes.add("198.51.100.0/24", type="blackhole")
    host.links.add("down", kind="bridge")
    host.addresses.add("203.0.113.1/24", dev="down")
    settle()
    return host


@pytest.mark.parametrize(
    ("subnet", "words"),
    [
        (SUBNET, ["overlaps 172.30.0.1/16 of network blue"]),
        ("172.30.128.0/24", ["overlaps 172.30.0.1/16 of network blue"]),
        ("172.16.0.0/12", ["overlaps 172.30.0.1/16 of network blue"]),
        ("fd00:30::/48", ["overlaps fd00:30::1/64 of network blue"]),
        ("192.0.2.128/25", ["overlaps 192.0.2.7/24 of interface eth7"]),
        ("203.0.113.0/24", ["overlaps 203.0.113.1/24 of interface down"]),
    ],
)
def test_a_subnet_that_overlaps(street: nl.RTNetlink, subnet: str, words: list[str]) -> None:
    with refused(nl.NetlinkError, errno.EADDRINUSE, "create network red", f"subnet {subnet}", *words):
        Network.create("red", subnets=subnet)


@pytest.mark.parametrize("subnet", [None, "10.9.0.0/16", "198.51.100.128/25", "172.17.0.0/16"])
@pytest.mark.parametrize(
    "routes",
    [
        [("0.0.0.0/1", {"dev": "eth7"}), ("128.0.0.0/1", {"dev": "eth7"})],  # a VPN's
        [("0.0.0.0/1", {"gateway": "192.0.2.9"}), ("128.0.0.0/1", {"gateway": "192.0.2.9"})],
        [("10.0.0.0/8", {"gateway": "192.0.2.9", "metric": 9}), ("172.16.0.0/12", {"gateway": "192.0.2.9"})],
        [("172.16.0.0/12", {"type": "blackhole"}), ("192.168.0.0/16", {"type": "unreachable"})],
    ],
    ids=["on-link halves", "halves", "aggregates", "blackholes"],
)
def test_what_routes_say_is_in_nobodys_way(
    street: nl.RTNetlink, routes: list[tuple[str, Any]], subnet: str | None
) -> None:
    for destination, how in routes:
        street.routes.add(destination, **how)
    made = Network.create("red", subnets=() if subnet is None else subnet)
    assert made.subnets[0].subnet == (subnet or "172.17.0.0/16")


def test_nets_on_link_and_name_servers_are_avoided_unless_they_are_asked_for(
    street: nl.RTNetlink, monkeypatch: pytest.MonkeyPatch
) -> None:
    street.routes.add("172.18.0.0/16", dev="eth7")
    monkeypatch.setattr(subnets_in_use, "_name_servers", lambda: [bytes((172, 17, 0, 53))])
    assert Network.create("red").subnets[0].subnet == "172.19.0.0/16"
    assert Network.create("wanted", subnets="172.17.0.0/16").subnets[0].subnet == "172.17.0.0/16"
    assert Network.create("too", subnets="172.18.0.0/16").subnets[0].subnet == "172.18.0.0/16"


def test_the_name_servers_of_resolv_conf(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "search x\nnameserver 172.17.0.53\n nameserver fe80::1%eth0 \nnameserver nonsense\nnameserver\n"
    (tmp_path / "resolv.conf").write_text(text)
    real = open
    monkeypatch.setattr(
        "builtins.open",
        lambda path, *words, **named: real(
            tmp_path / "resolv.conf" if path == "/etc/resolv.conf" else path, *words, **named
        ),
    )
    found = subnets_in_use._name_servers()
    assert found == [bytes((172, 17, 0, 53)), b"\xfe\x80" + bytes(13) + b"\1"]


def test_a_subnet_of_a_network_whose_bridge_lost_its_address(street: nl.RTNetlink) -> None:
    street.addresses.delete("172.30.0.1/16", dev="br-blue")
    with refused(nl.NetlinkError, errno.EADDRINUSE, "overlaps 172.30.0.0/16 of network blue"):
        Network.create("red", subnets="172.30.7.0/24")


@pytest.mark.parametrize("mtu", [68, 1000, 1279])
def test_an_mtu_that_ipv6_cannot_have(host: nl.RTNetlink, container: Container, mtu: int) -> None:
    made = Network.create("blue", subnets="10.9.0.0/24", mtu=mtu)
    assert made.mtu == mtu and made.differences() == []
    connect("blue", container.pid)
    host.links.set("blue", up=False)
    made.reload()
    assert made.differences() == []


@pytest.mark.parametrize(
    ("name", "bridge", "words"),
    [
        ("blue", None, ["network blue exists already"]),
        ("blue", "br-other", ["network blue exists already"]),
        ("eth7", None, ["interface name eth7", "link", "bridge"]),
        ("red", "lo", ["interface name lo", "link 1"]),
        ("red", "br-blue", ["interface name br-blue", "network blue"]),
    ],
)
def test_a_name_that_is_taken(street: nl.RTNetlink, name: str, bridge: str | None, words: list[str]) -> None:
    with refused(nl.NetlinkError, errno.EEXIST, f"create network {name}", *words):
        Network.create(name, bridge=bridge)


def test_an_identical_network_exists_already_too(host: nl.RTNetlink) -> None:
    Network.create("blue", subnets=SUBNET)
    with refused(nl.NetlinkError, errno.EEXIST, "network blue exists already"):
        Network.create("blue", subnets=SUBNET)


# -- atomic ------------------------------------------------------------------------------------------------


def test_a_step_that_fails_leaves_nothing(host: nl.RTNetlink, monkeypatch: pytest.MonkeyPatch) -> None:
    from netlinkpy.networks.creating import _NetworkMaker

    steps = [name for name in vars(_NetworkMaker) if name.startswith("_") and not name.startswith("__")]
    assert len(steps) == 5
    for step in steps:
        original = getattr(_NetworkMaker, step)

        def failing(*arguments: object, original: Any = original, step: str = step) -> object:
            original(*arguments)
            raise OSError(errno.EIO, f"a step failed after it was done: {step}")

        with monkeypatch.context() as patch:
            patch.setattr(_NetworkMaker, step, failing)
            with refused(OSError, errno.EIO, step):
                Network.create("blue", subnets=[SUBNET, SUBNET6], mtu=1400)


def test_killed_at_any_moment_it_is_repaired_by_the_same_call(host: nl.RTNetlink) -> None:
    def work() -> Network:
        return Network.create("my-long-network-name", subnets=[SUBNET, SUBNET6], mtu=1400)

    before = snapshot()
    at = 0
    while True:
        at += 1
        outcome = outcome_at(at, work)
        if outcome == "killed":
            try:
                work()
            except nl.NetlinkError as error:  # killed when all was done
                assert error.errno == errno.EEXIST and not leftovers(host)
        assert leftovers(host) == []
        network = Network.get("my-long-network-name")
        assert len(network.subnets) == 2 and network.mtu == 1400
        network.remove()
        assert snapshot() == before
        if outcome != "killed":
            break
    assert outcome == "done" and at > 10


def test_one_that_is_just_being_made_is_left_alone(host: nl.RTNetlink) -> None:
    group = StagingGroup()
    try:
        host.links.add("blue", kind="bridge", group=group.number, altnames=["net:blue"])
        with refused(nl.NetlinkError, errno.EBUSY, "create network blue", "another process"):
            Network.create("blue", subnets=SUBNET)
        with refused(nl.NetlinkError, errno.ENOENT, "find network blue", "it is being made"):
            Network.get("blue")
        assert Network.list() == []
    finally:
        group.close()
    assert Network.create("blue", subnets=SUBNET).name == "blue"


def at_once(works: Sequence[Callable[[], Network]]) -> list[Network | Exception]:
    """What becomes of each piece of work, all begun at the same time on threads."""
    results: list[Network | Exception] = [Exception("it did not end")] * len(works)
    gate = threading.Barrier(len(works))

    def run(place: int) -> None:
        gate.wait()
        try:
            results[place] = works[place]()
        except Exception as error:
            results[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_of_many_at_once_with_one_name_one_is_made(host: nl.RTNetlink) -> None:
    for _ in range(5):
        results = at_once([lambda: Network.create("blue", subnets=SUBNET)] * 6)
        made = [one for one in results if isinstance(one, Network)]
        errors = [one for one in results if isinstance(one, OSError)]
        assert len(made) == 1 and len(errors) == 5, results
        assert {error.errno for error in errors} <= {errno.EEXIST, errno.EBUSY, errno.EADDRINUSE}
        assert leftovers(host) == []
        Network.get("blue").remove()


def test_of_many_at_once_with_one_subnet_one_is_made(host: nl.RTNetlink) -> None:
    for _ in range(5):
        works = [partial(Network.create, name, subnets=SUBNET) for name in "abcdef"]
        results = at_once(works)
        made = [one for one in results if isinstance(one, Network)]
        assert len(made) == 1, results
        assert {one.errno for one in results if isinstance(one, OSError)} == {errno.EADDRINUSE}
        made[0].remove()


def test_many_at_once_with_automatic_subnets_are_all_made(host: nl.RTNetlink) -> None:
    results = at_once([partial(Network.create, name) for name in "abcdef"])
    assert all(isinstance(one, Network) for one in results), results
    nets = {one.subnets[0].subnet for one in results if isinstance(one, Network)}
    assert nets == {f"172.{number}.0.0/16" for number in range(17, 23)}


@pytest.mark.parametrize("at", ["before", "behind"])
def test_a_signal_beside_forward_all_leaves_the_host_as_it_was(
    host: nl.RTNetlink, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """Also where what was changed has just been returned."""
    from netlinkpy.nat import Nat

    path = "/proc/sys/net/ipv4/ip_forward"
    with open(path, "w") as file:
        file.write("0")
    original = Nat.forward_all

    def interrupted(self: Nat, changes: Any = None) -> Any:
        if at == "behind":
            original(self, changes)
        raise KeyboardInterrupt

    monkeypatch.setattr(Nat, "forward_all", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Network.create("blue", subnets=SUBNET, forward_all=True)
    with open(path) as file:
        assert file.read() == "0\n"
    assert leftovers(host) == []
