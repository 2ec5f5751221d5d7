"""Scripts: the datagrams of several steps in one piece, and what of one reply goes into a later one."""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import TYPE_CHECKING, Any

import pytest

from netlinkpy import backends
from netlinkpy.framing import NLMSG_HDRLEN, NLMSGHDR
from netlinkpy.uapi.netlink import NLM_F_ACK, NLM_F_CREATE, NLM_F_ECHO, NLM_F_EXCL, NLM_F_REQUEST
from netlinkpy.wire import script as script_module
from netlinkpy.wire.attributes import Slot
from netlinkpy.wire.extack import EXTACK, ExtendedAck, decode
from netlinkpy.wire.rtnetlink.address import ADDRESS, RTM_NEWADDR
from netlinkpy.wire.rtnetlink.link import IFF_UP, LINK, RTM_GETLINK, RTM_NEWLINK
from netlinkpy.wire.script import Script, Step
from netlinkpy.wire.table import Plan, number
from netlinkpy.wire.template import Template

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netlinkpy.backends.interface import Step as Compiled

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


def compiled(monkeypatch: pytest.MonkeyPatch, made: Sequence[Step]) -> tuple[Script, list[Compiled]]:
    """The script, and what the backend was told of it."""
    told: list[list[Compiled]] = []

    class Backend:
        """The true one, overheard."""

        def __getattr__(self, name: str) -> Any:
            return getattr(backends.load(), name)

        def compile_script(self, steps: list[Compiled]) -> Any:
            told.append(steps)
            return backends.load().compile_script(steps)

    monkeypatch.setattr(script_module, "load", Backend)
    script = Script(made)
    (one,) = told
    return script, one


# -- how it is put together --------------------------------------------------------------------------------


def test_messages_are_numbered_through_all_steps() -> None:
    """From 1, in every row; and the last of a step asks for its ack, where the step ends with one."""
    data = Script(steps()).stamp({}, 2)
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
    first = Script(made).stamp(COLUMNS, 1)
    assert [step.template.data for step in made] == before
    assert Script(made).stamp(COLUMNS, 1) == first
    assert headers(Script(made[1:]).stamp({}, 1))[0] == (RTM_NEWLINK, NLM_F_REQUEST, 1)


def test_names_of_steps_and_values() -> None:
    script = Script(steps())
    assert script.names == ("create", "configure", "see")
    assert script.values == ("index", "peer", "found")
    assert [step.name for step in script.steps] == ["create", "configure", "see"]


def test_slots_of_kept_values_become_puts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each put is the value's number, and its place in its own datagram; the other slots are stamped."""
    made = steps()
    script, told = compiled(monkeypatch, made)
    lengths = [len(step.template.data) for step in made]
    plans = [step.plan.compiled if step.plan else None for step in made]
    index = made[1].template.offsets("index")
    assert len(index) == 3 and index[0] == NLMSG_HDRLEN + 4
    assert told == [
        (lengths[0], False, plans[0], []),
        (lengths[1], False, plans[1], [(0, offset) for offset in index]),
        (lengths[2], False, plans[2], [(1, NLMSG_HDRLEN + 4)]),
    ]
    # A column of such a name goes nowhere.
    columns = {**COLUMNS, "index": b"\xff" * 4, "peer": b"\xff" * 4}
    assert script.stamp(columns, 1) == script.stamp(COLUMNS, 1)
    assert script.stamp({}, 1, columns) == script.stamp(COLUMNS, 1)


def test_a_slot_before_its_value_is_stamped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in the very step that keeps it: its datagram is sent before."""
    plan = Plan(LINK, RTM_NEWLINK, {"index": number(LINK, "ifi_index")})
    made = [Step("one", look("index"), ack=False, plan=plan), Step("two", look("index"), ack=False)]
    script, told = compiled(monkeypatch, made)
    assert [puts for *_, puts in told] == [[], [(0, NLMSG_HDRLEN + 4)]]
    index = struct.pack("=i", 7)
    data = script.stamp({"index": index}, 1)
    half = len(data) // 2
    assert data[NLMSG_HDRLEN + 4 :][:4] == index and data[half + NLMSG_HDRLEN + 4 :][:4] == bytes(4)


def test_steps_beside_are_told_to_the_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [Step("in", look("a"), ack=False), Step("out", look("a"), ack=False, beside=True)]
    _, told = compiled(monkeypatch, made)
    assert [beside for _, beside, *_ in told] == [False, True]


@pytest.mark.parametrize("count", [0, 17])
def test_a_script_has_1_to_16_steps(count: int) -> None:
    with pytest.raises(ValueError):
        Script([Step("look", look("index"), ack=False)] * count)
    assert len(Script([Step("look", look("index"), ack=False)] * 16).names) == 16


# -- stamping ----------------------------------------------------------------------------------------------


def test_one_row_is_stamped_as_many_are() -> None:
    """By Python or by the shim: the same bytes, each value at all its places."""
    script = Script(steps())
    rows = 5
    names = [f"eth{row}".encode().ljust(16, b"\0") for row in range(rows)]
    firsts = [bytes([10, 1, 1, row]) for row in range(rows)]
    constants = {"second": b"\x0a\2\2\2"}
    many = script.stamp({"ifname": b"".join(names), "first": b"".join(firsts)}, rows, constants)
    one_by_one = [
        script.stamp({"ifname": name, "first": first}, 1, constants)
        for name, first in zip(names, firsts, strict=True)
    ]
    assert many == b"".join(one_by_one)
    for row, data in enumerate(one_by_one):
        assert data.count(firsts[row]) == data.count(b"\x0a\2\2\2") == 2 and data.count(names[row]) == 1


@pytest.mark.parametrize("by", [-1, 1])
def test_a_value_of_the_wrong_length(by: int) -> None:
    with pytest.raises(ValueError, match="first"):
        Script(steps()).stamp({"first": bytes(4 + by)}, 1)


# -- the reading of an extended ack ------------------------------------------------------------------------


@pytest.mark.parametrize(("step", "place"), [(0, 0), (1, 0), (1, 1), (1, 2), (2, 0)])
def test_the_message_of_a_step(step: int, place: int) -> None:
    """Its description, and its body as it is sent but for what is stamped."""
    script = Script(steps())
    data = script.stamp({}, 1)
    template = script.steps[step].template
    start = sum(len(one.template.data) for one in script.steps[:step]) + template.messages[place][1]
    own = data[start + NLMSG_HDRLEN : start + NLMSGHDR.unpack_from(data, start)[0]]
    description, body = script.message(step, place)
    assert description is (ADDRESS if (step, place) in ((1, 1), (1, 2)) else LINK)
    assert body.startswith(own)


@pytest.mark.parametrize(("place", "name"), [(0, "ifi_flags"), (1, "local"), (2, "local")])
def test_an_extended_ack_is_read_with_it(place: int, name: str) -> None:
    """Of each message of a datagram, those in the middle too: where the kernel points, and what it misses."""
    script = Script(steps())
    description, body = script.message(1, place)
    tlvs = EXTACK.pack({"msg": "no", "offs": NLMSG_HDRLEN + 8, "miss_type": 3})
    missing = description.name_of(3)
    assert missing in ("ifname", "label")
    assert decode(tlvs, description, body) == ExtendedAck("no", name, missing)


def test_a_refusal_leads_to_its_attribute(netns: int) -> None:
    """What a visit tells of it is enough to name the attribute of the message that is to blame."""
    wrong = configure("first")
    short = {"ifi_index": Slot("index", 4), "txqlen": 5, "mtu": Slot("mtu", 2)}
    wrong.add(LINK, RTM_NEWLINK, NLM_F_REQUEST, short)
    script = Script([Step("create", create(), plan=ends()), Step("configure", wrong)])
    data = script.stamp({**COLUMNS, "mtu": b"\1\1"}, 1)
    ((code, step, place, tlvs, _),) = script.run(data, struct.pack("=i", netns), TIMEOUT)
    assert (code, script.names[step], place) == (errno.ERANGE, "configure", 2)
    told = decode(tlvs, *script.message(step, place))
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
    script = Script(steps())
    ((code, step, *_, values),) = script.run(script.stamp(COLUMNS, 1), struct.pack("=i", netns), TIMEOUT)
    assert (code, step) == (0, 3)
    told = dict(zip(script.values, values, strict=True))
    assert told["found"] == told["index"] != told["peer"]


def test_a_kept_socket_serves_the_next_run(netns: int) -> None:
    script = Script([Step("see", look("index"), ack=False)])
    data = script.stamp({"index": struct.pack("=i", 1)}, 1)
    sockets = bytearray(struct.pack("=i", -1))
    assert script.run(data, struct.pack("=i", netns), TIMEOUT, sockets)[0][:2] == (0, 1)
    (fd,) = struct.unpack("=i", sockets)
    assert fd >= 0 and script.run(data, struct.pack("=i", -1), TIMEOUT, sockets)[0][:2] == (0, 1)
    os.close(fd)


@pytest.mark.parametrize(("index", "code"), [(1, 0), (99, errno.ENODEV)])
def test_the_socket_beside_is_lent_and_taken_back(netns: int, index: int, code: int) -> None:
    """As answered only if all rows were done: what else is under way there, nobody knows."""
    script = Script([Step("in", look("lo"), ack=False), Step("out", look("index"), ack=False, beside=True)])
    indices = struct.pack("=2i", 1, index)
    data = script.stamp({"index": indices}, 2, {"lo": struct.pack("=i", 1)})
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        lent = Lent(sock)
        visited = script.run(data, struct.pack("=2i", netns, netns), TIMEOUT, beside=lent)
        assert [one[:2] for one in visited] == [(0, 2), (code, 1 if code else 2)]
        assert lent.told == ["lent", not code]
