"""What all wiring tests use: endpoints, bridges, and the check that an error is clear and changed nothing."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

import netlinkpy as nl
from netlinkpy.wire.rtnetlink.link import IN6_ADDR_GEN_MODE_NONE
from tests.support.namespaces import BareNamespace, Container, Namespace, entered
from tests.support.snapshot import snapshot

BRIDGE = "docker0"
GATEWAY = "172.17.42.1"
ADDRESS = "172.17.42.99"

Target = Container | BareNamespace | nl.Netns | str | int


def make_bridge(rt: nl.RTNetlink, name: str, *addresses: str, up: bool = True, **options: Any) -> nl.Link:
    """A bridge with these addresses, and without a link-local one, which the kernel would make and announce
    in its own time."""
    bridge = rt.links.add(name, kind="bridge", **options)
    rt.links.set(bridge.index, up=up, addrgenmode=IN6_ADDR_GEN_MODE_NONE)
    for address in addresses:
        if ":" in address:
            add_ipv6(rt, address, dev=name)
        else:
            rt.addresses.add(address, dev=name)
    return rt.links.get(bridge.index)  # which completes its carrier change


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Waits for what the kernel does in its own time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.005)


def add_ipv6(rt: nl.RTNetlink, *addresses: str, dev: str = BRIDGE) -> None:
    """Gives a bridge IPv6 addresses, and waits until the kernel listens to them."""
    alone = {address.partition("/")[0] + "/128" for address in addresses}
    for address in addresses:
        rt.addresses.add(address, dev=dev, nodad=True)
    wait_until(lambda: alone <= {route.destination for route in rt.routes.list(table="local", family=10)})


def endpoint(where: Target, address: str | tuple[str, ...] = f"{ADDRESS}/16", **more: Any) -> nl.Endpoint:
    """An Endpoint of that container on docker0."""
    if isinstance(where, Container):
        where = where.pid
    elif isinstance(where, BareNamespace):
        where = where.path
    return nl.Endpoint(netns=where, **{"bridge": BRIDGE, "addresses": address, **more})


def endpoints(places: Sequence[Target], **more: Any) -> list[nl.Endpoint]:
    """An Endpoint on docker0 for each container, each with an address of its own."""
    return [endpoint(place, address_of(number), **more) for number, place in enumerate(places)]


def address_of(number: int) -> str:
    """The address of container `number`, one of some 30 000, in the net of docker0."""
    return f"172.17.{100 + number // 250}.{number % 250 + 1}/16"


@contextlib.contextmanager
def unchanged(*places: Namespace) -> Iterator[None]:
    """Nothing may change meanwhile in the caller's namespace and in these."""
    where: tuple[Namespace, ...] = (None, *places)
    before = [snapshot(place) for place in where]
    yield
    for place, was in zip(where, before, strict=True):
        now = snapshot(place)
        for table in was:
            assert now[table] == was[table], (place, table)


@contextlib.contextmanager
def refused(number: int, *words: str, among: Sequence[Namespace] = ()) -> Iterator[None]:
    """What is done meanwhile is an AttachError with this errno, which holds these words in one clear
    sentence, and nothing changes."""
    with unchanged(*among), pytest.raises(nl.AttachError) as caught:
        yield
    check(caught.value, number, *words)


def check(error: object, number: int, *words: str) -> None:
    """The error has this errno, and these words in one clear sentence."""
    assert isinstance(error, nl.AttachError), error
    text = str(error)
    assert error.errno == number, text
    assert len(text) > 20 and "\n" not in text
    for word in words:
        assert word in text, text


def links_of(namespace: Namespace) -> dict[str, nl.Link]:
    """The links inside a namespace by their names."""
    with entered(namespace), nl.RTNetlink() as rt:
        return {link.name: link for link in rt.links.list()}


def addresses_of(namespace: Namespace, dev: str = "eth0") -> list[str]:
    """The addresses of a link inside a namespace."""
    with entered(namespace), nl.RTNetlink() as rt:
        return [address.cidr for address in rt.addresses.list(dev=dev)]


def routes_of(namespace: Namespace, family: int = 0) -> dict[tuple[str, int], str]:
    """The gateways of the main table inside a namespace by destination and metric."""
    with entered(namespace), nl.RTNetlink() as rt:
        return {(route.destination, route.metric): route.gateway for route in rt.routes.list(family=family)}


def check_complete(host: nl.RTNetlink, wanted: Sequence[nl.Endpoint]) -> None:
    """All these endpoints are attached, wholly and rightly, and nothing else is: no veth, no group, no
    claim more."""
    outers = {link.index: link for link in host.links.list(kind="veth")}
    assert len(outers) == len(wanted)
    bridges = {bridge.name: bridge.index for bridge in host.links.list(kind="bridge")}
    for one in wanted:
        attachment = nl.Attachment.find(one.netns, one.ifname)
        outer = outers.pop(attachment.host_index)
        assert outer.master == bridges[one.bridge] and outer.up and outer.group == 0
        assert one.host_ifname in (None, outer.name)
        addresses = [one.addresses] if isinstance(one.addresses, str) else list(one.addresses)
        claims = [f"ip:{outer.master}:{address.partition('/')[0]}" for address in addresses]
        assert sorted(outer.altnames) == sorted(claims)
        assert list(attachment.addresses) == addresses
        with nl.RTNetlink(one.netns) as rt:
            links = {link.name: link for link in rt.links.list()}
            assert links["lo"].up and links[one.ifname].up
            assert links[one.ifname].operstate == "up"
            if one.gateways is None:
                assert [route.gateway for route in rt.routes.list() if route.destination == "default"]
    assert not outers
