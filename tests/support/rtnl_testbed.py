"""The checks that every verb's test uses: refused with what, and nothing changed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from socket import AF_INET6
from typing import Any

import pytest

import netlinkpy as nl
from netlinkpy.wire.rtnetlink.link import IN6_ADDR_GEN_MODE_NONE
from tests.support.snapshot import snapshot


def add_quiet(rt: nl.RTNetlink, name: str, **more: Any) -> nl.Link:
    """A link that is up (or a bridge without its carrier), and has no link-local address: the kernel would
    make that in its own time."""
    link = rt.links.add(name, **more)
    rt.links.set(link.index, up=True, addrgenmode=IN6_ADDR_GEN_MODE_NONE)
    return rt.links.get(link.index)


def add_ipv6(rt: nl.RTNetlink, address: str, dev: str) -> None:
    """Gives dev an IPv6 address, and waits until the kernel has added its local route."""
    rt.addresses.add(address, dev=dev, nodad=True)
    await_route(rt, address.partition("/")[0] + "/128", table="local")


def await_route(rt: nl.RTNetlink, destination: str, table: str = "main") -> nl.Route:
    """The IPv6 route there, which the kernel adds a little after it acked the address."""
    deadline = time.monotonic() + 5
    while True:
        for route in rt.routes.list(table=table, family=AF_INET6):
            if route.destination == destination:
                return route
        assert time.monotonic() < deadline, f"no route {destination}"
        time.sleep(0.001)


@contextlib.contextmanager
def unchanged() -> Iterator[None]:
    """Nothing may change meanwhile in the caller's namespace."""
    before = snapshot()
    yield
    now = snapshot()
    for table in before:
        assert now[table] == before[table], table


@contextlib.contextmanager
def refused(number: int, *words: str) -> Iterator[None]:
    """What is done meanwhile is a NetlinkError with this errno, and these words in one line; nothing
    changes."""
    with unchanged(), pytest.raises(nl.NetlinkError) as caught:
        yield
    text = str(caught.value)
    assert caught.value.errno == number, text
    assert "\n" not in text
    for word in words:
        assert word in text, text


@contextlib.contextmanager
def impossible(kind: type[Exception], *words: str) -> Iterator[None]:
    """What is done meanwhile is refused by us, with these words in one line, and nothing is sent."""
    with unchanged(), pytest.raises(kind) as caught:
        yield
    text = str(caught.value)
    assert type(caught.value) is kind and len(text) > 5 and "\n" not in text
    for word in words:
        assert word in text, text
