"""What the benchmarks build in benchmarks/bin: the floor, the recorder of replays, this project as it was at
a tag, the Go peer, a virtualenv with pyroute2 and matplotlib.

Each is made once, and again if its source is newer. A missing tool is no error: its contender is left out,
and the reason printed.
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
RECORDER = BIN / "recorder.so"
BEFORE = "before-house"  # what later figures are compared with: a tag, which a clone may not have
BEFORE_COMMIT = "bb38e23c907ddd61c7babd0e1b0dd6ef0ebee76d"
VISHVANANDA = BIN / "vishvananda"
PEERS_PYTHON = BIN / "venv" / "bin" / "python"
PEERS_PACKAGES = ["pyroute2==0.9.7", "matplotlib>=3.7"]
GO_LIBRARIES = Path("/usr/share/gocode")


class MissingError(Exception):
    """What is not available, and why, in one line."""


def _stale(target: Path, source: Path) -> bool:
    return not target.exists() or target.stat().st_mtime < source.stat().st_mtime


def _run(*command: str | Path, cwd: Path = HERE, **environment: str) -> str:
    """Run a command; return its output. Raise MissingError if it fails."""
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, cwd=cwd)
    if done.returncode:
        raise MissingError(f"{command[0]}: {(done.stderr.strip().splitlines() or ['it failed'])[-1]}")
    return done.stdout


def _compile(target: Path, sources: list[Path], *options: str) -> Path:
    if any(_stale(target, source) for source in sources):
        BIN.mkdir(exist_ok=True)
        warnings = ["-O2", "-Wall", "-Wextra", "-Werror", "-pthread"]
        units = [source for source in sources if source.suffix == ".c"]
        _run(os.environ.get("CC", "cc"), *warnings, *options, "-o", target, *units)
    return target


def floor() -> Path:
    """Return the floor, without which nothing can be compared."""
    return _compile(FLOOR, [HERE / "floor.c"])


def recorder() -> Path:
    """Return the library that records and replays what the kernel answers."""
    return _compile(RECORDER, sorted((HERE / "recorder").iterdir()), "-shared", "-fPIC")


def before() -> Path:
    """Return this project's tree at the tag `before-house`, with its shim built."""
    tree, built = BIN / BEFORE, BIN / BEFORE / "built"
    if not built.exists() or built.read_text() != BEFORE_COMMIT:
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir(parents=True)
        archive = tree / "tree.tar"
        _run("git", "archive", "--output", archive, BEFORE_COMMIT, cwd=HERE.parent)
        shutil.unpack_archive(archive, tree)
        archive.unlink()
        _run(sys.executable, "setup.py", "-q", "build_ext", "--inplace", cwd=tree)
        built.write_text(BEFORE_COMMIT)
    return tree


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
    """Return the interpreter of the peers' virtualenv."""
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
    for make in (floor, recorder, before, vishvananda, peers_python):
        try:
            print(make())
        except MissingError as missing:
            print(f"{make.__name__}: {missing}", file=sys.stderr)
