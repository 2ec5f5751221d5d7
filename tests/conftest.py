"""pytest on the real kernel, never on the machine's own network: what a test gets, and what it may not leave
behind.

- Every test runs in a fresh network namespace with an empty /run (so /run/netns is missing); lo is up only if
  the test asks for the fixture `loopback`.
- `container` is one container, `containers(n)` makes n, `bare_namespaces(n)` makes n without a process.
- `snapshot(namespace)` is the state of a namespace, to compare before and after.
- A test that handles signals itself asks for `untraced`, or coverage may wait for itself.
- `@pytest.mark.needs("ip", "strace")` skips the test, saying so, where a program (or "root": the real one, or
  "br_netfilter") is missing; NETLINKPY_REQUIRE=all in the environment makes that a failure, =programs for
  all but "root".
- `from tests.support.namespaces import inside, entered, ping, ping_all` for the rest.
- A test that leaves a descriptor, a thread or a child process behind fails.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

import netlinkpy
from tests.support import namespaces
from tests.support.namespaces import BareNamespace, Container
from tests.support.possessions import possessions
from tests.support.snapshot import snapshot as take_snapshot

PROGRAM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")  # not in an ordinary user's PATH on Debian
LEAVING_TIME = 3.0  # seconds for a thread that is ending, or what is late on a machine under load

_failed = pytest.StashKey[bool]()
_isolated = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*programs): skips where one is missing")
    # A shell starts what it runs in the background with SIGINT ignored; the programs under test need it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), *PROGRAM_FOLDERS])
    try:
        config.stash[_isolated] = namespaces.isolate()
    except OSError as error:
        raise pytest.UsageError(
            "to stay off this machine's network, the tests need root or user namespaces: neither is here "
            f"({error})"
        ) from None


def pytest_report_header(config: pytest.Config) -> str:
    return f"netlinkpy: backend {netlinkpy.backend()}, namespaces made {config.stash[_isolated]}"


# -- what a test needs -------------------------------------------------------------------------------------


def _there(what: str) -> bool:
    if what == "root":
        with open("/proc/self/uid_map") as file:
            return file.read().split() == ["0", "0", "4294967295"]
    if what == "br_netfilter":
        return os.path.isdir("/proc/sys/net/bridge")
    if what == "gcc -m32":
        script = "echo '#include <errno.h>' | gcc -m32 -E -"
        return subprocess.run(["sh", "-c", script], capture_output=True, timeout=60).returncode == 0
    return shutil.which(what) is not None


def pytest_runtest_setup(item: pytest.Item) -> None:
    wanted = [name for mark in item.iter_markers("needs") for name in mark.args]
    missing = [name for name in wanted if not _there(name)]
    if missing:
        reason = f"needs {' and '.join(missing)}, not here"
        required = {"all": set(missing), "programs": set(missing) - {"root"}}
        if required.get(os.environ.get("NETLINKPY_REQUIRE", "")):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


# -- what a test may not leave behind ----------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.failed:  # type: ignore[attr-defined]
        item.stash[_failed] = True
    return report


def _described(leaving: str) -> str:
    """Describe a thread with what it waits for, since that is not known later."""
    kind, _, number = leaving.rpartition(" ")
    if kind != "thread":
        return leaving
    try:
        with open(f"/proc/self/task/{number}/wchan") as file:
            return f"{leaving} (in {file.read()})"
    except OSError:  # ended just now, or not for us to read
        return leaving


@pytest.fixture(autouse=True)
def fresh_namespace(request: pytest.FixtureRequest) -> Iterator[None]:
    """Give the test a network namespace and a /run of its own, and check what it leaves behind."""
    namespaces.renew()
    before = possessions()
    tracing = sys.gettrace()
    yield
    sys.settrace(tracing)  # coverage goes on after a test that traced lines itself
    if request.node.stash.get(_failed, False):
        return  # its traceback keeps its variables alive: one report is enough
    deadline = time.monotonic() + LEAVING_TIME
    while left := possessions() - before:
        gc.collect()
        if time.monotonic() > deadline:
            pytest.fail("left behind by the test: " + ", ".join(map(_described, sorted(left))), pytrace=False)
        time.sleep(0.01)


# -- what a test may ask for -------------------------------------------------------------------------------


@pytest.fixture
def untraced(fresh_namespace: None) -> None:
    """For a test that handles signals in this process: coverage has a lock, which a handler must not meet."""
    sys.settrace(None)


@pytest.fixture
def loopback(fresh_namespace: None) -> None:
    """lo is up in the test's own namespace."""
    namespaces.raise_loopback()


@pytest.fixture
def containers(fresh_namespace: None) -> Iterator[Callable[..., list[Container]]]:
    """containers(n, user=False, loopback=False) makes n; they are killed and reaped after the test."""
    made: list[Container] = []

    def make(count: int, *, user: bool = False, loopback: bool = False) -> list[Container]:
        start = len(made)
        for _ in range(count):
            made.append(Container(user=user, loopback=loopback))
        return made[start:]

    yield make
    for one in made:
        one.kill()


@pytest.fixture
def container(containers: Callable[..., list[Container]]) -> Container:
    """One container."""
    return containers(1)[0]


@pytest.fixture
def bare_namespaces(fresh_namespace: None) -> Iterator[Callable[[int], list[BareNamespace]]]:
    """bare_namespaces(n) makes n namespaces without a process; they are closed after the test."""
    made: list[BareNamespace] = []

    def make(count: int) -> list[BareNamespace]:
        start = len(made)
        for _ in range(count):
            made.append(BareNamespace())
        return made[start:]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def snapshot() -> Callable[..., dict[str, object]]:
    """snapshot(namespace=None): the state of a namespace as a plain dict, to compare before and after."""
    return take_snapshot
