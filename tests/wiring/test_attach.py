"""What attach() makes: names, MACs, addresses, gateways, routes, IPv6, MTU; and where it makes them."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable

import pytest

import netlinkpy as nl
from tests.support.links import add_ipv6, addresses_of, links_of, routes_of
from tests.support.namespaces import Container, Namespace, entered, inside, ping, raise_loopback
from tests.support.waiting import eventually
from tests.support.wiring_testbed import ADDRESS, BRIDGE, GATEWAY, address_of, endpoint, make_bridge, refused

Containers = Callable[..., list[Container]]
V6_GATEWAY = "fd00:17::1"
V6_ADDRESS = "fd00:17::99"
IFF_UP = 1


@pytest.fixture
def six(host: nl.RTNetlink) -> nl.RTNetlink:
    """docker0 has fd00:17::1/64 too."""
    add_ipv6(host, f"{V6_GATEWAY}/64", dev=BRIDGE)
    return host


def settle(namespace: Namespace) -> None:
    """Waits until duplicate address detection of the link-local addresses, which adds routes, is over."""
    with entered(namespace), nl.RTNetlink() as rt:
        assert eventually(lambda: not any(one.tentative for one in rt.addresses.list(family=socket.AF_INET6)))


# -- the seed's container ----------------------------------------------------------------------------------


def test_the_container_of_the_seed(host: nl.RTNetlink, container: Container) -> None:
    one = nl.attach(
        nl.Endpoint(
            netns=container.pid,
            bridge=BRIDGE,
            addresses=f"{ADDRESS}/16",
            gateways=GATEWAY,
            mac="12:34:56:78:9a:bc",
            ifname="eth0",
            host_ifname="A",
        )
    )
    assert ping(container, GATEWAY) is not None
    assert ping(None, ADDRESS) is not None
    link = links_of(container)["eth0"]
    outer = host.links.get("A")
    assert one == nl.Attachment(
        netns=f"process {container.pid}",
        bridge=BRIDGE,
        ifname="eth0",
        index=link.index,
        mac="12:34:56:78:9a:bc",
        addresses=(f"{ADDRESS}/16",),
        gateways=(GATEWAY,),
        host_ifname="A",
        host_index=outer.index,
        port="forwarding",
        changed=True,
    )
    assert one.ready
    assert (link.kind, link.up, link.address, link.mtu) == ("veth", True, "12:34:56:78:9a:bc", 1500)
    assert (outer.kind, outer.up, outer.master) == ("veth", True, host.links.get(BRIDGE).index)
    assert outer.peer == link.index and link.peer == outer.index
    assert outer.group == 0  # it left the staging group
    assert addresses_of(container) == [f"{ADDRESS}/16"]
    assert routes_of(container) == {("default", 0): GATEWAY, ("172.17.0.0/16", 0): ""}


def test_lo_comes_up_and_nothing_else_comes(host: nl.RTNetlink, container: Container) -> None:
    nl.attach(endpoint(container))
    links = links_of(container)
    assert sorted(links) == ["eth0", "lo"]
    assert links["lo"].up
    assert ping(container, "127.0.0.1") is not None


def test_lo_that_is_up_already_is_no_trouble(host: nl.RTNetlink, container: Container) -> None:
    inside(container, raise_loopback)
    nl.attach(endpoint(container))
    assert links_of(container)["lo"].up


def test_an_ipv4_endpoint_gets_no_ipv6_address(host: nl.RTNetlink, container: Container) -> None:
    one = nl.attach(endpoint(container))
    assert addresses_of(container) == [f"{ADDRESS}/16"]
    assert addresses_of(None, one.host_ifname) == []


def test_the_link_is_born_where_it_belongs(host: nl.RTNetlink, container: Container) -> None:
    """A moved link would have been announced in the host's namespace first, and have left it again."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as monitor:
        monitor.bind((0, 1))  # RTMGRP_LINK
        one = nl.attach(endpoint(container))
        monitor.setblocking(False)
        seen = set()
        while True:
            try:
                data = monitor.recv(65536)
            except BlockingIOError:
                break
            kind, index = int.from_bytes(data[4:6], "little"), int.from_bytes(data[20:24], "little")
            seen.add((kind, index))
    announced = {index for kind, index in seen if kind == 16}  # RTM_NEWLINK
    assert announced == {one.host_index, host.links.get(BRIDGE).index}
    assert not [index for kind, index in seen if kind == 17]  # RTM_DELLINK


# -- names -------------------------------------------------------------------------------------------------


def test_the_host_name_is_veth_and_eight_random_digits(host: nl.RTNetlink, containers: Containers) -> None:
    names = [
        nl.attach(endpoint(one, f"172.17.1.{one.pid % 250 + 1}/16")).host_ifname for one in containers(2)
    ]
    assert all(re.fullmatch(r"veth[0-9a-f]{8}", name) for name in names)
    assert len(set(names)) == 2
    assert all(host.links.get(name).kind == "veth" for name in names)


@pytest.mark.parametrize(
    "name", ["e", "eth0", "fifteen-letters", "ünïcode", "a.b-c_d@e", "0", "\u2003", "\udcff"], ids=ascii
)
def test_names_may_be_given(host: nl.RTNetlink, container: Container, name: str) -> None:
    one = nl.attach(endpoint(container, ifname=name, host_ifname=f"h{name[:10]}"))
    assert (one.ifname, one.host_ifname) == (name, f"h{name[:10]}")
    assert name in links_of(container)
    assert host.links.get(one.host_ifname).index == one.host_index
    assert nl.detach(one)


# -- MAC ---------------------------------------------------------------------------------------------------


def test_the_mac_is_02_42_and_the_ipv4_address(host: nl.RTNetlink, container: Container) -> None:
    one = nl.attach(endpoint(container, "172.17.42.99/16"))
    assert one.mac == links_of(container)["eth0"].address == "02:42:ac:11:2a:63"


def test_the_mac_is_of_the_first_ipv4_address(six: nl.RTNetlink, container: Container) -> None:
    one = nl.attach(endpoint(container, (f"{V6_ADDRESS}/64", "172.17.1.2/16", "172.17.1.3/16")))
    assert one.mac == links_of(container)["eth0"].address == "02:42:ac:11:01:02"


def test_an_address_that_comes_back_meets_no_stale_arp_cache(
    host: nl.RTNetlink, containers: Containers
) -> None:
    for one in containers(3):
        attachment = nl.attach(endpoint(one))
        assert ping(None, ADDRESS) is not None  # the host keeps the MAC of the first for the others
        assert nl.detach(attachment)


def test_a_random_mac_is_unicast_and_locally_administered(host: nl.RTNetlink, containers: Containers) -> None:
    macs = set()
    for number, one in enumerate(containers(4)):
        mac = nl.attach(endpoint(one, address_of(number), mac="random")).mac
        assert mac == links_of(one)["eth0"].address
        assert int(mac[:2], 16) & 3 == 2
        macs.add(mac)
    assert len(macs) == 4


# -- gateways and routes -----------------------------------------------------------------------------------


def test_the_gateway_is_the_bridges_address(host: nl.RTNetlink, container: Container) -> None:
    assert nl.attach(endpoint(container)).gateways == (GATEWAY,)
    assert routes_of(container)["default", 0] == GATEWAY


def test_the_gateway_is_the_bridges_address_in_our_net(host: nl.RTNetlink, container: Container) -> None:
    host.addresses.add("10.1.0.1/24", dev=BRIDGE)
    assert nl.attach(endpoint(container, "10.1.0.7/24")).gateways == ("10.1.0.1",)
    assert routes_of(container)["default", 0] == "10.1.0.1"


def test_a_given_gateway(host: nl.RTNetlink, container: Container) -> None:
    assert nl.attach(endpoint(container, gateways="172.17.42.7")).gateways == ("172.17.42.7",)
    assert routes_of(container)["default", 0] == "172.17.42.7"


def test_no_gateway_on_demand(host: nl.RTNetlink, container: Container) -> None:
    assert nl.attach(endpoint(container, gateways=())).gateways == ()
    assert routes_of(container) == {("172.17.0.0/16", 0): ""}


def test_no_gateway_where_the_bridge_has_no_address(host: nl.RTNetlink, container: Container) -> None:
    make_bridge(host, "bare0")
    assert nl.attach(endpoint(container, bridge="bare0")).gateways == ()
    assert routes_of(container) == {("172.17.0.0/16", 0): ""}


def test_no_address_at_all(host: nl.RTNetlink, container: Container) -> None:
    one = nl.attach(endpoint(container, ()))
    assert (one.addresses, one.gateways, one.port) == ((), (), "forwarding")
    assert addresses_of(container) == [] and routes_of(container) == {}
    assert links_of(container)["eth0"].up


def test_a_second_endpoint_needs_a_metric(host: nl.RTNetlink, container: Container) -> None:
    nl.attach(endpoint(container))
    make_bridge(host, "br1", "10.1.0.1/24")
    second = endpoint(container, "10.1.0.7/24", bridge="br1", ifname="eth1")
    with refused(17, "default route", "10.1.0.1", "metric", str(container.pid), among=[container]):
        nl.attach(second)
    nl.attach(second.replace(metric=200))
    assert routes_of(container) == {
        ("default", 0): GATEWAY,
        ("default", 200): "10.1.0.1",
        ("172.17.0.0/16", 0): "",
        ("10.1.0.0/24", 0): "",
    }
    assert ping(container, "10.1.0.1") is not None


def test_a_second_endpoint_without_a_gateway_needs_none(host: nl.RTNetlink, container: Container) -> None:
    nl.attach(endpoint(container))
    make_bridge(host, "br1", "10.1.0.1/24")
    nl.attach(endpoint(container, "10.1.0.7/24", bridge="br1", ifname="eth1", gateways=()))
    assert routes_of(container)["default", 0] == GATEWAY


def test_a_second_ipv6_default_route_needs_a_metric_too(six: nl.RTNetlink, container: Container) -> None:
    nl.attach(endpoint(container, f"{V6_ADDRESS}/64"))
    settle(container)
    make_bridge(six, "br1", "fd00:18::1/64")
    settle(None)
    second = endpoint(container, "fd00:18::7/64", bridge="br1", ifname="eth1")
    with refused(17, "default route", "fd00:18::1", among=[container]):
        nl.attach(second)
    nl.attach(second.replace(metric=2000))
    defaults = {key: via for key, via in routes_of(container).items() if key[0] == "default"}
    assert defaults == {("default", 1024): V6_GATEWAY, ("default", 2000): "fd00:18::1"}


def test_more_addresses_and_routes(host: nl.RTNetlink, container: Container) -> None:
    nl.attach(
        endpoint(
            container,
            ("172.17.42.99/16", "172.17.42.100/16", "10.1.0.7/24"),
            routes=[("10.2.0.0/16", "172.17.42.7"), ("10.3.0.0/16", None), ("10.4.0.1/32", "10.1.0.1")],
        )
    )
    assert addresses_of(container) == ["172.17.42.99/16", "10.1.0.7/24", "172.17.42.100/16"]
    assert routes_of(container) == {
        ("default", 0): GATEWAY,
        ("172.17.0.0/16", 0): "",
        ("10.1.0.0/24", 0): "",
        ("10.2.0.0/16", 0): "172.17.42.7",
        ("10.3.0.0/16", 0): "",
        ("10.4.0.1/32", 0): "10.1.0.1",
    }


def test_a_route_names_its_link(host: nl.RTNetlink, container: Container) -> None:
    """Both bridges have the same net: only RTA_OIF tells the gateways apart."""
    first = nl.attach(endpoint(container))
    make_bridge(host, "br1", "172.17.42.1/16")
    second = nl.attach(
        endpoint(
            container,
            "172.17.42.98/16",
            bridge="br1",
            ifname="eth1",
            metric=7,
            routes=[("10.0.0.0/8", GATEWAY)],
        )
    )
    with entered(container), nl.RTNetlink() as rt:
        routes = rt.routes.list()
    by = {(route.destination, route.metric): route.index for route in routes if route.gateway}
    assert by == {
        ("default", 0): first.index,
        ("default", 7): second.index,
        ("10.0.0.0/8", 0): second.index,
    }


# -- IPv6 --------------------------------------------------------------------------------------------------


def test_ipv6_beside_ipv4(six: nl.RTNetlink, container: Container) -> None:
    one = nl.attach(endpoint(container, (f"{ADDRESS}/16", f"{V6_ADDRESS}/64")))
    assert ping(container, GATEWAY) is not None
    assert ping(container, V6_GATEWAY) is not None
    assert ping(None, V6_ADDRESS) is not None
    assert one.gateways == (GATEWAY, V6_GATEWAY)
    assert one.mac == "02:42:ac:11:2a:63"
    found = addresses_of(container)
    assert found[0] == f"{ADDRESS}/16" and f"{V6_ADDRESS}/64" in found


def test_ipv6_instead_of_ipv4(six: nl.RTNetlink, container: Container) -> None:
    one = nl.attach(endpoint(container, f"{V6_ADDRESS}/64"))
    assert ping(container, V6_GATEWAY) is not None  # at once: no duplicate address detection
    assert one.gateways == (V6_GATEWAY,)
    assert int(one.mac[:2], 16) & 3 == 2  # random, locally administered
    with entered(container), nl.RTNetlink() as rt:
        found = {address.cidr: address for address in rt.addresses.list(dev="eth0")}
    assert not found[f"{V6_ADDRESS}/64"].tentative
    assert all(address.family == socket.AF_INET6 for address in found.values())


def test_a_link_local_gateway(six: nl.RTNetlink, container: Container) -> None:
    add_ipv6(six, "fe80::1/64", "fd00:99::1/64", dev=BRIDGE)
    one = nl.attach(endpoint(container, f"{V6_ADDRESS}/64", gateways="fe80::1"))
    assert ping(container, "fd00:99::1") is not None
    assert one.gateways == ("fe80::1",)
    assert routes_of(container)["default", 1024] == "fe80::1"


def test_an_ipv6_route(six: nl.RTNetlink, container: Container) -> None:
    nl.attach(endpoint(container, f"{V6_ADDRESS}/64", routes=[("fd00:77::/64", V6_GATEWAY)]))
    assert routes_of(container)["fd00:77::/64", 1024] == V6_GATEWAY


# -- MTU and queues ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mtu", [68, 576, 1279, 1280, 1400, 9000, 65535])
def test_the_mtu_is_of_both_ends(host: nl.RTNetlink, container: Container, mtu: int) -> None:
    """(Below 1280 bytes an interface has no IPv6: RFC 8200, section 5.)"""
    one = nl.attach(endpoint(container, mtu=mtu))
    assert links_of(container)["eth0"].mtu == mtu
    assert host.links.get(one.host_index).mtu == mtu
    assert ping(container, GATEWAY) is not None


def test_one_queue_unless_asked(host: nl.RTNetlink, containers: Containers) -> None:
    for queues, one in zip((1, 3), containers(2), strict=True):
        made = nl.attach(endpoint(one, f"172.17.1.{queues}/16", queues=queues))
        for link in (links_of(one)["eth0"], host.links.get(made.host_index)):
            assert (link.attributes["num_tx_queues"], link.attributes["num_rx_queues"]) == (queues, queues)
