"""The real dockerd and podman, started for one test inside its own namespaces, with one image: busybox."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from netlinkpy.engines import names

Command = Callable[..., str]
"""Run the engine's command with these words, and return what it prints."""

APPLETS = ("sh", "sleep", "true", "ping", "wget", "nc", "httpd")


@contextlib.contextmanager
def docker(folder: Path, *options: str) -> Iterator[Command]:
    """dockerd, listening where it does by default, for the length of the with statement."""
    daemon = [
        *(
            "dockerd",
            "--storage-driver=vfs",
            f"--data-root={folder / 'data'}",
            "--exec-root=/run/docker-exec",
        ),
        *("--pidfile=/run/docker.pid", "--host=unix:///run/docker.sock", *options),
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
    with _engine("docker", daemon, ["docker"], environment, folder) as command:
        yield command


@contextlib.contextmanager
def podman(folder: Path) -> Iterator[Command]:
    """podman's service, listening where it does by default, for the length of the with statement."""
    settings = folder / "containers.conf"
    settings.write_text(
        '[containers]\ndefault_ulimits = ["nofile=1024:4096", "nproc=1024:4096"]\n'
        '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
    )
    for directory in ("/run/lock", "/run/podman"):
        os.makedirs(directory)
    command = ["podman", "--storage-driver=vfs", f"--root={folder / 'root'}", "--runroot=/run/podman-run"]
    service = [*command, "system", "service", "--time=0", "unix:///run/podman/podman.sock"]
    environment = {**os.environ, "CONTAINERS_CONF": str(settings)}
    with _engine("podman", service, command, environment, folder) as run:
        yield run


@contextlib.contextmanager
def _engine(
    scheme: str, daemon: list[str], command: list[str], environment: Mapping[str, str], folder: Path
) -> Iterator[Command]:
    def run(*words: str) -> str:
        done = subprocess.run([*command, *words], env=environment, text=True, capture_output=True, timeout=60)
        assert done.returncode == 0, f"{scheme} {' '.join(words)}: {done.stderr}"
        return done.stdout.strip()

    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(daemon, env=environment, stdout=output, stderr=output)
    try:
        _wait(scheme, process, log)
        _image(folder / "image.tar")
        run("import", str(folder / "image.tar"), "box")
        yield run
        for verb, which in (("kill", "-q"), ("rm", "-aq")):  # `rm -f` alone waits ten seconds for a sleep
            if found := run("ps", which).split():
                run(verb, *found)
    finally:
        process.terminate()
        process.wait(30)


def _wait(scheme: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the engine answers."""
    deadline = time.monotonic() + 30
    while True:
        assert process.poll() is None, f"{scheme} ended:\n{log.read_text()[-2000:]}"
        try:
            names(scheme)
            return
        except OSError as error:
            assert time.monotonic() < deadline, f"{error}:\n{log.read_text()[-2000:]}"
        time.sleep(0.05)


def _image(path: Path) -> None:
    """Make a root file system of one static program under its names."""
    with tarfile.open(path, "w") as tar:
        for directory in ("bin", "dev", "etc", "proc", "sys", "tmp"):
            entry = tarfile.TarInfo(directory)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        program = Path(shutil.which("busybox") or "missing").read_bytes()
        entry = tarfile.TarInfo("bin/busybox")
        entry.size, entry.mode = len(program), 0o755
        tar.addfile(entry, io.BytesIO(program))
        for name in APPLETS:
            entry = tarfile.TarInfo(f"bin/{name}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(entry)
