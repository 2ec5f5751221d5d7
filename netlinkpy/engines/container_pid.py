"""The process of an engine's container: ask the engine for `docker:web`."""

from __future__ import annotations

import errno

from .engine import ENGINES, Engine, member, plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TIMEOUT = 10.0  # seconds for one answer: an engine that systemd starts for the question takes one or two
_SHOWN = 3  # how many containers an error names


def resolve(scheme: str, name: str, *, timeout: float = TIMEOUT) -> int:
    """Return the process id of the first process of a running container (a paused one is running, too).

    scheme: "docker" or "podman"; name: the container's name, its id, or the beginning of its id;
    timeout: seconds for each answer of the engine.

    Raise ValueError for a name that no container can have, or an engine that is not on this machine; OSError:
    ENOENT there is no such container; ESRCH it is not running; ENOTUNIQ the ids of several begin so; else as
    Engine.ask(). Source: Docker Engine API, GET /containers/{id}/json, State.Pid."""
    engine = ENGINES[scheme]
    _check_name(engine, name)
    status, answer = engine.ask(f"/containers/{name}/json", timeout)
    if status != 200:
        raise _unknown(engine, name, status, answer, timeout)
    state = member(answer, "State")
    pid = member(state, "Pid")
    if type(pid) is not int or not 0 <= pid <= 0x7FFFFFFF:
        raise engine.nonsense()
    if not pid or member(state, "Running") is not True:
        raise OSError(errno.ESRCH, f"{engine.name} container {name} is not running{_condition(state)}")
    return pid


def names(scheme: str, *, timeout: float = TIMEOUT) -> dict[str, str]:
    """Return the names of the running containers of an engine, by their whole ids. Raise what Engine.ask()
    raises."""
    engine = ENGINES[scheme]
    status, answer = engine.ask("/containers/json", timeout)
    if status != 200:
        raise engine.refusal(status, answer)
    return dict(_listed(answer))


def _check_name(engine: Engine, name: str) -> None:
    """Refuse what neither engine takes for a name or id, so that nothing else gets into the request."""
    if (
        not 0 < len(name) <= 255
        or not name.isascii()
        or not name[0].isalnum()
        or not name.replace("_", "").replace(".", "").replace("-", "").isalnum()
    ):
        raise ValueError(f"{name!r} cannot name a {engine.name} container: letters, digits, _ . and - do")


def _unknown(engine: Engine, name: str, status: int, answer: Any, timeout: float) -> OSError:
    """Return why there is not one container of that name. If the ids of several begin so, docker answers with
    500 and podman with 404, each in its own words: so look at the list."""
    if not name.strip("0123456789abcdef"):
        try:
            everything = _listed(engine.ask("/containers/json?all=1", timeout)[1])
        except OSError:
            everything = []
        meant = [f"{other} ({identity[:12]})" for identity, other in everything if identity.startswith(name)]
        if len(meant) > 1:
            shown = ", ".join(meant[:_SHOWN]) + (" ..." if len(meant) > _SHOWN else "")
            return OSError(
                errno.ENOTUNIQ, f"{name} begins the ids of {len(meant)} {engine.name} containers: {shown}"
            )
    if status == 404:
        return OSError(errno.ENOENT, f"{engine.name} has no container {name}")
    return engine.refusal(status, answer)


def _listed(answer: Any) -> list[tuple[str, str]]:
    """Return (id, name) for each entry of GET /containers/json that has them."""
    found = []
    for entry in answer if isinstance(answer, list) else ():
        identity, named = member(entry, "Id"), member(entry, "Names")
        if isinstance(identity, str) and isinstance(named, list) and named and isinstance(named[0], str):
            found.append((plain(identity), plain(named[0].removeprefix("/"))))
    return found


def _condition(state: Any) -> str:
    """Return what it is instead of running, in the engine's word."""
    status, code = member(state, "Status"), member(state, "ExitCode")
    if not isinstance(status, str):
        return ""
    exited = f" with code {code}" if status == "exited" and isinstance(code, int) else ""
    return f": it is {plain(status)}{exited}"
