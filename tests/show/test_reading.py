"""What is read of a host that netlinkpy has wired, and the commands that draw it."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import netlinkpy
from netlinkpy import Endpoint, NetlinkError, Peer, RTNetlink, run
from netlinkpy.cli import show as command
from netlinkpy.cli.command_error import CommandError
from netlinkpy.engines.engine import Engine
from netlinkpy.nat import Nat, Port
from netlinkpy.netns import discovery
from netlinkpy.networks import Network
from netlinkpy.show import collect as reading
from netlinkpy.show import container_interfaces as looking
from netlinkpy.show import container_names, tree
from netlinkpy.show.collect import read
from netlinkpy.show.model import End, Host, HostContainer
from netlinkpy.show.model import HostNetwork as Seen
from netlinkpy.uapi.netlink import NLM_F_CREATE, NLM_F_EXCL
from netlinkpy.uapi.rtnetlink import RTM_NEWLINK
from netlinkpy.wire.rtnetlink.link import LINK
from tests.support.fake_engine import listening, plain, saying
from tests.support.namespaces import BareNamespace, inside
from tests.support.namespaces import Container as Started
from tests.support.nat_testbed import claim


def inode(one: Started | BareNamespace | str) -> int:
    return os.stat(one if isinstance(one, str) else one.path).st_ino


@pytest.fixture
def bridge() -> None:
    with RTNetlink() as rt:
        rt.links.add("br0", kind="bridge", up=True)
        rt.addresses.add("10.1.0.1/24", dev="br0")
        rt.addresses.add("fd01::1/64", dev="br0", nodad=True)


def network(name: str = "br0") -> Seen:
    (found,) = [one for one in read().networks if one.interface.name == name]
    return found


def ends() -> dict[int, End]:
    """What hangs on br0, by namespace."""
    return {end.container.namespace: end for port in network().ports for end in port.ends}


# -- wires -------------------------------------------------------------------------------------------------


def test_an_attachment(bridge: None, container: Started) -> None:
    made = netlinkpy.attach(
        Endpoint(container.pid, "br0", ["10.1.0.2/24", "fd01::2/64"], host_ifname="veth1", mtu=1400)
    )
    found = network()
    assert found.name == "br0" and found.traits == ()
    assert found.interface.kind == "bridge" and found.interface.addresses == ("10.1.0.1/24", "fd01::1/64")
    (port,) = found.ports
    assert port.interface.name == "veth1" and port.state == "forwarding" and not port.hidden
    assert set(port.claims) == {"10.1.0.2", "fd01::2"}
    (end,) = port.ends
    assert (end.interface.name, end.interface.index) == ("eth0", made.index)
    assert end.interface.mac == made.mac and end.interface.mtu == 1400 and end.interface.up
    assert end.interface.addresses == ("10.1.0.2/24", "fd01::2/64")
    assert set(end.interface.gateways) == {"10.1.0.1", "fd01::1"}
    assert end.container.namespace == inode(container) and end.container.pid == container.pid
    assert end.container.by == "process" and end.container.command.startswith("python")


def test_the_tree_of_real_wiring(bridge: None) -> None:
    netlinkpy.netns.create_many(["blue", "red"])
    with RTNetlink() as rt:
        rt.links.add("br1", kind="bridge")
        rt.links.add("up0", kind="veth", peer="up1")
    netlinkpy.attach_many(
        [
            Endpoint("blue", "br0", "10.1.0.10/24", host_ifname="veth1"),
            Endpoint("red", "br0", ["10.1.0.9/24", "fd01::9/64"], host_ifname="veth2", ifname="net0"),
            Endpoint("red", "br0", host_ifname="veth3", ifname="net1", mac="random"),
        ]
    )
    names = "named namespace, no process"
    assert tree.draw(read().replace(name="alpha", unwired=())).splitlines() == [
        "alpha",
        "├── bridge br0       10.1.0.1/24  fd01::1/64",
        f"│   ├── veth2  ─── net0 in red   10.1.0.9/24  fd01::9/64  via 10.1.0.1  via fd01::1  {names}",
        f"│   ├── veth1  ─── eth0 in blue  {'10.1.0.10/24  via 10.1.0.1':44}  {names}",
        f"│   └── veth3  ─── net1 in red   {'no address':44}  {names}",
        "├── bridge br1       down",
        "│   └── no ports",
        "├── veth up1 on up0  down",
        "└── veth up0 on up1  down",
    ]


def test_a_wire_without_a_bridge_and_the_hosts_own_way_out(container: Started) -> None:
    with RTNetlink() as rt:
        rt.links.add("veth1", kind="veth", peer=Peer("eth0", netns=container.pid), up=True)
        rt.addresses.add("10.2.0.1/30", dev="veth1")
        rt.links.add("up0", kind="veth", peer="up1", up=True)
        rt.addresses.add("192.168.1.5/24", dev="up0")
        rt.routes.add("default", gateway="192.168.1.1")
    links = {port.interface.name: port for port in read().links}
    assert links["veth1"].interface.addresses == ("10.2.0.1/30",)
    assert links["veth1"].ends[0].container.namespace == inode(container)
    assert not links["veth1"].ends[0].interface.up
    assert links["up0"].peer == "up1" and links["up0"].interface.gateways == ("192.168.1.1",)
    assert "lo" not in links


def test_several_ways_of_one_default_route() -> None:
    with RTNetlink() as rt:
        for name, net in (("up0", "10.3.0"), ("up2", "10.4.0")):
            rt.links.add(name, kind="veth", peer=f"{name}x", up=True)
            rt.addresses.add(f"{net}.2/24", dev=name)
        hops = [netlinkpy.Nexthop("10.3.0.1"), netlinkpy.Nexthop("10.4.0.1")]
        rt.routes.add("default", nexthops=hops)
    links = {port.interface.name: port.interface.gateways for port in read().links}
    assert links["up0"] == ("10.3.0.1",) and links["up2"] == ("10.4.0.1",)


def test_a_macvlan_stands_on_its_parent(container: Started) -> None:
    with RTNetlink() as rt:
        rt.links.add("up0", kind="veth", peer="up1", up=True)
        values = {"ifname": "mac0", "link": rt.index("up0"), "linkinfo": {"kind": "macvlan"}}
        try:
            rt.socket.request(LINK, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, values)
        except NetlinkError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
            pytest.skip(f"no macvlan here: {error}")
        rt.links.set("mac0", netns=container.pid)
    (port,) = [port for port in read().links if port.interface.name == "up0"]
    (end,) = port.ends
    assert end.container.namespace == inode(container) and end.interface.kind == "macvlan"


def test_what_is_out_of_sight(bridge: None, bare_namespaces: Callable[[int], list[BareNamespace]]) -> None:
    (bare,) = bare_namespaces(1)  # held by a descriptor alone: no process is in it, and it has no name
    netlinkpy.attach(Endpoint(bare.path, "br0", "10.1.0.2/24"))
    (port,) = network().ports
    assert port.hidden and port.ends == () and port.claims == ("10.1.0.2",)


def test_a_port_that_passes_nothing(bridge: None, container: Started) -> None:
    with RTNetlink() as rt:
        rt.links.set("br0", stp_state=1)
    netlinkpy.attach(Endpoint(container.pid, "br0", "10.1.0.2/24"))
    (port,) = network().ports
    assert port.state in ("listening", "learning")
    assert f"port {port.state}" in tree.draw(read())


def test_two_containers_in_one_namespace_are_one(bridge: None, container: Started) -> None:
    def shared() -> int:
        return sum(one.namespace == inode(container) for one in read().unwired)

    netlinkpy.netns.bind("blue", container.pid)
    netlinkpy.netns.bind("red", container.pid)
    assert shared() == 1
    netlinkpy.attach(Endpoint(container.pid, "br0", "10.1.0.2/24"))
    netlinkpy.attach(Endpoint(container.pid, "br0", "10.1.0.3/24", ifname="eth1", gateways=()))
    assert shared() == 0
    assert [port.ends[0].interface.name for port in network().ports] == ["eth0", "eth1"]
    found = ends()[inode(container)].container
    assert (found.title, found.by, found.names) == ("blue", "netns", ("blue", "red"))
    assert found.pid == container.pid


# -- names -------------------------------------------------------------------------------------------------


def test_a_container_of_netlinkpy_run(bridge: None, loopback: None) -> None:
    with run.start("sleep", "1000", net="bridge", bridge="br0", ip="10.1.0.2/24", name="db") as started:
        found = ends()[inode(f"/proc/{started.pid}/ns/net")].container
        assert (found.title, found.by, found.command) == ("db", "run", "sleep 1000")


@pytest.mark.parametrize("groups, engine", [
    ("0::/docker/{id}\n", "docker"),
    ("9:cpu:/system.slice/docker-{id}.scope\n0::/elsewhere\n", "docker"),
    ("3:pids:/a\n0::/libpod_parent/libpod-{id}/container\n", "podman"),
    ("0::/user.slice/user-1.slice/user@1.service/user.slice/libpod-{id}.scope\n", "podman"),
])  # fmt: skip
def test_a_container_of_an_engine(
    bridge: None,
    container: Started,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    groups: str,
    engine: str,
) -> None:
    identity = "0123456789abcdef" * 4
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/sock")
    monkeypatch.setenv("CONTAINER_HOST", f"unix://{tmp_path}/sock")
    told = {container.pid: groups.format(id=identity)}
    monkeypatch.setattr(container_names, "control_groups_of", lambda pid: told.get(pid, "0::/\n"))
    netlinkpy.attach(Endpoint(container.pid, "br0", "10.1.0.2/24"))
    with listening(tmp_path / "sock", saying(plain(200, [{"Id": identity, "Names": ["/web"]}]))):
        found = ends()[inode(container)].container
    assert (found.title, found.by) == ("web", engine)
    found = ends()[inode(container)].container  # the engine does not answer
    assert (found.title, found.by) == ("0123456789ab", engine)


def test_an_engine_that_hangs_does_not_hold_us_up(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def hang(self: object, target: str, timeout: float) -> tuple[int, object]:
        asked.append(timeout)
        raise TimeoutError

    monkeypatch.setattr(Engine, "ask", hang)
    assert container_names._engine_names(["docker"]) == {} and asked == [2.0]


def test_networks_of_netlinkpy(container: Started) -> None:
    made = Network.create("back", subnets="10.5.0.0/24", internal=True, bridge="br5")
    made.connect(container.pid, ip="10.5.0.7")
    found = network("br5")
    assert found.name == "back" and found.traits == ("network", "internal")
    assert found.ports[0].ends[0].interface.addresses == ("10.5.0.7/24",)
    assert "network back (bridge br5)" in tree.draw(read())


def test_published_ports(bridge: None, containers: Callable[[int], list[Started]]) -> None:
    one, other = containers(2)
    netlinkpy.attach(Endpoint(one.pid, "br0", ["10.1.0.2/24", "fd01::2/64"]))
    netlinkpy.attach(Endpoint(other.pid, "br0", "10.1.0.3/24"))
    web, dns = Port("tcp", 8080, "10.1.0.2", 80), Port("udp", 53, "fd01::2", 53)
    lost = Port("tcp", 9, "10.1.0.77", 9)
    with Nat() as nat:
        nat.add_network("br0", ["10.1.0.0/24", "fd01::/64"])
        claim("br0", "10.1.0.77")
        nat.publish([web, dns, lost])
    assert set(ends()[inode(one)].published) == {web, dns}
    assert ends()[inode(other)].published == ()
    assert read().astray == (lost,)


# -- what goes, and what we may not see --------------------------------------------------------------------


def test_containers_that_go_meanwhile(
    bridge: None, containers: Callable[[int], list[Started]], monkeypatch: pytest.MonkeyPatch
) -> None:
    stays, *goes = containers(4)
    netlinkpy.attach_many(
        [Endpoint(one.pid, "br0", f"10.1.0.{place}/24") for place, one in enumerate([stays, *goes], 2)]
    )
    gone = {inode(one) for one in goes}
    find, wired = discovery.discover, looking.wired

    def find_and_lose() -> dict[int, discovery.Namespace]:
        found = find()
        assert gone <= found.keys()
        goes.pop().kill()
        return found

    def lose_and_look(*words: object) -> object:
        if goes:
            goes.pop().kill()
        return wired(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(discovery, "discover", find_and_lose)
    monkeypatch.setattr(reading, "wired", lose_and_look)
    found = ends()
    assert not goes and inode(stays) in found
    tree.draw(read_again(monkeypatch, find))


def read_again(monkeypatch: pytest.MonkeyPatch, find: object) -> Host:
    monkeypatch.setattr(discovery, "discover", find)
    return read()


def test_a_number_that_another_process_has_by_now(containers: Callable[[int], list[Started]]) -> None:
    one, other = containers(2)
    found = discovery.discover()[inode(one)].replace(pid=other.pid)
    with pytest.raises(ProcessLookupError):
        found.open()


@pytest.mark.needs("root")
def test_an_ordinary_user_sees_the_hosts_side(bridge: None, container: Started) -> None:
    netlinkpy.attach(Endpoint(container.pid, "br0", "10.1.0.2/24"))

    def as_nobody() -> Host:
        os.setgid(65534)
        os.setuid(65534)
        return read()

    (port,) = inside(None, as_nobody).networks[0].ports
    assert port.hidden and port.claims == ("10.1.0.2",) and port.ends == ()


def test_names_that_are_no_namespaces(container: Started) -> None:
    os.makedirs("/run/netns")
    Path("/run/netns/file").touch()
    os.symlink("/nowhere", "/run/netns/dangling")
    os.symlink(f"/proc/{container.pid}/ns/mnt", "/run/netns/other")
    os.symlink(container.path, "/run/netns/good")
    found = discovery.discover()
    assert found[inode(container)].names == ("good",)
    assert all(not set(one.names) & {"file", "dangling"} for one in found.values())
    assert HostContainer("good", "netns", inode(container), ("good",), container.pid, "").title in {
        one.title for one in read().unwired
    }


# -- the command -------------------------------------------------------------------------------------------


@pytest.fixture
def wired(bridge: None, container: Started) -> Iterator[Started]:
    netlinkpy.attach(Endpoint(container.pid, "br0", "10.1.0.2/24", host_ifname="veth1"))
    yield container


def test_the_command_draws(wired: Started, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert command.main([]) == 0
    assert "veth1  --- eth0 in" in capfd.readouterr().out.replace("─", "-")
    assert command.main(["--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["networks"][0]["ports"][0]["ends"][0]["container"]["pid"] == wired.pid
    assert command.main(["--dot"]) == 0
    assert capfd.readouterr().out.startswith("graph ")
    assert command.main(["--svg", "-"]) == 0
    picture = capfd.readouterr().out
    assert command.main(["--svg", str(tmp_path / "host.svg")]) == 0
    assert capfd.readouterr().out == ""
    for text in (picture, (tmp_path / "host.svg").read_text()):
        assert text.startswith("<svg ") and "eth0 10.1.0.2/24" in text
    assert command.main(["--help"]) == 0


def test_the_command_refuses(tmp_path: Path) -> None:
    for words in (["--dot", "--json"], ["--svg", "x", "--dot"], ["extra"], ["--png"], ["--svg"]):
        with pytest.raises(CommandError) as caught:
            command.main(words)
        assert caught.value.code == 2 and "\n" not in caught.value.text
    with pytest.raises(OSError):
        command.main(["--svg", str(tmp_path / "no" / "such.svg")])


@pytest.mark.parametrize(
    "locale, branch", [("C.UTF-8", "── bridge br0"), ("C", "-- bridge br0")], ids=["UTF-8", "C"]
)
def test_the_terminals_letters(wired: Started, locale: str, branch: str) -> None:
    environment = {**os.environ, "LC_ALL": locale, "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    environment.pop("PYTHONIOENCODING", None)
    words = [sys.executable, "-c", "import sys; from netlinkpy.cli import main; sys.exit(main())", "show"]
    done = subprocess.run(words, env=environment, capture_output=True, timeout=30)
    assert done.returncode == 0 and branch in done.stdout.decode(), done.stderr
