"""The host's side of published ports: held against its programs, and relayed from 127.0.0.1 and ::1."""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable

import pytest

from netlinkpy.nat import Nat, Port, PortTakenError
from netlinkpy.nat.table import FAMILY, TABLE
from netlinkpy.networks import Network
from netlinkpy.nft.tables import Nftables, delete_table
from netlinkpy.run import Running, networking
from netlinkpy.run.held_ports import MOST, HeldPorts
from netlinkpy.run.options import Options, checked
from netlinkpy.run.published_ports import PublishedPort
from tests.support.namespaces import Container
from tests.support.run_testbed import detached, exists, netlinkpy, run
from tests.support.waiting import eventually

ECHO = (  # sends back what it received, the last byte first, when the other side has ended
    "import socket, threading\n"
    "def serve(one):\n"
    "    data = b''\n"
    "    while part := one.recv(1 << 16): data += part\n"
    "    one.sendall(data[::-1]); one.close()\n"
    "sock = socket.create_server(('', 8000), backlog=1000)\n"
    "while True: threading.Thread(target=serve, args=(sock.accept()[0],)).start()\n"
)
BRIDGE = "/proc/sys/net/ipv4/conf/net1/route_localnet"


@pytest.fixture
def net(loopback: None) -> Network:
    return Network.create("net1", subnets="172.30.0.0/16")


def said(host: str, port: int, data: bytes = b"hello") -> bytes:
    """Send data, end that direction, and return all that comes back; nothing if the port is refused."""
    answer = b""
    try:
        with socket.create_connection((host, port), timeout=5) as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            while part := sock.recv(1 << 16):
                answer += part
    except OSError:
        return b""
    return answer


def echo(*ports: str) -> Running:
    options = [word for port in ports for word in ("-p", port)]
    one = detached("--net=net1", *options, name="echo", command=(sys.executable, "-c", ECHO))
    address = one.addresses[0].partition("/")[0]
    assert eventually(lambda: said(address, 8000) == b"olleh")
    return one


def flush() -> None:
    with Nftables() as tables:
        tables.commit([delete_table(FAMILY, TABLE)], verb="flush")


def test_loopback_is_relayed_and_127_stays_the_hosts(net: Network) -> None:
    echo("8080:8000", "127.0.0.1:9000:8000", "[::1]:9001:8000")
    for host, port in (("127.0.0.1", 8080), ("::1", 8080), ("127.0.0.1", 9000), ("::1", 9001)):
        assert said(host, port) == b"olleh", (host, port)
    with open(BRIDGE) as file:
        assert file.read() == "0\n"
    with Nat() as nat:
        assert [(one.port, one.host, one.localhost) for one in nat.ports()] == [(8080, "", False)]
    flush()  # which takes the ports away, and leaves loopback
    assert said("172.30.0.1", 8080) == b"" and said("127.0.0.1", 8080) == b"olleh"


def test_much_passes_both_ways_and_an_end_is_passed_on(net: Network) -> None:
    echo("8080:8000")
    data = os.urandom(1 << 23)
    assert said("127.0.0.1", 8080, data) == data[::-1]
    assert [said("127.0.0.1", 8080, bytes((number,))) for number in range(100)] == [
        bytes((number,)) for number in range(100)
    ]


def test_who_is_not_on_loopback_is_not_relayed(net: Network) -> None:
    """The filter takes others' packets elsewhere; once it was emptied they come to the listener."""
    echo("8080:8000")
    flush()
    with socket.create_connection(("172.30.0.1", 8080), timeout=5) as sock:
        assert sock.recv(10) == b""  # closed at once


def test_a_port_is_held_against_the_hosts_programs(net: Network) -> None:
    one = echo("8080:8000", "53:53/udp")
    for family, kind, port in (
        (socket.AF_INET, socket.SOCK_STREAM, 8080),
        (socket.AF_INET6, socket.SOCK_STREAM, 8080),
        (socket.AF_INET, socket.SOCK_DGRAM, 53),
        (socket.AF_INET6, socket.SOCK_DGRAM, 53),
    ):
        with socket.socket(family, kind) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with pytest.raises(OSError) as caught:
                sock.bind(("", port))
                sock.listen()  # TCP: an address may be bound twice until one listens
            assert caught.value.errno == errno.EADDRINUSE, (family, kind)
    os.kill(one.holder, signal.SIGKILL)
    assert eventually(lambda: not exists(one.pid))
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("", 8080))
        sock.listen()


@pytest.mark.parametrize(
    ("family", "kind", "port"),
    [(socket.AF_INET, socket.SOCK_STREAM, "8080:80"), (socket.AF_INET6, socket.SOCK_DGRAM, "8080:80/udp")],
)
def test_a_port_of_a_program_of_the_host_is_refused(net: Network, family: int, kind: int, port: str) -> None:
    with socket.socket(family, kind) as sock:
        sock.bind(("", 8080))
        if kind == socket.SOCK_STREAM:
            sock.listen()
        finished = run("--net=net1", "-p", port, "--", "true")
    assert finished.returncode == 125 and "is taken by a process of the host" in finished.stderr
    assert net.members() == []


def test_what_is_relayed_at_once_is_bounded(net: Network) -> None:
    echo("8080:8000")
    open_ones = [socket.create_connection(("127.0.0.1", 8080), timeout=5) for _ in range(MOST + 20)]
    refused = 0
    for sock in open_ones[MOST:]:
        sock.settimeout(2)
        refused += sock.recv(1) == b""
    for sock in open_ones:
        sock.close()
    assert refused == 20
    assert eventually(lambda: said("127.0.0.1", 8080) == b"olleh")
    assert netlinkpy("ps").stdout.count("echo") == 1


def test_a_limit_of_open_files_is_told(loopback: None, monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr("netlinkpy.run.held_ports._allow_files", lambda more: None)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 10, before[1]))
    try:
        with pytest.raises(OSError, match="each published port needs two") as caught:
            HeldPorts([PublishedPort("", 9000 + number, 80) for number in range(20)])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert caught.value.errno == errno.EMFILE
    assert len(os.listdir("/proc/self/fd")) == count


def test_a_port_of_one_that_was_just_killed_is_free(
    net: Network, containers: Callable[..., list[Container]]
) -> None:
    """Its interface, which names the port, goes some 20 ms after its supervisor."""
    dying, new = containers(2)
    net.connect(dying.pid, ip="172.30.0.9")
    with Nat() as nat:
        nat.publish([Port("tcp", 8080, "172.30.0.9", 80)])
    options = checked(Options(("true",), net=net.name, ports=("8080:80",)))
    with pytest.raises(PortTakenError, match=r"8080/tcp is taken: it leads to 172\.30\.0\.9"):
        networking.connect(new.pid, options)
    end = threading.Timer(0.05, dying.kill)
    end.start()
    connected = networking.connect(new.pid, options)
    end.join()
    assert [port.port for port in connected.ports] == [8080]
    networking.disconnect(connected)
