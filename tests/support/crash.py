"""A process that attaches, and is stopped or killed at a chosen conversation with the kernel.

A script for one container is run step by step meanwhile, so that each step is a conversation: in earnest it
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
from netlinkpy.wire.script import Script

if TYPE_CHECKING:
    from netlinkpy.backends.interface import Visited

_run = Script.run
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
    Script.run = run_step_by_step  # type: ignore[method-assign, assignment]
    for (place, name), function in zip(places, kept, strict=True):
        setattr(place, name, wrap(function))
    try:
        yield lambda: count
    finally:
        for (place, name), function in zip(places, kept, strict=True):
            setattr(place, name, function)
        Script.run = _run  # type: ignore[method-assign]


def run_step_by_step(
    script: Script,
    datagrams: bytearray,
    netns_fds: bytes,
    timeout: float,
    sockets: bytearray | None = None,
    beside: Any = None,
    results: Any = None,
) -> list[Visited]:
    """Script.run(), for one row with a visit for each step."""
    if len(netns_fds) != 4:
        return _run(script, datagrams, netns_fds, timeout, sockets, beside, results)
    backend = backends.load()
    kept = bytearray(pack("=i", -1)) if sockets is None else sockets
    given = unpack("=i", kept)[0] >= 0
    fd = -1 if beside is None else beside.lend()
    values: dict[str, int] = {}
    outcome: Visited = (0, 0, -1, b"", ())
    start = 0
    try:
        for number, step in enumerate(script.steps):
            length = len(step.template.data)
            datagram = datagrams[start : start + length]
            start += length
            for place in step.template.places:
                if place.name in values:
                    pack_into("=I", datagram, place.offset, values[place.name])
            plan = None if step.plan is None else step.plan.compiled
            alone = backend.compile_script([(length, step.beside, plan, ())])
            (outcome,) = backend.visit(alone, datagram, netns_fds, kept, fd, int(timeout * 1e9))
            if step.plan is not None:
                values.update(zip(step.plan.names, outcome[4], strict=True))
            if results is not None:
                _note(script, results, (*outcome[:4], tuple(values.get(name, 0) for name in script.values)))
            if outcome[0]:
                outcome = (outcome[0], number if outcome[1] >= 0 else -1, *outcome[2:])
                break
        else:
            outcome = (0, len(script.steps), -1, b"", ())
    finally:
        if (sockets is None or (outcome[0] and not given)) and unpack("=i", kept)[0] >= 0:
            os.close(unpack("=i", kept)[0])
            kept[:] = pack("=i", -1)
    if beside is not None:
        beside.take_back(not outcome[0])
    return [(*outcome[:4], tuple(values.get(name, 0) for name in script.values))]


def _note(script: Script, results: Any, outcome: Visited) -> None:
    """Write what is known of the one row where the backend has it."""
    if isinstance(results, bytearray):
        error, step, message, tlvs, values = outcome
        script._compiled._result.pack_into(results, 0, error, step, message, len(tlvs), tlvs, *values)
    else:
        results[0] = outcome
