"""`host`, what every wiring test begins with: the test's own namespace with the bridge docker0."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import netlinkpy as nl
from tests.support.wiring_testbed import BRIDGE, GATEWAY, make_bridge


@pytest.fixture
def host(fresh_namespace: None) -> Iterator[nl.RTNetlink]:
    """The test's own namespace as a host: docker0 is up and has 172.17.42.1/16."""
    with nl.RTNetlink() as rt:
        make_bridge(rt, BRIDGE, f"{GATEWAY}/16")
        yield rt
