"""The campaigns run on native and python (the long ones on cffi too), and end with one table."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from signal import SIGHUP, SIGINT, SIGTERM

import pytest

import netlinkpy as nl
from netlinkpy import backends
from netlinkpy.netns import named
from netlinkpy.uapi.prctl import PR_SET_CHILD_SUBREAPER
from tests.support.namespaces import BareNamespace
from tests.torture.commands import stop_all
from tests.torture.seeds import collect
from tests.torture.table import LONG, Table, lines

_TABLE = Table()


@pytest.fixture
def table() -> Table:
    """What was tried goes in here."""
    return _TABLE


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _TABLE.rows:
        terminalreporter.section("the campaigns")
        for line in lines(_TABLE.rows):
            terminalreporter.write_line(line)


@pytest.fixture
def seeds(loopback: None, bare_namespaces: Callable[[int], list[BareNamespace]]) -> Mapping[str, list[bytes]]:
    """What is really written: see tests/torture/seeds.py."""
    return collect(bare_namespaces(1))


@pytest.fixture(params=["cffi", "native", "python"] if LONG else ["native", "python"])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    try:
        monkeypatch.setattr(backends, "_chosen", backends.get(request.param))
    except ImportError as error:
        if os.environ.get("NETLINKPY_REQUIRE") == "all":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))
    return str(request.param)


@pytest.fixture
def host(backend: str, loopback: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[nl.RTNetlink]:
    """The test's own namespace. A command that runs in this process leaves it as a process that ends."""
    handlers = {number: signal.getsignal(number) for number in (SIGHUP, SIGINT, SIGTERM)}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    monkeypatch.setattr(named, "_AT_A_TIME", 2)  # so that create_many() calls the shim twice
    with nl.RTNetlink() as rt:
        yield rt
    stop_all()
    backends.load().prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    for number, handler in handlers.items():
        signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    gc.unfreeze()  # see settled()
