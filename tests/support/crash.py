"""A process that attaches, and is stopped or killed at a chosen conversation with the kernel.

A program for one container is run step by step here, so that each step is a conversation: really it is one
call of the shim, in the middle of which only SIGKILL can stop it."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from struct import pack, pack_into, unpack
from typing import Any

import pytest

import netlinkpy as nl
from netlinkpy import backends
from netlinkpy.transport.socket import Socket
from netlinkpy.transport.visit import visit
from netlinkpy.wire.program import Program
from netlinkpy.wiring import bridge, executor, local_route

VISITORS = (bridge, executor, local_route)  # the modules that run programs


class Attacher:
    """A child that runs attach_many(endpoints) and sends itself a signal just before conversation number
    `at` (counted from 1; 0: never)."""

    def __init__(self, endpoints: Sequence[nl.Endpoint], at: int, number: int) -> None:
        self.pid = os.fork()
        if self.pid == 0:
            _be_an_attacher(endpoints, at, number)

    def wait(self) -> str:
        """Wait for it. Return "stopped", "killed", "done" (all attached) or "refused" (by an AttachError)."""
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            return "stopped"
        if os.WIFSIGNALED(status):
            return "killed"
        return {0: "done", 1: "refused"}[os.waitstatus_to_exitcode(status)]

    def go_on(self) -> str:
        """Continue a stopped one, and wait for it."""
        os.kill(self.pid, signal.SIGCONT)
        return self.wait()

    def end(self) -> None:
        """Kill it, whatever it is doing."""
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
    """Within the block, the process sends itself a signal just before its conversation `at` with the kernel.
    Yield a function that returns how many there were."""
    count = 0

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count == at:
                os.kill(os.getpid(), number)
            return function(*arguments, **named)

        return wrapped

    backend = type(backends.load())
    with pytest.MonkeyPatch.context() as patched:
        replace_visit(patched, visit_step_by_step)
        for place, name in ((backend, "visit"), (backend, "exchange"), (Socket, "ask")):
            patched.setattr(place, name, wrap(getattr(place, name)))
        yield lambda: count


def visit_step_by_step(
    program: Program,
    datagrams: bytearray,
    netns_fds: bytes,
    timeout: float,
    *,
    sockets: bytearray | None = None,
    beside: Any = None,
    results: bytearray,
    hush: bool = False,
    fails: Mapping[str, int] = {},
) -> None:
    """Return a visit() that runs one row by a visit for each step. fails: the errnos of steps that are not
    run, by name."""
    if len(netns_fds) != 4:
        visit(
            program,
            datagrams,
            netns_fds,
            timeout,
            sockets=sockets,
            beside=beside,
            results=results,
            hush=hush,
        )
        return
    kept = bytearray(pack("=i", -1)) if sockets is None else sockets
    values = dict.fromkeys(program.values, 0)
    known: set[str] = set()
    start = 0

    def note(errno: int, step: int, message: int = -1, tlvs: bytes = b"") -> None:
        program._result.pack_into(results, 0, errno, step, message, len(tlvs), tlvs, *values.values())

    try:
        for number, step in enumerate(program.steps):
            if step.name in fails:
                note(fails[step.name], number)
                if beside is not None:
                    beside.lend()
                    beside.take_back(False)
                break
            alone = Program([step])
            datagram = datagrams[start : start + len(step.template.data)]
            start += len(step.template.data)
            for place in step.template.places:
                if place.name in known:
                    pack_into("=I", datagram, place.offset, values[place.name])
            room = alone.room(1)
            visit(alone, datagram, netns_fds, timeout, sockets=kept, hush=hush, beside=beside, results=room)
            outcome = alone.outcome(room, 0)
            values.update(zip(alone.values, outcome.values, strict=True))
            known.update(alone.values)
            if outcome.errno:
                note(outcome.errno, number if outcome.step >= 0 else -1, outcome.message, outcome.tlvs)
                break
            note(0, number + 1)
    finally:
        if sockets is None and unpack("=i", kept)[0] >= 0:
            os.close(unpack("=i", kept)[0])


def replace_visit(monkeypatch: pytest.MonkeyPatch, replacement: Callable[..., None]) -> None:
    """Make netlinkpy call this in place of visit()."""
    for module in VISITORS:
        monkeypatch.setattr(module, "visit", replacement)
