"""The contenders: a name, the beginning of a command, and what it needs. compare.py adds a task, runs it, and
reads its JSON."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import provide

PYTHON = sys.executable
BACKENDS = ("cffi", "native", "python")


@dataclass(frozen=True)
class Contender:
    """command(): return the beginning of its command line, or raise provide.MissingError."""

    name: str
    command: Callable[[], list[str]]


def _script(path: str, *words: str) -> list[str]:
    return [PYTHON, str(provide.HERE / path), *words]


def ours(backend: str, script: str = "ours.py", tree: Path = provide.HERE.parent) -> list[str]:
    """Return the command of netlinkpy with a backend, from a tree."""
    environment = {"NETLINKPY_BACKEND": backend, "NETLINKPY_ROOT": str(tree)}
    ask = [PYTHON, "-c", "import netlinkpy; netlinkpy.backend()"]
    answer = subprocess.run(ask, env={**os.environ, **environment}, cwd=tree, capture_output=True, text=True)
    if answer.returncode:
        raise provide.MissingError(answer.stderr.strip().splitlines()[-1])
    if script == "replayed.py":
        environment["LD_PRELOAD"] = str(provide.recorder())
    return ["env", *[f"{name}={value}" for name, value in environment.items()], *_script(script)]


def _of_both_trees(name: str, script: str, backend: str) -> list[Contender]:
    """Return netlinkpy as it is, and as it was."""
    return [
        Contender(f"{name} {backend}", lambda: ours(backend, script)),
        Contender(f"{name} {backend}{BEFORE}", lambda: ours(backend, script, provide.before())),
    ]


def _iproute2(variant: str) -> list[str]:
    provide.command("ip", "iproute2")
    return _script("peers/iproute2.py", variant)


def _pyroute2(variant: str) -> list[str]:
    return [str(provide.peers_python()), str(provide.HERE / "peers/pyroute2_peer.py"), variant]


def _vishvananda() -> list[str]:
    provide.vishvananda()
    return _script("peers/vishvananda/contender.py")


def _engine(program: str, package: str, variant: str) -> list[str]:
    provide.program(program, package)
    return _script("peers/engines.py", variant)


FLOOR = "floor"
BEFORE = f", {provide.BEFORE}"  # the end of the name of a contender that is this project as it was
OURS = [f"netlinkpy {backend}" for backend in BACKENDS]
REPLAYED = [f"replayed {backend}" for backend in BACKENDS]
CONTENDERS = [
    Contender(FLOOR, lambda: [str(provide.floor())]),
    *[one for backend in BACKENDS for one in _of_both_trees("netlinkpy", "ours.py", backend)],
    *[one for backend in BACKENDS for one in _of_both_trees("replayed", "replayed.py", backend)],
    Contender("vishvananda (Go)", _vishvananda),
    Contender("ip -batch, one-line", lambda: _iproute2("one-line")),
    Contender("ip -batch, usual", lambda: _iproute2("usual")),
    Contender("pyroute2, one-call", lambda: _pyroute2("one-call")),
    Contender("pyroute2, usual", lambda: _pyroute2("usual")),
    Contender(
        "CNI bridge",
        lambda: _engine("/usr/lib/cni/bridge", "containernetworking-plugins", "cni"),
    ),
    Contender("netavark", lambda: _engine("/usr/lib/podman/netavark", "netavark", "netavark")),
]
