"""A host with networks and containers, an `internet` behind it, and packets between any two of them."""

from __future__ import annotations

import contextlib
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import netlinkpy as nl
from netlinkpy.nat import Nat
from netlinkpy.uapi.if_link import IN6_ADDR_GEN_MODE_NONE
from tests.support.namespaces import Container, Namespace, entered

UPLINK = "192.0.2.1", "2001:db8::1"  # of the host; RFC 5737, RFC 3849
INTERNET = "192.0.2.2", "2001:db8::2"
FAR = "203.0.113.9", "2001:db8:77::9"
PATIENCE = 0.3  # seconds after which a packet does not come: what passes takes less than a millisecond

TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM


def bridges(*names: str) -> None:
    """Make bridges in the caller's namespace, down and without addresses."""
    with nl.RTNetlink() as host:
        for name in names:
            host.links.add(name, kind="bridge")


def claim(bridge: str, *addresses: str) -> None:
    """Make a link that claims addresses on a bridge, as the host end of a container does."""
    with nl.RTNetlink() as host:
        index = host.links.get(bridge).index
        made = host.links.add(
            f"c{len(host.links.list())}", kind="veth", peer=nl.Peer(f"p{index}"), master=bridge
        )
        host.links.add_altnames(made.index, [f"ip:{index}:{address}" for address in addresses])


def uplink() -> None:
    """Give the caller's namespace an uplink `up0`, with default routes of both IP versions."""
    with nl.RTNetlink() as host:
        host.links.add("up0", kind="bridge", up=True)
        for address, gateway in zip(UPLINK, INTERNET, strict=True):
            host.addresses.add(f"{address}/{64 if ':' in address else 24}", dev="up0", nodad=":" in address)
            host.routes.add("default", gateway=gateway)


class Testbed:
    """The test's own namespace as the host: lo and an uplink `up0` are up."""

    __test__ = False  # not a class of tests, despite its name

    def __init__(self, host: nl.RTNetlink, nat: Nat, make: Callable[..., list[Container]]) -> None:
        self.host = host
        self.nat = nat
        self._make = make
        (self.internet,) = make(1, loopback=True)
        peer = nl.Peer("eth0", netns=self.internet.pid)
        host.links.add("up0", kind="veth", peer=peer)
        with nl.RTNetlink(self.internet.pid) as there:
            for rt, name, addresses in ((host, "up0", UPLINK), (there, "eth0", INTERNET)):
                rt.links.set(name, addrgenmode=IN6_ADDR_GEN_MODE_NONE)
                rt.links.set(name, up=True)
                rt.addresses.add(f"{addresses[0]}/24", dev=name)
                rt.addresses.add(f"{addresses[1]}/64", dev=name, nodad=True)
                rt.addresses.add(f"fe80::{addresses[1][-1]}/64", dev=name, nodad=True)
            for rt, name in ((there, "eth0"), (host, "up0")):
                rt.links.get(name)  # which completes its carrier change
        for address in INTERNET:
            host.routes.add("default", gateway=address)

    def vpn(self) -> None:
        """Another link to the internet, by which all of it is reached, beside the default routes; and a host
        FAR there."""
        halves = {4: ("0.0.0.0/1", "128.0.0.0/1"), 6: ("::/1", "8000::/1")}
        self.host.links.add("vpn0", kind="veth", peer=nl.Peer("vpn0", netns=self.internet.pid))
        with nl.RTNetlink(self.internet.pid) as there:
            for rt, last in ((self.host, 1), (there, 2)):
                rt.links.set("vpn0", up=True)
                rt.addresses.add(f"198.51.100.{last}/24", dev="vpn0")
                rt.addresses.add(f"2001:db8:99::{last}/64", dev="vpn0", nodad=True)
            for address in FAR:
                there.addresses.add(f"{address}/{128 if ':' in address else 32}", dev="lo")
            there.links.get("vpn0")
            self.host.links.get("vpn0")
        for version, gateway in ((4, "198.51.100.2"), (6, "2001:db8:99::2")):
            for half in halves[version]:
                self.host.routes.add(half, gateway=gateway)

    def bridge(self, name: str, *gateways: str) -> None:
        """A bridge with its addresses, "172.17.0.1/16", and a link-local one, without which the host asks for
        no neighbour on behalf of others (ndisc_send_ns() of the kernel)."""
        self.host.links.add(name, kind="bridge")
        self.host.links.set(name, addrgenmode=IN6_ADDR_GEN_MODE_NONE)
        self.host.links.set(name, up=True)
        for gateway in (*gateways, "fe80::1/64"):
            self.host.addresses.add(gateway, dev=name, nodad=":" in gateway)

    def container(self, bridge: str, *addresses: str) -> Container:
        """Make and return a container that is connected to a bridge."""
        (made,) = self._make(1)
        nl.attach(nl.Endpoint(netns=made.pid, bridge=bridge, addresses=addresses))
        return made

    def route_back(self, *subnets: str) -> None:
        """Add routes of the internet to subnets behind the host, as a neighbour could."""
        with nl.RTNetlink(self.internet.pid) as there:
            for subnet in subnets:
                there.routes.add(subnet, gateway=UPLINK[":" in subnet])


def listen(where: Namespace, kind: int, address: str, port: int) -> socket.socket:
    """Return a TCP or UDP socket of a namespace that listens at an address ("": any) and port."""
    with entered(where):
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    sock.settimeout(PATIENCE)
    if kind == TCP:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, port))
    if kind == TCP:
        sock.listen()
    return sock


def source_seen(
    where: Namespace, target: tuple[str, int], listener: socket.socket, *, source: str = ""
) -> str | None:
    """Return the source address that a listener sees when a socket in a namespace sends to a target and gets
    the answer; None if one of them receives nothing. Both sockets are ours, so no other process is needed."""
    kind = listener.type
    with entered(where):
        sock = socket.socket(socket.AF_INET6 if ":" in target[0] else socket.AF_INET, kind)
    with sock:
        sock.settimeout(PATIENCE)
        try:
            if source:
                sock.bind((source, 0))
            sock.connect(target)
            sock.send(b"question")
            if kind == UDP:
                question, peer = listener.recvfrom(100)
                listener.sendto(b"answer", peer)
            else:
                connection, peer = listener.accept()
                with connection:
                    connection.settimeout(PATIENCE)
                    question = connection.recv(100)
                    connection.send(b"answer")
            assert question == b"question"
            assert sock.recv(100) == b"answer"
        except OSError:  # nothing came in time, was refused, or is unreachable
            return None
    address: Any = peer[0]
    return str(address)


def passes(where: Namespace, target: tuple[str, int], listener: socket.socket) -> bool:
    """Return whether request and answer pass."""
    return source_seen(where, target, listener) is not None


def connect_time(
    where: Namespace, target: tuple[str, int], listener: socket.socket, count: int = 300
) -> float:
    """Return the median time to make a TCP connection, in microseconds; each is a new flow."""
    with entered(where):
        socks = [socket.socket(listener.family, TCP) for _ in range(count)]
    times = []
    for sock in socks:
        with sock:
            start = time.perf_counter()
            sock.connect(target)
            times.append(time.perf_counter() - start)
            listener.accept()[0].close()
    return statistics.median(times) * 1e6


@contextlib.contextmanager
def serving(where: Namespace, kind: int, address: str, port: int) -> Iterator[socket.socket]:
    """listen() for the length of a with statement."""
    with listen(where, kind, address, port) as sock:
        yield sock
