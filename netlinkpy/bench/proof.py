"""The proof that containers are wired: ICMP echoes, sent inside each to its gateway and to a neighbour, and
answered."""

from __future__ import annotations

import _socket
import os
from select import POLLIN, poll
from struct import Struct
from time import monotonic

from ..backends import load
from ..record import Record
from ..rtnl.netlink import RTNetlink
from ..rtnl.values import parse_ip, parse_mac
from ..transport.visit import visit
from ..uapi.neighbour import NUD_PERMANENT
from ..uapi.netlink import NLM_F_CREATE, NLM_F_REPLACE, NLM_F_REQUEST
from ..uapi.rtnetlink import RTM_NEWNEIGH
from ..wire.attributes import Slot
from ..wire.program import Program, ProgramStep
from ..wire.rtnetlink.neighbour import NEIGHBOUR
from ..wire.template import Template

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..netns.handle import Netns

SAFE_NEIGHBOURS = 250  # containers whose neighbour entries the kernel's table of 1024 surely holds
_WINDOW = 200  # containers that ping at the same time
_ECHO = Struct(">BBHHH")  # type, code, checksum, identifier, sequence (RFC 792)
_ECHO_REQUEST, _ECHO_REPLY = 8, 0
_NUMBER = Struct("=I")
_TIMEOUT = 10.0  # seconds for the neighbour entries of a container


class Wired(Record):
    """One wired container, for the proof: its namespace, its interface's index, its address and MAC, and its
    gateway's."""

    netns: Netns
    index: int
    address: str
    mac: str
    gateway: str
    gateway_mac: str
    bridge: str


def prove(
    containers: list[Wired], deadline: float, progress: Callable[[int, int], None]
) -> tuple[int, list[str]]:
    """Have every container reach its gateway and the next container of its bridge. Return how many echoes
    were sent, and in words which were not answered within `deadline` seconds."""
    failed: list[str] = []
    nexts = _neighbours(containers)
    for start in range(0, len(containers), _WINDOW):
        window = range(start, min(start + _WINDOW, len(containers)))
        failed += _ping([(containers[i], [containers[i].gateway, *nexts[i]]) for i in window], deadline)
        progress(window.stop, len(containers))
    return len(containers) + sum(map(len, nexts)), failed


def _neighbours(containers: list[Wired]) -> list[list[str]]:
    """Return for each container the address of the next on its bridge, in a ring; none if it is alone
    there."""
    by_bridge: dict[str, list[int]] = {}
    for number, container in enumerate(containers):
        by_bridge.setdefault(container.bridge, []).append(number)
    nexts: list[list[str]] = [[] for _ in containers]
    for members in by_bridge.values():
        if len(members) > 1:
            for number, following in zip(members, members[1:] + members[:1], strict=True):
                nexts[number] = [containers[following].address]
    return nexts


def _ping(wanted: list[tuple[Wired, list[str]]], deadline: float) -> list[str]:
    waiting: dict[int, dict[str, int]] = {}  # by descriptor: the addresses that have not answered
    sockets: dict[int, tuple[_socket.socket, Wired]] = {}
    poller = poll()
    try:
        for number, (container, addresses) in enumerate(wanted):
            kind = _socket.SOCK_RAW | _socket.SOCK_NONBLOCK
            inside = container.netns.fileno()
            socket = load().open_socket(inside, _socket.AF_INET, kind, _socket.IPPROTO_ICMP)
            fd = socket.fileno()
            sockets[fd] = (socket, container)
            poller.register(fd, POLLIN)
            waiting[fd] = dict.fromkeys(addresses, number)
            for sequence, address in enumerate(addresses, 1):
                sockets[fd][0].sendto(_echo(number, sequence), (address, 0))
        end = monotonic() + deadline
        while any(waiting.values()) and (left := end - monotonic()) > 0:
            for fd, _ in poller.poll(left * 1000):
                _receive(sockets[fd][0], waiting[fd])
        return [
            f"{sockets[fd][1].netns.label} ({sockets[fd][1].address}) got no answer from {address}"
            for fd, addresses in waiting.items()
            for address in addresses
        ]
    finally:
        for socket, _ in sockets.values():
            socket.close()


def _receive(socket: _socket.socket, waiting: dict[str, int]) -> None:
    """Take what came: an echo reply with our identifier takes its sender off the list. (A raw socket sees
    others' requests too.)"""
    while True:
        try:
            packet, sender = socket.recvfrom(2048)
        except BlockingIOError:
            return
        head = (packet[0] & 15) * 4
        if len(packet) >= head + _ECHO.size:
            kind, _, _, identifier, _ = _ECHO.unpack_from(packet, head)
            if kind == _ECHO_REPLY and waiting.get(sender[0]) == identifier:
                del waiting[sender[0]]


def _echo(identifier: int, sequence: int) -> bytes:
    data = os.urandom(16)
    head = _ECHO.pack(_ECHO_REQUEST, 0, 0, identifier, sequence)
    total = sum(
        int.from_bytes((head + data)[at : at + 2], "big") for at in range(0, len(head) + len(data), 2)
    )
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ~(total + (total >> 16)) & 0xFFFF
    return _ECHO.pack(_ECHO_REQUEST, 0, checksum, identifier, sequence) + data


def make_neighbours_permanent(containers: list[Wired]) -> None:
    """Tell every container and the host the MACs that the proof needs, as permanent entries: those do not
    count in the kernel's table of 1024 neighbours, which all namespaces share."""
    macs = {container.address: container.mac for container in containers}
    nexts = _neighbours(containers)
    known: list[list[tuple[str, str]]] = [[(one.gateway, one.gateway_mac)] for one in containers]
    numbers = {container.address: number for number, container in enumerate(containers)}
    for number, following in enumerate(nexts):
        for address in following:
            known[number].append((address, macs[address]))
            known[numbers[address]].append((containers[number].address, containers[number].mac))
    for start in range(0, len(containers), 64):
        for size in {len(entries) for entries in known[start : start + 64]}:
            rows = [i for i in range(start, min(start + 64, len(containers))) if len(known[i]) == size]
            _tell(rows, containers, known)
    with RTNetlink() as host:
        indices = {bridge: host.index(bridge) for bridge in {one.bridge for one in containers}}
        for one in containers:
            host.neighbours.add(one.address, mac=one.mac, dev=indices[one.bridge], replace=True)


def _tell(rows: list[int], containers: list[Wired], known: list[list[tuple[str, str]]]) -> None:
    """Give containers that have as many neighbours their entries, one datagram each."""
    count = len(known[rows[0]])
    template = Template()
    for number in range(count):
        values = {
            "ndm_family": _socket.AF_INET,
            "ndm_ifindex": Slot("index", 4),
            "ndm_state": NUD_PERMANENT,
            "dst": Slot(f"address{number}", 4),
            "lladdr": Slot(f"mac{number}", 6),
        }
        template.add(NEIGHBOUR, RTM_NEWNEIGH, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE, values)
    columns = {"index": b"".join([_NUMBER.pack(containers[row].index) for row in rows])}
    for number in range(count):
        columns[f"address{number}"] = b"".join([parse_ip(known[row][number][0]) for row in rows])
        columns[f"mac{number}"] = b"".join([parse_mac(known[row][number][1]) for row in rows])
    program = Program([ProgramStep("tell", template)])
    fds = b"".join([_NUMBER.pack(containers[row].netns.fileno()) for row in rows])
    results = program.room(len(rows))
    visit(program, program.stamp(columns, len(rows)), fds, _TIMEOUT, results=results)
    for row, outcome in zip(rows, program.outcomes(results), strict=True):
        if outcome.errno:
            raise OSError(outcome.errno, f"{containers[row].netns.label}: its neighbours cannot be set")
