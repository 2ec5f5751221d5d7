"""Names: ps, exec, port, stop and kill find what runs, and believe only whom they may."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from netlinkpy.run import Call, Running, find, listing
from netlinkpy.run.running import PREFIX, check_name
from netlinkpy.sockets.unix_names import bound
from tests.support.forked import another_user, be_another_user, fork
from tests.support.namespaces import entered
from tests.support.run_testbed import (
    DEFAULT_CAPABILITIES,
    MAIN,
    PROBING,
    detached,
    exists,
    netlinkpy,
    on_bridge,
    run,
    started,
)
from tests.support.waiting import eventually


def test_ps() -> None:
    one = detached(*on_bridge(), name="web", command=("sleep", "1000"))
    detached("--net=none", name="alone")
    table = netlinkpy("ps").stdout.splitlines()
    assert table[0].split() == ["NAME", "PID", "NETWORK", "ADDRESSES", "PORTS", "UP", "COMMAND"]
    assert table[1].split()[0] == "alone" and " none " in table[1]
    assert table[2].startswith("web ") and str(one.pid) in table[2] and "172.17.42.99/16" in table[2]
    assert table[2].endswith("sleep 1000")
    assert netlinkpy("ps", "-q").stdout == "alone\nweb\n"
    told = [json.loads(line) for line in netlinkpy("ps", "--json").stdout.splitlines()]
    assert told[1]["name"] == "web" and told[1]["pid"] == one.pid and told[1]["command"] == ["sleep", "1000"]
    assert told[1]["addresses"] == ["172.17.42.99/16"]


def test_ps_with_nothing() -> None:
    assert netlinkpy("ps").stdout.count("\n") == 1
    assert netlinkpy("ps", "--json").stdout == ""


def test_a_command_with_strange_words() -> None:
    words = ("sh", "-c", "sleep 1000", "a=b", "two\nlines", "", "ü", "x" * 100_000)
    one = detached("--net=none", command=words)
    assert one.command == ("sh", "...")  # too long to be told
    assert netlinkpy("kill", "one").returncode == 0
    assert detached("--net=none", command=words[:-1]).command == words[:-1]


def test_a_made_up_name() -> None:
    finished = run("-d", "--net=none", "--", "sleep", "1000")
    assert finished.stdout.strip() == listing()[0].name and finished.stdout.startswith("run-")


def test_a_name_is_taken() -> None:
    one = detached("--net=none")
    finished = run("--name", "one", "--net=none", "--", "true")
    assert (finished.returncode, finished.stderr) == (125, "netlinkpy: a container named one runs already\n")
    assert exists(one.pid)


@pytest.mark.parametrize("name", ["", "-x", "a b", "a/b", "ü", ".a", "a" * 64, "a\n"])
def test_what_cannot_be_a_name(name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a container"):
        check_name(name)
    finished = run("--net=none", f"--name={name}", "--", "true")
    assert finished.returncode == 125 and "cannot name a container" in finished.stderr


def test_a_name_belongs_to_a_network_namespace(container: object) -> None:
    detached("--net=none")
    with entered(container):  # type: ignore[arg-type]
        assert listing() == []


# -- exec --------------------------------------------------------------------------------------------------


def test_exec_is_in_all_its_namespaces() -> None:
    one = detached(*on_bridge(), "--hostname", "web", "--dns", "9.9.9.9")
    finished = netlinkpy("exec", "one", "--", *PROBING)
    assert finished.returncode == 0, finished.stderr
    seen = json.loads(finished.stdout)
    for kind in ("net", "pid", "mnt", "uts", "ipc"):
        assert seen["namespaces"][kind] == os.stat(f"/proc/{one.pid}/ns/{kind}").st_ino
    assert seen["hostname"] == "web" and "172.17.42.99/16" in seen["addresses"]
    assert seen["pids"][:2] == [1, 2] and seen["pid"] in seen["pids"]
    assert seen["resolv"] == "nameserver 9.9.9.9\n"
    assert seen["capabilities"]["Eff"] & ~DEFAULT_CAPABILITIES == 0
    assert seen["capabilities"]["Bnd"] & ~DEFAULT_CAPABILITIES == 0
    assert seen["descriptors"] == ["0", "1", "2", "3"]


def test_exec_privileged() -> None:
    detached("--net=none")
    with open("/proc/self/status") as status:
        own = next(line.split()[1] for line in status if line.startswith("CapEff"))
    finished = netlinkpy("exec", "--privileged", "one", "grep", "CapEff", "/proc/self/status")
    assert finished.stdout.split() == ["CapEff:", own]


def test_exec_words_and_codes() -> None:
    """Options before the name, or between the name and `--`; exit codes as of run."""
    detached("--net=none")
    assert netlinkpy("exec", "-i", "one", "sh", "-c", "cat; exit 3", input="x").stdout == "x"
    assert netlinkpy("exec", "one", "-i", "--", "sh", "-c", "cat; exit 3", input="x").returncode == 3
    assert netlinkpy("exec", "one", "no-such-command").returncode == 127
    assert netlinkpy("exec", "one", "/etc/passwd").returncode == 126
    assert netlinkpy("exec", "one", "sh", "-c", "kill -9 $$").returncode == 137
    assert netlinkpy("exec", "one").returncode == 2
    finished = netlinkpy("exec", "two", "true")
    assert (finished.returncode, finished.stderr) == (125, "netlinkpy: no container named two runs here\n")


def test_exec_dies_with_the_container_and_with_its_own_supervisor() -> None:
    one = detached("--net=none")
    process = started("exec", "one", "--", "sleep", "1001")
    assert eventually(lambda: len(children_named(one.pid, "sleep")) == 2)
    process.kill()
    process.communicate()
    assert eventually(lambda: len(children_named(one.pid, "sleep")) == 1)
    process = started("exec", "one", "--", "sleep", "1001")
    assert eventually(lambda: len(children_named(one.pid, "sleep")) == 2)
    assert netlinkpy("kill", "one").returncode == 0
    process.communicate(timeout=10)
    assert process.returncode == 137


def children_named(pid: int, command: str) -> list[int]:
    """The processes of a container that run a command."""
    from tests.support.run_testbed import inside

    found = []
    for member in inside(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{member}/comm") as comm:
            if comm.read().strip() == command:  # suppressed: it has gone since
                found.append(member)
    return found


# -- stop, kill, port --------------------------------------------------------------------------------------


def test_stop_asks_first() -> None:
    detached("--net=none", command=("sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.01; done"))
    assert netlinkpy("stop", "-t", "20", "one", seconds=15).returncode == 0


def test_stop_and_kill_of_what_does_not_run() -> None:
    detached("--net=none")
    for verb in ("stop", "kill"):
        finished = netlinkpy(verb, "two")
        assert (finished.returncode, finished.stdout) == (1, "")
        assert finished.stderr == "netlinkpy: no container named two runs here\n"
    finished = netlinkpy("kill", "two", "one")
    assert (finished.returncode, finished.stdout) == (1, "one\n")


def test_kill_with_another_signal() -> None:
    script = "trap 'exit 9' USR1; echo ready; while :; do sleep 0.01; done"
    process = started("run", "--name", "one", "--net=none", "--", "sh", "-c", script)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    assert eventually(lambda: len(listing()) == 1)
    assert netlinkpy("kill", "-s", "SIGUSR1", "one").returncode == 0
    process.communicate(timeout=10)
    assert process.returncode == 9


def test_kill_with_a_signal_that_is_none() -> None:
    detached("--net=none")
    assert netlinkpy("kill", "-s", "NONE", "one").returncode == 2
    finished = netlinkpy("kill", "-s", str(int(signal.SIGSTOP)), "one")
    assert finished.returncode == 1 and "no signal that a container takes" in finished.stderr


def test_port() -> None:
    detached("--net=none")
    assert netlinkpy("port", "one").stdout == ""
    finished = netlinkpy("port", "two")
    assert finished.returncode == 1 and "no container named two runs here" in finished.stderr


# -- who is to be believed ---------------------------------------------------------------------------------


def address_of(name: str) -> str:
    """Return where the supervisor of a container listens."""
    (one,) = bound(f"{PREFIX}{name}/")
    return f"\0{one.name}"


def listener(name: str) -> socket.socket:
    taken = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    taken.bind(f"\0{PREFIX}{name}/0123456789abcdef")
    taken.listen()
    return taken


@pytest.mark.parametrize("answer", [b"", b"nonsense", b"pid=x\0", b"name=squatter\0", b"\xff" * 1000])
def test_an_answer_that_makes_no_sense(answer: bytes) -> None:
    """Who listens at a name and answers nonsense harms nobody; he is shown, since he may be one of ours."""
    detached("--net=none")
    with listener("squatter") as taken:

        def give_answer() -> None:
            connected, _ = taken.accept()
            connected.recv(64)
            connected.send(answer)

        pid = fork(give_answer)
        seen = {one.name: one.pid for one in listing()}
        assert seen.pop("one") and seen in ({}, {"squatter": 0})
        os.waitpid(pid, 0)


def test_a_supervisor_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netlinkpy.run.running.TIMEOUT", 0.1)
    with listener("squatter"):
        with pytest.raises(TimeoutError, match="does not answer"):
            find("squatter")
        assert [(one.name, one.pid, one.holder) for one in listing()] == [("squatter", 0, os.getpid())]


@pytest.mark.needs("root")
def test_another_users_listener_is_not_believed() -> None:
    os.seteuid(65534)
    taken = listener("squatter")
    os.seteuid(0)
    with taken, another_user(lambda: listener("stranger")):
        assert "stranger" in Path("/proc/net/unix").read_text()
        with pytest.raises(ProcessLookupError):
            find("stranger")
        assert listing() == []


@pytest.mark.needs("root")
def test_another_user_is_not_served() -> None:
    """Neither told nor obeyed."""
    one = detached("--net=none")

    def kill() -> None:
        be_another_user()
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with contextlib.suppress(OSError):
            connected.connect(address_of("one"))
            connected.settimeout(5)
            connected.send(b"kill 9")
            assert not connected.recv(64)

    assert os.waitstatus_to_exitcode(os.waitpid(fork(kill), 0)[1]) == 0
    assert exists(one.pid)


def test_nonsense_does_not_disturb_the_supervisor() -> None:
    one = detached("--net=none")
    for word in (
        b"",
        b"\0",
        b"kill",
        b"kill x",
        b"kill 99",
        b"kill 19",
        b"tell me",
        b"x" * 5000,
        b"\xff\xfe",
    ):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connected:
            connected.connect(address_of("one"))
            connected.send(word)
    many = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(100)]
    for connected in many:
        connected.settimeout(0.2)
        try:
            connected.connect(address_of("one"))
        except OSError:  # as many as it holds are there already
            continue
    for connected in many:
        connected.close()
    assert eventually(lambda: [same.pid for same in listing()] == [one.pid])


def test_the_end_of_the_call_is_the_end_of_the_container() -> None:
    one = detached(*on_bridge())
    with Call("one") as call:
        call.check_alive()
        assert not call.wait(0.05)
        os.kill(one.pid, signal.SIGKILL)
        assert call.wait(10)
        with pytest.raises(ProcessLookupError):
            call.check_alive()


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_container_that_cannot_be_told_does_not_go_on(unbuffered: str) -> None:
    command = [sys.executable, "-c", MAIN, "run", "-d", "--net=none", "--name=one", "--", "sleep", "1000"]
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, env=environment, timeout=30, check=False
        )
    assert (done.returncode, done.stderr.count(b"No space left")) == (125, 1), done
    assert listing() == []


def test_a_reader_that_left_ends_no_container() -> None:
    line = '"$0" -c "$1" run -d --net=none --name=one -- sleep 1000; echo $? >&2'
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as pipe:
        done = subprocess.run(
            ["sh", "-c", line, sys.executable, MAIN],
            stdout=pipe,
            stderr=subprocess.PIPE,
            timeout=30,
            check=False,
        )
    assert done.stderr == b"141\n" and [one.name for one in listing()] == ["one"]


@pytest.mark.needs("root")
def test_an_ordinary_user_beside_roots_containers() -> None:
    """They are not his, and turn him away, at whatever moment he asks."""
    for number in range(4):
        detached("--net=none", name=f"c{number}")

    def ask() -> None:
        be_another_user()
        for _ in range(50):
            for name in ("c0", "c1", "c2", "c3"):
                with contextlib.suppress(ProcessLookupError, PermissionError), Call(name) as call:
                    call.tell()
            listing()

    assert os.waitpid(fork(ask), 0)[1] == 0


def test_ps_beside_containers_that_come_and_go() -> None:
    """One that ends while it is asked is left out: no error, and no broken pipe of ours."""
    with contextlib.ExitStack() as stack:
        for number in range(4):
            line = f'while :; do "$0" -c "$1" run --net=none --name=c{number} -- true; done'
            loop = subprocess.Popen(
                ["sh", "-c", line, sys.executable, MAIN], stderr=subprocess.DEVNULL, start_new_session=True
            )
            stack.callback(loop.wait)
            stack.callback(os.killpg, loop.pid, signal.SIGKILL)
        seen = 0
        for _ in range(60):
            done = netlinkpy("ps")
            assert done.returncode == 0 and done.stdout.startswith("NAME") and done.stderr == "", done
            seen += done.stdout.count("\n") - 1
            for words in (("port", "c0"), ("exec", "c0", "true"), ("stop", "c1"), ("kill", "c2")):
                done = netlinkpy(*words)
                assert "Broken pipe" not in done.stderr and done.returncode != 141, (words, done)
        assert seen


@pytest.mark.needs("root")
def test_a_stranger_blocks_no_name() -> None:
    """He binds it before we do, as it was, and with any word behind it; and eight more that answer nobody."""
    names = [f"\0{PREFIX}one", *(f"\0{PREFIX}one/{number}" for number in range(8))]

    def squat() -> list[socket.socket]:
        taken = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in names]
        for one, name in zip(taken, names, strict=True):
            one.bind(name)
            one.listen()
        return taken

    with another_user(squat):
        one = detached("--net=none")
        assert [(same.name, same.pid) for same in listing()] == [("one", one.pid)]
        assert netlinkpy("stop", "one").returncode == 0 and not exists(one.pid)


def test_all_who_do_not_answer_have_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each silent one had the whole time: here the second alone would wait for the first one's too."""
    monkeypatch.setattr("netlinkpy.run.running.TIMEOUT", 0.5)
    waits: list[float] = []
    original = Call.told

    def told(self: Call, timeout: float | None = None) -> Running:
        waits.append(timeout or 0)
        return original(self, timeout)

    monkeypatch.setattr(Call, "told", told)
    with contextlib.ExitStack() as stack:
        for number in range(8):
            stack.enter_context(listener(f"squatter{number}"))
        assert [one.pid for one in listing()] == [0] * 8
    assert waits[1:] == [0.01] * 7 and waits[0] <= 0.5


def test_where_the_kernel_tells_no_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without CONFIG_UNIX_DIAG: /proc/net/unix, and who it is is seen when he is called."""

    def refuse(*_: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "no such family")

    monkeypatch.setattr("netlinkpy.sockets.unix_names._told", refuse)
    one = detached("--net=none")
    assert [(same.name, same.pid) for same in listing()] == [("one", one.pid)]


ASKS = f"""
import sys
sys.path.insert(0, {os.getcwd()!r})
from netlinkpy.run import Call, listing
print([one.name for one in listing()])
try:
    with Call("one") as call:
        call.kill(9)
    print("killed")
except ProcessLookupError:
    print("not served")
"""


@pytest.mark.parametrize("more", [(), ("--privileged",)])
def test_a_container_with_the_hosts_network_does_not_command_the_others(more: tuple[str, ...]) -> None:
    """It finds their names, and its root is root: the supervisor looks at its PID namespace."""
    one = detached("--net=none")
    finished = run("--net=host", *more, "--name=two", "--", sys.executable, "-c", ASKS)
    assert finished.stdout == "[]\nnot served\n", finished.stderr
    assert exists(one.pid)
