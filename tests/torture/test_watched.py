"""A child whose system calls are watched: they are counted, fail and are where a signal comes, as told."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import threading

import pytest

from tests.support.system_calls import Call, Watched


def count(call: Call) -> int:
    return 0


def one_file() -> None:
    os.close(os.open("/", os.O_RDONLY))


def test_each_call_is_counted_in_order() -> None:
    with Watched(one_file, count) as watched:
        assert watched.names == ["openat", "close"] and not watched.killed
        assert (watched.error, watched.left) == ("", [])


def test_calls_of_threads_are_counted_too() -> None:
    def work() -> None:
        thread = threading.Thread(target=one_file)
        thread.start()
        thread.join()

    with Watched(work, count) as watched:
        assert watched.names.count("openat") == 1


def test_a_call_fails_as_told() -> None:
    with Watched(one_file, lambda call: errno.EMFILE if call.number == 1 else 0) as watched:
        assert watched.names == ["openat"] and watched.error == "OSError" and "Too many" in watched.words


def test_a_signal_comes_where_told() -> None:
    def kill(call: Call) -> int:
        if call.name == "close":
            os.kill(call.thread, signal.SIGKILL)
        return 0

    with Watched(one_file, kill) as watched:
        assert watched.killed and watched.names == ["openat", "close"]


def test_what_is_left_open_is_told() -> None:
    with Watched(lambda: os.open("/", os.O_RDONLY), count) as watched:
        assert [one.split(" -> ")[1] for one in watched.left] == ["/"]


@pytest.mark.needs("cat")
def test_another_program_is_let_through() -> None:
    def work() -> None:
        subprocess.run(["cat", os.devnull], check=True)

    with Watched(work, count) as watched:
        assert not watched.error and "execve" in watched.names
        assert watched.names.count("openat") == 0


def test_what_waits_for_ever_is_killed() -> None:
    with pytest.raises(TimeoutError, match="after 2 calls"):
        Watched(lambda: os.read(os.pipe()[0], 1), count, seconds=0.5)
