"""`rt`: an RTNetlink in the test's own namespace; `dev`: a veth in it that is up and has a carrier."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import netlinkpy as nl
from netlinkpy.wire.rtnetlink.link import IN6_ADDR_GEN_MODE_NONE


@pytest.fixture
def rt(fresh_namespace: None) -> Iterator[nl.RTNetlink]:
    with nl.RTNetlink() as rtnetlink:
        yield rtnetlink


@pytest.fixture
def dev(rt: nl.RTNetlink) -> str:
    rt.links.add("v0", kind="veth", peer="v1")
    for name in ("v0", "v1"):  # without link-local addresses, which come in their own time
        rt.links.set(name, up=True, addrgenmode=IN6_ADDR_GEN_MODE_NONE)
    rt.links.get("v0")  # completes its carrier change
    return "v0"
