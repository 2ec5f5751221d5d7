"""`host`, what every network test begins with: the test's own namespace, with nothing but lo."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import netlinkpy as nl


@pytest.fixture
def host(loopback: None) -> Iterator[nl.RTNetlink]:
    """The test's own namespace as a host without networks, which forwards already (create() would turn that
    on, and it stays)."""
    for setting in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        with open(f"/proc/sys/net/{setting}", "w") as file:
            file.write("1")
    with nl.RTNetlink() as rt:
        yield rt
