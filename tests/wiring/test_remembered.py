"""What is remembered of a bridge between two calls is believed only where it still is so."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

import pytest

import netlinkpy as nl
from netlinkpy.wiring.attach import Concern, Hooks, wire_endpoints
from netlinkpy.wiring.bridge import KnownBridge
from netlinkpy.wiring.prepared import Prepared
from tests.support.links import add_ipv6
from tests.support.namespaces import BareNamespace, Container, setns
from tests.support.wiring_testbed import BRIDGE, address_of, endpoint, make_bridge

Containers = Callable[..., list[Container]]

LOWEST = "02:00:00:00:00:01"  # lower than a container's host end may have


def make_unpinned(rt: nl.RTNetlink, index: int) -> nl.Link:
    """A bridge br9 of that index, which has no address, and the MAC of its one port."""
    bridge = make_bridge(rt, "br9", index=index)
    rt.links.add("low", kind="veth", peer="low1", address=LOWEST, master=bridge.index, up=True)
    rt.links.set("low1", up=True)
    for name in ("low1", "low", "br9"):  # which completes the changes of their carriers
        bridge = rt.links.get(name)
    assert bridge.address == LOWEST and bridge.operstate == "up"
    return bridge


def check_pinned(rt: nl.RTNetlink) -> None:
    """Its MAC stays when the port goes that it has it of."""
    rt.links.delete("low")
    assert rt.links.get("br9").address == LOWEST


def test_a_bridge_made_anew_is_pinned_anew(host: nl.RTNetlink, containers: Containers) -> None:
    """Also one of the same name, index and MAC."""
    for number, container in enumerate(containers(2)):
        index = make_unpinned(host, 900).index
        made = nl.attach(endpoint(container, address_of(number), bridge="br9"))
        check_pinned(host)
        nl.detach(made)
        host.links.delete(index)


def test_a_bridge_of_another_host_is_pinned_too(
    host: nl.RTNetlink, containers: Containers, bare_namespaces: Callable[[int], list[BareNamespace]]
) -> None:
    """One of the same name, index, MAC and address, made at the same time, in another thread's namespace."""
    first, second = containers(2)
    (other,) = bare_namespaces(1)
    with nl.RTNetlink(other.path) as there:
        for rt in (host, there):
            make_unpinned(rt, 900)
        for _ in range(100):
            for rt in (host, there):
                rt.addresses.add("10.9.0.1/24", dev="br9")
            one, another = (rt.addresses.list(dev="br9")[0].attributes for rt in (host, there))
            if one == another:
                break
            for rt in (host, there):
                rt.addresses.delete("10.9.0.1/24", dev="br9")
        assert one == another
        nl.attach(endpoint(first, "10.9.0.7/24", bridge="br9"))

        def work() -> None:
            setns(other.fd)
            nl.attach(endpoint(second, "10.9.0.7/24", bridge="br9"))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert len(there.links.list(master="br9")) == 2
        check_pinned(there)


@pytest.mark.parametrize(("before", "after"), [("web:net", "net:web"), ("net:web", "web:net")])
def test_a_bridge_that_becomes_a_network_or_is_none_any_more(
    host: nl.RTNetlink, containers: Containers, before: str, after: str
) -> None:
    """The names that say so may be as long as those it had."""
    first, second = containers(2)
    withdrawn: list[str] = []

    def reserved(index: int, addresses: list[str], differs: bool, timeout: float) -> tuple[bool, list[str]]:
        withdrawn.extend(addresses)
        return False, []

    hooks = Hooks(
        reserved=reserved,
        concerns=lambda bridge: Concern(ipv6=True) if "net:web" in bridge.altnames() else None,
    )
    host.links.add_altnames(BRIDGE, [before])
    wire_endpoints([endpoint(first, address_of(0))], whole=True, hooks=hooks)
    host.links.delete_altnames(BRIDGE, [before])
    host.links.add_altnames(BRIDGE, [after])
    wire_endpoints([endpoint(second, address_of(1))], whole=True, hooks=hooks)
    assert withdrawn == [address_of(after == "net:web").partition("/")[0]]


def test_addresses_that_came_went_or_changed(host: nl.RTNetlink, containers: Containers) -> None:
    add_ipv6(host, "2001:db8::1/64", dev=BRIDGE)
    (container,) = containers(1)
    both = ("172.17.42.99/16", "2001:db8::99/64")

    def gateways(*addresses: str) -> tuple[str, ...]:
        made = nl.attach(endpoint(container, addresses))
        nl.detach(made)
        return made.gateways

    assert gateways(*both) == ("172.17.42.1", "2001:db8::1")
    host.addresses.delete("172.17.42.1/16", dev=BRIDGE)
    assert gateways(*both) == ("2001:db8::1",)
    host.addresses.add("172.17.42.2/16", dev=BRIDGE)
    assert gateways(*both) == ("172.17.42.2", "2001:db8::1")
    host.addresses.delete("2001:db8::1/64", dev=BRIDGE)
    add_ipv6(host, "2001:db8::2/64", dev=BRIDGE)
    assert gateways(*both) == ("172.17.42.2", "2001:db8::2")
    host.addresses.delete("172.17.42.2/16", dev=BRIDGE)
    host.addresses.add("172.17.42.1/16", dev=BRIDGE)
    assert gateways(*both)[0] == "172.17.42.1"
    host.links.set(BRIDGE, up=False)
    assert gateways(both[0]) == ("172.17.42.1",)
    host.links.set(BRIDGE, name="renamed")
    make_bridge(host, BRIDGE, "172.17.7.1/16")
    assert gateways(both[0]) == ("172.17.7.1",)


def test_many_bridges_and_several_threads() -> None:
    """What is kept stays bounded, and no thread finds another in its way."""
    kept, wrong = Prepared(), list[BaseException]()
    known = KnownBridge((0, 0), 1, bytes(6), 0, ())

    def work(thread: int) -> None:
        try:
            for number in range(30000):
                kept.keep_bridge(f"br{thread}-{number % 200}", known)
        except BaseException as error:
            wrong.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-7)
    try:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not wrong
    assert 0 < len(kept.bridges) < 64 + len(threads)
