"""What tests of wiring share: a bridge, endpoints on it, and the checks that they are attached or refused."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import netlinkpy as nl
from netlinkpy.rtnl.values import several
from netlinkpy.uapi.if_link import IN6_ADDR_GEN_MODE_NONE
from tests.support import refusals
from tests.support.links import add_ipv6
from tests.support.namespaces import BareNamespace, Container

BRIDGE = "docker0"
GATEWAY = "172.17.42.1"
ADDRESS = "172.17.42.99"

Target = Container | BareNamespace | nl.Netns | str | int

refused = functools.partial(refusals.refused, nl.AttachError)


def make_bridge(rt: nl.RTNetlink, name: str, *addresses: str, up: bool = True, **options: Any) -> nl.Link:
    """Make a bridge with these addresses, and without a link-local one, which the kernel would add and
    announce in its own time."""
    bridge = rt.links.add(name, kind="bridge", **options)
    rt.links.set(bridge.index, up=up, addrgenmode=IN6_ADDR_GEN_MODE_NONE)
    for address in addresses:
        if ":" in address:
            add_ipv6(rt, address, dev=name)
        else:
            rt.addresses.add(address, dev=name)
    return rt.links.get(bridge.index)  # which completes its carrier change


def endpoint(where: Target, address: str | tuple[str, ...] = f"{ADDRESS}/16", **more: Any) -> nl.Endpoint:
    """Return an Endpoint of that container on docker0."""
    if isinstance(where, Container):
        where = where.pid
    elif isinstance(where, BareNamespace):
        where = where.path
    return nl.Endpoint(netns=where, **{"bridge": BRIDGE, "addresses": address, **more})


def endpoints(places: Sequence[Target], **more: Any) -> list[nl.Endpoint]:
    """Return an Endpoint on docker0 for each container, each with an address of its own."""
    return [endpoint(place, address_of(number), **more) for number, place in enumerate(places)]


def address_of(number: int) -> str:
    """Return the address of container `number`, one of some 30 000, in the net of docker0."""
    return f"172.17.{100 + number // 250}.{number % 250 + 1}/16"


def check(error: object, number: int, *words: str) -> None:
    """Check that an error is an AttachError with this errno, and these words in one clear sentence."""
    refusals.check(error, nl.AttachError, number, *words)


def check_complete(host: nl.RTNetlink, wanted: Sequence[nl.Endpoint]) -> None:
    """Check that all these endpoints are attached, completely and correctly, and nothing else is there: no
    veth, no group, no claim."""
    outers = {link.index: link for link in host.links.list(kind="veth")}
    assert len(outers) == len(wanted)
    bridges = {bridge.name: bridge.index for bridge in host.links.list(kind="bridge")}
    for one in wanted:
        attachment = nl.Attachment.find(one.netns, one.ifname)
        outer = outers.pop(attachment.host_index)
        assert outer.master == bridges[one.bridge] and outer.up and outer.group == 0
        assert one.host_ifname in (None, outer.name)
        addresses = [str(address) for address in several(one.addresses)]
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
