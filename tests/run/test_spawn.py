"""spawn(): what its parent gets when the child does not live long."""

from __future__ import annotations

import errno
import os
from typing import NoReturn

import pytest

from netlinkpy.run.spawn import spawn
from netlinkpy.run.sync_pipe import StartError, SyncPipe
from tests.support.forked import fork


def test_a_child_that_dies_before_it_is_adopted(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where `exec` enters a container that is just killed: an error in words, and no zombie."""
    told = SyncPipe.say

    def say_late(pipe: SyncPipe, word: str) -> None:
        if word == "adopted":
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)  # it has ended
        told(pipe, word)

    def die(_pipe: SyncPipe) -> NoReturn:
        os._exit(0)

    def work() -> None:  # in a process of its own: spawn() makes it a subreaper
        with pytest.raises(StartError, match="died while it was started") as caught:
            spawn(lambda: None, die)
        assert caught.value.errno == errno.EPIPE
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)

    monkeypatch.setattr(SyncPipe, "say", say_late)
    assert os.waitpid(fork(work), 0)[1] == 0
