"""The processes inside: the first one of a container, which arranges it, waits for the word, starts the
command and reaps; and whatever becomes a command."""

from __future__ import annotations

import errno
import os
from fcntl import ioctl

from ..record import Record
from ..uapi.sockios import SIOCSIFFLAGS
from . import signals
from .signals import SIG_BLOCK, SIG_DFL, SIG_SETMASK, SIGCHLD, exit_code
from .spawn import die_with_parent
from .sync_pipe import NOT_EXECUTABLE, NOT_FOUND, OURS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from .sync_pipe import Line

IFF_UP, IFF_RUNNING = 0x1, 0x40  # linux/if.h


class Command(Record):
    """A command to be started: its words; stdin: a descriptor, or None for nothing to read; terminal: a
    descriptor that is its controlling terminal and all three of its streams; privileged: keeps every
    capability."""

    words: tuple[str, ...]
    stdin: int | None = None
    terminal: int | None = None
    privileged: bool = False


class Inside(Record):
    """What the first process has to arrange. own_network: a network namespace that is not the caller's;
    fresh_network: one that was just made, where lo is still down."""

    own_network: bool
    fresh_network: bool
    hostname: str | None
    dns: tuple[str, ...]


def be_first(line: Line, inside: Inside, command: Command) -> NoReturn:
    """The life of a container's first process. It says "ready", starts the command at "go", ends with the
    command, by its exit code, and the PID namespace with it. A first process of our own, since the kernel
    keeps from a namespace's first process every signal that it has no handler for."""
    from .mounts import arrange

    die_with_parent(line)
    os.setsid()
    close_all_but(line.fileno(), command.stdin, command.terminal)
    arrange(inside.own_network, inside.dns, command.privileged)
    go_to(os.readlink("/proc/self/cwd"))  # by its path: it may lie in a /proc or /sys that is covered now
    if inside.hostname is not None:
        from _socket import sethostname

        sethostname(inside.hostname)
    if inside.fresh_network:
        raise_loopback()
    drop_unless(command.privileged)
    line.say("ready")
    line.expect("go")
    signals.pthread_sigmask(SIG_BLOCK, signals.valid_signals())
    child = os.fork()
    if not child:
        become(line, command)
    line.close()  # the command's copy is the last one now
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    _keep(child)


def become(line: Line, command: Command) -> NoReturn:
    """Turn into the command; where that cannot be, say why on the line, and end as shells do."""
    code = OURS
    try:
        _dress(line, command)
        code = NOT_EXECUTABLE
        os.execvp(command.words[0], command.words)
    except BaseException as error:
        told: BaseException = error
        if code == NOT_EXECUTABLE and isinstance(error, OSError):
            missing = isinstance(error, FileNotFoundError)
            code = NOT_FOUND if missing else NOT_EXECUTABLE
            why = "no such command" if missing else os.strerror(error.errno or errno.EIO)
            told = OSError(error.errno, f"{command.words[0]}: {why}")
        line.fail(told, code)
    finally:
        os._exit(code)


def go_to(directory: str) -> None:
    """Make it the working directory, or / where it is not seen from here."""
    try:
        os.chdir(directory)
    except OSError:
        os.chdir("/")


def drop_unless(privileged: bool) -> None:
    """Give up the capabilities that a container must not have."""
    if not privileged:
        from .capabilities import drop

        drop()


def close_all_but(*kept: int | None) -> None:
    """Close every descriptor but the three streams and these: what our parent has open must not live on in us
    (a name that is taken, a pipe whose end somebody awaits)."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in kept:
            try:
                os.close(int(name))
            except OSError:  # it was the listing's own
                continue


def raise_loopback() -> None:
    """Bring lo up in the caller's network namespace (netdevice(7); rtnetlink would cost 3 ms of imports)."""
    from _socket import AF_INET, SOCK_CLOEXEC, SOCK_DGRAM, socket
    from struct import pack

    any_socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC)
    ioctl(any_socket.fileno(), SIOCSIFFLAGS, pack("=16sH22x", b"lo", IFF_UP | IFF_RUNNING))
    any_socket.close()


def _dress(line: Line, command: Command) -> None:
    """A session of its own, streams, signals and descriptors as a program expects them."""
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
    close_all_but(line.fileno())


def _keep(command: int) -> NoReturn:
    """Pass signals on to the command, reap whatever ends, and end when the command has ended."""
    every = signals.valid_signals()
    while True:
        number = signals.sigwait(every)
        if number != SIGCHLD:
            os.kill(command, number)
            continue
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            if pid == command:
                os._exit(exit_code(status))
