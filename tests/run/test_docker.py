"""The four modes beside the real Docker's: the same interfaces, addresses, routes, reachability and
capabilities, seen by the same program inside. (Docker switches IPv6 off in its containers by default; here lo
has ::1.)"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.namespaces import ping
from tests.support.real_engines import Command, docker
from tests.support.run_testbed import detached, netlinkpy, run

pytestmark = pytest.mark.needs("root", "dockerd", "docker", "runc", "busybox")

LOOK = """
busybox ip -o link | busybox sed 's/^[0-9]*: //; s/@[^:]*:/:/; s/mtu.*//'
echo
busybox ip -o -4 addr | busybox sed 's/ brd [0-9.]*//; s/^[0-9]*: //'
echo
busybox ip -4 route | busybox sort
echo
busybox grep Cap /proc/self/status
busybox id -u
busybox ls /sys/class/net
busybox sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward' 2>&1
busybox ip link set lo down 2>&1
true
"""
IN_DOCKERS_NET = "172.30.0.9/16"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Command]:
    """dockerd with a bridge docker0 that has 172.30.0.1/16."""
    options = ("--iptables=false", "--ip-masq=false", "--bip=172.30.0.1/16")
    with docker(tmp_path, *options) as command:
        yield command


def seen_by_docker(engine: Command, *options: str) -> str:
    return normal(engine("run", "--rm", *options, "box", "/bin/sh", "-c", LOOK))


def seen_by_us(*options: str) -> str:
    finished = run(*options, "--", shutil.which("busybox") or "busybox", "sh", "-c", LOOK)
    assert finished.returncode == 0, finished.stderr
    return normal(finished.stdout)


def normal(text: str) -> str:
    """Without what is each container's own: its address on the bridge; and the names that programs go by."""
    text = re.sub(r"172\.30\.0\.(?!1\b)\d+/16", "OWN/16", text)
    return re.sub(r"src 172\.30\.0\.(?!1\b)\d+", "src OWN", text).replace("busybox: ", "").strip()


def test_the_same_is_seen(engine: Command) -> None:
    for theirs, ours in (
        (("--net=none",), ("--net=none",)),
        (("--net=host",), ("--net=host",)),
        (("--net=bridge",), ("--bridge", "docker0", "--ip", IN_DOCKERS_NET)),
    ):
        assert seen_by_us(*ours) == seen_by_docker(engine, *theirs), theirs


def test_container_mode(engine: Command) -> None:
    """Theirs joins theirs, ours joins ours, and ours joins theirs: each sees the same as the other in it."""
    engine("run", "-d", "--name", "theirs", "box", "sleep", "1000")
    detached("--bridge", "docker0", "--ip", IN_DOCKERS_NET, name="ours")
    expected = seen_by_docker(engine, "--net=container:theirs")
    assert seen_by_us("--net=container:docker:theirs") == expected
    assert seen_by_us("--net=container:ours") == expected


def test_they_reach_each_other(engine: Command) -> None:
    """On one bridge."""
    engine("run", "-d", "--name", "theirs", "box", "sleep", "1000")
    address = engine("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "theirs")
    one = detached("--bridge", "docker0", "--ip", IN_DOCKERS_NET)
    assert ping(f"/proc/{one.pid}/ns/net", address, 1000) is not None
    engine("exec", "theirs", "ping", "-c1", "-W2", IN_DOCKERS_NET.partition("/")[0])
    assert netlinkpy("kill", "one").returncode == 0


def exit_code_in_docker(*words: str) -> int:
    command = ["docker", "run", "--rm", "--net=none", "box", *words]
    return subprocess.run(command, capture_output=True, timeout=60).returncode


def test_exit_codes(engine: Command) -> None:
    """Of the command, of a signal; 127 and 126 where there is no such command, or it is none."""
    for words in (
        ("/bin/sh", "-c", "exit 7"),
        ("no-such-command",),
        ("/etc",),
    ):
        assert run("--net=none", "--", *words).returncode == exit_code_in_docker(*words), words
    suicide = ("/bin/sh", "-c", "kill -9 $$")  # its process 1 cannot be killed from inside, ours is not it
    assert (exit_code_in_docker(*suicide), run("--net=none", "--", *suicide).returncode) == (0, 137)
