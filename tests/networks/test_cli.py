"""netlinkpy network: what its users see."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from typing import Any

import pytest

import netlinkpy as nl
from netlinkpy.nat import Nat, Port
from netlinkpy.networks import Network
from tests.support.command import Run
from tests.support.namespaces import Container, ping
from tests.support.nat_testbed import uplink
from tests.support.networks_testbed import leftovers, settle
from tests.support.refusals import unchanged
from tests.support.run_testbed import MAIN


def test_the_life_of_a_network(network: Run, containers: Any) -> None:
    one, other = containers(2)
    assert network("create", "blue", "--subnet", "172.30.0.0/16", "--isolate") == (0, "blue\n", "")
    assert network("ls").out == (
        "NAME  BRIDGE  SUBNETS        GATEWAYS    CONTAINERS  OPTIONS\n"
        "blue  blue    172.30.0.0/16  172.30.0.1  0           isolate\n"
    )
    code, out, err = network("connect", "blue", str(one.pid), "--ip", "172.30.0.5", "--mac-address", "random")
    assert (code, err) == (0, "")
    made = nl.Attachment.from_json(out)
    assert made.addresses == ("172.30.0.5/16",) and made.ifname == "eth0"
    assert ping(one, "172.30.0.1") is not None
    assert network("connect", "blue", f"pid:{other.pid}", "-q", "--ip=172.30.0.6") == (0, "", "")
    with Nat() as nat:
        nat.publish([Port("tcp", 8080, "172.30.0.5", 80)])
    inspected = network("inspect", "blue").out
    assert inspected == (
        "blue\n"
        f"  bridge   blue, index {nl.Network.get('blue').index}, mac 02:42:ac:1e:00:01, mtu 1500\n"
        "  subnet   172.30.0.0/16, gateway 172.30.0.1\n"
        "  options  isolate\n"
        "  state    as made\n"
        "\n"
        "  CONTAINER     IFNAME  ADDRESSES      MAC                HOST END      STATE\n"
        f"  process {one.pid}  eth0    172.30.0.5/16  {made.mac}  {made.host_ifname}  forwarding\n"
        f"  process {other.pid}  eth0    172.30.0.6/16  02:42:ac:1e:00:06  "
        f"{nl.Attachment.find(other.pid).host_ifname}  forwarding\n"
        "\n"
        "  PUBLISHED  LEADS TO\n"
        "  8080/tcp   172.30.0.5:80\n"
    ).replace("CONTAINER     ", "CONTAINER".ljust(len(f"process {one.pid}") + 2))
    assert network("rm", "blue").code == 1
    assert network("disconnect", "blue", str(one.pid), str(other.pid)) == (0, "", "")
    assert network("rm", "blue") == (0, "blue\n", "")
    assert network("ls", "-q") == (0, "", "")


def test_every_option_of_create(network: Run) -> None:
    words = (
        "create lab --subnet 10.7.0.0/24 --subnet fd00:7::/64 --gateway 10.7.0.254 --gateway fd00:7::fe "
        "--ip-range 10.7.0.128/25 --aux-address router=10.7.0.130 --aux-address 10.7.0.131 --mtu 1400 "
        "--internal --isolate --no-masquerade --mcast-snooping --bridge br-lab --driver bridge --json"
    )
    code, out, err = network(*words.split())
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "name": "lab",
        "bridge": "br-lab",
        "index": nl.Network.get("lab").index,
        "mac": "02:42:0a:07:00:fe",
        "mtu": 1400,
        "subnets": [
            {
                "subnet": "10.7.0.0/24",
                "gateway": "10.7.0.254",
                "ip_range": "10.7.0.128/25",
                "aux_addresses": ["10.7.0.130", "10.7.0.131"],
            },
            {"subnet": "fd00:7::/64", "gateway": "fd00:7::fe", "ip_range": "", "aux_addresses": []},
        ],
        "internal": True,
        "isolate": True,
        "masquerade": False,
        "mcast_snooping": True,
        "announces": False,
    }
    assert "internal, isolate, no-masquerade, mcast-snooping" in network("inspect", "lab").out
    assert "automatic addresses from 10.7.0.128/25, reserved 10.7.0.130" in network("inspect", "lab").out


def test_json(network: Run, container: Container) -> None:
    network("create", "a", "--ipv6")
    network("create", "b")
    network("connect", "b", str(container.pid))
    listed = [json.loads(line) for line in network("ls", "--json").out.splitlines()]
    assert [(one["name"], one["containers"]) for one in listed] == [("a", 0), ("b", 1)]
    (inspected,) = [json.loads(line) for line in network("inspect", "b", "--json").out.splitlines()]
    (member,) = inspected["containers"]
    assert member["container"] == f"process {container.pid}" and inspected["ports"] == []


def test_a_named_namespace_is_shown_by_its_name(network: Run) -> None:
    network("create", "blue")
    nl.netns.create("web")
    assert network("connect", "blue", "web").code == 0
    assert "namespace web" in network("inspect", "blue").out
    nl.netns.delete("web")


def test_a_namespace_that_nothing_leads_to_is_shown(network: Run, bare_namespaces: Any) -> None:
    network("create", "blue")
    (place,) = bare_namespaces(1)
    assert network("connect", "blue", place.path).code == 0
    assert "\n  ?          eth0" in network("inspect", "blue").out


def test_a_second_network_takes_the_next_name_and_no_default_route(
    network: Run, container: Container
) -> None:
    for name in ("a", "b"):
        network("create", name)
    pid = str(container.pid)
    first, second = (json.loads(network("connect", name, pid).out) for name in ("a", "b"))
    assert (first["ifname"], second["ifname"]) == ("eth0", "eth1")
    assert first["gateways"] and not second["gateways"]


def test_changes_of_the_host_are_said_on_stderr(network: Run) -> None:
    with open("/proc/sys/net/ipv4/ip_forward", "w") as file:
        file.write("0")
    uplink()
    code, out, err = network("create", "blue")
    said = "net.ipv4.conf.up0.forwarding is 1 now, it was 0: packets that arrive there for others are"
    assert (code, out, err) == (0, "blue\n", f"netlinkpy: {said} forwarded\n")


def test_prune_asks(network: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    network("create", "blue")
    code, out, err = network("prune")
    assert (code, out) == (2, "") and "--force" in err

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for answer, code, there in (("", 1, True), ("n\n", 1, True), ("y\n", 0, False)):
        monkeypatch.setattr(sys, "stdin", Terminal(answer))
        assert network("prune").code == code
        assert bool(network("ls", "-q").out) is there
    network("create", "blue")
    assert network("prune", "-f") == (0, "blue\n", "")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("create", 2, "usage: netlinkpy network create"),
        ("create blue", 1, "network blue exists already"),
        ("create red --subnet 172.30.7.0/24", 1, "overlaps 172.30.0.1/16 of network blue"),
        ("create red --subnet 172.30.0.5/16", 1, "write 172.30.0.0/16"),
        ("create red --subnet banana/16", 1, "'banana' is no IP address"),
        ("create red --mtu banana", 2, "--mtu: 'banana' is not a number"),
        ("create red --driver macvlan", 2, "the driver is bridge"),
        ("create red --frob", 2, "--frob is no option"),
        ("create a:b", 1, "'a:b' cannot name a network"),
        ("frob", 2, "no verb 'frob'"),
        ("rm", 2, "usage: netlinkpy network rm"),
        ("rm red", 1, "no network of that name"),
        ("rm blue", 1, "in use by 1 container"),
        ("inspect red", 1, "no network of that name"),
        ("ls red", 2, "usage: netlinkpy network ls"),
        ("connect blue", 2, "usage: netlinkpy network connect"),
        ("connect red {new}", 1, "no network of that name"),
        ("connect blue {old} --ip 172.30.0.6", 1, "eth0 is there already, but its addresses are 172.30.0.5/"),
        ("connect blue nowhere", 1, "there is no namespace nowhere"),
        ("connect blue pid:2147483647", 1, "there is no process 2147483647"),
        ("connect blue {own}", 1, "the host's own"),
        ("connect blue {new} --ip 172.30.0.1", 1, "172.30.0.1 is the gateway"),
        ("connect blue {new} --ip 172.30.0.5", 1, "172.30.0.5 is taken"),
        ("connect blue {new} --ip 10.0.0.1", 1, "10.0.0.1 is outside"),
        ("connect blue {new} --ip fd00::1", 2, "'fd00::1' is not an IPv4 address"),
        ("connect blue {new} --ip6 172.30.0.9", 2, "'172.30.0.9' is not an IPv6 address"),
        ("connect blue {new} {old} --ip 172.30.0.9", 2, "--ip is for one TARGET"),
        ("connect blue {new} --mac-address 01:00:00:00:00:00", 1, "multicast"),
        ("disconnect blue", 2, "usage: netlinkpy network disconnect"),
        ("disconnect blue {new}", 1, "not connected"),
        ("disconnect red {old}", 1, "no network of that name"),
    ],
)
def test_what_cannot_be_is_said_in_one_line_and_changes_nothing(
    network: Run, containers: Any, words: str, code: int, said: str
) -> None:
    old, new = containers(2)
    network("create", "blue", "--subnet", "172.30.0.0/16")
    network("connect", "blue", str(old.pid), "--ip", "172.30.0.5")
    settle(old, new)
    with unchanged(old, new):
        given = words.format(old=old.pid, new=new.pid, own=os.getpid()).split()
        result = network(*given)
    assert (result.code, result.out) == (code, "")
    assert said in result.err and result.err.startswith("netlinkpy: ")
    assert result.err.count("\n") == 1 or "usage:" in result.err


@pytest.mark.parametrize("verb", ["", "create", "ls", "inspect", "rm", "prune", "connect", "disconnect"])
def test_each_verb_has_its_help(network: Run, verb: str) -> None:
    code, out, err = network(*(word for word in (verb, "--help") if word))
    assert (code, err) == (0, "") and out.startswith(f"Usage: netlinkpy network {verb or 'create|ls'}")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_network_that_cannot_be_told_is_taken_away_again(host: nl.RTNetlink, unbuffered: str) -> None:
    for words in (("create", "web", "--subnet", "172.30.0.0/16"), ("create", "web", "--json")):
        with unchanged(None), open("/dev/full", "w") as full:
            done = subprocess.run(
                [sys.executable, "-c", MAIN, "network", *words],
                stdout=full,
                stderr=subprocess.PIPE,
                env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
                timeout=30,
                check=False,
            )
        assert (done.returncode, done.stderr.count(b"No space left")) == (1, 1), done
        assert leftovers(host) == [] and Network.list() == []
