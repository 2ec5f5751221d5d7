"""Terminal: a pseudo-terminal for a command, joined to the one that the user sits at."""

from __future__ import annotations

import errno
import os
from fcntl import ioctl
from termios import TCSADRAIN, TIOCGWINSZ, TIOCSWINSZ, tcgetattr, tcsetattr

from .poller import Pump
from .sync_pipe import start_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .poller import Poller


class Terminal:
    """The pseudo-terminal: `slave` is the command's end, until begin() closes our copy.

    interactive: what is typed goes to the command, and our own terminal is raw meanwhile. Raise StartError if
    standard input is no terminal then."""

    def __init__(self, interactive: bool) -> None:
        if interactive and not os.isatty(0):
            raise start_error(errno.ENOTTY, "-i -t: standard input is not a terminal")
        self._interactive = interactive
        self._saved: list[Any] | None = None
        self._pumps: list[Pump] = []
        self._master, self.slave = os.openpty()
        self._inlet = os.dup(self._master)  # the same for writing: a poller knows a descriptor once
        self.resize()

    def begin(self, poller: Poller) -> None:
        """Copy both ways from here on."""
        os.close(self.slave)
        self.slave = -1
        if self._interactive:
            import tty

            self._saved = tcgetattr(0)
            tty.setraw(0, TCSADRAIN)
            self._pumps.append(Pump(poller, 0, self._inlet))
        self._pumps.insert(0, Pump(poller, self._master, 1))

    def resize(self) -> None:
        """Give the command's terminal the size of ours, if that is one (SIGWINCH says when it has
        changed)."""
        for fd in (0, 1, 2):
            try:
                size = ioctl(fd, TIOCGWINSZ, bytes(8))
            except OSError:
                continue
            ioctl(self._master, TIOCSWINSZ, size)
            return

    def finish(self) -> None:
        """Write out what the ended command still had to say. (Others may have the terminal open, so its end
        need not come.)"""
        for pump in self._pumps[1:]:
            pump.stop()
        self._pumps[0].drain()

    def close(self) -> None:
        """Give our own terminal back as it was."""
        if self._saved is not None:
            tcsetattr(0, TCSADRAIN, self._saved)
            self._saved = None
        for fd in (self._master, self._inlet, self.slave):
            if fd >= 0:
                os.close(fd)
        self._master = self._inlet = self.slave = -1
