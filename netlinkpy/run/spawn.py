"""spawn(): a child inside other namespaces, a PID namespace among them, that dies when its parent dies.

unshare(CLONE_NEWPID) and setns() move only the children of the caller into a PID namespace, and the caller
could make no more threads until it went back, which the root of a user namespace may not. So a process in the
middle enters, forks once more and ends; its child becomes ours, since we are a subreaper (prctl(2))."""

from __future__ import annotations

import errno
import os

from ..backends import load
from ..os_error import explained
from ..uapi.prctl import PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG
from .signals import SIG_DFL, SIGCHLD, SIGKILL, signal
from .sync_pipe import StartError, SyncPipe, start_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn


class Child:
    """A child in other namespaces: its pid in our PID namespace, and the pipe to it."""

    __slots__ = ("pid", "pipe")

    def __init__(self, pid: int, pipe: SyncPipe) -> None:
        self.pid = pid
        self.pipe = pipe

    def end(self) -> None:
        """Kill it, and with it everything in the PID namespace whose first process it is, and wait until it
        has ended; it is not reaped."""
        os.kill(self.pid, SIGKILL)
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)


def spawn(enter: Callable[[], None], live: Callable[[SyncPipe], NoReturn]) -> Child:
    """Fork a child that lives where `enter` went; the process must have one thread.

    enter() runs in the process in the middle, live(pipe) in the child: it begins with die_with_parent(pipe),
    and never returns. Raise StartError if either raises before it has said anything."""
    load().prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal(SIGCHLD, SIG_DFL)  # if it is ignored, as we may have inherited it, there is nothing to wait for
    ours, theirs = SyncPipe.pair()
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
        try:
            ours.say("adopted")
        except BrokenPipeError:  # the container that it entered has just ended
            os.waitpid(child.pid, 0)
            raise start_error(errno.EPIPE, "the process died while it was started") from None
    except StartError:
        ours.close()
        raise
    except OSError as error:
        ours.close()
        raise explained(error, "start the first process of the container") from None
    except BaseException:
        ours.close()
        raise
    return child


def die_with_parent(pipe: SyncPipe) -> None:
    """Wait until the parent has adopted us (else the signal would come when the process in the middle ends),
    and let the kernel kill us when it dies. If it dies just before that, the end of the pipe tells."""
    pipe.expect("adopted")
    load().prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)


def _be_in_the_middle(
    pipe: SyncPipe, enter: Callable[[], None], live: Callable[[SyncPipe], NoReturn]
) -> NoReturn:
    try:
        enter()
        child = os.fork()
        if child:
            try:
                pipe.say(str(child))  # its pid here, which is that in our parent's PID namespace too
            except OSError:  # nobody would reap it
                os.kill(child, SIGKILL)
                os.waitpid(child, 0)
                raise
        else:
            live(pipe)
    except BaseException as error:  # nothing may run on into the caller's code here
        pipe.fail(error)
    finally:
        os._exit(0)
