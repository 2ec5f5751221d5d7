"""`rt`: an RTNetlink in the test's own namespace; `dev`: a veth in it that is up and has a carrier."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import netlinkpy as nl
from netlinkpy.uapi.if_link import IN6_ADDR_GEN_MODE_NONE
from tests.support.links import add_quiet


@pytest.fixture
def rt(fresh_namespace: None) -> Iterator[nl.RTNetlink]:
    with nl.RTNetlink() as rtnetlink:
        yield rtnetlink


@pytest.fixture
def dev(rt: nl.RTNetlink) -> str:
    add_quiet(rt, "v0", kind="veth", peer="v1")
    rt.links.set("v1", up=True, addrgenmode=IN6_ADDR_GEN_MODE_NONE)
    rt.links.get("v0")  # completes its carrier change
    return "v0"
