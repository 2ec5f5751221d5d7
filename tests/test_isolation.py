"""The ground the other tests stand on: fresh namespaces, containers, pings, snapshots, no leavings."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.namespaces import BareNamespace, Container, entered, inside, ping, ping_all, raise_loopback

Containers = Callable[..., list[Container]]


def links() -> str:
    return Path("/proc/thread-self/net/dev").read_text()


def test_a_test_starts_with_an_empty_run_and_lo_down() -> None:
    assert os.listdir("/run") == []
    assert os.path.samefile("/run", "/var/run")
    assert [line.split(":")[0].strip() for line in links().splitlines()[2:]] == ["lo"]
    assert ping(None, "127.0.0.1", 50) is None


@pytest.mark.parametrize("turn", [1, 2])
def test_tests_do_not_share_a_namespace(turn: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    seen = tmp_path_factory.getbasetemp() / "namespace"
    own = os.readlink("/proc/self/ns/net")
    if turn == 2:
        assert seen.read_text() != own
    os.makedirs("/run/netns")  # which the second turn, too, finds missing
    seen.write_text(own)


def test_loopback_is_up_when_asked_for(loopback: None) -> None:
    v4, v6 = ping(None, "127.0.0.1"), ping(None, "::1")
    assert v4 is not None and v4 < 100
    assert v6 is not None and v6 < 100


def test_a_container_has_a_namespace_of_its_own(containers: Containers) -> None:
    one, two = containers(2)
    identities = {os.stat(path).st_ino for path in ("/proc/self/ns/net", one.path, two.path)}
    assert len(identities) == 3
    assert inside(one, os.getpid) not in (os.getpid(), one.pid)
    pid = one.pid
    one.kill()
    assert not one.alive and not os.path.exists(f"/proc/{pid}")


def test_a_container_may_have_a_user_namespace(containers: Containers) -> None:
    own = os.readlink("/proc/self/ns/user")
    plain, rootless = containers(1)[0], containers(1, user=True)[0]
    assert os.readlink(f"/proc/{plain.pid}/ns/user") == own
    assert os.readlink(f"/proc/{rootless.pid}/ns/user") != own


def test_inside_gives_results_exceptions_and_a_deadline(container: Container) -> None:
    assert inside(container, lambda: os.readlink("/proc/self/ns/net")) == os.readlink(container.path)
    with pytest.raises(ZeroDivisionError):
        inside(container, lambda: 1 // 0)
    with pytest.raises(TimeoutError):
        inside(container, lambda: time.sleep(9), seconds=0.1)


def test_entered_comes_back(container: Container) -> None:
    own = os.readlink("/proc/thread-self/ns/net")
    with pytest.raises(KeyError), entered(container):
        assert os.readlink("/proc/thread-self/ns/net") == os.readlink(container.path)
        raise KeyError
    assert os.readlink("/proc/thread-self/ns/net") == own


def test_many_pings_at_once(
    containers: Containers, bare_namespaces: Callable[[int], list[BareNamespace]]
) -> None:
    up, down = containers(3, loopback=True), bare_namespaces(2)
    with entered(down[1]):
        raise_loopback()
    answers = ping_all([*((one, "127.0.0.1") for one in up), *((one, "127.0.0.1") for one in down)])
    assert [answer is not None for answer in answers] == [True, True, True, False, True]


def test_a_snapshot_is_the_same_until_something_is_set(
    container: Container, snapshot: Callable[..., object]
) -> None:
    before = snapshot(container)
    assert snapshot(container) == before
    inside(container, raise_loopback)
    assert snapshot(container) != before


@pytest.mark.needs("ip")
def test_a_snapshot_sees_every_table(snapshot: Callable[..., dict[str, list[object]]]) -> None:
    before = snapshot()
    for line in (
        "link add br0 type bridge",
        "link set br0 up",
        "address add 10.0.0.1/24 dev br0",
        "route add 10.9.0.0/16 via 10.0.0.2",
        "neigh add 10.0.0.2 lladdr 02:00:00:00:00:01 dev br0",
        "rule add from 10.0.0.9 table 9",
        "nexthop add id 7 via 10.0.0.2 dev br0",
    ):
        subprocess.run(["ip", *line.split()], check=True)
    after = snapshot()
    assert all(len(after[table]) > len(before[table]) for table in before)


def run_pytest(folder: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """pytest under our conftest on the test files in the folder."""
    root = str(Path(__file__).parent.parent)
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-rs",
            "-p",
            "no:cacheprovider",
            *options,
            "-p",
            "tests.conftest",
            ".",
        ],
        env={**os.environ, "PYTHONPATH": f"{root}:{folder}", **environment},
        cwd=folder,
        text=True,
        capture_output=True,
    )


def test_what_is_left_behind_fails_the_test(tmp_path: Path) -> None:
    text = """
        import os, subprocess, threading, time
        from tests import conftest
        conftest.LEAVING_TIME = 0.3
        kept = []
        def test_descriptor(): kept.append(os.open("/dev/null", 0))
        def test_thread(): threading.Thread(target=time.sleep, args=(2,)).start()
        def test_child(): kept.append(subprocess.Popen(["sleep", "2"]))
        def test_good(): subprocess.run(["true"])
    """
    (tmp_path / "test_it.py").write_text(textwrap.dedent(text))
    printed = run_pytest(tmp_path).stdout
    assert "4 passed, 3 errors" in printed
    for name in (" -> /dev/null", "thread ", "child process "):
        assert re.search(f"^left behind by the test: .*{name}", printed, re.MULTILINE), name


def test_a_missing_program_is_said_and_may_be_required(tmp_path: Path) -> None:
    text = "import pytest\n@pytest.mark.needs('no-such-program')\ndef test_it(): pass"
    (tmp_path / "test_it.py").write_text(text)
    assert "1 error" in run_pytest(tmp_path, NETLINKPY_REQUIRE="programs").stdout
    assert "needs no-such-program, not here" in run_pytest(tmp_path, NETLINKPY_REQUIRE="").stdout
    assert "1 error" in run_pytest(tmp_path, NETLINKPY_REQUIRE="all").stdout


def test_without_namespaces_no_test_runs(tmp_path: Path) -> None:
    text = """
        from tests.support import namespaces

        def refused(*flags):
            raise PermissionError(1, "unshare: Operation not permitted")

        namespaces.unshare = refused
    """
    (tmp_path / "refuse.py").write_text(textwrap.dedent(text))
    (tmp_path / "test_it.py").write_text("def test_it(): pass")
    done = run_pytest(tmp_path, "-p", "refuse")
    assert done.returncode != 0 and "passed" not in done.stdout
    assert "the tests need root or user namespaces: neither is here" in done.stderr
    assert "Traceback" not in done.stderr
