"""A process turned into a command: session, streams, signals and capabilities as a program expects them, then
execve(2)."""

from __future__ import annotations

import errno
import os
from fcntl import ioctl

from ..record import Record
from . import signals
from .signals import SIG_DFL, SIG_SETMASK
from .sync_pipe import NOT_EXECUTABLE, NOT_FOUND, OURS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from .sync_pipe import SyncPipe


class ExecSpec(Record):
    """A command to be started: its words; stdin: a descriptor, None for nothing to read; terminal: a
    descriptor that becomes its controlling terminal and all three of its streams; privileged: keeps every
    capability."""

    words: tuple[str, ...]
    stdin: int | None = None
    terminal: int | None = None
    privileged: bool = False


def exec_command(pipe: SyncPipe, command: ExecSpec) -> NoReturn:
    """Become the command. If that cannot be, say why on the pipe, and end as shells do."""
    code = OURS
    try:
        _prepare(pipe, command)
        code = NOT_EXECUTABLE
        os.execvp(command.words[0], command.words)
    except BaseException as error:
        told: BaseException = error
        if code == NOT_EXECUTABLE and isinstance(error, OSError):
            missing = isinstance(error, FileNotFoundError)
            code = NOT_FOUND if missing else NOT_EXECUTABLE
            why = "no such command" if missing else os.strerror(error.errno or errno.EIO)
            told = OSError(error.errno, f"{command.words[0]}: {why}")
        pipe.fail(told, code)
    finally:
        os._exit(code)


def change_directory(directory: str) -> None:
    """Make it the working directory, or / if it is not seen from here."""
    try:
        os.chdir(directory)
    except OSError:
        os.chdir("/")


def drop_capabilities(privileged: bool) -> None:
    """Give up the capabilities that a container must not have, unless it is privileged."""
    if not privileged:
        from .capabilities import drop

        drop()


def close_all_but(*kept: int | None) -> None:
    """Close every descriptor but the three streams and these: what our parent has open must not live on in us
    (a name that is taken, a pipe whose end somebody waits for)."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in kept:
            try:
                os.close(int(name))
            except OSError:  # it was the listing's own
                continue


def _prepare(pipe: SyncPipe, command: ExecSpec) -> None:
    os.setsid()
    if command.terminal is not None:
        from termios import TIOCSCTTY

        ioctl(command.terminal, TIOCSCTTY, 0)
        for stream in (0, 1, 2):
            os.dup2(command.terminal, stream)
    else:
        stdin = os.open(os.devnull, os.O_RDONLY) if command.stdin is None else command.stdin
        os.dup2(stdin, 0)
    for number in signals.valid_signals():
        if signals.getsignal(number) not in (SIG_DFL, None):
            signals.signal(number, SIG_DFL)
    signals.pthread_sigmask(SIG_SETMASK, ())
    close_all_but(pipe.fileno())
