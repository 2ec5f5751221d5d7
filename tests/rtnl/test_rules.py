"""Routing rules, beside what iproute2 shows of them."""

from __future__ import annotations

import errno
import json
import subprocess
from collections.abc import Iterator

import pytest

import netlinkpy as nl
from netlinkpy.uapi.socket import AF_INET, AF_INET6

DEFAULTS = {AF_INET: [0, 32766, 32767], AF_INET6: [0, 32766]}


@pytest.fixture
def rt(loopback: None) -> Iterator[nl.RTNetlink]:
    with nl.RTNetlink() as host:
        yield host


def shown(*words: str) -> list[dict[str, object]]:
    done = subprocess.run(["ip", "-j", *words, "rule", "show"], capture_output=True, check=True, text=True)
    found: list[dict[str, object]] = json.loads(done.stdout)
    return found


def test_the_rules_of_a_new_namespace(rt: nl.RTNetlink) -> None:
    for family, priorities in DEFAULTS.items():
        found = rt.rules.list(family=family)
        assert [rule.priority for rule in found] == priorities
        assert found[1] == found[1].replace(action="lookup", table=254, family=family, source="", iif="")
    assert len(rt.rules.list()) == 5


@pytest.mark.needs("ip")
def test_what_is_added_is_what_ip_shows(rt: nl.RTNetlink) -> None:
    rt.rules.add(
        priority=40, source="10.0.0.0/8", destination="192.0.2.0/24", iif="lo", table=100, protocol=78
    )
    rt.rules.add(priority=41, action="prohibit", iif="br0", family=AF_INET6)
    expected = {"priority": 40, "src": "10.0.0.0", "srclen": 8, "dst": "192.0.2.0", "dstlen": 24, "iif": "lo"}
    assert {**expected, "table": "100", "protocol": "78"} in shown()
    (prohibit,) = (one for one in shown("-6") if one["priority"] == 41)
    assert prohibit["iif"] == "br0" and prohibit["action"] == "prohibit"


def test_a_rule_goes_by_values_and_by_record(rt: nl.RTNetlink) -> None:
    before = rt.rules.list()
    values = {"priority": 40, "destination": "fd00::/64", "action": "unreachable"}
    rt.rules.add(**values)  # type: ignore[arg-type]
    with pytest.raises(nl.NetlinkError) as caught:
        rt.rules.add(**values)  # type: ignore[arg-type]
    assert caught.value.errno == errno.EEXIST
    rt.rules.delete(**values)  # type: ignore[arg-type]
    with pytest.raises(nl.NetlinkError) as caught:
        rt.rules.delete(**values)  # type: ignore[arg-type]
    assert caught.value.errno == errno.ENOENT
    rt.rules.add(priority=41, iif="lo", family=AF_INET, table="main", protocol=78)
    (rule,) = (one for one in rt.rules.list() if one.priority == 41)
    assert (rule.iif, rule.table, rule.protocol, rule.action) == ("lo", 254, 78, "lookup")
    rt.rules.delete(rule)
    assert rt.rules.list() == before


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"family": 99},
        {"source": "10.0.0.1/8"},
        {"source": "10.0.0.0/8", "destination": "fd00::/64"},
        {"family": AF_INET, "action": "jump"},
        {"family": AF_INET, "table": "mine"},
        {"family": AF_INET, "table": 0},
        {"family": AF_INET, "iif": "a/b"},
        {"family": AF_INET, "priority": -1},
        {"family": AF_INET, "protocol": 256},
    ],
)
def test_what_makes_no_rule_is_refused_before_it_is_sent(rt: nl.RTNetlink, values: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        rt.rules.add(**values)  # type: ignore[arg-type]
