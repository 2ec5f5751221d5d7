"""Signals that are passed on to a command, and the exit code of a process. From the C half of `signal`, whose
other half imports enum, for 3 ms."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from signal import (
        SIG_BLOCK,
        SIG_DFL,
        SIG_IGN,
        SIG_SETMASK,
        SIGCHLD,
        SIGHUP,
        SIGINT,
        SIGKILL,
        SIGQUIT,
        SIGRTMAX,
        SIGRTMIN,
        SIGTERM,
        SIGUSR1,
        SIGUSR2,
        SIGWINCH,
        getsignal,
        pthread_sigmask,
        set_wakeup_fd,
        signal,
        sigwait,
        valid_signals,
    )
else:
    from _signal import (
        SIG_BLOCK,
        SIG_DFL,
        SIG_IGN,
        SIG_SETMASK,
        SIGCHLD,
        SIGHUP,
        SIGINT,
        SIGKILL,
        SIGQUIT,
        SIGRTMAX,
        SIGRTMIN,
        SIGTERM,
        SIGUSR1,
        SIGUSR2,
        SIGWINCH,
        getsignal,
        pthread_sigmask,
        set_wakeup_fd,
        signal,
        sigwait,
        valid_signals,
    )

#: Those that end, or mean something to, a program and not to its terminal.
PASSED_ON: tuple[int, ...] = (
    SIGHUP,
    SIGINT,
    SIGQUIT,
    SIGTERM,
    SIGUSR1,
    SIGUSR2,
    *range(SIGRTMIN, SIGRTMAX + 1),
)


def exit_code(status: int) -> int:
    """Return the exit code of what waitpid() tells, as shells have it: 128 and the signal's number if one
    killed the process."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


__all__ = [
    "PASSED_ON",
    "SIGCHLD",
    "SIGKILL",
    "SIGTERM",
    "SIGWINCH",
    "SIG_BLOCK",
    "SIG_DFL",
    "SIG_IGN",
    "SIG_SETMASK",
    "exit_code",
    "getsignal",
    "pthread_sigmask",
    "set_wakeup_fd",
    "signal",
    "sigwait",
    "valid_signals",
]
