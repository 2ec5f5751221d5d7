"""Engines that mean no good, entries of /run/netns that are no namespaces, and names that cannot be: each
call ends in time, with a value or one sentence, and what is well beside them is still found."""

from __future__ import annotations

import functools
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

import netlinkpy as nl
from netlinkpy.engines import names, resolve
from netlinkpy.netns.discovery import discover
from netlinkpy.show import collect
from tests.engines.test_container_pid import GARBAGE
from tests.support.fake_engine import Answer, listening, saying
from tests.support.namespaces import inside
from tests.support.run_testbed import netlinkpy
from tests.support.wiring_testbed import BRIDGE, endpoint, make_bridge
from tests.torture.table import Table
from tests.torture.words import is_bare

PATIENCE = 20.0  # seconds for one call
RUN = "/run/netns"


def said_of(work: Callable[[], object], own: str = "") -> str:
    """Do it in a process of its own, which may stand still; return what is wrong, "" if nothing is. own: the
    caller's word, which an error may repeat as it is."""

    def told() -> str:
        try:
            work()
        except (OSError, ValueError) as error:
            text = str(error).replace(own, "NAME") if own else str(error)
            return f"says {text!r}" if is_bare(text) or "\n" in text or "\x1b" in text else ""
        except BaseException as error:
            return f"raises {error!r:.300}"
        return ""

    try:
        return inside(None, told, PATIENCE)
    except (TimeoutError, ChildProcessError) as error:
        return str(error)


def command(*words: str) -> Callable[[], object]:
    """Return what runs a command, and fails if that says anything but sentences."""

    def run() -> None:
        try:
            done = netlinkpy(*words, seconds=PATIENCE)
        except UnicodeDecodeError:  # a name that is none
            return
        assert done.returncode in (0, 1, 2, 255) and "Traceback" not in done.stderr, done

    return run


# -- engines -----------------------------------------------------------------------------------------------


def endless(head: bytes, piece: bytes) -> Answer:
    def answer(_: str, connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(piece)

    return answer


def slow(data: bytes) -> Answer:
    def answer(_: str, connection: socket.socket) -> None:
        for byte in data * 1000:
            connection.sendall(bytes([byte]))
            connection.settimeout(0.01)
            try:
                if not connection.recv(1):
                    return
            except TimeoutError:
                continue

    return answer


OK = b"HTTP/1.1 200 OK\r\n"
ENGINES: list[Answer] = [
    *map(saying, GARBAGE),
    endless(b"", b"x" * 65536),
    endless(b"HTTP/1.1 200 OK\r\n", b"A: " + b"b" * 1000 + b"\r\n"),
    endless(OK + b"\r\n", b" " * 65536),
    endless(OK + b"\r\n", b"[" * 65536),
    endless(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n[\r\n"),
    endless(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 65536),
    endless(OK + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n", b" " * 65536),
    endless(OK + b"Content-Length: 99999999999\r\n\r\n", b" " * 65536),
    slow(OK + b"Content-Length: 100000\r\n\r\n"),
    slow(OK),
    saying(OK + b"\r\n" + b'{"State":' * 50_000 + b"1" + b"}" * 50_000),
    saying(OK + b"\r\n" + b'[{"Id": "' + b"\xff" * 100 + b'", "Names": ["/\\u001b[2J"]}]'),
    saying(OK + b"\r\n" + b'{"State": {"Running": true, "Pid": ' + b"9" * 5000 + b"}}"),
]


def test_engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: Table) -> None:
    path = tmp_path / "docker.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    questions = (lambda: resolve("docker", "web", timeout=0.5), lambda: names("docker", timeout=0.5))
    unclean = []
    for number, answer in enumerate(ENGINES):
        with listening(path, answer):
            unclean += [f"engine {number} {said}" for ask in questions if (said := said_of(ask))]
        path.unlink()
    table.add("hostile", "engines", len(ENGINES) * len(questions), unclean, backend="")


# -- /run/netns --------------------------------------------------------------------------------------------


def _bound(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)


def _huge(path: str) -> None:
    with open(path, "wb") as file:
        file.truncate(1 << 40)


ENTRIES: dict[str, Callable[[str], object]] = {
    "fifo": os.mkfifo,
    "loop": lambda path: os.symlink(path, path),
    "zero": lambda path: os.symlink("/dev/zero", path),
    "terminal": lambda path: os.symlink("/dev/ptmx", path),
    "null": lambda path: os.symlink("/dev/null", path),
    "nowhere": lambda path: os.symlink("/nowhere", path),
    "folder": os.mkdir,
    "upwards": lambda path: os.symlink("..", path),
    "another": lambda path: os.symlink("/proc/self/ns/mnt", path),
    "socket": _bound,
    "huge": _huge,
    "two\nlines": os.mkfifo,
    "re\x7fd": os.mkfifo,
    os.fsdecode(b"\xff\xfe"): os.mkfifo,
    "x" * 255: os.mkfifo,
    " ": os.mkfifo,
    "-rf": os.mkfifo,
    "4711": os.mkfifo,
}


@pytest.fixture
def entries(loopback: None) -> list[str]:
    """They lie there beside two namespaces."""
    nl.netns.create_many(["a", "z"])
    for name, make in ENTRIES.items():
        make(f"{RUN}/{name}")
    return list(ENTRIES)


def test_entries_of_run_netns(entries: list[str], table: Table) -> None:
    with nl.RTNetlink() as host:
        make_bridge(host, BRIDGE, "172.17.42.1/16")
    nl.Network.create("web", subnets="172.30.0.0/16")
    nl.networks.connect("web", "a")
    calls: dict[str, Callable[[], object]] = {
        "list": nl.netns.list,
        "discover": discover,
        "show": collect.read,
        "members": lambda: nl.Network.get("web").members(),
        "ip netns list": command("ip", "netns", "list"),
        "ip netns identify": command("ip", "netns", "identify"),
        "network inspect": command("network", "inspect", "web"),
        "show in text": command("show"),
        "ps": command("ps"),
    }
    unclean = [f"{call}: {said}" for call, work in calls.items() if (said := said_of(work))]
    verbs: dict[str, Callable[[str], object]] = {
        "open": lambda name: nl.Netns.open(name).close(),
        "ask": lambda name: nl.RTNetlink(name).close(),
        "attach": lambda name: nl.attach(endpoint(name)),
        "connect": lambda name: nl.networks.connect("web", name),
        "create": nl.netns.create,
        "attach in words": lambda name: command(
            "attach", name, "--bridge", BRIDGE, "--ip", "172.17.42.9/16"
        )(),
    }
    for verb, work in verbs.items():
        for name in entries:
            said = said_of(functools.partial(work, name), name)
            unclean += [f"{verb} {name!r}: {said}"] if said else []
    for call in (nl.netns.prune, lambda: nl.netns.delete_many([*entries, "a", "z"])):
        unclean += [said] if (said := said_of(call)) else []
    if not {"a", "z"}.isdisjoint(left := os.listdir(RUN)):
        unclean.append(f"left {left}")
    tried = len(calls) + len(verbs) * len(entries) + 2
    table.add("hostile", "/run/netns", tried, unclean, backend="")


# -- names -------------------------------------------------------------------------------------------------

NAMES = [
    "",
    " ",
    ".",
    "..",
    "/",
    "a/b",
    "a:b",
    "-a",
    "a" * 16,
    "a" * 128,
    "a" * 100_000,
    "a\0b",
    "a\nb",
    "\x1b[2J",
    os.fsdecode(b"\xff"),
    "ä" * 8,
    "%d",
    "net:web",
    "ip:2:172.30.0.1",
    "0",
    "4294967296",
]


def made_and_deleted(name: str) -> None:
    nl.netns.create(name)
    nl.netns.delete(name)


def test_names(loopback: None, table: Table) -> None:
    nl.netns.create("a")
    with nl.RTNetlink() as host:
        make_bridge(host, BRIDGE, "172.17.42.1/16")
        unclean: list[str] = []
        verbs: dict[str, Callable[[str], object]] = {
            "create a network": lambda name: nl.Network.create(name, subnets="172.30.0.0/16").remove(),
            "find a network": nl.Network.get,
            "connect to it": lambda name: nl.networks.connect(name, "a"),
            "attach to a bridge": lambda name: nl.attach(endpoint("a", bridge=name)),
            "attach an interface": lambda name: nl.detach(nl.attach(endpoint("a", ifname=name))),
            "with a host's end": lambda name: nl.detach(nl.attach(endpoint("a", host_ifname=name))),
            "to a container": lambda name: nl.attach(endpoint(name)),
            "of an engine": lambda name: nl.attach(endpoint(f"docker:{name}")),
            "find a container": lambda name: nl.run.find(name),
            "find a link": lambda name: nl.RTNetlink().links.find(name),
            "add a link": lambda name: nl.RTNetlink().links.add(name, kind="dummy"),
            "create a namespace": made_and_deleted,
        }
        for verb, work in verbs.items():
            for name in NAMES:
                said = said_of(functools.partial(work, name), name)
                unclean += [f"{verb} {name[:40]!r}: {said}"] if said else []
    table.add("hostile", "names", len(verbs) * len(NAMES), unclean, backend="")
