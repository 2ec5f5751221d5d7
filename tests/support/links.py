"""Links, addresses and routes: make them so that the kernel adds nothing later, and look at them."""

from __future__ import annotations

from socket import AF_INET6
from typing import Any

import netlinkpy as nl
from netlinkpy.uapi.if_link import IN6_ADDR_GEN_MODE_NONE
from tests.support.namespaces import Namespace, entered
from tests.support.waiting import eventually


def add_quiet(rt: nl.RTNetlink, name: str, **more: Any) -> nl.Link:
    """Add a link that is up (or a bridge without its carrier) and has no link-local address, which the kernel
    would add later."""
    link = rt.links.add(name, **more)
    rt.links.set(link.index, up=True, addrgenmode=IN6_ADDR_GEN_MODE_NONE)
    return rt.links.get(link.index)


def add_ipv6(rt: nl.RTNetlink, *addresses: str, dev: str) -> None:
    """Add IPv6 addresses to a link, and wait until the kernel listens to them."""
    for address in addresses:
        rt.addresses.add(address, dev=dev, nodad=True)
    for address in addresses:
        await_route(rt, address.partition("/")[0] + "/128", table="local")


def await_route(rt: nl.RTNetlink, destination: str, table: str = "main") -> nl.Route:
    """Return the IPv6 route, which the kernel adds a little after it acknowledged the address."""
    found: list[nl.Route] = []

    def there() -> bool:
        routes = rt.routes.list(table=table, family=AF_INET6)
        found[:] = [route for route in routes if route.destination == destination]
        return bool(found)

    assert eventually(there), f"no route {destination}"
    return found[0]


def links_of(namespace: Namespace) -> dict[str, nl.Link]:
    """Return the links inside a namespace by their names."""
    with entered(namespace), nl.RTNetlink() as rt:
        return {link.name: link for link in rt.links.list()}


def addresses_of(namespace: Namespace, dev: str = "eth0") -> list[str]:
    """Return the addresses of a link inside a namespace."""
    with entered(namespace), nl.RTNetlink() as rt:
        return [address.cidr for address in rt.addresses.list(dev=dev)]


def routes_of(namespace: Namespace, family: int = 0) -> dict[tuple[str, int], str]:
    """Return the gateways of the main table inside a namespace by destination and metric."""
    with entered(namespace), nl.RTNetlink() as rt:
        return {(route.destination, route.metric): route.gateway for route in rt.routes.list(family=family)}
