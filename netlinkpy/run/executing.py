"""execute(): one more command in a container that runs, in all of its namespaces."""

from __future__ import annotations

import os

from ..backends import load
from .exec_command import ExecSpec, change_directory, drop_capabilities, exec_command
from .running import Call
from .signals import exit_code
from .spawn import die_with_parent, spawn
from .unshare import enter_user
from .watch import Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from .sync_pipe import SyncPipe
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
    """Run one more command in a running container to its end, and return its exit code. It dies with us, and
    with the container. The process must have one thread.

    Raise ProcessLookupError if no container of that name runs, StartError if the command cannot be
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
        command = ExecSpec(
            words, 0 if interactive else None, None if terminal is None else terminal.slave, privileged
        )

        def enter() -> None:
            enter_user(user)
            for descriptor in descriptors[1:]:
                load().setns(descriptor, 0)

        def live(pipe: SyncPipe) -> NoReturn:
            die_with_parent(pipe)
            change_directory(directory)
            drop_capabilities(privileged)
            exec_command(pipe, command)

        child = spawn(enter, live)
        try:
            child.pipe.hear()
            with Watch(child.pid, terminal) as watch:
                watch.wait()
        except BaseException:
            child.end()
            raise
        finally:
            child.pipe.close()
            code = exit_code(os.waitpid(child.pid, 0)[1])
        return code
    finally:
        if terminal is not None:
            terminal.close()
        for descriptor in descriptors:
            os.close(descriptor)
