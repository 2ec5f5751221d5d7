"""docker:NAME and podman:NAME against the engines themselves, and their containers wired by us."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

import netlinkpy
from netlinkpy.engines import names, resolve
from netlinkpy.show.collect import read
from tests.support.namespaces import ping
from tests.support.real_engines import Command, docker, podman


def wire(scheme: str) -> None:
    """The container `web`, on a bridge of ours: the first packet passes, and a picture names it."""
    with netlinkpy.RTNetlink() as host:
        host.links.add("br0", kind="bridge", up=True)
        host.addresses.add("10.1.0.1/24", dev="br0")
    netlinkpy.attach(netlinkpy.Endpoint(resolve(scheme, "web"), "br0", "10.1.0.2/24"))
    assert ping(None, "10.1.0.2") is not None
    (found,) = [end.container for port in read().networks[0].ports for end in port.ends]
    assert (found.title, found.by, found.command) == ("web", scheme, "sleep 1000")


def look(scheme: str, run: Command) -> None:
    """Every state of a container, and every way to name one."""
    identity = run("run", "-d", "--net=none", "--name=web", "box", "sleep", "1000")
    pid = int(run("inspect", "-f", "{{.State.Pid}}", "web"))
    assert Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x001000\x00"
    for name in ("web", identity, identity[:12]):
        assert resolve(scheme, name) == pid
    assert names(scheme) == {identity: "web"}
    wire(scheme)

    run("pause", "web")
    assert resolve(scheme, "web") == pid
    run("unpause", "web")

    run("create", "--net=none", "--name=made", "box", "sleep", "1000")
    with pytest.raises(ProcessLookupError, match=f"{scheme} container made is not running: it is created"):
        resolve(scheme, "made")
    run("run", "--net=none", "--name=ended", "box", "true")
    with pytest.raises(
        ProcessLookupError, match=f"{scheme} container ended is not running: it is exited with code 0"
    ):
        resolve(scheme, "ended")
    with pytest.raises(FileNotFoundError, match=f"{scheme} has no container absent"):
        resolve(scheme, "absent")

    starts: set[str] = set()  # of 18 ids two begin with the same digit
    while True:
        made = run("create", "--net=none", "box", "true")
        if made[0] in starts:
            break
        starts.add(made[0])
    with pytest.raises(OSError, match=f"{made[0]} begins the ids of . {scheme} containers: ") as caught:
        resolve(scheme, made[0])
    assert caught.value.errno == errno.ENOTUNIQ


@pytest.mark.needs("root", "dockerd", "docker", "runc", "busybox")
def test_docker(loopback: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    with docker(tmp_path, "--iptables=false", "--bridge=none") as run:
        look("docker", run)


@pytest.mark.needs("root", "podman", "runc", "busybox")
def test_podman(loopback: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONTAINER_HOST", raising=False)
    with podman(tmp_path) as run:
        look("podman", run)
