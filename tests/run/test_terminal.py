"""-t under a real pseudo-terminal: raw mode and its end, sizes, job control, typed control characters."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator

import pytest

from netlinkpy.run import listing
from tests.support.run_testbed import MAIN, detached, netlinkpy, on_bridge, run, started
from tests.support.waiting import eventually


class Sitting:
    """Somebody at a terminal who runs a command line of ours there."""

    def __init__(self, *words: str, rows: int = 24, columns: int = 80) -> None:
        self.pid, self._fd = pty.fork()
        if not self.pid:
            os.environ["PS1"] = "$ "
            os.execv(sys.executable, [sys.executable, "-c", MAIN, *words])
        self.size(rows, columns)
        self.before = termios.tcgetattr(self._fd)
        self.text = ""

    def size(self, rows: int, columns: int) -> None:
        """Give the terminal another size."""
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def sees(self, text: str, seconds: float = 15) -> str:
        """Wait until the screen shows it; gives what came up to it."""
        deadline = time.monotonic() + seconds
        while text not in self.text:
            left = deadline - time.monotonic()
            ready = select.select([self._fd], [], [], max(left, 0))[0]
            assert ready, f"{text!r} is not in {self.text!r}"
            try:
                piece = os.read(self._fd, 4096)
            except OSError:
                piece = b""
            assert piece, f"{text!r} is not in {self.text!r}, which is all"
            self.text += piece.decode(errors="replace")
        seen, _, self.text = self.text.partition(text)
        return seen

    def raw(self) -> bool:
        """Whether the terminal hands every key on."""
        return not termios.tcgetattr(self._fd)[3] & (termios.ICANON | termios.ECHO | termios.ISIG)

    def code(self) -> int:
        """Wait for the end: its exit code."""
        try:
            while os.read(self._fd, 4096):
                continue
        except OSError:
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def close(self) -> None:
        os.close(self._fd)


@pytest.fixture
def sitting() -> Iterator[list[Sitting]]:
    """Those who sit; their terminals are closed after the test."""
    made: list[Sitting] = []
    yield made
    for one in made:
        one.close()


def sit(made: list[Sitting], *words: str, **options: int) -> Sitting:
    made.append(Sitting(*words, **options))
    return made[-1]


def shell(made: list[Sitting], *options: str, command: tuple[str, ...] = ("bash", "--norc", "-i")) -> Sitting:
    """A shell in a container, at its first prompt."""
    one = sit(made, "run", "-i", "-t", "--rm", "--name", "one", *options, "--", *command)
    one.sees("$ ")
    return one


def test_a_shell(sitting: list[Sitting]) -> None:
    """The seed's `run -i -t --rm --net=none ... /bin/bash`."""
    one = shell(sitting, "--net=none")
    one.type("tty; echo $((6*7))\r")
    assert "/dev/pts/" in one.sees("42")
    one.sees("$ ")
    one.type("exit 5\r")
    assert one.code() == 5
    assert listing() == []


def test_the_terminal_is_raw_meanwhile_and_as_before_afterwards(sitting: list[Sitting]) -> None:
    one = shell(sitting, "--net=none")
    assert one.raw()
    one.type("exit\r")
    one.sees("exit")
    assert eventually(lambda: termios.tcgetattr(one._fd) == one.before)
    assert one.code() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_terminal_is_as_before_after_a_signal(sitting: list[Sitting], number: int) -> None:
    one = sit(sitting, "run", "-it", "--net=none", "--", "sh", "-c", "echo ready; exec sleep 1000")
    one.sees("ready")
    assert one.raw() and eventually(lambda: len(listing()) == 1)
    os.kill(one.pid, number)
    assert eventually(lambda: termios.tcgetattr(one._fd) == one.before)
    assert one.code() == 128 + number


def test_typed_control_characters_reach_the_command(sitting: list[Sitting]) -> None:
    """^C interrupts what runs inside and not the container; ^Z suspends it; ^D ends the shell."""
    one = shell(sitting, "--net=none")
    one.type("sleep 1000\r")
    one.sees("sleep 1000")
    time.sleep(0.2)
    one.type("\x03")
    one.sees("$ ")
    one.type("sleep 1001\r")
    one.sees("sleep 1001")
    time.sleep(0.2)
    one.type("\x1a")
    one.sees("Stopped")
    one.sees("$ ")
    one.type("kill %1; fg\r")
    one.sees("Terminated")
    one.sees("$ ")
    one.type("\x04")
    assert one.code() == 128 + signal.SIGTERM


def test_the_size_and_its_changes(sitting: list[Sitting]) -> None:
    one = sit(sitting, "run", "-it", "--net=none", "--", "bash", "--norc", "-i", rows=33, columns=101)
    one.sees("$ ")
    one.type("stty size\r")
    one.sees("33 101")
    one.sees("$ ")
    one.size(44, 202)
    time.sleep(0.2)
    one.type("stty size\r")
    one.sees("44 202")
    one.type("exit\r")
    assert one.code() == 0


def test_all_output_comes_though_the_command_has_ended(sitting: list[Sitting]) -> None:
    """More than a terminal holds at once, to its last byte."""
    one = sit(sitting, "run", "-it", "--net=none", "--", "sh", "-c", "seq 1 20000; echo end")
    one.sees("20000\r\nend", 30)
    assert one.code() == 0


def test_a_terminal_without_input(sitting: list[Sitting]) -> None:
    """-t alone: output by a terminal, and ^C is ours, so it is passed on as a signal."""
    one = sit(
        sitting, "run", "-t", "--net=none", "--", "sh", "-c", "test -t 1 && echo ready; exec sleep 1000"
    )
    one.sees("ready")
    assert not one.raw() and eventually(lambda: len(listing()) == 1)
    one.type("\x03")
    assert one.code() == 128 + signal.SIGINT


def test_exec_in_a_terminal(sitting: list[Sitting]) -> None:
    """Also where what it left behind still has the terminal open."""
    detached(*on_bridge())
    one = sit(sitting, "exec", "-it", "one", "bash", "--norc", "-i")
    one.sees("$ ")
    one.type("sleep 1000 & disown; stty size; exit 4\r")
    one.sees("24 80")
    assert one.code() == 4
    assert netlinkpy("exec", "one", "true").returncode == 0


def test_a_terminal_in_the_background() -> None:
    """A shell that waits for its terminal goes on waiting."""
    one = detached("-it", "--net=none", command=("bash", "--norc", "-i"))
    time.sleep(0.2)
    assert listing() == [one]
    finished = netlinkpy("exec", "one", "--", "sh", "-c", "tty < /proc/2/fd/0; readlink /proc/2/fd/1")
    assert finished.stdout.startswith("/dev/pts/") and finished.returncode == 0


def test_input_in_the_background() -> None:
    """-d -i: standard input does not end."""
    one = detached("-i", "--net=none", command=("cat",))
    time.sleep(0.1)
    assert listing() == [one]


def test_no_terminal() -> None:
    finished = run("-i", "-t", "--net=none", "--", "true")
    assert (finished.returncode, finished.stderr) == (
        125,
        "netlinkpy: -i -t: standard input is not a terminal\n",
    )
    assert listing() == []
    detached("--net=none")
    finished = netlinkpy("exec", "-it", "one", "true")
    assert finished.returncode == 125 and "is not a terminal" in finished.stderr


def test_a_reader_that_goes_away() -> None:
    """Output by a terminal into a pipe that is closed: the command is not held up."""
    process = started("run", "-t", "--net=none", "--", "sh", "-c", "echo first; seq 1 100000; exit 6")
    assert process.stdout is not None and process.stdout.readline() == "first\n"
    process.stdout.close()
    assert process.wait(20) == 6
    assert process.stderr is not None
    process.stderr.close()
