"""start(): the same from a program that goes on."""

from __future__ import annotations

import errno
import gc
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from netlinkpy.run import Container, StartError, listing, start
from tests.support.namespaces import ping
from tests.support.run_testbed import BRIDGE, GATEWAY, PROBING, ROOT, exists, inside, veths
from tests.support.waiting import eventually

WIRED: dict[str, Any] = {"bridge": BRIDGE, "ip": "172.17.42.99/16"}


def test_start_and_wait() -> None:
    with start("sh", "-c", "exit 7", net="none") as one:
        assert one.wait() == 7 and one.wait() == 7 and one.poll() == 7
        one.kill()  # too late, and harmless


def test_wired_when_it_returns() -> None:
    with start("sleep", "1000", name="web", **WIRED) as one:
        assert one.name == "web" and one.attachment is not None and one.poll() is None
        assert one.attachment.addresses == ("172.17.42.99/16",) and one.attachment.bridge == BRIDGE
        assert ping(f"/proc/{one.pid}/ns/net", GATEWAY, 1000) is not None
        assert [same.pid for same in listing()] == [one.pid]
        assert "web" in repr(one)
    assert veths() == [] and listing() == [] and not exists(one.pid)
    assert one.wait() == 128 + signal.SIGKILL


def test_signals() -> None:
    with start("sleep", "1000", net="none") as one:
        with pytest.raises(ValueError, match="no signal that a container takes"):
            one.kill(signal.SIGSTOP)
        one.kill(signal.SIGTERM)
        assert one.wait() == 128 + signal.SIGTERM


def test_streams() -> None:
    """Given descriptors are the command's; no other one is."""
    inner, outer = os.pipe(), os.pipe()
    os.write(inner[1], b"typed")
    os.close(inner[1])
    with start("cat", net="none", interactive=True, stdin=inner[0], stdout=outer[1], stderr=outer[1]) as one:
        os.close(outer[1])
        assert one.wait() == 0
    assert os.read(outer[0], 100) == b"typed" and os.read(outer[0], 100) == b""
    os.close(inner[0])
    os.close(outer[0])


def output_of(starting: Callable[[int], Container]) -> str:
    reader, writer = os.pipe()
    with starting(writer) as one:
        os.close(writer)
        with open(reader) as pipe:
            text = pipe.read()
        assert one.wait() == 0
    return text


def test_what_it_sees() -> None:
    seen = json.loads(output_of(lambda out: start(*PROBING, stdout=out, **WIRED)))
    assert seen["links"] == {"lo": True, "eth0": True} and seen["descriptors"] == ["0", "1", "2", "3"]
    assert not seen["capabilities"]["Bnd"] & (1 << 12 | 1 << 21)


def test_several_at_once_from_several_threads() -> None:
    """Each thread may end, and its containers go on."""
    made: list[Container] = []

    def work(number: int) -> None:
        made.append(start("sleep", "1000", bridge=BRIDGE, ip=f"172.17.2.{number + 1}/16"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == len(listing()) == len(veths()) == 8
    for one in made:
        assert one.poll() is None
        one.kill()
        assert one.wait() == 137
    assert listing() == [] and veths() == []


@pytest.mark.parametrize(
    ("command", "options", "number", "code", "words"),
    [
        (("no-such-command",), {"net": "none"}, errno.ENOENT, 127, "no such command"),
        (("/etc/passwd",), {"net": "none"}, errno.EACCES, 126, "/etc/passwd"),
        (("true",), {"bridge": "nobridge", "ip": "10.0.0.2/24"}, errno.ENODEV, 125, "nobridge"),
        (("true",), {"net": "container:nobody"}, errno.ENOENT, 125, "nobody"),
    ],
)
def test_what_cannot_be_started(
    command: tuple[str, ...], options: dict[str, Any], number: int, code: int, words: str
) -> None:
    with pytest.raises(StartError, match=words) as caught:
        start(*command, **options)
    assert (caught.value.errno, caught.value.exit_code) == (number, code)
    assert listing() == [] and veths() == []


def test_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="a command is needed"):
        start(net="none")
    with pytest.raises(ValueError, match="no IP address"):
        start("true", net="none", dns="nonsense")
    with pytest.raises(TypeError, match="no field"):
        start("true", nets="none")
    with pytest.raises(StartError, match="has no prefix length"):
        start("true", bridge=BRIDGE, ip="172.17.42.99")


def test_a_name_is_taken() -> None:
    with start("sleep", "1000", net="none", name="one"):
        with pytest.raises(StartError, match="a container named one runs already"):
            start("true", net="none", name="one")
        assert len(listing()) == 1


def test_it_dies_with_the_program_that_started_it() -> None:
    """By SIGKILL: the supervisor, which is not the container's first process's only safeguard, sees the line
    end."""
    code = f"""
import sys, time
sys.path.insert(0, {ROOT!r})
from netlinkpy.run import start
one = start("sleep", "1000", bridge={BRIDGE!r}, ip="172.17.42.99/16")
print(one.pid, flush=True)
time.sleep(1000)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        pid = int(program.stdout.readline())
        members = inside(pid)
        assert len(members) == 2
        program.kill()
    assert eventually(lambda: not any(map(exists, members)) and not veths() and not listing())


def test_nothing_is_left_open() -> None:
    gc.collect()
    before = os.listdir("/proc/self/fd")
    for _ in range(3):
        with start("true", net="none") as one:
            one.wait()
        with pytest.raises(StartError):
            start("no-such-command", net="none")
    assert os.listdir("/proc/self/fd") == before


DEFAULT = f"""
import socket, sys, types
sys.path.insert(0, {ROOT!r})
socket.setdefaulttimeout(1e-6)
import netlinkpy as nl
from netlinkpy.run import find, start
with start("sleep", "1000", net="none", name="web") as one:
    made = nl.attach(nl.Endpoint(netns=one.pid, bridge={BRIDGE!r}, addresses="172.17.42.99/16"))
    assert [same.name for same in nl.run.listing()] == ["web"] and find("web").pid == one.pid
    print(nl.run.execute("web", ("sh", "-c", "exit 7"), interactive=False, tty=False, privileged=False))
    nl.detach(made)
"""


@pytest.mark.parametrize(
    "backend", [os.environ.get("NETLINKPY_BACKEND", ""), "python"], ids=["this", "python"]
)
def test_the_programs_default_timeout_is_not_ours(backend: str) -> None:
    """socket.setdefaulttimeout() of a program that embeds us: every socket of ours has a deadline of its
    own."""
    done = subprocess.run(
        [sys.executable, "-c", DEFAULT],
        env={**os.environ, "NETLINKPY_BACKEND": backend},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "7\n"), done.stderr
