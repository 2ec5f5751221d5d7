"""Programs: the datagrams of several steps in one piece, and what of one reply goes into a later one."""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import TYPE_CHECKING

import pytest

from netlinkpy import backends
from netlinkpy.framing import NLMSG_HDRLEN, NLMSGHDR
from netlinkpy.transport.visit import visit
from netlinkpy.uapi.if_ import IFF_UP
from netlinkpy.uapi.netlink import NLM_F_ACK, NLM_F_CREATE, NLM_F_ECHO, NLM_F_EXCL, NLM_F_REQUEST
from netlinkpy.uapi.rtnetlink import RTM_GETLINK, RTM_NEWADDR, RTM_NEWLINK
from netlinkpy.wire import program as program_module
from netlinkpy.wire.attributes import Slot
from netlinkpy.wire.columns import Plan, number
from netlinkpy.wire.extack import EXTACK, ExtendedAck, decode
from netlinkpy.wire.program import Instruction, Outcome, Program
from netlinkpy.wire.program import ProgramStep as Step
from netlinkpy.wire.rtnetlink.address import ADDRESS
from netlinkpy.wire.rtnetlink.link import LINK
from netlinkpy.wire.template import Template

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TIMEOUT = 2.0


@pytest.fixture
def netns() -> Iterator[int]:
    """A namespace to visit."""
    (fd,) = backends.load().make_netns(1)
    yield fd
    os.close(fd)


def ends() -> Plan:
    """Keep the indices of a veth's two ends."""
    return Plan(LINK, RTM_NEWLINK, {"index": number(LINK, "ifi_index"), "peer": number(LINK, "link")})


def create() -> Template:
    """A pair; the name of one end differs from row to row."""
    made = Template()
    values = {"ifname": Slot("ifname", 16), "linkinfo": {"kind": "veth"}}
    made.add(LINK, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | NLM_F_ECHO, values)
    return made


def configure(*addresses: str) -> Template:
    """Raise a link, and give it an address for each of these slots."""
    made = Template()
    up = {"ifi_index": Slot("index", 4), "ifi_flags": IFF_UP, "ifi_change": IFF_UP}
    made.add(LINK, RTM_NEWLINK, NLM_F_REQUEST, up)
    for name in addresses:
        values = {
            "ifa_family": 2,
            "ifa_prefixlen": 24,
            "ifa_index": Slot("index", 4),
            "local": Slot(name, 4),
            "address": Slot(name, 4),
        }
        made.add(ADDRESS, RTM_NEWADDR, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL, values)
    return made


def look(slot: str) -> Template:
    made = Template()
    made.add(LINK, RTM_GETLINK, NLM_F_REQUEST, {"ifi_index": Slot(slot, 4)})
    return made


def steps() -> list[Step]:
    return [
        Step("create", create(), plan=ends()),
        Step("configure", configure("first", "second")),
        Step("see", look("peer"), ack=False, plan=Plan(LINK, RTM_NEWLINK, {"found": number(LINK, "link")})),
    ]


COLUMNS = {"ifname": b"eth0".ljust(16, b"\0"), "first": b"\x0a\1\1\2", "second": b"\x0a\2\2\2"}


def headers(data: bytes | bytearray) -> list[tuple[int, int, int]]:
    """(type, flags, sequence) of each message."""
    found, at = [], 0
    while at < len(data):
        length, type, flags, sequence, _ = NLMSGHDR.unpack_from(data, at)
        found.append((type, flags, sequence))
        at += (length + 3) & ~3
    return found


def compiled(monkeypatch: pytest.MonkeyPatch, made: Sequence[Step]) -> tuple[Program, list[Instruction]]:
    """The program, and what was compiled of it."""
    told: list[list[Instruction]] = []
    compile_program = program_module.compile_program

    def overheard(steps: list[Instruction]) -> bytes:
        told.append(steps)
        return compile_program(steps)

    monkeypatch.setattr(program_module, "compile_program", overheard)
    program = Program(made)
    (one,) = told
    return program, one


def run(
    program: Program,
    data: bytearray,
    fds: bytes,
    sockets: bytearray | None = None,
    beside: Lent | None = None,
) -> list[Outcome]:
    results = program.room(len(fds) // 4)
    visit(program, data, fds, TIMEOUT, sockets=sockets, beside=beside, results=results)
    return program.outcomes(results)


# -- how it is put together --------------------------------------------------------------------------------


def test_messages_are_numbered_through_all_steps() -> None:
    """From 1, in every row; and the last of a step asks for its ack, where the step ends with one."""
    data = Program(steps()).stamp({}, 2)
    asked = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL
    row = [
        (RTM_NEWLINK, asked | NLM_F_ECHO | NLM_F_ACK, 1),
        (RTM_NEWLINK, NLM_F_REQUEST, 2),
        (RTM_NEWADDR, asked, 3),
        (RTM_NEWADDR, asked | NLM_F_ACK, 4),
        (RTM_GETLINK, NLM_F_REQUEST, 5),
    ]
    assert headers(data) == row * 2


def test_the_templates_stay_as_they_were() -> None:
    """They may serve in other scripts, at other places."""
    made = steps()
    before = [step.template.data for step in made]
    first = Program(made).stamp(COLUMNS, 1)
    assert [step.template.data for step in made] == before
    assert Program(made).stamp(COLUMNS, 1) == first
    assert headers(Program(made[1:]).stamp({}, 1))[0] == (RTM_NEWLINK, NLM_F_REQUEST, 1)


def test_names_of_steps_and_values() -> None:
    program = Program(steps())
    assert program.names == ("create", "configure", "see")
    assert program.values == ("index", "peer", "found")
    assert [step.name for step in program.steps] == ["create", "configure", "see"]


def test_slots_of_kept_values_become_puts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each put is the value's number, and its place in its own datagram; the other slots are stamped."""
    made = steps()
    program, told = compiled(monkeypatch, made)
    lengths = [len(step.template.data) for step in made]
    plans = [step.plan.compiled if step.plan else b"" for step in made]
    index = made[1].template.offsets("index")
    assert len(index) == 3 and index[0] == NLMSG_HDRLEN + 4
    assert told == [
        Instruction(lengths[0], widths=(4, 4), plan=plans[0]),
        Instruction(lengths[1], puts=tuple([(0, offset) for offset in index])),
        Instruction(lengths[2], widths=(4,), plan=plans[2], puts=((1, NLMSG_HDRLEN + 4),)),
    ]
    # A column of such a name goes nowhere.
    columns = {**COLUMNS, "index": b"\xff" * 4, "peer": b"\xff" * 4}
    assert program.stamp(columns, 1) == program.stamp(COLUMNS, 1)
    assert program.stamp({}, 1, columns) == program.stamp(COLUMNS, 1)


def test_a_slot_before_its_value_is_stamped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in the very step that keeps it: its datagram is sent before."""
    plan = Plan(LINK, RTM_NEWLINK, {"index": number(LINK, "ifi_index")})
    made = [
        Step("one", look("index"), ack=False, plan=plan),
        Step("two", look("index"), ack=False),
    ]
    program, told = compiled(monkeypatch, made)
    assert [one.puts for one in told] == [(), ((0, NLMSG_HDRLEN + 4),)]
    index = struct.pack("=i", 7)
    data = program.stamp({"index": index}, 1)
    half = len(data) // 2
    assert data[NLMSG_HDRLEN + 4 :][:4] == index and data[half + NLMSG_HDRLEN + 4 :][:4] == bytes(4)


def test_what_a_step_is_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside, with an errno that it tolerates, with a digest: a value behind those of its plan."""
    made = [
        Step("in", look("a"), ack=False, plan=ends(), digest="said"),
        Step("out", look("a"), ack=False, beside=True, tolerated=errno.ENODEV),
    ]
    program, told = compiled(monkeypatch, made)
    assert [(one.beside, one.tolerated, one.digest) for one in told] == [
        (False, 0, True),
        (True, errno.ENODEV, False),
    ]
    assert program.values == ("index", "peer", "said")
    results = program.room(2)
    struct.pack_into("=2Q", results, len(results) - 16, 7, 2**63)
    assert [program.outcome(results, row).values for row in range(2)] == [(0, 0, 0), (0, 7, 2**63)]


@pytest.mark.parametrize("count", [0, 17])
def test_a_program_has_1_to_16_steps(count: int) -> None:
    with pytest.raises(ValueError):
        Program([Step("look", look("index"), ack=False)] * count)
    assert len(Program([Step("look", look("index"), ack=False)] * 16).names) == 16


# -- stamping ----------------------------------------------------------------------------------------------


def test_one_row_is_stamped_as_many_are() -> None:
    """By Python or by the shim: the same bytes, each value at all its places."""
    program = Program(steps())
    rows = 5
    names = [f"eth{row}".encode().ljust(16, b"\0") for row in range(rows)]
    firsts = [bytes([10, 1, 1, row]) for row in range(rows)]
    constants = {"second": b"\x0a\2\2\2"}
    many = program.stamp({"ifname": b"".join(names), "first": b"".join(firsts)}, rows, constants)
    one_by_one = [
        program.stamp({"ifname": name, "first": first}, 1, constants)
        for name, first in zip(names, firsts, strict=True)
    ]
    assert many == b"".join(one_by_one)
    for row, data in enumerate(one_by_one):
        assert data.count(firsts[row]) == data.count(b"\x0a\2\2\2") == 2 and data.count(names[row]) == 1


@pytest.mark.parametrize("by", [-1, 1])
def test_a_value_of_the_wrong_length(by: int) -> None:
    with pytest.raises(ValueError, match="first"):
        Program(steps()).stamp({"first": bytes(4 + by)}, 1)


# -- the reading of an extended ack ------------------------------------------------------------------------


@pytest.mark.parametrize(("step", "place"), [(0, 0), (1, 0), (1, 1), (1, 2), (2, 0)])
def test_the_message_of_a_step(step: int, place: int) -> None:
    """Its description, and its body as it is sent but for what is stamped."""
    program = Program(steps())
    data = program.stamp({}, 1)
    template = program.steps[step].template
    start = sum(len(one.template.data) for one in program.steps[:step]) + template.messages[place][1]
    own = data[start + NLMSG_HDRLEN : start + NLMSGHDR.unpack_from(data, start)[0]]
    description, body = program.message(step, place)
    assert description is (ADDRESS if (step, place) in ((1, 1), (1, 2)) else LINK)
    assert body.startswith(own)


@pytest.mark.parametrize(("place", "name"), [(0, "ifi_flags"), (1, "local"), (2, "local")])
def test_an_extended_ack_is_read_with_it(place: int, name: str) -> None:
    """Of each message of a datagram, those in the middle too: where the kernel points, and what it misses."""
    program = Program(steps())
    description, body = program.message(1, place)
    tlvs = EXTACK.pack({"msg": "no", "offs": NLMSG_HDRLEN + 8, "miss_type": 3})
    missing = description.name_of(3)
    assert missing in ("ifname", "label")
    assert decode(tlvs, description, body) == ExtendedAck("no", name, missing)


def test_a_refusal_leads_to_its_attribute(netns: int) -> None:
    """What a visit tells of it is enough to name the attribute of the message that is to blame."""
    wrong = configure("first")
    short = {"ifi_index": Slot("index", 4), "txqlen": 5, "mtu": Slot("mtu", 2)}
    wrong.add(LINK, RTM_NEWLINK, NLM_F_REQUEST, short)
    program = Program([Step("create", create(), plan=ends()), Step("configure", wrong)])
    data = program.stamp({**COLUMNS, "mtu": b"\1\1"}, 1)
    (one,) = run(program, data, struct.pack("=i", netns))
    assert (one.errno, program.names[one.step], one.message) == (errno.ERANGE, "configure", 2)
    told = decode(one.tlvs, *program.message(one.step, one.message))
    assert told.path == "mtu" and told.text


# -- running -----------------------------------------------------------------------------------------------


class Lent:
    """A socket beside, and what became of it."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.told: list[str | bool] = []

    def lend(self) -> int:
        self.told.append("lent")
        return self.socket.fileno()

    def take_back(self, answered: bool) -> None:
        self.told.append(answered)


def test_what_one_step_is_told_the_next_ones_say(netns: int) -> None:
    """The index of what was made is where the address goes, and its peer's is what is looked at."""
    program = Program(steps())
    (one,) = run(program, program.stamp(COLUMNS, 1), struct.pack("=i", netns))
    assert (one.errno, one.step) == (0, 3)
    told = dict(zip(program.values, one.values, strict=True))
    assert told["found"] == told["index"] != told["peer"]


def test_a_kept_socket_serves_the_next_run(netns: int) -> None:
    program = Program([Step("see", look("index"), ack=False)])
    data = program.stamp({"index": struct.pack("=i", 1)}, 1)
    sockets = bytearray(struct.pack("=i", -1))
    done = Outcome(0, 1, -1, b"", ())
    assert run(program, data, struct.pack("=i", netns), sockets) == [done]
    (fd,) = struct.unpack("=i", sockets)
    assert fd >= 0 and run(program, data, struct.pack("=i", -1), sockets) == [done]
    os.close(fd)


@pytest.mark.parametrize(("index", "code"), [(1, 0), (99, errno.ENODEV)])
def test_the_socket_beside_is_lent_and_taken_back(netns: int, index: int, code: int) -> None:
    """As answered only if all rows were done: what else is under way there, nobody knows."""
    program = Program([Step("in", look("lo"), ack=False), Step("out", look("index"), ack=False, beside=True)])
    indices = struct.pack("=2i", 1, index)
    data = program.stamp({"index": indices}, 2, {"lo": struct.pack("=i", 1)})
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        lent = Lent(sock)
        outcomes = run(program, data, struct.pack("=2i", netns, netns), beside=lent)
        assert [(one.errno, one.step) for one in outcomes] == [(0, 2), (code, 1 if code else 2)]
        assert lent.told == ["lent", not code]


@pytest.mark.parametrize(
    "second", [Step("b", look("a"), ack=False, digest="index"), Step("b", look("a"), plan=ends())]
)
def test_a_name_is_kept_once(second: Step) -> None:
    with pytest.raises(ValueError, match="step b keeps a value of a name that is kept already"):
        Program([Step("a", create(), plan=ends()), second])


def test_a_digest_has_a_name_of_its_own() -> None:
    with pytest.raises(ValueError, match="is kept already"):
        Program([Step("a", create(), plan=ends(), digest="index")])
