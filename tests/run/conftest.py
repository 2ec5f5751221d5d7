"""Every test of `run` begins in its own namespace as a host with lo and br0. Nothing runs on after a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import netlinkpy as nl
from netlinkpy.run import Call, listing
from netlinkpy.uapi.if_link import IN6_ADDR_GEN_MODE_NONE
from tests.support.namespaces import raise_loopback
from tests.support.run_testbed import BRIDGE, GATEWAY
from tests.support.waiting import eventually

SIGKILL = 9


@pytest.fixture(autouse=True)
def host(fresh_namespace: None) -> Iterator[None]:
    """br0 has 172.17.42.1/16. What still runs after the test is ended."""
    raise_loopback()
    with nl.RTNetlink() as rt:
        rt.links.add(BRIDGE, kind="bridge", mcast_snooping=0)
        rt.links.set(BRIDGE, up=True, addrgenmode=IN6_ADDR_GEN_MODE_NONE)  # or it would announce itself later
        rt.addresses.add(f"{GATEWAY}/16", dev=BRIDGE)
        rt.links.get(BRIDGE)  # which completes its carrier change
    yield
    for one in listing():
        with Call(one.name) as call:
            call.kill(SIGKILL)
            assert call.wait(10)
    assert eventually(lambda: not listing())
