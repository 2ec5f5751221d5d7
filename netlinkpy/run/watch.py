"""Watch: a command's signals passed on, its terminal served, its end awaited."""

from __future__ import annotations

import os
from time import monotonic

from ..os_error import explained
from . import signals
from .poller import Poller
from .signals import PASSED_ON, SIG_IGN, SIGKILL, SIGWINCH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .terminal import Terminal
_GRACE = 1.0  # seconds that a first process has to end after its command


class Watch:
    """Watches over one child. `poller` may watch other descriptors besides.

    Its own are opened when it is made: make it before the command runs. Raise OSError if they cannot be."""

    def __init__(self, pid: int, terminal: Terminal | None) -> None:
        self.poller = Poller()
        self._pid = pid
        self._terminal = terminal
        self._before: dict[int, Any] = {}
        self._ended = False
        self._kill_at: float | None = None
        self._news = self._wake = self._child = -1
        try:
            self._child = os.pidfd_open(pid)  # which tells its end, whatever becomes of the signals
            self._news, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            self.close()
            raise explained(error, "watch over the container") from None

    def __enter__(self) -> Watch:
        signals.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        for number in (*PASSED_ON, SIGWINCH):
            if signals.getsignal(number) != SIG_IGN or number == SIGWINCH:
                self._before[number] = signals.signal(number, _nothing)
        self.poller.watch(self._child, self._look)
        self.poller.watch(self._news, self._take_news)
        return self

    def __exit__(self, *_: object) -> None:
        if self._terminal is not None:
            self._terminal.close()
        signals.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            signals.signal(number, handler)
        self.close()

    def close(self) -> None:
        """Close its descriptors; a second time does nothing."""
        descriptors = [self._news, self._wake, self._child]
        self._news = self._wake = self._child = -1
        for one in descriptors:
            if one >= 0:
                os.close(one)

    def wait(self) -> None:
        """Return when the child has ended; it is not reaped, so its pid is still its own."""
        if self._terminal is not None:
            self._terminal.begin(self.poller)
        self._look()
        while not self._ended:
            if self._kill_at is None:
                self.poller.turn()
            elif (left := self._kill_at - monotonic()) > 0:
                self.poller.turn(left)
            else:
                self._kill_at = None
                self.send(SIGKILL)
        if self._terminal is not None:
            self._terminal.finish()

    def end_with(self, command: int) -> None:
        """Kill the child if it lives on after a process has ended that it should end with: it may be stopped
        by a debugger of the container's root, for ever. command: a pidfd (pidfd_open(2)), -1 for none."""

        def ended() -> None:
            self.poller.forget(command)
            self._kill_at = monotonic() + _GRACE

        if command >= 0:
            self.poller.watch(command, ended)

    def send(self, number: int) -> None:
        """Send the child a signal."""
        if not self._ended:
            os.kill(self._pid, number)

    def _take_news(self) -> None:
        for number in os.read(self._news, 4096):
            if number == SIGWINCH:
                if self._terminal is not None:
                    self._terminal.resize()
            elif number in self._before:
                self.send(number)

    def _look(self) -> None:
        self._ended = os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _nothing(_number: int, _frame: object) -> None:
    """Be a handler, so that the signal is written to the wake-up descriptor."""
