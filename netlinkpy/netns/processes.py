"""Processes and namespaces: started inside one, called inside one, and found in one."""

from __future__ import annotations

import errno

from ..os_error import explained, not_entered
from ..thread import Thread
from ..uapi.sched import CLONE_NEWNET
from .discovery import inode_of, named_inodes, processes
from .handle import Netns

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    import subprocess
    from collections.abc import Callable, Sequence
    from typing import Any, TypeVar

    from .handle import Target

    T = TypeVar("T")

_GRACE = 1.0  # seconds that a function has to end, when what waits for it is interrupted


def call(netns: Target, function: Callable[[], T]) -> T:
    """Call a function on a throw-away thread inside a namespace, and return what it returns (or raise what it
    raises).

    The calling thread waits, and never leaves its own namespace. Sockets and processes made by the function
    stay inside. What a signal handler raises meanwhile is raised when the function has ended, or after a
    second: then the function goes on by itself."""
    return _call(netns, function)


def _call(netns: Target, function: Callable[[], T], undo: Callable[[T], None] | None = None) -> T:
    """Do call(). undo: takes back what the function returned, if the caller was interrupted meanwhile."""
    from ..backends import load

    setns = load().setns
    outcome: list[Any] = []
    entered: list[bool] = []
    given_up: list[bool] = []

    def drop() -> None:
        """Undo the outcome, on whichever of the two threads is the last to know of it."""
        try:
            done, value = outcome.pop()
        except IndexError:  # not yet, or dropped already
            return
        if done and undo is not None:
            undo(value)

    def work() -> None:
        try:
            try:
                setns(handle.fileno(), CLONE_NEWNET)
                entered.append(True)
            except OSError as error:
                raise explained(error, f"enter {handle.label}", not_entered(error.errno)) from None
            outcome.append((True, function()))
        except BaseException as error:
            outcome.append((False, error))
        if given_up:
            drop()

    with Netns.open(netns) as handle:
        thread = Thread(work)
        try:
            try:
                thread.start()
            except OSError as error:
                raise explained(error, f"start a thread in {handle.label}") from None
            thread.wait()
        except BaseException:
            # What the caller does now must not run beside it, and the handle's descriptor is soon another's.
            _let_end(thread, entered)
            given_up.append(True)
            drop()
            raise
        if not outcome:
            raise explained(OSError(errno.ENOMEM, ""), f"begin a thread in {handle.label}")
    done, value = outcome[0]
    if not done:
        raise value
    result: T = value
    return result


def _let_end(thread: Thread, entered: Sequence[bool]) -> None:
    """Wait until a thread has ended or, once it has entered its namespace, a second at most. A second
    interrupt cuts that second short, and nothing else."""
    while True:
        try:
            if thread.wait(_GRACE) or entered:
                return
        except BaseException:
            if entered:
                return


def _end(process: subprocess.Popen[Any]) -> None:
    process.kill()
    process.wait()


def popen(netns: Target, arguments: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
    """Start a program inside a namespace: subprocess.Popen with its options. The mounts stay the caller's
    (/sys shows the devices of the namespace that it was mounted in). If a signal handler raises meanwhile,
    the program is killed."""
    import subprocess

    return _call(netns, lambda: subprocess.Popen(arguments, **options), _end)


def run(
    netns: Target,
    arguments: Sequence[str],
    *,
    input: Any = None,
    capture_output: bool = False,
    timeout: float | None = None,
    check: bool = False,
    **options: Any,
) -> subprocess.CompletedProcess[Any]:
    """Run a program inside a namespace to its end: subprocess.run with its options, results and errors."""
    import subprocess

    if capture_output:
        options["stdout"] = options["stderr"] = subprocess.PIPE
    if input is not None:
        options["stdin"] = subprocess.PIPE
    with popen(netns, arguments, **options) as process:
        try:
            output, errors = process.communicate(input, timeout=timeout)
        except BaseException:
            process.kill()
            raise
    result = subprocess.CompletedProcess(process.args, process.returncode, output, errors)
    if check:
        result.check_returncode()
    return result


def identify(pid: int) -> builtins.list[str]:
    """Return the names in /run/netns that the namespace of a process has. Raise ProcessLookupError if there
    is no such process."""
    with Netns.open(pid) as netns:
        wanted = netns.identity[1]
    return [name for name, inode in named_inodes() if inode == wanted]


def pids(netns: Target) -> builtins.list[int]:
    """Return the processes whose main thread is in a namespace, ascending: those that we may look at."""
    with Netns.open(netns) as handle:
        inode = handle.identity[1]
    return [pid for pid in processes() if inode_of(pid) == inode]
