"""Birth: a child inside other namespaces, a PID namespace among them, that dies when we die.

unshare(CLONE_NEWPID) and setns() move only the children of the caller into a PID namespace, and the caller
could make no more threads until it went back, which a user namespace's root may not. So a process in the
middle enters, forks once more and ends; its child becomes ours, since we are a subreaper (prctl(2))."""

from __future__ import annotations

import errno
import os

from ..backends import load
from ..uapi.prctl import PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG
from .signals import SIG_DFL, SIGCHLD, SIGKILL, signal
from .sync_pipe import Line, start_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn


class Child:
    """A process born elsewhere: its pid as we see it, and the line to it."""

    __slots__ = ("line", "pid")

    def __init__(self, pid: int, line: Line) -> None:
        self.pid = pid
        self.line = line

    def kill(self) -> None:
        """End it, and with it everything in the PID namespace whose first process it is; it is not reaped."""
        os.kill(self.pid, SIGKILL)


def bear(enter: Callable[[], None], live: Callable[[Line], NoReturn]) -> Child:
    """Fork a child that lives where `enter` went; the process must have one thread.

    enter() runs in the process in the middle, live(line) in the child, where it must begin with
    die_with_parent(line), and never returns. StartError where either raises before it has said anything."""
    load().prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal(SIGCHLD, SIG_DFL)  # where it is ignored, as it may come to us, there is nothing to wait for
    ours, theirs = Line.pair()
    try:
        middle = os.fork()
        if not middle:
            ours.close()
            _be_in_the_middle(theirs, enter, live)
        theirs.close()
        try:
            word = ours.hear()
        finally:
            os.waitpid(middle, 0)
        if not word:
            raise start_error(errno.EPIPE, "the process that entered the namespaces died")
        child = Child(int(word), ours)
        ours.say("adopted")
    except BaseException:
        ours.close()
        raise
    return child


def die_with_parent(line: Line) -> None:
    """Wait until the parent has adopted us (the signal would else come when the one in the middle ends), and
    have the kernel kill us when it dies. Should it die just here, the line's end tells."""
    line.expect("adopted")
    load().prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)


def _be_in_the_middle(line: Line, enter: Callable[[], None], live: Callable[[Line], NoReturn]) -> NoReturn:
    try:
        enter()
        child = os.fork()
        if child:
            line.say(str(child))  # as seen from here, that is from our parent's PID namespace too
        else:
            live(line)
    except BaseException as error:  # nothing may run on into the caller's code here
        line.fail(error)
    finally:
        os._exit(0)
