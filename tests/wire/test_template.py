"""Templates: messages packed once, with each row's own values stamped in; one row by Python, many by the
shim."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netlinkpy.framing import NLMSGHDR
from netlinkpy.uapi.netlink import NLM_F_CREATE, NLM_F_REQUEST
from netlinkpy.uapi.rtnetlink import RTM_NEWADDR, RTM_NEWLINK
from netlinkpy.wire.attributes import Slot
from netlinkpy.wire.rtnetlink.address import ADDRESS
from netlinkpy.wire.rtnetlink.link import LINK
from netlinkpy.wire.template import Template

if TYPE_CHECKING:
    from collections.abc import Mapping

WIDTHS = {"index": 4, "name": 16, "mac": 6, "address": 4, "length": 1}


def template() -> Template:
    """Two messages with a slot of every kind: in a header, in an attribute, in a nest, one of them twice."""
    made = Template()
    peer = {"ifname": Slot("name", 16), "mtu": 1400}
    values = {
        "ifi_index": Slot("index", 4),
        "address": Slot("mac", 6),
        "linkinfo": {"kind": "veth", "data": {"peer": peer}},
    }
    made.add(LINK, RTM_NEWLINK, NLM_F_REQUEST, values)
    values = {
        "ifa_family": 2,
        "ifa_prefixlen": Slot("length", 1),
        "ifa_index": Slot("index", 4),
        "local": Slot("address", 4),
        "address": Slot("address", 4),
    }
    made.add(ADDRESS, RTM_NEWADDR, NLM_F_REQUEST | NLM_F_CREATE, values)
    return made


def cut(columns: Mapping[str, bytes], row: int) -> dict[str, bytes]:
    """The columns of one row."""
    return {name: values[row * WIDTHS[name] : (row + 1) * WIDTHS[name]] for name, values in columns.items()}


def numbers(data: bytes | bytearray) -> list[int]:
    """The sequence number of each message."""
    found, at = [], 0
    while at < len(data):
        length, _, _, sequence, _ = NLMSGHDR.unpack_from(data, at)
        found.append(sequence)
        at += (length + 3) & ~3
    return found


def test_the_slots_of_a_template() -> None:
    """Zero in its data, each where the values come to lie; the messages are numbered from 1."""
    made = template()
    data = made.data
    assert numbers(data) == [1, 2] and len(data) % 4 == 0
    second = made.messages[1][1]
    assert [start for _, start in made.messages] == [0, (NLMSGHDR.unpack_from(data)[0] + 3) & ~3]
    assert made.offsets("index") == [16 + 4, second + 16 + 4]
    assert made.offsets("length") == [second + 16 + 1]
    assert len(made.offsets("address")) == 2 and made.offsets("nobody") == []
    for place in made.places:
        assert WIDTHS[place.name] == place.width
        assert not any(data[place.offset : place.offset + place.width])


def test_a_stamped_row_is_the_message_with_these_values() -> None:
    """As if it had been packed with them."""
    values = {"name": b"veth0".ljust(16, b"\0"), "mac": b"\2\0\0\0\0\1", "index": struct.pack("=i", 7)}
    (link, start), (address, second) = template().messages
    for constants in (values, {}):
        columns = {} if constants else values
        row = template().stamp({**columns, "address": b"\x0a\1\1\2"}, 1, {**constants, "length": b"\x18"})
        told = link.parse(bytes(row[start + 16 : second]))
        assert (told["ifi_index"], told["address"]) == (7, values["mac"])
        assert told["linkinfo"]["data"]["peer"]["ifname"] == "veth0"
        told = address.parse(bytes(row[second + 16 :]))
        assert (told["ifa_index"], told["ifa_prefixlen"]) == (7, 24)
        assert told["local"] == told["address"] == b"\x0a\1\1\2"


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_one_row_is_stamped_as_many_are(data: st.DataObject) -> None:
    """What Python makes of a row is what the shim makes of it among others: whichever slots are given, as
    columns or constants, numbered or not."""
    rows = data.draw(st.integers(2, 5))
    names = data.draw(st.lists(st.sampled_from(sorted(WIDTHS)), unique=True))
    varied = data.draw(st.integers(0, len(names)))
    columns = {
        name: data.draw(st.binary(min_size=WIDTHS[name] * rows, max_size=WIDTHS[name] * rows))
        for name in names[:varied]
    }
    constants = {
        name: data.draw(st.binary(min_size=WIDTHS[name], max_size=WIDTHS[name])) for name in names[varied:]
    }
    sequence = data.draw(st.none() | st.integers(0, 2**32 - 1) | st.just(2**32 - 1))
    made = template()
    many = made.stamp(columns, rows, constants, sequence=sequence)
    one_by_one = b"".join(
        made.stamp(cut(columns, row), 1, constants, sequence=None if sequence is None else sequence + row)
        for row in range(rows)
    )
    assert many == one_by_one


def test_a_name_that_is_in_both() -> None:
    """One row and many agree on what counts."""
    made = template()
    columns, constants = {"index": struct.pack("=3i", 1, 2, 3)}, {"index": struct.pack("=i", 9)}
    many = made.stamp(columns, 3, constants)
    assert many[: len(made.data)] == made.stamp(cut(columns, 0), 1, constants)


@pytest.mark.parametrize("rows", [1, 3])
def test_the_first_message_of_a_row_is_numbered(rows: int) -> None:
    """Counted up from row to row, past the last number there is; the messages behind it keep theirs."""
    made = template()
    assert numbers(made.stamp({}, rows, sequence=2**32 - 2)) == [2**32 - 2, 2, 2**32 - 1, 2, 0, 2][: 2 * rows]
    assert numbers(made.stamp({}, rows)) == [1, 2] * rows


@pytest.mark.parametrize("rows", [1, 3])
def test_what_is_not_given_stays_zero_and_others_are_passed_over(rows: int) -> None:
    made = template()
    assert made.stamp({"nobody": b"x"}, rows, {"no one": b"y"}) == made.data * rows


def test_no_row() -> None:
    assert template().stamp({"index": b""}, 0) == b""


def test_stamping_leaves_the_template_as_it_was() -> None:
    made = template()
    before = made.data
    made.stamp({"index": b"\7\0\0\0"}, 1, sequence=9)
    assert made.data == before


@pytest.mark.parametrize("name", sorted(WIDTHS))
@pytest.mark.parametrize("by", [-1, 1])
def test_a_value_of_the_wrong_length(name: str, by: int) -> None:
    """Of a single row: too short or too long, a column or a constant. It is told by name."""
    value = {name: bytes(WIDTHS[name] + by)}
    with pytest.raises(ValueError, match=name):
        template().stamp(value, 1)
    with pytest.raises(ValueError, match=name):
        template().stamp({}, 1, value)


@pytest.mark.parametrize("name", sorted(WIDTHS))
def test_a_column_that_ends_early(name: str) -> None:
    """Of several rows: before the last one, or a constant before its own end."""
    with pytest.raises(ValueError):
        template().stamp({name: bytes(WIDTHS[name] * 3 - 1)}, 3)
    with pytest.raises(ValueError):
        template().stamp({}, 3, {name: bytes(WIDTHS[name] - 1)})
