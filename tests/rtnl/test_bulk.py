"""Bulk: routes, neighbours, addresses and forwarding entries from columns; refused rows are named."""

from __future__ import annotations

import array
import errno
import socket
from typing import Any

import pytest

import netlinkpy as nl
from netlinkpy.rtnl.bulk import BulkError, RowError
from tests.support.links import add_quiet
from tests.support.refusals import impossible, refused, unchanged

FOUR, SIX = socket.AF_INET, socket.AF_INET6


@pytest.fixture
def net(rt: nl.RTNetlink, dev: str) -> nl.RTNetlink:
    rt.addresses.add("10.0.0.1/24", dev=dev)
    return rt


def destinations(rt: nl.RTNetlink, **filters: Any) -> list[str]:
    return [
        route.destination for route in rt.routes.list(**{"family": FOUR, **filters}) if route.protocol == 3
    ]


TEXTS = [f"10.1.{number}.0" for number in range(20)]
NUMBERS = [0x0A010000 + (number << 8) for number in range(20)]
WANTED = [f"{text}/24" for text in TEXTS]


@pytest.mark.parametrize(
    "column",
    [
        TEXTS,
        tuple(TEXTS),
        iter(TEXTS),
        [socket.inet_aton(text) for text in TEXTS],
        b"".join(socket.inet_aton(text) for text in TEXTS),
        bytearray(b"".join(socket.inet_aton(text) for text in TEXTS)),
        memoryview(b"".join(socket.inet_aton(text) for text in TEXTS)),
        array.array("I", NUMBERS),
        memoryview(array.array("I", NUMBERS)),
    ],
    ids=lambda column: type(column).__name__,
)
def test_any_form_of_a_column_of_addresses(net: nl.RTNetlink, dev: str, column: Any) -> None:
    if not isinstance(column, (list, tuple)) and hasattr(column, "__next__"):
        column = iter(TEXTS)
    assert net.routes.add_many(column, prefix_length=24, gateway="10.0.0.2") == []
    assert destinations(net) == WANTED


@pytest.mark.parametrize(
    "metrics",
    [
        list(range(1, 21)),
        range(1, 21),
        array.array("I", range(1, 21)),
        array.array("H", range(1, 21)),
        array.array("q", range(1, 21)),
        bytes(range(1, 21)),
    ],
    ids=lambda column: f"{type(column).__name__}{getattr(column, 'typecode', '')}",
)
def test_any_form_of_a_column_of_numbers(net: nl.RTNetlink, dev: str, metrics: Any) -> None:
    net.routes.add_many(TEXTS, prefix_length=[24] * 20, gateway=["10.0.0.2"] * 20, metric=metrics, dev=dev)
    assert [route.metric for route in net.routes.list(family=FOUR) if route.protocol == 3] == list(
        range(1, 21)
    )


def test_more_rows_than_a_datagram_holds(net: nl.RTNetlink, dev: str) -> None:
    """In the end of one chunk, and at the beginning of another."""
    count = 20_000
    column = array.array("I", [0x0B000000 + number for number in range(count)])
    assert net.routes.add_many(column, dev=dev) == []
    assert len(net.routes.columns(dev=dev)["index"]) == count + 1
    assert net.routes.delete_many(column, dev=dev) == []
    assert destinations(net) == []


def test_ipv6_rows_and_big_tables(rt: nl.RTNetlink, dev: str) -> None:
    column = [f"fd00:{number:x}::" for number in range(1, 40)]
    rt.routes.add_many(column, prefix_length=64, dev=dev, family=SIX, table=100_000, metric=5)
    found = rt.routes.list(table=100_000, family=SIX)
    assert [route.destination for route in found] == [f"{text}/64" for text in column]
    assert {route.metric for route in found} == {5}
    rt.routes.delete_many(column, prefix_length=64, family=SIX, table=100_000)
    assert rt.routes.list(table=100_000, family=SIX) == []


def test_one_value_is_one_row(net: nl.RTNetlink) -> None:
    net.routes.add_many("10.1.0.0", prefix_length=16, gateway="10.0.0.2")
    assert destinations(net) == ["10.1.0.0/16"]


def test_none_at_all(net: nl.RTNetlink, dev: str) -> None:
    with unchanged():
        assert net.routes.add_many([], dev=dev) == net.routes.delete_many(b"", dev=dev) == []


# -- refused rows ------------------------------------------------------------------------------------------


def test_refused_rows_are_named_and_the_others_are_done(net: nl.RTNetlink) -> None:
    net.routes.add("10.1.3.0/24", gateway="10.0.0.3")
    gateways = ["10.0.0.2"] * 20
    gateways[7] = "192.168.0.1"
    failures = net.routes.add_many(TEXTS, prefix_length=24, gateway=gateways, on_error="continue")
    assert [(one.row, one.errno) for one in failures] == [(3, errno.EEXIST), (7, errno.ENETUNREACH)]
    assert all(len(one.text) > 10 and "\n" not in one.text for one in failures)
    assert type(failures[0]) is RowError
    assert destinations(net) == [text for row, text in enumerate(WANTED) if row != 7]


def test_refused_rows_are_raised_once_all_were_sent(net: nl.RTNetlink) -> None:
    net.routes.add("10.1.3.0/24", gateway="10.0.0.3")
    with pytest.raises(BulkError) as caught:
        net.routes.add_many(TEXTS, prefix_length=24, gateway="10.0.0.2")
    error = caught.value
    assert error.errno == errno.EEXIST and [one.row for one in error.failures] == [3]
    assert "row 3" in str(error) and "1 of 20" in str(error) and "\n" not in str(error)
    assert destinations(net) == WANTED


def test_rows_refused_far_down(net: nl.RTNetlink, dev: str) -> None:
    column = array.array("I", [0x0B000000 + number for number in range(20_000)])
    for number in (0, 511, 512, 8191, 8192, 19_999):
        net.routes.add(socket.inet_ntoa(column[number].to_bytes(4, "big")), dev=dev)
    failures = net.routes.add_many(column, dev=dev, on_error="continue")
    assert [one.row for one in failures] == [0, 511, 512, 8191, 8192, 19_999]


def test_replace_and_delete(net: nl.RTNetlink) -> None:
    net.routes.add_many(TEXTS, prefix_length=24, gateway="10.0.0.2")
    net.routes.replace_many(TEXTS, prefix_length=24, gateway="10.0.0.9")
    assert {route.gateway for route in net.routes.list(family=FOUR) if route.protocol == 3} == {"10.0.0.9"}
    failures = net.routes.delete_many([*TEXTS, "10.9.9.0"], prefix_length=24, on_error="continue")
    assert [(one.row, one.errno) for one in failures] == [(20, errno.ESRCH)]
    assert destinations(net) == []


@pytest.mark.parametrize(
    ("column", "more", "kind", "word"),
    [
        (TEXTS, {"gateway": ["10.0.0.2"] * 19}, ValueError, "lengths"),
        (TEXTS, {"gateway": "fd00::1"}, ValueError, "gateway"),
        (["10.0.0.0", "fd00::"], {}, ValueError, "fd00::"),
        (["10.0.0.0", "x"], {}, ValueError, "x"),
        (["10.0.0.0", 7], {}, TypeError, "7"),
        (b"12345", {}, ValueError, "destinations"),
        (array.array("H", [1, 2]), {}, ValueError, "destinations"),
        (TEXTS, {"prefix_length": 256}, ValueError, "prefix_length"),
        (TEXTS, {"prefix_length": -1}, ValueError, "prefix_length"),
        (TEXTS, {"metric": [-1] * 20}, ValueError, "metric"),
        (TEXTS, {"metric": [1 << 32] * 20}, ValueError, "metric"),
        (TEXTS, {"metric": ["x"] * 20}, ValueError, "metric"),
        (TEXTS, {"metric": array.array("f", [1.0] * 20)}, ValueError, "metric"),
        (TEXTS, {"metric": memoryview(bytes(80)).cast("I", (4, 5))}, ValueError, "metric"),
        (TEXTS, {"table": 0}, ValueError, "table"),
        (TEXTS, {"type": "colour"}, ValueError, "colour"),
        (TEXTS, {"family": 7}, ValueError, "family"),
        (TEXTS, {"family": None}, ValueError, "family"),
        (TEXTS, {"on_error": "ignore"}, ValueError, "ignore"),
        (TEXTS, {"colour": 7}, TypeError, "colour"),
        (array.array("f", [1.0]), {}, ValueError, "destinations"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_columns_that_cannot_be(
    net: nl.RTNetlink, dev: str, column: Any, more: dict[str, Any], kind: type[Exception], word: str
) -> None:
    with impossible(kind, word):
        net.routes.add_many(column, **{"prefix_length": 24, "dev": dev, **more})


def test_a_link_that_is_not_there(net: nl.RTNetlink) -> None:
    with refused(nl.NetlinkError, errno.ENODEV, "gone"):
        net.routes.add_many(TEXTS, prefix_length=24, dev="gone")
    with unchanged(), pytest.raises(BulkError):
        net.routes.add_many(TEXTS, prefix_length=24, dev=4711)


# -- the other tables --------------------------------------------------------------------------------------


def test_addresses(rt: nl.RTNetlink, dev: str) -> None:
    column = [f"10.0.0.{number}" for number in range(1, 101)]
    rt.addresses.add_many(column, prefix_length=24, dev=dev)
    assert sorted(one.address for one in rt.addresses.list(dev=dev)) == sorted(column)
    six = [f"fd00::{number:x}" for number in range(1, 20)]
    rt.addresses.add_many(six, prefix_length=64, dev=rt.index(dev), family=SIX, nodad=True)
    assert {one.address for one in rt.addresses.list(dev=dev, family=SIX)} == set(six)
    failures = rt.addresses.add_many(column[:3], prefix_length=24, dev=dev, on_error="continue")
    assert [one.errno for one in failures] == [errno.EEXIST] * 3
    rt.addresses.replace_many(column, prefix_length=24, dev=dev)
    rt.addresses.delete_many(list(reversed(column)), prefix_length=24, dev=dev)
    assert rt.addresses.list(dev=dev, family=FOUR) == []


def test_neighbours(rt: nl.RTNetlink, dev: str) -> None:
    column = [f"10.0.0.{number}" for number in range(1, 101)]
    macs = [f"02:00:00:00:00:{number:02x}" for number in range(1, 101)]
    rt.neighbours.add_many(column, mac=macs, dev=dev)
    found = {one.address: one.mac for one in rt.neighbours.list(dev=dev)}
    assert {address: found[address] for address in column} == dict(zip(column, macs, strict=True))
    rt.neighbours.replace_many(column, mac="02:00:00:00:00:ff", dev=dev)
    assert {one.mac for one in rt.neighbours.list(dev=dev) if one.address in column} == {"02:00:00:00:00:ff"}
    rt.neighbours.delete_many(column, dev=dev)
    assert [one for one in rt.neighbours.list(dev=dev) if one.state == 0x80] == []


def test_forwarding_entries(rt: nl.RTNetlink, dev: str) -> None:
    add_quiet(rt, "br0", kind="bridge")
    rt.links.set(dev, master="br0")
    macs = [f"02:00:00:00:01:{number:02x}" for number in range(100)]
    rt.fdb.add_many(macs, dev=dev)
    assert set(macs) <= {one.mac for one in rt.fdb.list(bridge="br0")}
    failures = rt.fdb.add_many(macs[:2], dev=dev, on_error="continue")
    assert [one.errno for one in failures] == [errno.EEXIST] * 2
    rt.fdb.delete_many(macs, dev=dev)
    assert not set(macs) & {one.mac for one in rt.fdb.list(bridge="br0")}
