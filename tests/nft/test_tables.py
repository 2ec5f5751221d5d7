"""Transactions of nf_tables: whole or not at all, and asked again where a rival came in between."""

from __future__ import annotations

import errno
from typing import Any

import pytest

import netlinkpy as nl
from netlinkpy.nft.tables import Nftables, add_elements, delete_table, new_table
from netlinkpy.wire.errors import NetlinkError
from netlinkpy.wire.netfilter.elements import Element


def test_a_transaction_upon_another_generation_is_refused() -> None:
    with Nftables() as tables, Nftables() as rival:
        generation = tables.generation()
        rival.commit([new_table(1, "theirs")], verb="make a table")
        with pytest.raises(NetlinkError, match="make a table") as caught:
            tables.commit([new_table(1, "ours")], generation=generation, verb="make a table")
        assert caught.value.errno == errno.ERESTART
        assert [table["name"] for table in tables.tables()] == ["theirs"]
        tables.commit([new_table(1, "ours")], generation=tables.generation(), verb="make a table")
        assert [table["name"] for table in tables.tables()] == ["theirs", "ours"]


def test_one_bad_change_undoes_all_of_a_transaction() -> None:
    with Nftables() as tables:
        bad = add_elements(1, "ours", "nowhere", [Element(b"key!")])
        with pytest.raises(NetlinkError, match=r"fill: .*\(attribute set\) \[ENOENT\]"):
            tables.commit([new_table(1, "ours"), *bad, new_table(1, "more")], verb="fill")
        assert tables.tables() == []
        with pytest.raises(NetlinkError, match=r"there is no such table.* \[ENOENT\]"):
            tables.commit([delete_table(1, "ours")], verb="empty")


def test_a_plan_is_asked_again_when_another_transaction_came_in_between() -> None:
    with Nftables() as tables, Nftables() as rival:
        asked = []

        def plan() -> list[Any]:
            asked.append(len(tables.tables()))
            if len(asked) < 3:
                rival.commit([new_table(1, f"rival{len(asked)}")], verb="come in between")
            return [new_table(1, f"ours{asked[-1]}")]

        tables.update(plan, verb="make a table")
        assert asked == [0, 1, 2]
        assert [table["name"] for table in tables.tables()] == ["rival1", "rival2", "ours2"]


def test_rivals_who_never_stop_end_in_an_error() -> None:
    with Nftables(timeout=0.1) as tables, Nftables() as rival:
        count = iter(range(100000))

        def plan() -> list[Any]:
            rival.commit([new_table(1, f"rival{next(count)}")], verb="come in between")
            return [new_table(1, "ours")]

        with pytest.raises(NetlinkError, match="other transactions came in between each time"):
            tables.update(plan, verb="make a table")
        with pytest.raises(nl.DumpInterruptedError):
            tables.consistent(plan, verb="look")
