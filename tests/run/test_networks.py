"""On networks known by name: addresses found automatically, ports published, and both given back."""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys

import pytest

from netlinkpy.networks import Network
from netlinkpy.run import Running, listing, start
from netlinkpy.run.published_ports import PublishedPort
from tests.support.namespaces import ping
from tests.support.nat_testbed import uplink
from tests.support.run_testbed import detached, exists, netlinkpy, probe, run, veths
from tests.support.waiting import eventually

#: Answers every connection to TCP port 8000 with its own host name.
SERVER = (
    sys.executable,
    "-c",
    "import socket\n"
    "server = socket.create_server(('', 8000))\n"
    "while True:\n"
    "    with server.accept()[0] as caller:\n"
    "        caller.send(socket.gethostname().encode())\n",
)


@pytest.fixture
def net() -> Network:
    """A network of its own, net1."""
    return Network.create("net1", subnets="172.30.0.0/16")


def ask(address: str, port: int) -> str:
    """What is answered at a port, empty where nothing is."""
    try:
        with socket.create_connection((address, port), timeout=2) as connected:
            connected.settimeout(2)
            return connected.recv(100).decode()
    except OSError:
        return ""


def serving(*options: str, name: str = "web") -> Running:
    one = detached("--net=net1", *options, name=name, command=SERVER)
    address = one.addresses[0].partition("/")[0]
    assert eventually(lambda: ask(address, 8000) == name)
    return one


def test_the_default_network_is_made_when_it_is_first_asked_for() -> None:
    """As docker0 is: the first free subnet; what is changed on the host is said."""
    uplink()
    finished = run("--net=bridge", "--", "true")
    assert finished.returncode == 0 and "net.ipv4.conf.up0.forwarding" in finished.stderr, finished.stderr
    network = Network.get("bridge")
    seen = probe()
    assert seen["links"] == {"lo": True, "eth0": True}
    assert seen["routes"] == [["default", network.subnets[0].gateway]]
    assert run("--", "true").stderr == ""


def test_addresses_are_found_and_given_back(net: Network) -> None:
    one = detached("--net=net1", name="one")
    two = detached("--net=net1", "--mac-address", "12:34:56:78:9a:bc", name="two")
    assert one.net == "net1" and one.addresses != two.addresses
    assert all(address.startswith("172.30.") for address in one.addresses + two.addresses)
    address = two.addresses[0].partition("/")[0]
    assert ping(f"/proc/{one.pid}/ns/net", address, 1000) is not None
    assert netlinkpy("kill", "two").returncode == 0
    again = detached("--net=net1", "--ip", address, name="three")
    assert again.addresses == two.addresses


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--net=nowhere",), "there is no network of that name"),
        (("--net=net1", "--ip", "10.0.0.1"), "10.0.0.1"),
        (("--net=net1", "--ip", "172.30.0.1"), "172.30.0.1"),
        (("--net=net1", "--ip", "172.30.0.7"), "is taken"),
        (("--net=net1", "--ip", "nonsense"), "nonsense"),
        (("--net=net1", "-p", "80"), "is no published port"),
        (("--net=net1", "-p", "0:80"), "is no published port"),
        (("--net=net1", "-p", "8080:80/icmp"), "is no published port"),
        (("--net=net1", "-p", "10.0.0:8080:80"), "is no IP address"),
        (("--net=net1", "-p", "[2001:db8::1]:8080:80"), "2001:db8::1"),
        (("--net=net1", "-p", "8888:80"), "port 8888/tcp is taken by container other"),
        (("--net=net1", "-p", "127.0.0.1:8888:80"), "is taken by container other"),
        (("--net=net1", "-p", "127.0.0.1:53:53/udp"), "by TCP alone"),
        (("--net=shut", "-p", "8080:80"), "network shut is internal"),
        (("--net=net1", "-p", "8080:80", "-p", "8080:81"), "port 8080/tcp is published twice"),
        (("--net=net1", "-p", "203.0.113.7:8080:80"), "203.0.113.7"),
        (("--bridge", "br0", "--ip", "172.17.42.5/16", "-p", "8080:80"), "8080"),
    ],
)
def test_refused(net: Network, options: tuple[str, ...], words: str) -> None:
    """One sentence, and nothing of it is left."""
    detached("--net=net1", "--ip", "172.30.0.7", "-p", "8888:80", name="other")
    Network.create("shut", subnets="172.31.0.0/16", internal=True)
    before = veths()
    finished = run("--name", "one", *options, "--", "true")
    assert finished.returncode == 125 and words in finished.stderr, finished.stderr
    assert finished.stderr.count("\n") == 1
    assert veths() == before and [one.name for one in listing()] == ["other"]


def test_published(net: Network) -> None:
    """From the host by any address of its own; shown by ps and port; gone with the container."""
    one = serving("-p", "8080:8000", "-p", "127.0.0.1:9000:8000/tcp", "-p", "8080:8000/udp")
    assert ask("172.17.42.1", 8080) == ask("127.0.0.1", 8080) == ask("127.0.0.1", 9000) == "web"
    assert ask("172.17.42.1", 9000) == ""
    assert one.ports == ("0.0.0.0:8080->8000/tcp", "127.0.0.1:9000->8000/tcp", "0.0.0.0:8080->8000/udp")
    listed = netlinkpy("port", "web").stdout
    assert listed == "8000/tcp -> 0.0.0.0:8080\n8000/tcp -> 127.0.0.1:9000\n8000/udp -> 0.0.0.0:8080\n"
    assert netlinkpy("port", "web", "8000/udp").stdout == "0.0.0.0:8080\n"
    finished = netlinkpy("port", "web", "81")
    assert finished.returncode == 1 and "has not published port 81/tcp" in finished.stderr
    assert netlinkpy("port", "web", "x").returncode == 2
    assert "127.0.0.1:9000->8000/tcp" in netlinkpy("ps").stdout
    assert netlinkpy("kill", "web").returncode == 0
    assert ask("172.17.42.1", 8080) == ask("127.0.0.1", 9000) == ""
    serving("-p", "8080:8000", name="next")
    assert ask("172.17.42.1", 8080) == "next"


def test_a_port_of_the_dead_leads_to_no_stranger(net: Network) -> None:
    """Killed by SIGKILL while its port is published, its address taken by the next: the port leads
    nowhere."""
    one = serving("-p", "8080:8000", "--ip", "172.30.0.9")
    os.kill(one.holder, signal.SIGKILL)
    assert eventually(lambda: not veths() and not exists(one.pid))
    serving("--ip", "172.30.0.9", name="stranger")
    assert ask("172.17.42.1", 8080) == ask("127.0.0.1", 8080) == ""


def test_a_port_of_the_dead_is_free(net: Network) -> None:
    """Killed by SIGKILL, as a supervisor does: it can be started again with the same port."""
    one = serving("-p", "8080:8000")
    os.kill(one.holder, signal.SIGKILL)
    assert eventually(lambda: not veths() and not exists(one.pid))
    serving("-p", "8080:8000", name="next")
    assert ask("172.17.42.1", 8080) == "next"
    finished = run("--net=net1", "-p", "8080:8000", "--", "true")
    assert finished.returncode == 125 and "is taken" in finished.stderr


def test_the_library_on_a_network(net: Network) -> None:
    with start(*SERVER, net="net1", ports="8080:8000", name="web") as one:
        assert one.attachment is not None and one.attachment.bridge == "net1"
        assert one.notes == ()
        assert eventually(lambda: ask("127.0.0.1", 8080) == "web")
    with start("true", net="net1", name="web") as again:
        assert again.notes == ()


def test_the_network_is_in_use(net: Network) -> None:
    detached("--net=net1")
    with pytest.raises(OSError) as caught:
        Network.get("net1").remove()
    assert caught.value.errno in (errno.EBUSY, errno.EADDRINUSE, errno.ENOTEMPTY)


@pytest.mark.parametrize(
    ("text", "published"),
    [
        ("8080:80", PublishedPort("", 8080, 80, "tcp")),
        ("8080:80/udp", PublishedPort("", 8080, 80, "udp")),
        ("127.0.0.1:8080:80", PublishedPort("127.0.0.1", 8080, 80, "tcp")),
        ("[::1]:8080:80/sctp", PublishedPort("::1", 8080, 80, "sctp")),
        ("[2001:DB8::0]:1:65535", PublishedPort("2001:db8::", 1, 65535, "tcp")),
    ],
)
def test_how_a_port_is_said(text: str, published: PublishedPort) -> None:
    assert PublishedPort.parse(text) == published


@pytest.mark.parametrize(
    "text", ["", ":", "80", "80:", ":80", "80:80:", "80:80/", "8_0:80", "65536:1", "a:b", "-1:80"]
)
def test_how_no_port_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="is no published port"):
        PublishedPort.parse(text)
