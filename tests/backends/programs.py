"""Programs for the tests of visit: steps that know their own datagrams."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from netlinkpy.wire.columns import compile_plan
from netlinkpy.wire.program import Instruction, compile_program, result_of
from tests.backends.messages import (
    IFLA_ADDRESS,
    IFLA_IFNAME,
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_DUMP,
    NLM_F_EXCL,
    NLM_F_REQUEST,
    RTM_GETLINK,
    RTM_NEWADDR,
    RTM_NEWLINK,
    SECOND,
    attribute,
    get_link,
    link_header,
    message,
    set_up,
)

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from netlinkpy.backends.interface import Backend

    Field = tuple[tuple[int, ...], int, int, int]  # of compile_plan
    Visited = tuple[int, int, int, bytes, tuple[int, ...]]

IFI_INDEX = 20  # from the start of the nlmsghdr (ifa_index too)
INDEX: Field = ((), 4, 4, 0)  # ifi_index, as a plan has it
PEER_INDEX: Field = ((5,), 0, 4, 0)  # IFLA_LINK
ASKED = (0, 1, -1, b"", (1,))  # a row of ask() that is done
RAISED = (0, 1, -1, b"", ())  # a row of raises()


class Kept(NamedTuple):
    """What a step keeps of a reply."""

    plan: bytes
    widths: tuple[int, ...]


class Step(NamedTuple):
    """A step of a program, with the datagram that a row sends in it."""

    datagram: bytes
    kept: Kept | None = None
    puts: Sequence[tuple[int, int]] = ()
    beside: bool = False
    digest: bool = False
    tolerated: int = 0


def instructions(steps: Sequence[Step]) -> list[Instruction]:
    return [
        Instruction(
            len(step.datagram),
            step.beside,
            step.tolerated,
            step.digest,
            step.kept.widths if step.kept else (),
            step.kept.plan if step.kept else b"",
            tuple(step.puts),
        )
        for step in steps
    ]


def program(steps: Sequence[Step]) -> bytes:
    return compile_program(instructions(steps))


def datagrams(*rows: Sequence[Step]) -> bytearray:
    """Those of all rows, back to back."""
    return bytearray(b"".join(step.datagram for steps in rows for step in steps))


def run(
    backend: Backend,
    steps: Sequence[Step],
    sent: Buffer,
    netns_fds: Buffer,
    sockets: Buffer | None = None,
    beside: int = -1,
    timeout: int = SECOND,
    hush: bool = False,
) -> list[Visited]:
    """What became of each row: (errno, step, message, tlvs, values)."""
    result = result_of(instructions(steps))
    results = bytearray(b"\xee" * (memoryview(netns_fds).nbytes // 4 * result.size))
    backend.visit(program(steps), sent, netns_fds, sockets, beside, timeout, results, hush)
    return [
        (code, step, message, tlvs[:length], tuple(values))
        for code, step, message, length, tlvs, *values in result.iter_unpack(results)
    ]


def visit(
    backend: Backend,
    netns_fds: Buffer,
    *rows: Sequence[Step],
    sockets: Buffer | None = None,
    beside: int = -1,
    timeout: int = SECOND,
    hush: bool = False,
) -> list[Visited]:
    """Run the steps of each row; where one row is given, all do the same."""
    number = memoryview(netns_fds).nbytes // 4
    sent = datagrams(*rows) if len(rows) > 1 else datagrams(*rows) * number
    return run(backend, rows[0], sent, netns_fds, sockets, beside, timeout, hush)


def replies(type: int, header: int, *fields: Field) -> Kept:
    """Keep fields of a reply of that type."""
    return Kept(compile_plan(type, header, fields), tuple([width for _, _, width, _ in fields]))


def links(*fields: Field) -> Kept:
    """Keep fields of a link, its index where nothing is said."""
    return replies(RTM_NEWLINK, 16, *(fields or (INDEX,)))


def ints(*numbers: int) -> bytes:
    return struct.pack(f"={len(numbers)}i", *numbers)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def add_address(sequence: int, address: bytes, index: int = 0) -> bytes:
    """RTM_NEWADDR of a /24 on a link; the prefix length is at offset 17, the index at 20."""
    body = struct.pack("=BBBBI", 2, 24, 0, 0, index) + attribute(1, address) + attribute(2, address)
    return message(RTM_NEWADDR, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL, sequence, body)


def make_link(sequence: int, index: int, name: str, *attributes: bytes) -> bytes:
    """RTM_NEWLINK, acked, of a link with that index; attributes: more of it, its IFLA_LINKINFO among them."""
    body = link_header(index) + attribute(IFLA_IFNAME, name.encode() + b"\0") + b"".join(attributes)
    flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL
    return message(RTM_NEWLINK, flags, sequence, body)


def rename(sequence: int, index: int, name: str, address: bytes = b"") -> bytes:
    """RTM_NEWLINK, acked, that sets a link's name and MAC."""
    body = link_header(index) + attribute(IFLA_IFNAME, name.encode() + b"\0")
    body += attribute(IFLA_ADDRESS, address) if address else b""
    return message(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, sequence, body)


def dump_links(sequence: int, flags: int = 0) -> bytes:
    """RTM_GETLINK of all; with `flags` in its header a strict socket refuses it."""
    return message(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, sequence, link_header(flags=flags))


def ask(sequence: int = 1) -> Step:
    """What is lo's index?"""
    return Step(get_link(sequence, index=1), links())


def raises(index: int, sequence: int = 1) -> Step:
    """Raise the link of that index."""
    return Step(set_up(sequence, index))


def quiet(sequence: int = 1) -> Step:
    """What is never answered: it asks for no ack."""
    return Step(set_up(sequence, 1, flags=0))
