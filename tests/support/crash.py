"""A process that attaches, and is stopped or killed at a chosen conversation with the kernel.

A program for one container is run step by step meanwhile, so that each step is a conversation: in earnest it
is one call of the shim, in whose midst only SIGKILL can stop it."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from struct import pack, pack_into, unpack
from typing import TYPE_CHECKING, Any

import netlinkpy as nl
from netlinkpy import backends
from netlinkpy.transport.socket import Socket
from netlinkpy.transport.visit import visit
from netlinkpy.wire.program import Instruction, Program, compile_program, result_of
from netlinkpy.wiring import inside, own

if TYPE_CHECKING:
    import pytest

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

    places: list[tuple[Any, str]] = [(backends.load(), name) for name in CONVERSATIONS]
    places.append((Socket, "ask"))
    kept = [getattr(place, name) for place, name in places]
    for module in (inside, own):
        module.visit = run_step_by_step  # type: ignore[attr-defined]
    for (place, name), function in zip(places, kept, strict=True):
        setattr(place, name, wrap(function))
    try:
        yield lambda: count
    finally:
        for (place, name), function in zip(places, kept, strict=True):
            setattr(place, name, function)
        for module in (inside, own):
            module.visit = visit  # type: ignore[attr-defined]


def replace_visit(monkeypatch: pytest.MonkeyPatch, function: Callable[..., None]) -> None:
    """Have wiring call that in place of visit()."""
    for module in (inside, own):
        monkeypatch.setattr(module, "visit", function)


def run_step_by_step(
    program: Program,
    datagrams: bytearray,
    netns_fds: bytes,
    timeout: float,
    *,
    sockets: bytearray | None = None,
    beside: Any = None,
    results: bytearray,
) -> None:
    """visit(), for one row with a visit for each step."""
    if len(netns_fds) != 4:
        visit(program, datagrams, netns_fds, timeout, sockets=sockets, beside=beside, results=results)
        return
    backend = backends.load()
    kept = bytearray(pack("=i", -1)) if sockets is None else sockets
    fd = -1 if beside is None else beside.lend()
    values = dict.fromkeys(program.values, 0)
    start = 0
    try:
        for number, step in enumerate(program.steps):
            length = len(step.template.data)
            datagram = datagrams[start : start + length]
            start += length
            for place in step.template.places:
                if place.name in _kept_before(program, number):
                    pack_into("=I", datagram, place.offset, values[place.name])
            widths = {} if step.plan is None else step.plan.widths
            plan = b"" if step.plan is None else step.plan.compiled
            alone = [Instruction(length, step.beside, step.tolerated, False, tuple(widths.values()), plan)]
            layout = result_of(alone)
            told = bytearray(layout.size)
            backend.visit(compile_program(alone), datagram, netns_fds, kept, fd, int(timeout * 1e9), told)
            code, done, message, size, tlvs, *found = layout.unpack(told)
            values.update(zip(widths, found, strict=True))
            place_in_all = number + done if done >= 0 else -1
            program._result.pack_into(results, 0, code, place_in_all, message, size, tlvs, *values.values())
            if code:
                break
    finally:
        if sockets is None and unpack("=i", kept)[0] >= 0:
            os.close(unpack("=i", kept)[0])
    if beside is not None:
        beside.take_back(not program.has_failed(results))


def _kept_before(program: Program, number: int) -> list[str]:
    """The names of the values that the steps before that one keep."""
    return [name for step in program.steps[:number] if step.plan is not None for name in step.plan.names]
