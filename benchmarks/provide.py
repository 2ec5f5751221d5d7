"""What the benchmarks are built of, in benchmarks/bin: the floor, the Go peer, a virtualenv with pyroute2 and
matplotlib.

Each is made once, and again when its source is newer. Missing tools are no error: the contender is then left
out, and why is said.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
BIN = HERE / "bin"
FLOOR = BIN / "floor"
VISHVANANDA = BIN / "vishvananda"
PEERS_PYTHON = BIN / "venv" / "bin" / "python"
PEERS_PACKAGES = ["pyroute2==0.9.7", "matplotlib>=3.7"]
GO_LIBRARIES = Path("/usr/share/gocode")


class MissingError(Exception):
    """What cannot be had, and why, in one line."""


def _stale(target: Path, source: Path) -> bool:
    return not target.exists() or target.stat().st_mtime < source.stat().st_mtime


def _run(*command: str | Path, **environment: str) -> None:
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, cwd=HERE
    )
    if done.returncode:
        raise MissingError(f"{command[0]}: {done.stderr.strip().splitlines()[-1]}")


def floor() -> Path:
    """The yardstick: without it nothing can be compared."""
    source = HERE / "floor.c"
    if _stale(FLOOR, source):
        BIN.mkdir(exist_ok=True)
        _run(
            os.environ.get("CC", "cc"), "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-o", FLOOR, source
        )
    return FLOOR


def vishvananda() -> Path:
    source = HERE / "peers" / "vishvananda" / "main.go"
    if _stale(VISHVANANDA, source):
        if not shutil.which("go"):
            raise MissingError("no Go compiler (Debian: golang-go)")
        if not (GO_LIBRARIES / "src/github.com/vishvananda/netlink").is_dir():
            raise MissingError("no Go library (Debian: golang-github-vishvananda-netlink-dev)")
        BIN.mkdir(exist_ok=True)
        cache = str(BIN / "gocache")
        _run(
            "go",
            "build",
            "-o",
            VISHVANANDA,
            source,
            GO111MODULE="off",
            GOPATH=str(GO_LIBRARIES),
            GOCACHE=cache,
        )
    return VISHVANANDA


def peers_python() -> Path:
    """The interpreter of the virtualenv that the peers have for themselves."""
    ready = BIN / "venv" / "ready"
    if _stale(ready, HERE / "provide.py"):
        try:
            venv.create(BIN / "venv", with_pip=True, clear=True)
        except (subprocess.CalledProcessError, OSError) as error:
            raise MissingError(f"no virtualenv can be made: {error}") from error
        _run(PEERS_PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check", *PEERS_PACKAGES)
        ready.touch()
    return PEERS_PYTHON


def program(path: str, package: str) -> Path:
    if not os.access(path, os.X_OK):
        raise MissingError(f"no {path} (Debian: {package})")
    return Path(path)


def command(name: str, package: str) -> Path:
    found = shutil.which(name)
    if not found:
        raise MissingError(f"no {name} (Debian: {package})")
    return Path(found)


if __name__ == "__main__":
    for make in (floor, vishvananda, peers_python):
        try:
            print(make())
        except MissingError as missing:
            print(f"{make.__name__}: {missing}", file=sys.stderr)
