"""The four modes: what a command sees of the network and of other processes, and what it may do. The expected
values are those of a container of dockerd 20.10 with the same --net."""

from __future__ import annotations

import os
import sys

import pytest

import netlinkpy as nl
from netlinkpy.run import Running
from tests.support.namespaces import Container, ping
from tests.support.run_testbed import (
    BRIDGE,
    DEFAULT_CAPABILITIES,
    GATEWAY,
    PROBING,
    detached,
    netlinkpy,
    on_bridge,
    probe,
    run,
    veths,
)

LO = ["127.0.0.1/8", "::1/128"]
OTHER = on_bridge("172.17.42.98/16")

# Tries to reconfigure: exits with 0 only where every way is refused.
REFUSED = f"""
import os, sys
sys.path.insert(0, {os.getcwd()!r})
import netlinkpy as nl
def refused(work):
    try:
        work()
    except OSError as error:
        return error.errno in (1, 13, 30)  # EPERM, EACCES, EROFS
    return False
def write(path):
    with open(path, "w") as file:
        file.write("1")
def writable_mounts(top):
    for line in open("/proc/self/mountinfo"):
        path = line.split()[4]
        if path.startswith(top) and not os.statvfs(path).f_flag & os.ST_RDONLY:
            return
    raise PermissionError(1, "all are read-only")
rt = nl.RTNetlink()
ways = {{
    "a link": lambda: rt.links.add("br9", kind="bridge"),
    "an address": lambda: rt.addresses.add("10.1.1.1/24", dev="lo"),
    "a route": lambda: rt.routes.add("10.2.0.0/16", dev="lo"),
    "lo down": lambda: rt.links.set("lo", up=False),
    "a sysctl": lambda: write("/proc/sys/net/ipv4/ip_forward"),
    "sysfs": lambda: write("/sys/class/net/lo/mtu"),
    "what is mounted in sysfs": lambda: writable_mounts("/sys"),
    "another namespace": lambda: nl.netns.create("blue"),
    "remount": lambda: nl.backends.load().mount("none", "/proc/sys", None, 0x1020),
}}
open_ways = [name for name, work in ways.items() if not refused(work)]
print(*open_ways)
"""


def with_another() -> tuple[str, ...]:
    """The options for the network of another container, which then runs."""
    detached(*OTHER, name="other")
    return ("--net=container:other",)


@pytest.fixture(
    params=[lambda: ("--net=none",), lambda: ("--net=host",), on_bridge, with_another],
    ids=["none", "host", "bridge", "container"],
)
def options(host: None, request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The options of each mode."""
    made: tuple[str, ...] = request.param()
    return made


def test_none() -> None:
    """A network of its own with nothing but lo, which is up."""
    seen = probe("--net=none")
    assert seen["links"] == {"lo": True} and seen["addresses"] == LO and seen["routes"] == []
    assert seen["sysfs"] == ["lo"]
    assert seen["namespaces"]["net"] != os.stat("/proc/self/ns/net").st_ino
    assert veths() == []


def test_bridge() -> None:
    """eth0 on the bridge with its address and the default route by the bridge's, and lo, all up."""
    seen = probe(*on_bridge())
    assert seen["links"] == {"lo": True, "eth0": True}
    assert seen["addresses"] == [*LO[:1], "172.17.42.99/16", *LO[1:]]
    assert seen["routes"] == [["default", GATEWAY]]
    assert seen["sysfs"] == ["eth0", "lo"]
    assert veths() == []  # on return


def test_bridge_in_every_detail() -> None:
    options = ("--ip6", "fd17::2/64", "--mac-address", "12:34:56:78:9a:bc", "--default-gateway", "172.17.0.9")
    one = detached(*on_bridge(), *options)
    assert sorted(one.addresses) == ["172.17.42.99/16", "fd17::2/64"]
    finished = netlinkpy("exec", "one", "--", *PROBING)
    assert '["default", "172.17.0.9"]' in finished.stdout
    with open(f"/proc/{one.pid}/root/sys/class/net/eth0/address") as file:
        assert file.read() == "12:34:56:78:9a:bc\n"


def test_host() -> None:
    """The caller's network itself; and a warning, since it is no isolation."""
    finished = run("--net=host", "--", *PROBING)
    assert "is no isolation" in finished.stderr and "D-Bus" in finished.stderr
    assert "reconfigure" not in finished.stderr
    seen = probe("--net=host")
    assert seen["namespaces"]["net"] == os.stat("/proc/self/ns/net").st_ino
    assert BRIDGE in seen["links"] and f"{GATEWAY}/16" in seen["addresses"]
    assert "reconfigure" in run("--net=host", "--privileged", "--", "true").stderr


def test_container() -> None:
    """The network of another one, and nothing else of it: what listens on its lo can be reached."""
    other = detached(*OTHER, name="other")
    seen = probe("--net=container:other")
    assert seen["namespaces"]["net"] == os.stat(f"/proc/{other.pid}/ns/net").st_ino
    assert seen["namespaces"]["pid"] != os.stat(f"/proc/{other.pid}/ns/pid").st_ino
    assert seen["namespaces"]["mnt"] != os.stat(f"/proc/{other.pid}/ns/mnt").st_ino
    assert "172.17.42.98/16" in seen["addresses"] and seen["sysfs"] == ["eth0", "lo"]
    assert seen["hostname"] == "other"  # as Docker does it
    assert len(veths()) == 1


@pytest.mark.parametrize("form", ["{pid}", "pid:{pid}", "/proc/{pid}/ns/net", "blue", "netns:blue"])
def test_container_by_other_names(form: str, container: Container) -> None:
    """A process, a path, a named namespace."""
    nl.netns.bind("blue", container.pid)
    try:
        seen = probe(f"--net=container:{form.format(pid=container.pid)}")
    finally:
        nl.netns.delete("blue")
    assert seen["namespaces"]["net"] == os.stat(container.path).st_ino
    assert seen["links"] == {"lo": False}  # it is the other's: nothing is changed in it


def test_processes_of_its_own(options: tuple[str, ...]) -> None:
    """It sees none but its own; a session, and every other namespace too, is its own."""
    seen = probe(*options)
    assert seen["pids"] == [1, seen["pid"]] and seen["parent"] == 1
    assert seen["session"] == seen["pid"]
    for kind in ("pid", "mnt", "uts", "ipc"):
        assert seen["namespaces"][kind] != os.stat(f"/proc/self/ns/{kind}").st_ino
    assert seen["descriptors"] == ["0", "1", "2", "3"]  # 3: the one that lists them


def test_capabilities(options: tuple[str, ...]) -> None:
    """Docker's default set, in the bounding set too: neither CAP_NET_ADMIN nor CAP_SYS_ADMIN."""
    with open("/proc/self/status") as status:
        own = next(int(line.split()[1], 16) for line in status if line.startswith("CapPrm"))
    wanted = own & DEFAULT_CAPABILITIES
    assert not wanted & (1 << 12 | 1 << 21)
    seen = probe(*options)["capabilities"]
    assert seen["Prm"] == seen["Eff"] == wanted
    assert seen["Inh"] == seen["Amb"] == 0
    assert seen["Bnd"] & ~DEFAULT_CAPABILITIES == 0


def test_privileged(options: tuple[str, ...]) -> None:
    """--privileged keeps all that there were."""
    with open("/proc/self/status") as status:
        own = next(int(line.split()[1], 16) for line in status if line.startswith("CapPrm"))
    seen = probe(*options, "--privileged")["capabilities"]
    assert seen["Prm"] == seen["Eff"] == own


def test_the_network_cannot_be_reconfigured(options: tuple[str, ...]) -> None:
    """By no way: links, addresses, routes, /proc/sys, /sys, other namespaces."""
    finished = run(*options, "--", sys.executable, "-c", REFUSED)
    assert (finished.returncode, finished.stdout.strip()) == (0, ""), finished.stderr


def test_the_network_can_be_reconfigured_when_privileged() -> None:
    finished = run("--net=none", "--privileged", "--", sys.executable, "-c", REFUSED)
    assert finished.returncode == 0
    ways = "a link an address a route lo down a sysctl sysfs what is mounted in sysfs another namespace"
    assert finished.stdout.strip().startswith(ways), finished.stderr


def test_packets_pass_at_the_first_instruction() -> None:
    """Wired before COMMAND begins: its first packet is answered."""
    code = f"""
import sys
sys.path.insert(0, {os.getcwd()!r})
from tests.support.namespaces import ping
sys.exit(ping(None, {GATEWAY!r}, 100) is None)
"""
    for number in range(10):
        finished = run(*on_bridge(f"172.17.42.{10 + number}/16"), "--", sys.executable, "-c", code)
        assert finished.returncode == 0, finished.stderr


def reach(one: Running, address: str) -> bool:
    return ping(f"/proc/{one.pid}/ns/net", address, 1000) is not None


def test_who_reaches_whom() -> None:
    """Two on a bridge reach each other and the host, one without a network nobody."""
    one = detached(*on_bridge("172.17.42.2/16"), name="one")
    two = detached(*on_bridge("172.17.42.3/16"), name="two")
    alone = detached("--net=none", name="alone")
    assert reach(one, "172.17.42.3") and reach(two, "172.17.42.2")
    assert reach(one, GATEWAY) and ping(None, "172.17.42.2", 1000) is not None
    assert reach(alone, "127.0.0.1") and not reach(alone, GATEWAY)


def test_wired_by_hand_afterwards() -> None:
    """The seed's last part: --net=none, then wired by pid; `ps` tells the address that it has now."""
    one = detached("--net=none")
    finished = netlinkpy("attach", str(one.pid), "--bridge", BRIDGE, "--ip", "172.17.42.99/16")
    assert finished.returncode == 0, finished.stderr
    assert reach(one, GATEWAY)
    assert "172.17.42.99/16" in netlinkpy("ps").stdout


def test_host_name() -> None:
    """Its name; one that is given; the host's with --net=host."""
    assert probe("--net=none", "--name", "web")["hostname"] == "web"
    assert probe("--net=none", "--hostname", "db.example")["hostname"] == "db.example"
    assert probe("--net=host", "--name", "web")["hostname"] == os.uname().nodename
    assert os.uname().nodename != "web"


def test_name_servers(tmp_path: object) -> None:
    """A resolv.conf of its own, shared by who shares the network; the host's is as before."""
    if not os.path.exists("/etc/resolv.conf"):
        pytest.skip("this machine has no /etc/resolv.conf")
    with open("/etc/resolv.conf") as file:
        before = file.read()
    seen = probe("--net=none", "--dns", "9.9.9.9", "--dns", "2620:fe::fe")
    assert seen["resolv"] == "nameserver 9.9.9.9\nnameserver 2620:fe::fe\n"
    detached("--net=none", "--dns", "9.9.9.9", name="other")
    assert probe("--net=container:other")["resolv"] == "nameserver 9.9.9.9\n"
    with open("/etc/resolv.conf") as file:
        assert file.read() == before


def test_mounts_are_not_seen_outside() -> None:
    with open("/proc/self/mountinfo") as file:
        before = file.read()
    assert run("--net=none", "--dns", "9.9.9.9", "--", "true").returncode == 0
    with open("/proc/self/mountinfo") as file:
        assert file.read() == before
