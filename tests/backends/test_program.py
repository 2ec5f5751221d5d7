"""Programs: the values that are kept of replies, and where they are put."""

from __future__ import annotations

import errno
import struct
import sys
from typing import TYPE_CHECKING

import pytest

from tests.backends.messages import (
    IFLA_ADDRESS,
    IFLA_IFNAME,
    IFLA_INFO_DATA,
    IFLA_INFO_KIND,
    IFLA_LINKINFO,
    IFLA_MTU,
    NLM_F_ACK,
    NLM_F_ECHO,
    RTM_NEWADDR,
    RTM_NEWLINK,
    SECOND,
    attribute,
    get_link,
    make_veth,
    namespaces,
    set_up,
)
from tests.backends.programs import (
    IFI_INDEX,
    INDEX,
    PEER_INDEX,
    Step,
    add_address,
    ask,
    datagrams,
    dump_links,
    ints,
    links,
    make_link,
    raises,
    rename,
    replies,
    run,
    visit,
)

if TYPE_CHECKING:
    from netlinkpy.backends.interface import Backend
    from tests.backends.programs import Field


NAME: Field = ((IFLA_IFNAME,), 0, 8, 0)  # "lo" and such, padded with zeros
KIND = (IFLA_LINKINFO, IFLA_INFO_KIND)
NOTHING: Field = ((0x3FFF,), 0, 4, 0)  # no link has this
IFLA_BR_AGEING_TIME, IFLA_BR_PRIORITY = 4, 6  # linux/if_link.h
MAC = b"\2\1\2\3\4\5"
BRIDGE = attribute(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, b"bridge"))


def number(octets: bytes) -> int:
    """A value as it is told: a number in the host's byte order."""
    return int.from_bytes(octets, sys.byteorder)


LO = number(b"lo\0\0\0\0\0\0")


def acked(one: bytes) -> bytes:
    """The message with NLM_F_ACK."""
    flagged = bytearray(one)
    flagged[6] |= NLM_F_ACK
    return bytes(flagged)


def make_bridge(sequence: int, index: int, name: str, mac: bytes) -> bytes:
    """With a bridge's options that are unlike the kernel's own."""
    options = attribute(IFLA_BR_PRIORITY, struct.pack("=H", 0x1234))
    options += attribute(IFLA_BR_AGEING_TIME, struct.pack("=I", 12300))
    info = attribute(IFLA_INFO_KIND, b"bridge") + attribute(IFLA_INFO_DATA, options)
    return make_link(sequence, index, name, attribute(IFLA_LINKINFO, info), attribute(IFLA_ADDRESS, mac))


# -- values ------------------------------------------------------------------------------------------------


def test_values_of_every_width(backend: Backend) -> None:
    """From the fixed header, from attributes, from a nest three deep, and the length of one."""
    wanted: list[tuple[Field, int]] = [
        (((), 0, 1, 0), 0),  # ifi_family
        (((), 2, 2, 0), 1),  # ifi_type: ARPHRD_ETHER
        (INDEX, 70000),
        (NAME, number(b"br0\0\0\0\0\0")),
        (((IFLA_ADDRESS,), 0, 8, 0), number(MAC + b"\0\0")),
        (((IFLA_ADDRESS,), 0, 4, 0), number(MAC[:4])),
        (((IFLA_ADDRESS,), 4, 2, 0), number(MAC[4:])),
        (((IFLA_ADDRESS,), 5, 1, 0), MAC[5]),
        (((IFLA_ADDRESS,), 0, 2, 1), 6),
        (((IFLA_MTU,), 0, 4, 0), 1500),
        ((KIND, 0, 8, 0), number(b"bridge\0\0")),
        (((IFLA_LINKINFO, IFLA_INFO_DATA, IFLA_BR_PRIORITY), 0, 2, 0), 0x1234),
        (((IFLA_LINKINFO, IFLA_INFO_DATA, IFLA_BR_AGEING_TIME), 0, 4, 0), 12300),
    ]
    fields = [entry for entry, _ in wanted]
    with namespaces(backend, 1) as fds:
        steps = [
            Step(make_bridge(1, 70000, "br0", MAC)),
            Step(get_link(2, name="br0"), links(*fields)),
            Step(get_link(3, index=70000), links(*fields[::-1])),
        ]
        expected = tuple([value for _, value in wanted])
        assert visit(backend, ints(*fds), steps) == [(0, 3, -1, b"", expected + expected[::-1])]


def test_thirty_two_values(backend: Backend) -> None:
    """Each tells what it is by its place; of four widths, and in all of 16 steps."""
    cycle = [((), 4, 1, 0), ((), 4, 2, 0), INDEX, ((), 4, 8, 0)]  # ifi_index, and behind it ifi_flags
    steps = [
        Step(get_link(place + 1, index=1), links(cycle[place % 4], cycle[(place + 1) % 4]))
        for place in range(16)
    ]
    with namespaces(backend, 2) as fds:
        wide = number(ints(1, 8))  # IFF_LOOPBACK
        once = (1, 1, 1, 1, 1, wide, wide, 1)
        assert visit(backend, ints(*fds), steps) == [(0, 16, -1, b"", once * 4)] * 2


def test_of_a_dump_the_first_reply_with_all_fields_counts(backend: Backend) -> None:
    """lo comes first, and has no IFLA_LINK."""
    with namespaces(backend, 1) as fds:
        steps = [
            Step(make_veth(1, "a", "b", flags=0)),
            Step(get_link(2, name="a"), links(INDEX, PEER_INDEX)),
            Step(dump_links(3), links()),
            Step(dump_links(4), links(PEER_INDEX, INDEX)),
        ]
        ((code, step, _, _, values),) = visit(backend, ints(*fds), steps)
        a, b, first, peer, index = values
        assert (code, step, first) == (0, 4, 1)
        assert 1 < index == min(a, b) and peer == max(a, b)


def test_replies_to_each_message_of_a_datagram_count(backend: Backend) -> None:
    """Here to the one in the middle, then to the last, whose ack ends the step."""
    asks = [get_link(number, index=index) for number, index in ((1, 1), (2, 5), (3, 1))]
    last = acked(get_link(4, index=6))
    with namespaces(backend, 1) as fds:
        steps = [
            Step(make_bridge(9, 5, "br5", MAC)),
            Step(make_bridge(8, 6, "br6", MAC)),
            Step(b"".join(asks), links(INDEX, (KIND, 0, 1, 0))),
            Step(asks[0] + last, links(INDEX, (KIND, 0, 1, 0))),
        ]
        assert visit(backend, ints(*fds), steps) == [(0, 4, -1, b"", (5, ord("b"), 6, ord("b")))]


def test_an_echo_is_a_reply(backend: Backend) -> None:
    """What a create makes is told before its ack: index and peer in one step."""
    with namespaces(backend, 1) as fds:
        steps = [
            Step(make_veth(1, "a", "b", flags=NLM_F_ECHO), links(INDEX, PEER_INDEX)),
            Step(get_link(2, name="a"), links()),
            Step(get_link(3, name="b"), links()),
        ]
        ((code, step, _, _, (index, peer, a, b)),) = visit(backend, ints(*fds), steps)
        assert (code, step) == (0, 3) and (index, peer) == (a, b)


def test_a_reply_that_never_comes_stops_the_row(backend: Backend) -> None:
    """Without NLM_F_ECHO there is none, so nothing may be sent with an index that nobody gave."""
    with namespaces(backend, 1) as fds:
        steps = [
            Step(make_veth(1, "a", "b", flags=0), links()),
            Step(set_up(2), puts=[(0, IFI_INDEX)]),
        ]
        assert visit(backend, ints(*fds), steps) == [(errno.ENODATA, 0, -1, b"", (0,))]
        # As on kernels that do not echo: create, then ask by name.
        steps = [
            Step(make_veth(1, "c", "d", flags=0)),
            Step(get_link(2, name="c"), links()),
            Step(set_up(3), puts=[(0, IFI_INDEX)]),
        ]
        ((code, step, _, _, values),) = visit(backend, ints(*fds), steps)
        assert (code, step) == (0, 3) and values[0] > 3


@pytest.mark.parametrize(
    ("type", "header", "fields"),
    [
        (RTM_NEWLINK, 16, [INDEX, NOTHING]),
        (RTM_NEWLINK, 16, [NOTHING, INDEX, NAME]),
        (RTM_NEWLINK, 16, [INDEX, ((IFLA_IFNAME,), 3, 4, 0)]),  # "lo" ends before that
        (RTM_NEWLINK, 16, [INDEX, ((*KIND,), 0, 4, 0)]),  # lo has no kind
        (RTM_NEWADDR, 8, [((), 4, 4, 0)]),  # it is no address
    ],
)
def test_a_missing_field_stops_the_row(backend: Backend, type: int, header: int, fields: list[Field]) -> None:
    """And of the others nothing is kept; what was kept before is."""
    kept = replies(type, header, *fields)
    with namespaces(backend, 1) as fds:
        steps = [ask(), Step(get_link(2, index=1), kept), raises(1, sequence=3)]
        nothing = (0,) * len(fields)
        assert visit(backend, ints(*fds), steps) == [(errno.ENODATA, 1, -1, b"", (1, *nothing))]


def test_values_are_numbered_through(backend: Backend) -> None:
    """A step that keeps nothing takes no number; those of steps that never came are zeros."""
    steps = [
        Step(get_link(1, name="lo"), links(NAME, INDEX)),
        raises(1, sequence=2),
        Step(get_link(3), links(((IFLA_MTU,), 0, 4, 0), INDEX), puts=[(1, IFI_INDEX)]),
        Step(get_link(4), links(), puts=[(3, IFI_INDEX)]),
        Step(set_up(5), puts=[(4, IFI_INDEX)]),
        Step(set_up(6, 99)),
        Step(get_link(7, index=1), links(INDEX, NAME)),
    ]
    with namespaces(backend, 1) as fds:
        values = (LO, 1, 65536, 1, 1, 0, 0)
        assert visit(backend, ints(*fds), steps) == [(errno.ENODEV, 5, 0, b"", values)]


@pytest.mark.parametrize(
    ("second", "code", "blamed"),
    [
        (get_link(2, index=1) + set_up(3, 99), errno.ENODEV, 1),
        (set_up(2, 99, flags=0) + get_link(3, index=1), errno.ENODEV, 0),
        (get_link(2, index=1) + set_up(3, 1, flags=0), errno.ETIMEDOUT, -1),
    ],
    ids=["refused", "refused before", "late"],
)
def test_what_a_step_kept_outlives_its_failure(
    backend: Backend, second: bytes, code: int, blamed: int
) -> None:
    """The same step keeps a value of one reply, and fails by another message."""
    with namespaces(backend, 2) as fds:
        steps = [Step(get_link(1, name="lo"), links(NAME)), Step(second, links())]
        visited = visit(backend, ints(*fds), steps, timeout=SECOND // 20)
        assert visited == [(code, 1, blamed, b"", (LO, 1))] * 2


def test_rows_keep_values_of_their_own(backend: Backend) -> None:
    """A row that fails leaves none of its predecessor's."""
    with namespaces(backend, 3) as fds:
        rows = [[Step(get_link(1, index=index), links(INDEX, NAME))] for index in (1, 99, 1)]
        lo = (0, 1, -1, b"", (1, LO))
        assert visit(backend, ints(*fds), *rows) == [lo, (errno.ENODEV, 0, 0, b"", (0, 0)), lo]


# -- puts --------------------------------------------------------------------------------------------------


def test_a_put_writes_the_values_bytes_and_no_more(backend: Backend) -> None:
    """Of each width, at odd places too: into an attribute that the kernel passes over."""
    fields: list[Field] = [
        ((IFLA_ADDRESS,), 5, 1, 0),
        ((IFLA_ADDRESS,), 4, 2, 0),
        ((IFLA_ADDRESS,), 0, 4, 0),
        NAME,
    ]
    room = set_up(3, 1) + attribute(0x3F00, b"\xee" * 40)
    start = len(set_up(3, 1)) + 4
    whole = bytearray(room)
    struct.pack_into("=I", whole, 0, len(room))
    puts = [(0, start + 1), (1, start + 3), (2, start + 7), (3, start + 13), (0, start + 39)]
    with namespaces(backend, 2) as fds:
        create = make_bridge(1, 7, "br0", MAC)
        steps = [
            Step(create),
            Step(get_link(2, index=7), links(*fields)),
            Step(bytes(whole), puts=puts),
        ]
        sent = datagrams(steps) * 2
        visited = run(backend, steps, sent, ints(*fds), None, -1, SECOND)
        assert [one[:2] for one in visited] == [(0, 3)] * 2
        filled = b"\xee\5\xee\4\5\xee\xee\2\1\2\3\xee\xeebr0\0\0\0\0\0" + b"\xee" * 18 + b"\5"
        expected = datagrams(steps[:2]) + whole[:start] + filled
        assert len(filled) == 40 and sent == expected * 2


def test_later_puts_lie_over_earlier_ones(backend: Backend) -> None:
    with namespaces(backend, 1) as fds:
        name = Step(get_link(1, index=1), links(NAME, INDEX))
        steps = [name, Step(set_up(2), puts=[(0, IFI_INDEX - 4), (1, IFI_INDEX), (1, IFI_INDEX)])]
        sent = datagrams(steps)
        ((code, step, *_),) = run(backend, steps, sent, ints(*fds), None, -1, SECOND)
        assert (code, step) == (0, 2)
        assert sent[-len(set_up(2)) :][16:24] == b"lo\0\0" + ints(1)


def test_a_value_goes_wherever_it_is_wanted(backend: Backend) -> None:
    """The MAC of one link, in two halves, to another; and one value to several later steps."""
    with namespaces(backend, 1) as fds:
        put_name = rename(4, 8, "br1", bytes(6))
        at = put_name.index(attribute(IFLA_ADDRESS, bytes(6))) + 4
        halves = links(((IFLA_ADDRESS,), 0, 4, 0), ((IFLA_ADDRESS,), 4, 2, 0), INDEX)
        whole = links(((IFLA_ADDRESS,), 0, 8, 0))
        steps = [
            Step(make_bridge(1, 7, "br0", MAC)),
            Step(make_bridge(2, 8, "br1", b"\2\6\7\x08\x09\x0a")),
            Step(get_link(3, index=7), halves),
            Step(put_name, puts=[(0, at), (1, at + 4)]),
            Step(get_link(5, index=8), whole),
            Step(set_up(6), puts=[(2, IFI_INDEX)]),
            Step(acked(add_address(7, b"\x0a\1\1\2")), puts=[(2, IFI_INDEX)]),
        ]
        ((code, step, _, _, values),) = visit(backend, ints(*fds), steps)
        assert (code, step) == (0, 7)
        assert values == (number(MAC[:4]), number(MAC[4:]), 7, number(MAC + b"\0\0"))


def test_a_put_over_the_framing_is_harmless(backend: Backend) -> None:
    """The kept value may ruin the datagram's own lengths and numbers: it ends in an error, not in an
    overrun."""
    with namespaces(backend, 1) as fds:
        steps = [
            Step(get_link(1, index=1), links(((), 0, 4, 0), NAME)),
            Step(set_up(2, 1), puts=[(0, 0), (1, 4), (0, 8)]),
        ]
        ((code, step, number, _, values),) = visit(backend, ints(*fds), steps, timeout=SECOND // 20)
        assert code and (step, number) == (1, -1) and values[1]


def test_nothing_is_put_before_it_is_kept(backend: Backend) -> None:
    """A row that ends early leaves the datagrams of its later steps as they were."""
    steps = [Step(get_link(1, index=99), links()), Step(set_up(2, 77), puts=[(0, IFI_INDEX)])]
    sent = datagrams(steps)
    with namespaces(backend, 1) as fds:
        ((code, step, *_),) = run(backend, steps, sent, ints(*fds), None, -1, SECOND)
    assert (code, step) == (errno.ENODEV, 0) and sent == datagrams(steps)
