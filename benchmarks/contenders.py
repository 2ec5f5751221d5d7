"""The contenders: a name, how its command begins, and what it needs. compare.py adds a task, runs it, and
reads its JSON."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import provide

PYTHON = sys.executable
BACKENDS = ("cffi", "native", "python")


@dataclass(frozen=True)
class Contender:
    """`command()` gives the beginning of its command line, or raises provide.MissingError."""

    name: str
    command: Callable[[], list[str]]
    environment: Mapping[str, str] = field(default_factory=dict)


def _script(path: str, *words: str) -> list[str]:
    return [PYTHON, str(provide.HERE / path), *words]


def _ours(backend: str) -> Contender:
    environment = {"NETLINKPY_BACKEND": backend}

    def command() -> list[str]:
        ask = [PYTHON, "-c", "import netlinkpy; netlinkpy.backend()"]
        answer = subprocess.run(
            ask, env={**os.environ, **environment}, cwd=provide.HERE.parent, capture_output=True, text=True
        )
        if answer.returncode:
            raise provide.MissingError(answer.stderr.strip().splitlines()[-1])
        return _script("ours.py")

    return Contender(f"netlinkpy {backend}", command, environment)


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
OURS = [f"netlinkpy {backend}" for backend in BACKENDS]
CONTENDERS = [
    Contender(FLOOR, lambda: [str(provide.floor())]),
    *[_ours(backend) for backend in BACKENDS],
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
