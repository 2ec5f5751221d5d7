"""find() gives a record or None; every record holds its message, and parses it once."""

from __future__ import annotations

import errno
from _socket import AF_INET6

import pytest

import netlinkpy as nl
from netlinkpy.rtnl import kernel_record
from netlinkpy.uapi.if_link import IN6_ADDR_GEN_MODE_NONE
from tests.support.refusals import impossible


def test_find_a_link(rt: nl.RTNetlink) -> None:
    made = rt.links.add("br0", kind="bridge", altnames=["another"])
    for name in ("br0", "another", made.index):
        found = rt.links.find(name)
        assert found is not None and found.index == made.index
    assert rt.links.find("gone") is rt.links.find("a-name-of-more-than-fifteen-letters") is None
    assert rt.links.find(4711) is None
    with impossible(ValueError):
        rt.links.find("a/b")
    rt.close()
    with pytest.raises(OSError):
        rt.links.find("gone")


def test_find_an_address(rt: nl.RTNetlink, dev: str) -> None:
    rt.addresses.add("10.0.0.1/24", dev=dev)
    rt.addresses.add("fd00::1/64", dev="lo", nodad=True)
    for text in ("10.0.0.1", "10.0.0.1/24"):
        found = rt.addresses.find(text)
        assert found is not None and found.cidr == "10.0.0.1/24"
    assert rt.addresses.find("10.0.0.1", dev=dev) == found
    assert rt.addresses.find("10.0.0.1/25") is rt.addresses.find("10.0.0.2") is None
    assert rt.addresses.find("10.0.0.1", dev="lo") is None
    six = rt.addresses.find("fd00:0::1")
    assert six is not None and six.family == AF_INET6
    with pytest.raises(nl.NetlinkError):
        rt.addresses.find("10.0.0.1", dev="gone")


def test_find_a_route(rt: nl.RTNetlink, dev: str) -> None:
    rt.addresses.add("10.0.0.1/24", dev=dev)
    assert rt.routes.find("default") is None
    rt.routes.add("default", gateway="10.0.0.9", metric=50)
    rt.routes.add("default", gateway="10.0.0.8", metric=20)
    rt.routes.add("10.1.0.0/16", dev=dev, table=100)
    found = rt.routes.find("default")
    assert found is not None and (found.gateway, found.metric) == ("10.0.0.8", 20)
    assert rt.routes.find("0.0.0.0/0") == found
    assert rt.routes.find("default", family=AF_INET6) is rt.routes.find("10.1.0.0/16") is None
    other = rt.routes.find("10.1.0.0/16", table=100)
    assert other is not None and other.table == 100


def test_find_a_neighbour(rt: nl.RTNetlink, dev: str) -> None:
    rt.neighbours.add("10.0.0.9", mac="02:00:00:00:00:09", dev=dev)
    found = rt.neighbours.find("10.0.0.9", dev=dev)
    assert found is not None and found.mac == "02:00:00:00:00:09"
    assert found in rt.neighbours.list(dev=dev)
    assert rt.neighbours.find("10.0.0.8", dev=dev) is None


def test_find_a_forwarding_entry(rt: nl.RTNetlink) -> None:
    bridge = rt.links.add("br0", kind="bridge", up=True)
    rt.links.add("v0", kind="veth", peer="v1", master="br0")
    rt.links.set("v0", up=True, addrgenmode=IN6_ADDR_GEN_MODE_NONE)
    rt.fdb.add("02:00:00:00:00:09", dev="v0")
    found = rt.fdb.find("02:00:00:00:00:09", bridge="br0")
    assert found is not None and (found.index, found.bridge) == (rt.index("v0"), bridge.index)
    assert rt.fdb.find("02:00:00:00:00:08", bridge="br0") is None


def test_a_message_is_parsed_once(rt: nl.RTNetlink, monkeypatch: pytest.MonkeyPatch) -> None:
    rt.links.add("br0", kind="bridge", alias="mine", altnames=["another"], ageing_time=500)
    link, lo = rt.links.get("br0"), rt.links.get("lo")
    message = type(link)._message
    parsed: list[bytes] = []
    monkeypatch.setattr(type(message), "parse", _counting(parsed, type(message).parse))
    assert (link.alias, link.altnames, link.data["ageing_time"], link.port) == ("mine", ("another",), 500, {})
    assert parsed == [link.body]
    assert lo.alias == "" and link.alias == "mine"
    assert parsed == [link.body, lo.body, link.body]


def _counting(parsed: list[bytes], parse: object) -> object:
    def count(message: object, body: bytes, around: object = None) -> object:
        parsed.append(body)
        return parse(message, body, around)  # type: ignore[operator]

    return count


@pytest.mark.parametrize("verbs", ["links", "addresses", "routes", "neighbours", "fdb"])
def test_every_record_holds_its_message(rt: nl.RTNetlink, dev: str, verbs: str) -> None:
    rt.links.add("br0", kind="bridge", up=True)
    rt.addresses.add("10.0.0.1/24", dev=dev)
    rt.neighbours.add("10.0.0.9", mac="02:00:00:00:00:09", dev=dev)
    records = getattr(rt, verbs).list()
    assert records
    for record in records:
        assert isinstance(record, kernel_record.KernelRecord)
        assert type(record)._fields[-1] == "body" and "body=" not in repr(record)
        assert record.attributes == type(record)._message.parse(record.as_dict()["body"])
        assert record != record.replace(body=b"") != record


def test_refusals_are_not_taken_for_none(rt: nl.RTNetlink) -> None:
    with pytest.raises(nl.NetlinkError) as caught:
        rt.neighbours.find("10.0.0.9", dev=4711)
    assert caught.value.errno != errno.ENOENT
