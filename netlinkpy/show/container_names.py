"""What people call a namespace: the name that netlinkpy run, docker or podman gave it, that in /run/netns, or
the command of its first process."""

from __future__ import annotations

import os

from ..netns.discovery import inode_of
from .model import HostContainer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..netns.discovery import Namespace
    from ..run.running import Running

_COMMAND_ROOM = 4096  # bytes of a command line that are looked at
_ID_LENGTH = 64  # letters of an engine's container id
_SHORT = 12  # letters of it that people see
_ENGINE_SECONDS = 2.0  # in which an engine must tell names; else the ids serve


def containers(namespaces: Iterable[Namespace]) -> dict[int, HostContainer]:
    """Return the containers that namespaces are, by inode."""
    runs = _runs()  # they know best which of their processes is the command
    ids = {one.inode: _engine_id(one.pid) for one in namespaces if one.pid and one.inode not in runs}
    known = _engine_names({engine for engine, _ in ids.values()})
    found = {}
    for one in namespaces:
        if one.inode in runs:
            found[one.inode] = _run(one, runs[one.inode])
            continue
        command = command_of(one.pid) if one.pid else ""
        engine, identity = ids.get(one.inode, ("", ""))
        if identity:
            title, by = known.get(identity, identity[:_SHORT]), engine
        elif one.names:
            title, by = one.names[0], "netns"
        else:
            title, by = command.partition(" ")[0] or f"process {one.pid}", "process"
        found[one.inode] = HostContainer(title, by, one.inode, one.names, one.pid, command)
    return found


def _runs() -> dict[int, list[Running]]:
    """Return what `netlinkpy run` has running, by the inode of its namespace; several may share one."""
    from ..run.running import listing

    found: dict[int, list[Running]] = {}
    for one in listing():
        inode = inode_of(one.pid)
        if inode:
            found.setdefault(inode, []).append(one)
    return found


def _run(namespace: Namespace, runs: list[Running]) -> HostContainer:
    title = ", ".join([one.name for one in runs])
    first = runs[0]
    return HostContainer(title, "run", namespace.inode, namespace.names, first.pid, " ".join(first.command))


def _engine_id(pid: int) -> tuple[str, str]:
    """Return (engine, container id) as the control groups of a process tell them: .../docker/ID,
    .../libpod-ID.scope and the like; empty if it is in no engine's."""
    for line in control_groups_of(pid).splitlines():
        before = ""
        for part in line.split("/")[1:]:
            engine, _, identity = part.removesuffix(".scope").rpartition("-")
            engine = {"libpod": "podman", "docker": "docker", "": before}.get(engine, "")
            if engine in ("docker", "podman") and len(identity) == _ID_LENGTH:
                return engine, identity
            before = part
    return "", ""


def _engine_names(engines: Iterable[str]) -> dict[str, str]:
    """Return the names of the engines' running containers, by id."""
    found: dict[str, str] = {}
    for engine in engines:
        if engine:
            from ..engines import names

            try:
                found.update(names(engine, timeout=_ENGINE_SECONDS))
            except (OSError, ValueError):  # we may not ask, or it is elsewhere: the ids serve as names
                continue
    return found


def command_of(pid: int) -> str:
    """Return the command line of a process, its program without the path; "" if it is gone."""
    words = [word for word in _contents(f"/proc/{pid}/cmdline").split("\0") if word]
    if not words:
        return _contents(f"/proc/{pid}/comm").strip()
    return " ".join([words[0].rpartition("/")[2] or words[0], *words[1:]])


def control_groups_of(pid: int) -> str:
    """Return what /proc/PID/cgroup says; "" if the process is gone."""
    return _contents(f"/proc/{pid}/cgroup")


def _contents(path: str) -> str:
    try:
        with open(path, "rb", buffering=0) as file:
            return os.fsdecode(file.read(_COMMAND_ROOM) or b"")
    except OSError:
        return ""
