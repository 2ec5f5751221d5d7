"""The first process of a container: it sets the container up, waits for the word, starts the command, passes
signals on and reaps.

It is a process of our own because the kernel keeps from a PID namespace's first process every signal that it
has no handler for (pid_namespaces(7))."""

from __future__ import annotations

import os
from contextlib import suppress
from fcntl import ioctl

from ..record import Record
from ..uapi.if_ import IFF_RUNNING, IFF_UP
from ..uapi.sockios import SIOCSIFFLAGS
from . import signals
from .exec_command import change_directory, close_all_but, drop_capabilities, exec_command
from .signals import SIG_BLOCK, SIGCHLD, exit_code
from .spawn import die_with_parent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from .exec_command import ExecSpec
    from .sync_pipe import SyncPipe


class Setup(Record):
    """What the first process has to set up.

    own_network: the network namespace is not the caller's; fresh_network: it was just made, and lo is still
    down; hostname: None for the one that is there; dns: servers, for a resolv.conf of its own."""

    own_network: bool
    fresh_network: bool
    hostname: str | None
    dns: tuple[str, ...]


def run_pid1(pipe: SyncPipe, setup: Setup, command: ExecSpec) -> NoReturn:
    """Live as a container's first process: say "ready", start the command at "go", and end with the command,
    by its exit code; the PID namespace ends with it."""
    from .mounts import arrange

    die_with_parent(pipe)
    os.setsid()
    close_all_but(pipe.fileno(), command.stdin, command.terminal)
    arrange(setup.own_network, setup.dns, command.privileged)
    # By its path: it may lie in a /proc or /sys that is covered now.
    change_directory(os.readlink("/proc/self/cwd"))
    if setup.hostname is not None:
        from _socket import sethostname

        sethostname(setup.hostname)
    if setup.fresh_network:
        _raise_loopback()
    drop_capabilities(command.privileged)
    pipe.say("ready")
    pipe.expect("go")
    signals.pthread_sigmask(SIG_BLOCK, signals.valid_signals())
    child = os.fork()
    if not child:
        exec_command(pipe, command)
    with suppress(OSError):  # before Linux 5.3 there are none
        pipe.hand(os.pidfd_open(child))
    pipe.close()  # the command's copy is the last one now
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    _watch(child)


def _raise_loopback() -> None:
    """Bring lo up in the caller's network namespace (netdevice(7); rtnetlink would cost 3 ms of imports)."""
    from _socket import AF_INET, SOCK_CLOEXEC, SOCK_DGRAM, socket
    from struct import pack

    any_socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC)
    ioctl(any_socket.fileno(), SIOCSIFFLAGS, pack("=16sH22x", b"lo", IFF_UP | IFF_RUNNING))
    any_socket.close()


def _watch(command: int) -> NoReturn:
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
