"""A process that attaches, and is stopped or killed at a chosen conversation with the kernel."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import netlinkpy as nl
from netlinkpy import native
from netlinkpy.transport.socket import Socket

CONVERSATIONS = ("visit", "exchange")  # the backend's; all others go through Socket


class Attacher:
    """A child that runs attach_many(endpoints) and sends itself a signal just before conversation number
    `at` (counted from 1; 0: never)."""

    def __init__(self, endpoints: Sequence[nl.Endpoint], at: int, number: int) -> None:
        self.pid = os.fork()
        if self.pid == 0:
            _be_an_attacher(endpoints, at, number)

    def wait(self) -> str:
        """Waits for it: "stopped", "killed", "done" (all attached) or "refused" (by an AttachError)."""
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            return "stopped"
        if os.WIFSIGNALED(status):
            return "killed"
        return {0: "done", 1: "refused"}[os.waitstatus_to_exitcode(status)]

    def go_on(self) -> str:
        """Wakes a stopped one, and waits for it."""
        os.kill(self.pid, signal.SIGCONT)
        return self.wait()

    def end(self) -> None:
        """Kills it, whatever it does."""
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


def _be_an_attacher(endpoints: Sequence[nl.Endpoint], at: int, number: int) -> None:
    """The child's side: never returns."""
    code = 2
    try:
        with interrupted(at, number):
            nl.attach_many(endpoints)
        code = 0
    except nl.AttachError:
        code = 1
    finally:
        os._exit(code)


@contextlib.contextmanager
def interrupted(at: int, number: int) -> Iterator[Callable[[], int]]:
    """Meanwhile the process sends itself a signal just before its conversation `at` with the kernel. Gives a
    function that says how many there were."""
    count = 0

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count == at:
                os.kill(os.getpid(), number)
            return function(*arguments, **named)

        return wrapped

    places: list[tuple[Any, str]] = [(native.load(), name) for name in CONVERSATIONS]
    places.append((Socket, "_talk"))
    kept = [getattr(place, name) for place, name in places]
    for (place, name), function in zip(places, kept, strict=True):
        setattr(place, name, wrap(function))
    try:
        yield lambda: count
    finally:
        for (place, name), function in zip(places, kept, strict=True):
            setattr(place, name, function)
