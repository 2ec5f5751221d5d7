"""How it ends: exit codes, signals, the supervisor killed; and that nothing is left then."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from netlinkpy.run import Running, listing
from tests.support.run_testbed import (
    MAIN,
    detached,
    exists,
    inside,
    netlinkpy,
    on_bridge,
    run,
    started,
    veths,
)
from tests.support.waiting import eventually

SHELL = ("sh", "-c")


@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_the_exit_code_is_the_commands(code: int) -> None:
    assert run("--net=none", "--", *SHELL, f"exit {code}").returncode == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV])
def test_a_signal_is_128_and_its_number(number: int) -> None:
    assert run("--net=none", "--", *SHELL, f"kill -{int(number)} $$").returncode == 128 + number


@pytest.mark.parametrize("background", [(), ("-d",)])
def test_no_such_command(background: tuple[str, ...]) -> None:
    finished = run(*background, "--net=none", "--", "no-such-command")
    assert (finished.returncode, finished.stdout) == (127, "")
    assert finished.stderr == "netlinkpy: no-such-command: no such command\n"


@pytest.mark.parametrize("background", [(), ("-d",)])
def test_not_executable(background: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text")
    finished = run(*background, "--net=none", "--", str(tmp_path / "text"))
    assert (finished.returncode, finished.stdout) == (126, "")
    assert finished.stderr == f"netlinkpy: {tmp_path / 'text'}: Permission denied\n"


def test_streams_are_passed_on() -> None:
    """Standard output and error always, standard input with -i alone."""
    finished = run("--net=none", "-i", "--", *SHELL, "cat; echo error >&2", input="typed")
    assert (finished.stdout, finished.stderr) == ("typed", "error\n")
    assert run("--net=none", "--", "cat", input="typed").stdout == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_signals_are_passed_on(number: signal.Signals) -> None:
    """To the command, which does with them what it wants; by default it ends, as outside."""
    trap = f"trap 'echo caught' {number.name.removeprefix('SIG')}; echo ready; while :; do sleep 0.01; done"
    for command, code, output in ((trap, 137, "caught\n"), ("echo ready; exec sleep 1000", 128 + number, "")):
        process = started("run", "--name", "one", "--net=none", "--", *SHELL, command)
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        assert eventually(lambda: len(listing()) == 1)
        process.send_signal(number)
        if output:
            assert process.stdout.readline() == output
            assert netlinkpy("kill", "one").returncode == 0
        output, errors = process.communicate(timeout=10)
        assert (process.returncode, errors) == (code, "")


def test_an_ignored_hangup_stays_ignored() -> None:
    """As nohup wants it: the signal does not reach the command."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = started("run", "--net=none", "--", *SHELL, "echo ready; exec sleep 1000")
    finally:
        signal.signal(signal.SIGHUP, before)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    assert eventually(lambda: len(listing()) == 1)
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 128 + signal.SIGTERM


def test_started_where_children_are_ignored() -> None:
    """SIGCHLD may come to us ignored; there would be nothing to wait for."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        process = started("run", "--net=none", "--", *SHELL, "exit 7")
    finally:
        signal.signal(signal.SIGCHLD, before)
    process.communicate(timeout=10)
    assert process.returncode == 7


def test_orphans_are_reaped_and_end_with_the_command() -> None:
    """The first process is the parent of whoever lost its own; what the command leaves behind is ended."""
    script = (
        "(sleep 0.01 &); (sleep 1000 & echo $!) ; sleep 0.1; cat /proc/[0-9]*/stat | grep -c ' Z '; exit 3"
    )
    finished = run("--net=none", "--", *SHELL, script)
    assert finished.returncode == 3
    assert finished.stdout.splitlines()[-1] == "0"


# -- nothing is left ---------------------------------------------------------------------------------------


class Traces:
    """What there is of a container, to be looked for after its end."""

    def __init__(self, one: Running) -> None:
        self.pids = [one.holder, *inside(one.pid)]
        self.namespace = os.stat(f"/proc/{one.pid}/ns/net").st_ino
        assert len(self.pids) >= 3

    def left(self) -> list[object]:
        """What is still there: processes, links, names, namespaces that a process is in."""
        return [*filter(exists, self.pids), *veths(), *listing()]


def check_alive(one: Running) -> None:
    assert exists(one.pid) and exists(one.holder) and len(veths()) == 1


@pytest.mark.parametrize("victim", ["holder", "pid"])
def test_killed_by_sigkill(victim: str) -> None:
    """The supervisor, or the container's first process: processes, link and name go, with no code of ours run
    where the supervisor is killed."""
    deep = (*SHELL, "sleep 1000 & setsid sleep 1001 & exec sleep 1002")
    one = detached(*on_bridge(), command=deep)
    assert eventually(lambda: len(inside(one.pid)) == 4)
    traces = Traces(one)
    check_alive(one)
    os.kill(getattr(one, victim), signal.SIGKILL)
    assert eventually(lambda: not traces.left()), traces.left()
    again = detached(*on_bridge())  # name and address are free
    assert again.pid != one.pid


def test_killed_by_sigkill_in_the_foreground() -> None:
    process = started("run", "--name", "one", *on_bridge(), "--", "sleep", "1000")
    assert eventually(lambda: len(listing()) == 1)
    traces = Traces(listing()[0])
    process.kill()
    process.communicate()
    assert eventually(lambda: not traces.left()), traces.left()


@pytest.mark.parametrize("wait", [number / 100 for number in range(0, 20, 2)])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_killed_while_it_is_made(wait: float, number: int) -> None:
    """At whatever moment: nothing is left."""
    process = started("run", "--name", "one", *on_bridge(), "--", "sleep", "1000")
    time.sleep(wait)
    process.send_signal(number)
    process.communicate(timeout=20)
    assert eventually(lambda: not veths() and not listing())
    assert eventually(lambda: run("--name", "one", "--net=none", "--", "true").returncode == 0)


def test_gone_on_return() -> None:
    """When `run` or `stop` returns, link and name are gone already, and so is every process."""
    for number in range(5):
        one = detached(*on_bridge())
        traces = Traces(one)
        assert netlinkpy("stop", "-t", "0" if number % 2 else "5", "one").stdout == "one\n"
        assert veths() == [] and listing() == []
        assert not exists(one.pid)
        assert eventually(lambda traces=traces: not traces.left())  # type: ignore[misc]
        assert run("--name", "one", *on_bridge(), "--", "true").returncode == 0
        assert veths() == []


def test_what_cannot_be_wired_leaves_nothing() -> None:
    finished = run("--name", "one", "--bridge", "no-such-bridge", "--ip", "172.17.42.9/16", "--", "true")
    assert finished.returncode == 125 and "no-such-bridge" in finished.stderr
    assert finished.stderr.count("\n") == 1
    assert veths() == [] and listing() == []


def test_the_command_does_not_begin_before_it_is_wired(tmp_path: Path) -> None:
    """Where wiring fails the command has not run at all."""
    mark = tmp_path / "mark"
    run("--bridge", "no-such-bridge", "--ip", "172.17.42.9/16", "--", "touch", str(mark))
    assert not mark.exists()


def test_many_at_once() -> None:
    """Twenty in the background, each with a name and an address of its own, all ended by one command."""
    processes = [
        started("run", "-d", "--name", f"n{number}", *on_bridge(f"172.17.1.{number + 1}/16"), "sleep", "1000")
        for number in range(20)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert len(listing()) == len(veths()) == 20
    assert netlinkpy("kill", *(f"n{number}" for number in range(20))).returncode == 0
    assert listing() == [] and veths() == []


def test_of_two_with_one_name_one_runs() -> None:
    processes = [started("run", "-d", "--name", "one", "--net=none", "sleep", "1000") for _ in range(4)]
    for process in processes:
        process.communicate(timeout=60)
    assert sorted(process.returncode for process in processes) == [0, 125, 125, 125]


def test_the_interpreter_of_the_supervisor_is_not_the_commands(tmp_path: Path) -> None:
    """PYTHON* variables and the working directory reach the command as they are."""
    code = "import os; print(os.getcwd(), os.environ['PYTHONSTARTUP'])"
    os.environ["PYTHONSTARTUP"] = "x"
    try:
        finished = run("--net=none", "--", sys.executable, "-c", code)
    finally:
        del os.environ["PYTHONSTARTUP"]
    assert finished.stdout == f"{os.getcwd()} x\n"


STOPPER = """
import ctypes, os, time
ptrace = ctypes.CDLL(None, use_errno=True).ptrace
ptrace.argtypes = [ctypes.c_long] * 4
told, teller = os.pipe()
if not os.fork():
    os.write(teller, b"%d" % (ptrace(0x4206, 1, 0, 0) or ptrace(0x4207, 1, 0, 0)))  # PTRACE_SEIZE, _INTERRUPT
    time.sleep(1000)
assert os.read(told, 8) == b"0"
while "tracing stop" not in open("/proc/1/status").read():
    time.sleep(0.01)
print("stopped")
"""


def test_a_stopped_first_process_holds_nothing() -> None:
    """The container's root debugs it and lets it stand: the command's end is the container's all the same."""
    finished = run("--net=none", "--", sys.executable, "-c", STOPPER)
    assert (finished.stdout, finished.returncode) == ("stopped\n", 128 + signal.SIGKILL), finished.stderr
    assert listing() == []


def test_the_end_is_seen_though_every_signal_is_lost() -> None:
    """A pipe of signals may be full, and nobody hears of the child's end by it."""
    process = started("run", "--net=none", "--", *SHELL, "echo ready; sleep 0.7")
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    (one,) = listing()
    with open(f"/proc/{one.holder}/status") as status:
        caught = next(int(line.split()[1], 16) for line in status if line.startswith("SigCgt:"))
    assert not caught >> (signal.SIGCHLD - 1) & 1
    process.communicate(timeout=10)
    assert process.returncode == 0


def test_a_supervisor_that_cannot_be_loaded_is_told_and_runs_no_further() -> None:
    """The process in the background went on in the code of its caller, and nobody heard why."""
    program = "import sys; sys.modules['netlinkpy.run.supervisor'] = None\n" + MAIN
    done = subprocess.run(
        [sys.executable, "-c", program, "run", "-d", "--net=none", "true"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 125 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("netlinkpy: ") and "netlinkpy.run.supervisor" in line


def test_that_the_supervisor_was_killed_before_it_ran_is_told() -> None:
    program = (
        "import os, signal, sys\nfrom netlinkpy.run import supervisor\n"
        "supervisor.supervise = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program + MAIN, "run", "-d", "--name", "one", "--net=none", "true"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (128 + signal.SIGKILL, "")
    assert done.stderr == "netlinkpy: the supervisor of container one ended before that ran (137)\n"


def test_the_process_in_the_background_ends_alone() -> None:
    """Interrupted before it supervised, it ended its whole process group."""
    program = (
        "from netlinkpy.cli import run\n"
        "def interrupted(*_):\n    raise KeyboardInterrupt\n"
        "run._supervise_in_background = interrupted\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program + MAIN, "run", "-d", "--name", "one", "--net=none", "true"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        start_new_session=True,
    )
    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr == "netlinkpy: the supervisor of container one ended before that ran (125)\n"
