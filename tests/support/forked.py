"""A child of the test, which never comes back into pytest, whatever is raised in it; and another user's."""

from __future__ import annotations

import contextlib
import os
import signal
import traceback
from collections.abc import Callable, Iterator

NOBODY = 65534


def fork(work: Callable[[], object]) -> int:
    """Return the pid of a child that calls work() and ends: with 0, or 1 and a traceback if it raises."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def be_another_user() -> None:
    """Give up root for good. Needs root."""
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


@contextlib.contextmanager
def another_user(work: Callable[[], object]) -> Iterator[None]:
    """Have another user do something, and hold what he has while the block runs. Needs root."""
    told, teller = os.pipe()

    def hold() -> None:
        os.close(told)
        be_another_user()
        held = work()
        os.write(teller, b".")
        signal.pause()
        del held

    pid = fork(hold)
    os.close(teller)
    try:
        assert os.read(told, 1) == b".", "the other user failed"
        yield
    finally:
        os.close(told)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
