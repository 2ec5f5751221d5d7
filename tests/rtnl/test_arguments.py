"""What the verbs take besides text: objects of the module ipaddress, records of links, addresses with
zones."""

from __future__ import annotations

import errno
from collections.abc import Callable
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

import pytest

import netlinkpy as nl
from netlinkpy.nat import NatNetwork, Port
from netlinkpy.networks.spec import CheckedSpec, NetworkSpec
from netlinkpy.rtnl.values import parse_ip, parse_prefix, several
from netlinkpy.wiring.endpoint import check
from tests.support.refusals import impossible, refused

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


def test_a_link_by_its_record(rt: nl.RTNetlink, dev: str) -> None:
    """Wherever an interface is taken; its index counts, as the kernel may have renamed it."""
    bridge = rt.links.add("br0", kind="bridge", up=True)
    rt.links.set(bridge, name="br1")
    assert rt.index(bridge) == bridge.index and rt.links.get(bridge).name == "br1"
    link, other = rt.links.get(dev), rt.links.get("v1")
    rt.links.set(link, master=bridge)
    assert [one.name for one in rt.links.list(master=bridge)] == [dev]
    assert len(rt.links.columns(master=bridge)["index"]) == 1
    assert rt.links.add("x0", kind="vxlan", link=other, id=7).data["link"] == other.index
    rt.links.add_altnames(link, ["another"])
    rt.links.delete_altnames(link, ["another"])
    rt.addresses.add("10.0.0.1/24", dev=bridge)
    assert rt.addresses.find("10.0.0.1", dev=bridge) in rt.addresses.list(dev=bridge)
    rt.addresses.delete("10.0.0.1/24", dev=bridge)
    rt.addresses.add_many(["10.0.0.1", "10.0.0.2"], prefix_length=24, dev=bridge)
    rt.routes.add("10.1.0.0/16", dev=bridge)
    rt.routes.add("10.2.0.0/16", nexthops=[nl.Nexthop("10.0.0.9", bridge), nl.Nexthop("10.0.0.8", bridge)])
    rt.routes.add_many(["10.3.0.1"], dev=bridge)
    assert len(rt.routes.list(dev=bridge, family=2)) == 4
    rt.routes.delete("10.1.0.0/16", dev=bridge)
    rt.neighbours.add("10.0.0.9", mac="02:00:00:00:00:09", dev=bridge)
    rt.neighbours.add_many(["10.0.0.8"], mac="02:00:00:00:00:08", dev=bridge)
    ours = [one.address for one in rt.neighbours.list(dev=bridge) if one.mac.startswith("02:")]
    assert sorted(ours) == ["10.0.0.8", "10.0.0.9"]  # the kernel's multicast ones come when they come
    assert rt.neighbours.find("10.0.0.9", dev=bridge)
    rt.neighbours.delete("10.0.0.9", dev=bridge)
    rt.fdb.add("02:00:00:00:00:07", dev=link)
    rt.fdb.add_many(["02:00:00:00:00:08"], dev=link)
    found = rt.fdb.find("02:00:00:00:00:08", bridge=bridge)
    assert found is not None and found.index == link.index and found in rt.fdb.list(bridge=bridge)
    rt.fdb.delete("02:00:00:00:00:07", dev=link)
    rt.rules.add(family=2, priority=7, iif=link)
    assert [one.iif for one in rt.rules.list() if one.priority == 7] == [dev]
    rt.links.delete(link)
    assert rt.links.find(link) is None


def test_errors_name_the_link_of_a_record(rt: nl.RTNetlink) -> None:
    gone = rt.links.add("gone", kind="bridge")
    rt.links.delete(gone)
    mac = "02:00:00:00:00:01"
    verbs: list[Callable[[], object]] = [
        lambda: rt.links.get(gone),
        lambda: rt.links.set(gone, mtu=1400),
        lambda: rt.links.delete(gone),
        lambda: rt.links.add_altnames(gone, ["another"]),
        lambda: rt.addresses.add("10.0.0.1/24", dev=gone),
        lambda: rt.addresses.delete("10.0.0.1/24", dev=gone),
        lambda: rt.neighbours.add("10.0.0.1", dev=gone, mac=mac),
        lambda: rt.neighbours.delete("10.0.0.1", dev=gone),
        lambda: rt.fdb.add(mac, dev=gone),
        lambda: rt.fdb.delete(mac, dev=gone),
    ]
    for verb in verbs:
        with pytest.raises(nl.NetlinkError, match=r"\bgone\b") as caught:
            verb()
        assert caught.value.verb.endswith("gone") and "Link(" not in str(caught.value)
    with impossible(TypeError, "link lo has no kind"):
        rt.links.set(rt.links.get("lo"), stp_state=1)


def test_the_zone_of_an_address_is_its_link(rt: nl.RTNetlink, dev: str) -> None:
    index, link = rt.index(dev), rt.links.get(dev)
    rt.addresses.add(f"fe80::1%{dev}/64", nodad=True)
    rt.addresses.add(ip_interface(f"fe80::2%{index}/64"), dev=link, nodad=True)
    rt.links.add_altnames(dev, ["another"])
    rt.addresses.add("fe80::3%another", dev=dev, nodad=True)
    rt.addresses.add("fe80::4", peer=f"fe80::5%{dev}", dev=dev, nodad=True)
    assert {one.address for one in rt.addresses.list(dev=dev)} == {f"fe80::{n}" for n in range(1, 5)}
    found = rt.addresses.find(f"fe80::2%{dev}/64")
    assert found == rt.addresses.find("fe80::2", dev=index) is not None
    rt.addresses.delete(ip_address(f"fe80::3%{dev}"))
    rt.neighbours.add(f"fe80::9%{dev}", mac="02:00:00:00:00:09")
    assert rt.neighbours.find(ip_address(f"fe80::9%{dev}")) == rt.neighbours.find("fe80::9", dev=dev)
    rt.neighbours.delete(f"fe80::9%{dev}")
    rt.routes.add("default", gateway=f"fe80::9%{dev}")
    rt.routes.add("fd00:7::/64", nexthops=[nl.Nexthop(f"fe80::8%{dev}"), nl.Nexthop("fe80::7%another", dev)])
    ways = rt.routes.find("fd00:7::/64")
    assert ways is not None and {(one.gateway, one.dev) for one in ways.nexthops} == {
        ("fe80::8", index),
        ("fe80::7", index),
    }
    rt.routes.delete(ip_network("::/0"), gateway=ip_address(f"fe80::9%{dev}"))
    assert rt.routes.find("::/0") is None


def test_a_zone_of_another_link_is_refused(rt: nl.RTNetlink, dev: str) -> None:
    mac = "02:00:00:00:00:01"
    verbs: list[Callable[[], object]] = [
        lambda: rt.addresses.add("fe80::1%v1/64", dev=dev),
        lambda: rt.addresses.add("fe80::1/64", peer="fe80::2%v1", dev=dev),
        lambda: rt.addresses.find("fe80::1%v1", dev=dev),
        lambda: rt.addresses.delete("fe80::1%v1/64", dev=rt.links.get(dev)),
        lambda: rt.neighbours.add("fe80::1%v1", dev=dev, mac=mac),
        lambda: rt.neighbours.find("fe80::1%v1", dev=dev),
        lambda: rt.neighbours.delete("fe80::1%v1", dev=dev),
        lambda: rt.routes.add("default", gateway="fe80::1%v1", dev=dev),
        lambda: rt.routes.add("fd00::/64", nexthops=[nl.Nexthop("fe80::1%v1", dev)]),
        lambda: rt.routes.delete("fd00::/64", gateway="fe80::1%v1", dev=dev),
    ]
    for verb in verbs:
        with impossible(ValueError, "%v1", "is not on v0"):
            verb()
    needing: list[Callable[[], object]] = [
        lambda: rt.addresses.add("10.0.0.1/24"),
        lambda: rt.addresses.delete("10.0.0.1/24"),
        lambda: rt.neighbours.add("10.0.0.1", mac=mac),
        lambda: rt.neighbours.find("10.0.0.1"),
        lambda: rt.neighbours.delete("10.0.0.1"),
    ]
    for verb in needing:
        with impossible(TypeError, "needs dev"):
            verb()
    with refused(nl.NetlinkError, errno.ENODEV, "nosuch"):
        rt.addresses.add("fe80::1%nosuch/64")
    for text in ("10.0.0.1%v0", "fe80::1%", "fe80::1/64%v0", "%v0"):
        with impossible(ValueError, text):
            rt.addresses.add(text, dev=dev)
    endpoint = nl.Endpoint("blue", "br0", "fe80::1%eth0/64")
    elsewhere: list[Callable[[], object]] = [
        lambda: rt.rules.add(source="fe80::1%v0"),
        lambda: parse_ip("fe80::1%v0"),
        lambda: check(endpoint),
    ]
    for anything in elsewhere:
        with impossible(ValueError, "is no IP address"):  # where no link is asked for
            anything()


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
