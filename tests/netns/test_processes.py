"""Inside: functions and processes run there, who is there, and the caller who never leaves."""

from __future__ import annotations

import _thread
import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

import netlinkpy as nl
from tests.support.namespaces import BareNamespace, Container, entered, inside, raise_loopback
from tests.support.waiting import eventually

Containers = Callable[..., list[Container]]
OWN = "/proc/thread-self/ns/net"


def inode(path: str = OWN) -> int:
    return os.stat(path).st_ino


# -- call --------------------------------------------------------------------------------------------------


def test_a_function_is_called_inside_and_the_caller_stays(container: Container) -> None:
    own = inode()
    assert nl.netns.call(container.pid, inode) == inode(container.path)
    assert inode() == own


def test_what_the_function_raises_is_raised(container: Container) -> None:
    def fail() -> None:
        raise KeyError("why")

    with pytest.raises(KeyError, match="why"):
        nl.netns.call(container.pid, fail)
    with pytest.raises(SystemExit):
        nl.netns.call(container.pid, lambda: sys.exit(3))


def test_a_socket_made_inside_stays_inside(container: Container) -> None:
    inside(container, raise_loopback)
    server = nl.netns.call(container.pid, lambda: socket.create_server(("127.0.0.1", 0)))
    with server:
        address = server.getsockname()
        with nl.netns.call(container.pid, lambda: socket.create_connection(address, timeout=5)):
            pass
        with pytest.raises(OSError, match=r".{5}"):
            socket.create_connection(address, timeout=1)


def test_from_several_threads_at_once(containers: Containers) -> None:
    places = containers(4)
    found: dict[int, set[int]] = {}

    def work(one: Container) -> None:
        found[one.pid] = {nl.netns.call(one.pid, inode) for _ in range(20)}

    threads = [threading.Thread(target=work, args=(one,)) for one in places]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {one.pid: {inode(one.path)} for one in places}


def test_a_call_inside_a_call(containers: Containers) -> None:
    one, two = containers(2)
    assert nl.netns.call(one.pid, lambda: (inode(), nl.netns.call(two.pid, inode))) == (
        inode(one.path),
        inode(two.path),
    )


# -- run and popen -----------------------------------------------------------------------------------------


def test_run_is_subprocess_run_inside(container: Container) -> None:
    done = nl.netns.run(container.pid, ["readlink", "/proc/self/ns/net"], capture_output=True, text=True)
    assert isinstance(done, subprocess.CompletedProcess)
    assert (done.returncode, done.stdout.strip()) == (0, os.readlink(container.path))
    assert done.args == ["readlink", "/proc/self/ns/net"]


def test_run_by_name_path_and_handle(container: Container) -> None:
    nl.netns.bind("blue", container.pid)
    with nl.Netns.open("blue") as handle:
        for target in ("blue", container.path, handle):
            done = nl.netns.run(target, ["readlink", "/proc/self/ns/net"], capture_output=True, text=True)
            assert done.stdout.strip() == os.readlink(container.path)


def test_input_environment_and_exit_codes(container: Container) -> None:
    assert nl.netns.run(container.pid, ["cat"], input=b"abc", capture_output=True).stdout == b"abc"
    assert nl.netns.run(container.pid, ["sh", "-c", "exit $N"], env={"N": "7"}).returncode == 7
    assert nl.netns.run(container.pid, ["sh", "-c", "kill -9 $$"]).returncode == -9
    done = nl.netns.run(container.pid, "echo $((6*7))", shell=True, stdout=subprocess.PIPE, text=True)
    assert done.stdout == "42\n"
    done = nl.netns.run(container.pid, ["sh", "-c", "echo no >&2"], stderr=subprocess.PIPE)
    assert (done.stdout, done.stderr) == (None, b"no\n")


def test_check_and_timeout(container: Container) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        nl.netns.run(container.pid, ["sh", "-c", "echo out; exit 3"], check=True, capture_output=True)
    assert (failed.value.returncode, failed.value.stdout) == (3, b"out\n")
    began = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        nl.netns.run(container.pid, ["sleep", "30"], timeout=0.1)
    assert time.monotonic() - began < 5


def test_a_program_that_is_not_there(container: Container) -> None:
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        nl.netns.run(container.pid, ["no-such-program"])
    with pytest.raises(PermissionError):
        nl.netns.popen(container.pid, ["/etc/passwd"])


def test_popen_is_subprocess_popen_inside(container: Container) -> None:
    process = nl.netns.popen(container.pid, ["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert isinstance(process, subprocess.Popen)
    with process:
        assert inode(f"/proc/{process.pid}/ns/net") == inode(container.path)
        assert process.communicate(b"hello")[0] == b"hello"
    assert process.returncode == 0


def test_a_namespace_lives_as_long_as_a_process_in_it(container: Container) -> None:
    process = nl.netns.popen(container.pid, ["sleep", "30"])
    container.kill()
    with nl.RTNetlink(process.pid) as rt:
        assert rt.links.get("lo").index == 1
    process.kill()
    process.wait()


# -- who is where ------------------------------------------------------------------------------------------


def test_identify_gives_every_name(containers: Containers) -> None:
    one, two = containers(2)
    assert nl.netns.identify(one.pid) == []
    nl.netns.bind("b", one.pid)
    nl.netns.bind("a", one.pid)
    nl.netns.bind("c", two.pid)
    os.symlink(one.path, "/run/netns/d")
    os.symlink("/nowhere", "/run/netns/e")
    assert nl.netns.identify(one.pid) == ["a", "b", "d"]
    assert nl.netns.identify(two.pid) == ["c"]
    assert nl.netns.identify(os.getpid()) == []


def test_identify_no_process() -> None:
    with pytest.raises(ProcessLookupError, match="1999999999"):
        nl.netns.identify(1999999999)
    with pytest.raises(ValueError, match="0"):
        nl.netns.identify(0)


def test_pids_are_those_inside(containers: Containers) -> None:
    one, two = containers(2)
    nl.netns.bind("blue", one.pid)
    process = nl.netns.popen("blue", ["sleep", "30"])
    try:
        assert nl.netns.pids("blue") == nl.netns.pids(one.pid) == sorted([one.pid, process.pid])
        assert nl.netns.pids(two.path) == [two.pid]
        assert os.getpid() in nl.netns.pids(os.getpid())
    finally:
        process.kill()
        process.wait()
    one.kill()
    assert nl.netns.pids("blue") == []


def test_pids_of_a_namespace_without_processes() -> None:
    bare = BareNamespace()
    with entered(bare):
        pass
    assert nl.netns.pids(bare.path) == []
    bare.close()


def test_that_no_thread_can_be_had_is_told(container: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    with pytest.raises(
        OSError, match=f"start a thread in process {container.pid}: no more threads"
    ) as caught:
        nl.netns.call(container.pid, os.getpid)
    assert caught.value.errno == errno.EAGAIN


@pytest.fixture
def raising_signal(untraced: None) -> Iterator[int]:
    """A signal whose handler raises KeyError."""

    def raise_key_error(*_: object) -> None:
        raise KeyError("why")

    before = signal.signal(signal.SIGUSR1, raise_key_error)
    yield signal.SIGUSR1
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("lasts", [False, True])
def test_an_interrupt_waits_for_a_function_that_ends_soon(
    container: Container, raising_signal: int, lasts: bool
) -> None:
    """So that what the caller does then, a rollback say, does not run beside it; but not for ever."""
    go_on, done = threading.Event(), threading.Event()

    def work() -> None:
        os.kill(os.getpid(), raising_signal)
        go_on.wait(60 if lasts else 0.3)
        done.set()

    with pytest.raises(KeyError, match="why"):
        nl.netns.call(container.pid, work)
    assert done.is_set() != lasts
    go_on.set()
    assert done.wait(60)


@pytest.mark.parametrize("late", [False, True])
def test_a_program_whose_starter_is_interrupted_is_killed(
    container: Container, raising_signal: int, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    """Nobody else knows of it; also when its start takes longer than the caller waits."""
    started: list[subprocess.Popen[bytes]] = []
    really, go_on = subprocess.Popen, threading.Event()

    def start(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
        os.kill(os.getpid(), raising_signal)
        if late:
            go_on.wait(60)
        started.append(really(*arguments, **options))  # type: ignore[call-overload]
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(KeyError, match="why"):
        nl.netns.popen(container.pid, ["sleep", "1000"])
    assert bool(started) != late
    go_on.set()
    assert eventually(lambda: bool(started) and started[0].returncode == -signal.SIGKILL)
