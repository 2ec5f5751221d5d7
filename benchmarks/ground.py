"""The common ground of the contenders in Python: namespaces, bridges, the place of each container, and the
proof that all is ready.

A contender is a program that compare.py starts in network and mount namespaces of its own. It prepares
outside of the timed part, does one task, and prints one line of JSON as floor.c does. Nothing here uses
netlinkpy, so that the ground is the same for all.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import socket
import statistics
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

CLONE_NEWNET = 0x40000000
MS_BIND = 4096
RTM_NEWLINK, RTM_GETLINK, RTM_NEWADDR, RTM_NEWNEIGH = 16, 18, 20, 28
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP, NLM_F_CREATE_EXCL = 0x1, 0x4, 0x300, 0x600
NLMSG_ERROR, NLMSG_DONE = 2, 3
IFLA_ADDRESS, IFLA_IFNAME, IFLA_PROTINFO, IFLA_OPERSTATE, IFLA_LINKINFO = 1, 3, 12, 16, 18
IFLA_INFO_KIND, IFLA_BRPORT_STATE = 1, 1
IFA_ADDRESS, IFA_LOCAL, NDA_DST, NDA_LLADDR = 1, 2, 1, 2
IFF_UP, FORWARDING, OPERSTATE_UP, NUD_PERMANENT = 1, 3, 6, 0x80

libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: object) -> None:
    if getattr(libc, name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def on_a_throwaway_thread(work: Callable[[], None]) -> None:
    """Do work() on a throw-away thread, which may change its namespace."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


def enter(netns: int) -> None:
    _call("setns", netns, CLONE_NEWNET)


# ---- A little netlink: just enough to prepare, and to look afterwards


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("HH", data, at)
        yield kind & 0x3FFF, data[at + 4 : at + length]
        at += (max(length, 4) + 3) & ~3


def link_body(attrs: bytes = b"", index: int = 0, family: int = 0, flags: int = 0) -> bytes:
    return struct.pack("BxHiII", family, 0, index, flags, flags) + attrs


def open_netlink() -> socket.socket:
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)


def converse(sock: socket.socket, kind: int, flags: int, body: bytes) -> list[bytes]:
    """Return the bodies of the kernel's answers to one request. Raise OSError if it refuses."""
    sock.send(struct.pack("IHHII", 16 + len(body), kind, NLM_F_REQUEST | flags, 1, 0) + body)
    answers: list[bytes] = []
    while True:
        data = sock.recv(65536)
        at = 0
        while at < len(data):
            length, answer = struct.unpack_from("IH", data, at)
            if answer == NLMSG_ERROR:
                (number,) = struct.unpack_from("i", data, at + 16)
                if number:
                    raise OSError(-number, os.strerror(-number))
                return answers
            if answer == NLMSG_DONE:
                return answers
            answers.append(data[at + 16 : at + length])
            at += (length + 3) & ~3


def make_link(sock: socket.socket, name: str, kind: str) -> None:
    info = attribute(IFLA_INFO_KIND, kind.encode())
    body = link_body(
        attribute(IFLA_IFNAME, name.encode() + b"\0") + attribute(IFLA_LINKINFO, info), flags=IFF_UP
    )
    converse(sock, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE_EXCL, body)


def make_bridge(sock: socket.socket, name: str, address: str) -> None:
    make_link(sock, name, "bridge")
    packed = socket.inet_aton(address)
    body = struct.pack("BBBBi", socket.AF_INET, 16, 0, 0, socket.if_nametoindex(name))
    body += attribute(IFA_LOCAL, packed) + attribute(IFA_ADDRESS, packed)
    converse(sock, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE_EXCL, body)


# ---- Who goes where


@dataclass(frozen=True)
class Place:
    """A container to wire: its namespace by descriptor and by name in /run/netns, and what it gets."""

    netns: int
    name: str
    bridge: str
    gateway: str
    address: str
    mac: str
    host_ifname: str

    @property
    def path(self) -> str:
        return f"/run/netns/{self.name}"


def make_namespaces(count: int) -> list[int]:
    made: list[int] = []

    def make() -> None:
        _call("unshare", CLONE_NEWNET)
        made.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))

    for _ in range(count):
        on_a_throwaway_thread(make)
    return made


def own_run() -> None:
    """Mount a /run of our own (we are in a mount namespace), with /run/netns in it."""
    _call("mount", b"run", b"/run", b"tmpfs", 0, None)
    os.mkdir("/run/netns")


def name_namespace(place: Place) -> None:
    os.close(os.open(place.path, os.O_CREAT | os.O_RDONLY))
    _call("mount", f"/proc/self/fd/{place.netns}".encode(), place.path.encode(), None, MS_BIND, None)


def prepare(count: int, bridges: int = 1, *, named: bool = False) -> list[Place]:
    """Make the namespaces and bridges (172.17.42.1/16 and so on, one net for each), and return the places, as
    in floor.c."""
    wanted = count + 2048
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), max(hard, wanted)))
    with open_netlink() as sock:
        for number in range(bridges):
            make_bridge(sock, f"br{number}", f"172.{17 + number}.42.1")
    per_bridge = -(-count // bridges)
    places = []
    for i, netns in enumerate(make_namespaces(count)):
        number, port = divmod(i, per_bridge)
        octets = (172, 17 + number, 100 + port // 250, 1 + port % 250)
        hexes = [f"{octet:02x}" for octet in octets]
        places.append(
            Place(
                netns=netns,
                name=f"c{i}",
                bridge=f"br{number}",
                gateway=f"172.{17 + number}.42.1",
                address=".".join(map(str, octets)),
                mac=":".join(["02", "42", *hexes]),
                host_ifname="veth" + "".join(hexes),
            )
        )
    if named:
        own_run()
        for place in places:
            name_namespace(place)
    return places


def ready(places: list[Place]) -> int:
    """Return how many containers can send their first packet now: their port forwards, and their own end
    runs."""
    with open_netlink() as sock:
        ports = converse(sock, RTM_GETLINK, NLM_F_DUMP, link_body(family=socket.AF_BRIDGE))
    states = [
        dict(attributes(dict(attributes(port[16:]))[IFLA_PROTINFO]))[IFLA_BRPORT_STATE][0] for port in ports
    ]
    running = 0

    def look() -> None:
        nonlocal running
        for place in places:
            enter(place.netns)
            with open_netlink() as sock:
                links = converse(sock, RTM_GETLINK, NLM_F_DUMP, link_body())
            for link in links:
                found = dict(attributes(link[16:]))
                running += found[IFLA_IFNAME] == b"eth0\0" and found[IFLA_OPERSTATE][0] == OPERSTATE_UP

    on_a_throwaway_thread(look)
    return min(states.count(FORWARDING), running)


# ---- Proof by packets


def _stay_neighbour(sock: socket.socket, device: str, address: str, mac: bytes) -> None:
    """Add a permanent entry: of others the kernel's neighbour table takes 1 024, for all namespaces
    together."""
    body = struct.pack("BxxxiHBB", socket.AF_INET, socket.if_nametoindex(device), NUD_PERMANENT, 0, 0)
    body += attribute(NDA_DST, socket.inet_aton(address)) + attribute(NDA_LLADDR, mac)
    converse(sock, RTM_NEWNEIGH, NLM_F_ACK | NLM_F_CREATE_EXCL, body)


def _echo(number: int) -> bytes:
    packet = struct.pack("!BBHHH", 8, 0, 0, number, 1)
    checksum = 0xFFFF - (8 << 8) - number - 1
    return packet[:2] + struct.pack("!H", checksum % 0xFFFF) + packet[4:]


def _answered(place: Place, number: int) -> bool:
    """Send one ICMP echo from the container to its gateway; return whether it answered within 100 ms."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        sock.settimeout(0.1)
        sock.sendto(_echo(number), (place.gateway, 0))
        try:
            while True:
                packet = sock.recv(1500)
                if packet[20] == 0 and struct.unpack_from("!H", packet, 24) == (number,):
                    return True
        except TimeoutError:
            return False


def answered(places: list[Place]) -> int:
    """Return how many containers' gateways answer the first packet. Above 250 containers add permanent
    neighbours."""
    permanent = len(places) > 250
    count = 0
    macs = {}
    with open_netlink() as sock:
        for link in converse(sock, RTM_GETLINK, NLM_F_DUMP, link_body()):
            found = dict(attributes(link[16:]))
            macs[found[IFLA_IFNAME].rstrip(b"\0").decode()] = found[IFLA_ADDRESS]
        if permanent:
            for place in places:
                _stay_neighbour(sock, place.bridge, place.address, bytes.fromhex(place.mac.replace(":", "")))

    def ask() -> None:
        nonlocal count
        for number, place in enumerate(places):
            enter(place.netns)
            if permanent:
                with open_netlink() as sock:
                    _stay_neighbour(sock, "eth0", place.gateway, macs[place.bridge])
            count += _answered(place, number)

    on_a_throwaway_thread(ask)
    return count


# ---- One task, timed


def peak_kib() -> int:
    """Return the peak memory of this process; ru_maxrss would include that of the process it was forked
    from."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


def forget_peak() -> None:
    with open("/proc/self/clear_refs", "w") as control:
        control.write("5")


Wiring: TypeAlias = Callable[[list[Place]], object]
Bulk: TypeAlias = Callable[[int], dict[str, object]]


@dataclass(frozen=True)
class Contender:
    """How one rival does the tasks: attach and detach take all containers of the task; routes and links take
    a number and return what to print. named: it needs its namespaces in /run/netns."""

    attach: Wiring
    detach: Wiring
    routes: Bulk | None = None
    links: Bulk | None = None
    named: bool = False


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def cost(work: Callable[[], object]) -> dict[str, float]:
    """Do work(); return its seconds by the wall clock, and of the processor in user and system mode,
    children's included. A kernel may sample the latter at clock ticks (CONFIG_TICK_CPU_ACCOUNTING): use them
    in sums only."""

    def processor() -> tuple[float, float]:
        every = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(usage.ru_utime for usage in every), sum(usage.ru_stime for usage in every)

    user, system = processor()
    took = seconds(work)
    user_then, system_then = processor()
    return {"seconds": took, "user": user_then - user, "system": system_then - system}


def midmean(values: list[float]) -> float:
    """Return the mean of the middle half: for waits that come in steps of a clock tick."""
    quarter = len(values) // 4
    return statistics.mean(sorted(values)[quarter : len(values) - quarter])


def _one_by_one(attach: Wiring, detach: Wiring, places: list[Place]) -> dict[str, object]:
    attached: list[float] = []
    spent = cost(lambda: attached.extend(seconds(partial(attach, [place])) for place in places))
    found = ready(places)
    detached = [seconds(partial(detach, [place])) for place in places]
    return {
        **spent,
        "ready": found,
        "median": {"attach": statistics.median(attached), "detach": statistics.median(detached)},
        "midmean": {"detach": midmean(detached)},
    }


def _wire(contender: Contender, task: str, places: list[Place]) -> dict[str, object]:
    attach, detach = contender.attach, contender.detach
    if task == "attach-one":
        return _one_by_one(attach, detach, places)
    attaching = cost(partial(attach, places))
    if task == "attach":
        return {**attaching, "ready": ready(places)}
    if task == "prove":
        found = answered(places)
        phases = {"attach": attaching["seconds"], "detach": seconds(partial(detach, places))}
        return {"seconds": sum(phases.values()), "phases": phases, "answered": found}
    return dict(cost(partial(detach, places)))


def run(contender: Contender, arguments: list[str]) -> None:
    """TASK N [BRIDGES]: do it, and print the results as one line of JSON."""
    task, count = arguments[0], int(arguments[1])
    bridges = int(arguments[2]) if len(arguments) > 2 else 1
    result: dict[str, object]
    if task in ("attach", "detach", "attach-one", "prove"):
        start = time.perf_counter()
        places = prepare(count, bridges, named=contender.named)
        result = {"prepared": time.perf_counter() - start, **_wire(contender, task, places)}
    elif task == "routes" and contender.routes:
        with open_netlink() as sock:
            make_bridge(sock, "br0", "172.17.42.1")
        result = contender.routes(count)
    elif task == "links" and contender.links:
        with open_netlink() as sock:
            for i in range(count):
                make_link(sock, f"link{i}", "bridge")
        result = contender.links(count)
    else:
        sys.exit(f"this contender has no task {task}")
    print(json.dumps({"what": task, "n": count, "peak_kib": peak_kib(), **result}))


def route_destinations(count: int) -> Iterator[str]:
    """Yield single addresses of 10.0.0.0/8, as in floor.c."""
    return (f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}" for i in range(count))
