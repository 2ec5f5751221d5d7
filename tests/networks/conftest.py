"""The stage of every network test: `host`, the test's own namespace, with nothing but lo."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import netlinkpy as nl


@pytest.fixture
def host(loopback: None) -> Iterator[nl.RTNetlink]:
    """The test's own namespace as a host without networks."""
    with nl.RTNetlink() as rt:
        yield rt
