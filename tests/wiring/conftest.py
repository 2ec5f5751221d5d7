"""The stage of every wiring test: `host`, the test's own namespace with the bridge docker0."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import netlinkpy as nl
from netlinkpy.wire.rtnetlink.link import IN6_ADDR_GEN_MODE_NONE
from tests.wiring.stage import BRIDGE, GATEWAY, make_bridge


@pytest.fixture
def host(fresh_namespace: None) -> Iterator[nl.RTNetlink]:
    """The test's own namespace as a host: docker0 is up and has 172.17.42.1/16.

    It has no link-local address, which the kernel would make and announce in its own time."""
    with nl.RTNetlink() as rt:
        make_bridge(rt, BRIDGE, f"{GATEWAY}/16", up=False)
        rt.links.set(BRIDGE, up=True, addrgenmode=IN6_ADDR_GEN_MODE_NONE)
        rt.links.get(BRIDGE)  # which completes its carrier change
        yield rt
