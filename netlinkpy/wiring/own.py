"""Own: IPv6 addresses that the kernel has acked, waited for until packets to them are the container's own.

The kernel adds an IPv6 address's route in the table "local" from a work queue, also without duplicate address
detection (addrconf_dad_work(), net/ipv6/addrconf.c): mostly within a millisecond after the ack. What comes in
before that, the neighbour's first answer for one, is dropped, and is missed for a second."""

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
from ..wire.program import Program, Step
from ..wire.rtnetlink.route import ROUTE
from ..wire.template import Template
from .errors import failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..netns.handle import Netns
    from .endpoint import Wanted
    from .errors import AttachError

_PAUSE = 0.0005  # seconds between two looks
_FD = Struct("=i")


def await_own(rows: list[Wanted], handles: Sequence[Netns | None], timeout: float) -> list[AttachError]:
    """Wait until every IPv6 address of rows of one shape is the container's own; gives those that were not
    in time (seconds)."""
    failed: list[AttachError] = []
    deadline = monotonic() + timeout
    for place, (first, _) in enumerate(rows[0].addresses):
        if len(first) != 16:
            continue
        waiting = list(zip(rows, handles, strict=True))
        while waiting := _not_own(waiting, place, timeout):
            if monotonic() > deadline:
                verb = f"wait for address {format_ip(first)}"
                failed += [
                    failure(row.position, row.endpoint, errno.ETIMEDOUT, verb, where=row.label)
                    for row, _ in waiting
                ]
                break
            sleep(_PAUSE)
    return failed


def _not_own(
    waiting: list[tuple[Wanted, Netns | None]], place: int, timeout: float
) -> list[tuple[Wanted, Netns | None]]:
    """Those whose address `place` would not be delivered to the container itself: the kernel's own lookup
    says."""
    program = _program()
    column = b"".join([row.addresses[place][0] for row, _ in waiting])
    fds = b"".join([_FD.pack(-1 if handle is None else handle.fileno()) for _, handle in waiting])
    sockets = bytearray(b"".join([_FD.pack(row.socket) for row, _ in waiting]))
    inside = all(row.socket >= 0 for row, _ in waiting)
    datagrams = program.stamp({"address": column}, len(waiting))
    results = program.room(len(waiting))
    visit(program, datagrams, fds, timeout, sockets=sockets if inside else None, results=results)
    outcomes = program.outcomes(results)
    return [pair for pair, outcome in zip(waiting, outcomes, strict=True) if outcome.values != (RTN_LOCAL,)]


_programs: list[Program] = []


def _program() -> Program:
    """Ask how a packet to an address would go."""
    if not _programs:
        template = Template()
        asked = {"rtm_family": AF_INET6, "rtm_dst_len": 128, "dst": Slot("address", 16)}
        template.add(ROUTE, RTM_GETROUTE, NLM_F_REQUEST, asked)
        plan = Plan(ROUTE, RTM_NEWROUTE, {"type": number(ROUTE, "rtm_type")})
        _programs.append(Program([Step("look", template, ack=False, plan=plan)]))
    return _programs[0]
