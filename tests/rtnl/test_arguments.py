"""What the verbs take besides text: addresses and networks of the module ipaddress."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

import pytest

import netlinkpy as nl
from netlinkpy.nat import NatNetwork, Port
from netlinkpy.networks.spec import CheckedSpec, NetworkSpec
from netlinkpy.rtnl.values import parse_ip, parse_prefix, several
from netlinkpy.wiring.endpoint import check
from tests.support.refusals import impossible

TEXTS = ["10.1.2.3", "::1", "fe80::1", "10.1.2.3/24", "fd00::1/64", "10.0.0.0/8", "::/0"]


@pytest.mark.parametrize("text", TEXTS)
def test_an_object_is_what_its_text_is(text: str) -> None:
    for make in (ip_address, ip_interface, ip_network):
        try:
            value: Any = make(text)
        except ValueError:
            continue
        assert parse_prefix(value) == parse_prefix(str(value))
        assert list(several(value)) == list(several([value])) == [value]
        if make is ip_address:
            assert parse_ip(value) == parse_ip(text)
        else:
            with impossible(ValueError, "is no IP address"):
                parse_ip(value)


@pytest.mark.parametrize("value", [7, b"\x0a\0\0\1", None, ["10.0.0.1"], ("10.0.0.1",), object()])
@pytest.mark.parametrize("parse", [parse_ip, parse_prefix])
def test_what_is_neither_is_refused(parse: Callable[[Any], object], value: object) -> None:
    with impossible(TypeError, "an IP address is text"):
        parse(value)


def test_addresses(rt: nl.RTNetlink, dev: str) -> None:
    rt.addresses.add(ip_interface("10.0.0.1/24"), dev=dev, broadcast=ip_address("10.0.0.255"))
    rt.addresses.add(ip_address("10.0.1.1"), dev=dev, peer=ip_interface("10.0.1.2/30"))
    rt.addresses.add(ip_interface("fd00::1/64"), dev=dev, nodad=True)
    found = {one.cidr: (one.peer, one.broadcast) for one in rt.addresses.list(dev=dev)}
    assert found == {
        "10.0.0.1/24": ("", "10.0.0.255"),
        "10.0.1.1/30": ("10.0.1.2", ""),
        "fd00::1/64": ("", ""),
    }
    assert rt.addresses.find(ip_address("10.0.0.1")) == rt.addresses.find("10.0.0.1/24") is not None
    assert rt.addresses.find(ip_interface("10.0.0.1/25")) is None
    rt.addresses.delete(ip_interface("10.0.0.1/24"), dev=dev)
    rt.addresses.delete(ip_address("10.0.1.1"), dev=dev, peer=ip_interface("10.0.1.2/30"))
    assert [one.cidr for one in rt.addresses.list(dev=dev)] == ["fd00::1/64"]
    rt.addresses.add_many([ip_address("10.0.2.1"), "10.0.2.2"], dev=dev)
    rt.addresses.delete_many(ip_address("10.0.2.2"), dev=dev)
    assert rt.addresses.find("10.0.2.1") and not rt.addresses.find("10.0.2.2")


def test_routes(rt: nl.RTNetlink, dev: str) -> None:
    rt.addresses.add("10.0.0.1/24", dev=dev)
    hop = ip_address("10.0.0.9")
    rt.routes.add(ip_network("10.2.0.0/16"), gateway=hop, source=ip_address("10.0.0.1"))
    rt.routes.add(ip_network("0.0.0.0/0"), nexthops=[nl.Nexthop(hop), nl.Nexthop("10.0.0.8")])
    found = rt.routes.find(ip_network("10.2.0.0/16"))
    assert found is not None and (found.gateway, found.source) == ("10.0.0.9", "10.0.0.1")
    default = rt.routes.find("default")
    assert default is not None and [one.gateway for one in default.nexthops] == ["10.0.0.9", "10.0.0.8"]
    rt.routes.add("default", gateway=ip_address("fe80::9"), dev=dev)  # IPv6, as its gateway is
    assert rt.routes.find(ip_network("::/0")) is not None
    rt.routes.add_many([ip_address("10.7.0.1")], gateway=hop)
    rt.routes.delete(ip_network("10.2.0.0/16"), gateway=hop)
    assert rt.routes.find("10.7.0.1/32") and not rt.routes.find("10.2.0.0/16")
    with impossible(ValueError, "10.2.0.1/16", "bits set"):
        rt.routes.add(ip_interface("10.2.0.1/16"), gateway=hop)


def test_neighbours_rules_and_options(rt: nl.RTNetlink, dev: str) -> None:
    rt.neighbours.add(ip_address("10.0.0.7"), mac="02:00:00:00:00:07", dev=dev)
    found = rt.neighbours.find(ip_address("10.0.0.7"), dev=dev)
    assert found is not None and found.address == "10.0.0.7"
    rt.neighbours.delete(ip_address("10.0.0.7"), dev=dev)
    rt.rules.add(source=ip_network("10.9.0.0/16"), destination=ip_address("10.8.0.1"), priority=77)
    assert [one.source for one in rt.rules.list() if one.priority == 77] == ["10.9.0.0/16"]
    rt.rules.delete(source=ip_network("10.9.0.0/16"), destination=ip_address("10.8.0.1"), priority=77)
    made = rt.links.add("x0", kind="vxlan", id=7, local=ip_address("10.0.0.1"), remote=ip_address("10.0.0.2"))
    assert made.data["local"] == parse_ip("10.0.0.1") and made.data["group"] == parse_ip("10.0.0.2")


def test_an_endpoint() -> None:
    texts = nl.Endpoint(
        "blue", "br0", "10.0.0.2/24", "10.0.0.1", routes=[("10.5.0.0/16", "10.0.0.7"), ("10.6.0.1", None)]
    )
    objects = texts.replace(
        addresses=ip_interface("10.0.0.2/24"),
        gateways=ip_address("10.0.0.1"),
        routes=[(ip_network("10.5.0.0/16"), ip_address("10.0.0.7")), (ip_address("10.6.0.1"), None)],
    )
    seen = check(texts)
    assert check(objects).replace(endpoint=texts) == seen
    many = objects.replace(addresses=[objects.addresses], gateways=(objects.gateways,))
    assert check(many).replace(endpoint=texts) == seen
    for address, words in ((ip_network("10.0.0.0/24"), "10.0.0.0/24"), (ip_address("10.0.0.2"), "no prefix")):
        with impossible(ValueError, words):
            check(objects.replace(addresses=address))


def test_networks() -> None:
    def made(**values: Any) -> object:
        checked = CheckedSpec(NetworkSpec("blue", **values))
        return checked.subnets, checked.pick4

    six, four = "fd00:30::/64", "172.30.0.0/16"
    assert made(subnets=ip_network(four)) == made(subnets=four)
    assert made(
        subnets=[ip_network(four), ip_network(six)],
        gateways=ip_address("172.30.0.9"),
        ip_ranges=ip_network("172.30.7.0/24"),
        aux_addresses={ip_address("172.30.7.9"): None},
    ) == made(
        subnets=[four, six], gateways="172.30.0.9", ip_ranges="172.30.7.0/24", aux_addresses=["172.30.7.9"]
    )
    with impossible(ValueError, "no prefix length"):
        made(subnets=ip_address("172.30.0.0"))


def test_what_the_packet_filter_holds() -> None:
    def network(subnets: Any) -> NatNetwork:
        return NatNetwork.checked(7, subnets, internal=False, isolate=False, masquerade=True)

    assert network(ip_network("10.0.0.0/8")) == network([ip_network("10.0.0.0/8")]) == network("10.0.0.0/8")
    port = Port("tcp", 80, ip_address("10.0.0.2"), 8080, host=ip_address("192.0.2.1"))
    assert port == Port("tcp", 80, "10.0.0.2", 8080, "192.0.2.1") and port.address == "10.0.0.2"
    assert str(port.replace(host=ip_address("2001:db8::1"))) == "[2001:db8::1]:80/tcp"
