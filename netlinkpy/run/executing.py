"""Entering: a further command inside a container that runs, in all of its namespaces."""

from __future__ import annotations

import os

from ..backends import load
from .pid1 import Command, become, drop_unless, go_to
from .running import Call
from .signals import exit_code
from .spawn import bear, die_with_parent
from .unshare import enter_user
from .watch import Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from .sync_pipe import Line
    from .terminal import Terminal

_KINDS = ("net", "uts", "ipc", "pid", "mnt")  # the mounts last: the paths are the container's then


def execute(
    name: str,
    words: tuple[str, ...],
    *,
    interactive: bool = False,
    tty: bool = False,
    privileged: bool = False,
) -> int:
    """Run one more command in a running container, to its end, and give its exit code. It dies with us, and
    with the container. The process must have one thread.

    ProcessLookupError where no container of that name runs; StartError where the command cannot be
    started."""
    directory = os.readlink("/proc/self/cwd")
    descriptors: list[int] = []
    terminal: Terminal | None = None
    try:
        with Call(name) as call:
            pid = call.tell().pid
            user = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
            descriptors.append(user)
            for kind in _KINDS:
                descriptors.append(os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC))
            call.check_alive()
        if tty:
            from .terminal import Terminal

            terminal = Terminal(interactive)
        command = Command(
            words, 0 if interactive else None, None if terminal is None else terminal.slave, privileged
        )

        def enter() -> None:
            enter_user(user)
            for descriptor in descriptors[1:]:
                load().setns(descriptor, 0)

        def live(line: Line) -> NoReturn:
            die_with_parent(line)
            go_to(directory)
            drop_unless(privileged)
            become(line, command)

        child = bear(enter, live)
        try:
            child.line.hear()
            with Watch(child.pid, terminal) as watch:
                watch.wait()
        except BaseException:
            child.kill()
            raise
        finally:
            child.line.close()
            code = exit_code(os.waitpid(child.pid, 0)[1])
        return code
    finally:
        if terminal is not None:
            terminal.close()
        for descriptor in descriptors:
            os.close(descriptor)
