"""`host`, what every network test begins with: the test's own namespace, with nothing but lo; `network`, the
command there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import netlinkpy as nl
from tests.support.command import Run, runner


@pytest.fixture
def host(loopback: None) -> Iterator[nl.RTNetlink]:
    """The test's own namespace as a host without networks, which forwards already (create() would turn that
    on, and it stays)."""
    for setting in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        with open(f"/proc/sys/net/{setting}", "w") as file:
            file.write("1")
    with nl.RTNetlink() as rt:
        yield rt


@pytest.fixture
def network(host: nl.RTNetlink, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """network(*words): netlinkpy network, run in this process."""
    # its signal handlers would be this process's
    monkeypatch.setattr("netlinkpy.cli.network.interrupt_on_terminate", lambda: None)
    run = runner("netlinkpy", monkeypatch, capfd)
    return lambda *words: run("network", *words)
