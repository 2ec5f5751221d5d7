"""The local routes of IPv6 addresses: wait for them, for until then packets to the addresses are dropped.

The kernel adds an IPv6 address's route in the table "local" from a work queue, also without duplicate address
detection (addrconf_dad_work(), net/ipv6/addrconf.c): mostly within a millisecond after the ack. What arrives
before that, such as a neighbour's first answer, is dropped, and costs a retry after a second."""

from __future__ import annotations

import errno
from _socket import AF_INET6
from struct import Struct
from time import monotonic, sleep

from ..rtnl.values import format_ip
from ..transport.visit import visit
from ..uapi.netlink import NLM_F_REQUEST
from ..uapi.rtnetlink import RTM_GETROUTE, RTM_NEWROUTE, RTN_LOCAL
from ..wire.attributes import Slot
from ..wire.columns import Plan, number
from ..wire.program import Program, ProgramStep
from ..wire.rtnetlink.route import ROUTE
from ..wire.template import Template
from .errors import failure
from .prepared import PREPARED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..netns.handle import Netns
    from .errors import Failures
    from .row import Row

_PAUSE = 0.0005  # seconds between two looks
_FD = Struct("=i")


def await_own(rows: list[Row], handles: Sequence[Netns | None], timeout: float, failures: Failures) -> None:
    """Wait until the containers of rows of one shape own their IPv6 addresses. Note a failure for each
    address that they do not own within `timeout` seconds."""
    deadline = monotonic() + timeout
    for place, (size, _) in enumerate(rows[0].shape.addresses):
        if size != 16:
            continue
        waiting = list(zip(rows, handles, strict=True))
        while waiting := _not_own(waiting, place, timeout):
            if monotonic() > deadline:
                for row, _ in waiting:
                    verb = f"wait for address {format_ip(row.wanted.addresses[place][0])}"
                    failures.add(failure(row, errno.ETIMEDOUT, verb))
                break
            sleep(_PAUSE)


def _not_own(
    waiting: list[tuple[Row, Netns | None]], place: int, timeout: float
) -> list[tuple[Row, Netns | None]]:
    """Return those rows to which packets for address `place` would not be delivered, by the kernel's own
    route lookup."""
    program = _program()
    column = b"".join([row.wanted.addresses[place][0] for row, _ in waiting])
    fds = b"".join([_FD.pack(-1 if handle is None else handle.fileno()) for _, handle in waiting])
    inside = all(row.socket >= 0 for row, _ in waiting)
    sockets = bytearray(b"".join([_FD.pack(row.socket) for row, _ in waiting])) if inside else None
    results = program.room(len(waiting))
    datagrams = program.stamp({"address": column}, len(waiting))
    visit(program, datagrams, fds, timeout, sockets=sockets, results=results)
    told = [program.outcome(results, row).values for row in range(len(waiting))]
    return [pair for pair, values in zip(waiting, told, strict=True) if values != (RTN_LOCAL,)]


def _program() -> Program:
    """Return the program that asks for the route of a packet to the address in the slot `address`."""
    if PREPARED.local_route is None:
        template = Template()
        asked = {"rtm_family": AF_INET6, "rtm_dst_len": 128, "dst": Slot("address", 16)}
        template.add(ROUTE, RTM_GETROUTE, NLM_F_REQUEST, asked)
        plan = Plan(ROUTE, RTM_NEWROUTE, {"type": number(ROUTE, "rtm_type")})
        PREPARED.local_route = Program([ProgramStep("look", template, ack=False, plan=plan)])
    return PREPARED.local_route
