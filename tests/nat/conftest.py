"""The testbed of the NAT tests: `testbed`, a host with an uplink, and `nat`, the table of the test's own
namespace."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import netlinkpy as nl
from netlinkpy.nat import Nat
from tests.support.namespaces import Container
from tests.support.nat_testbed import Testbed


@pytest.fixture
def nat(fresh_namespace: None) -> Iterator[Nat]:
    """The NAT of the test's own namespace."""
    with Nat() as opened:
        yield opened


@pytest.fixture
def testbed(loopback: None, nat: Nat, containers: Callable[..., list[Container]]) -> Iterator[Testbed]:
    """A host with an uplink to an `internet`; no networks yet."""
    with nl.RTNetlink() as host:
        yield Testbed(host, nat, containers)
