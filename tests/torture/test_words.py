"""What a verb says when the system fails it, on every backend: verb, object, cause, and the way out."""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

import netlinkpy as nl
from netlinkpy.sockets.unix_names import bound
from netlinkpy.transport.socket import Socket
from netlinkpy.wiring.link_group import regroup
from netlinkpy.wiring.recipe import RECIPE, Step
from tests.support.namespaces import BareNamespace
from tests.support.system_calls import Call, Watched
from tests.support.wiring_testbed import BRIDGE, GATEWAY, endpoint, endpoints, make_bridge

FILES = "RLIMIT_NOFILE, `ulimit -n`"
MEMORY = "the kernel has no memory left for it"
RIGHT = "CAP_SYS_ADMIN in the user namespace"


class Failing:
    """The calls of a name fail: the n-th, or all from there on."""

    def __init__(self, name: str, error: int, first: int = 1, *, once: bool = False) -> None:
        self.name, self.error, self.first, self.once = name, error, first, once
        self.seen = 0

    def __call__(self, call: Call) -> int:
        self.seen += call.name == self.name
        fails = self.seen == self.first if self.once else self.seen >= self.first
        return self.error if call.name == self.name and fails else 0


def said(work: Callable[[], Any], failing: Callable[[Call], int]) -> str:
    with Watched(work, failing, seconds=8) as watched:
        assert watched.error and not watched.left and not watched.killed, watched.names
        return watched.words


@pytest.mark.parametrize(
    ("failing", "words"),
    [
        (("newfstatat", errno.EACCES), "namespace"),
        (("openat", errno.EMFILE), FILES),
        (("socket", errno.EMFILE), FILES),
        (("socket", errno.ENFILE), "sysctl fs.file-max"),
        (("bind", errno.ENOMEM), MEMORY),
        (("bind", errno.EPERM), "netlink socket"),
        (("sendto", errno.ENOBUFS), MEMORY),
        (("recvfrom", errno.ENOBUFS), "answers were lost"),
        (("setns", errno.EPERM), RIGHT),
        (("setns", errno.ENOMEM), MEMORY),
        (("setns", errno.ENOBUFS), f"open a socket in namespace .*: {MEMORY}"),
    ],
    ids=str,
)
def test_attach(
    host: nl.RTNetlink,
    bare_namespaces: Callable[[int], list[BareNamespace]],
    failing: tuple[str, int],
    words: str,
) -> None:
    make_bridge(host, BRIDGE, f"{GATEWAY}/16")
    wanted = endpoint(bare_namespaces(1)[0])
    nl.detach(nl.attach(wanted))  # its modules are loaded
    text = said(lambda: nl.attach(wanted), Failing(*failing))
    name = errno.errorcode[failing[1]].replace("ENOBUFS", "ENO")  # that of a send may be ENOMEM
    assert str(wanted.netns) in text and re.search(words, text) and name in text, text


def test_attach_many(host: nl.RTNetlink, bare_namespaces: Callable[[int], list[BareNamespace]]) -> None:
    """A step that is sent once for many is told in words, not by its name."""
    make_bridge(host, BRIDGE, f"{GATEWAY}/16")
    wanted = endpoints(bare_namespaces(2))
    nl.detach_many(nl.attach_many(wanted))
    told = []
    for first in range(1, 30):
        with Watched(
            lambda: nl.attach_many(wanted), Failing("recvfrom", errno.ENOBUFS, first, once=True)
        ) as one:
            told.append(one.words)
    names = [step.name for step in RECIPE if isinstance(step, Step)]
    assert not [text for text in told if any(f": {name}: " in text for name in names)]
    assert any("make veth" in text and "a port of" in text for text in told), told


@pytest.mark.parametrize(
    ("failing", "words"),
    [
        (("socket", errno.EMFILE), FILES),
        (("bind", errno.EADDRINUSE), "no port id is free"),
        (("sendto", errno.ENOBUFS), MEMORY),
        (("recvfrom", errno.ENOBUFS), "answers were lost"),
    ],
    ids=str,
)
def test_detach(
    host: nl.RTNetlink,
    bare_namespaces: Callable[[int], list[BareNamespace]],
    failing: tuple[str, int],
    words: str,
) -> None:
    make_bridge(host, BRIDGE, f"{GATEWAY}/16")
    made = nl.attach(endpoint(bare_namespaces(1)[0]))
    text = said(lambda: nl.detach(made), Failing(*failing))
    assert f"detach eth0 of {made.netns}: " in text and words in text, text
    assert nl.detach(made)


@pytest.mark.parametrize(
    ("name", "error", "number", "words"),
    [
        ("sendto", errno.ENOBUFS, 1, MEMORY),  # no answer was lost
        ("recvfrom", errno.ENOBUFS, 1, "answers were lost: the receive buffer ran over"),
        ("getsockname", errno.ENOMEM, 2, MEMORY),  # it waited until the deadline
    ],
    ids=str,
)
def test_an_exchange(host: nl.RTNetlink, name: str, error: int, number: int, words: str) -> None:
    def work() -> None:
        with Socket() as sock:
            regroup(sock, [1], 0)

    began = time.monotonic()
    text = said(work, Failing(name, error, number, once=True))
    assert f"group links: {words}; 0 of 1 messages were answered" in text, text
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("failing", "words"),
    [
        (("mkdir", errno.EROFS), "make /run/netns: Read-only file system"),
        (("flock", errno.ENOLCK), "lock /run/netns: No locks available"),
        (
            ("mount", errno.EPERM),
            "share between mount namespaces /run/netns: not permitted: this needs CAP_SYS_ADMIN",
        ),
        (("unshare", errno.ENOSPC), "sysctl user.max_net_namespaces"),
    ],
    ids=str,
)
def test_create(host: nl.RTNetlink, failing: tuple[str, int], words: str) -> None:
    text = said(lambda: nl.netns.create("blue"), Failing(*failing))
    assert "cannot create namespace blue: " in text and words in text, text


@pytest.mark.parametrize(
    "verb", [nl.netns.list, nl.netns.prune, lambda: nl.netns.pids(os.getpid())], ids=["list", "prune", "pids"]
)
def test_what_lists(host: nl.RTNetlink, verb: Callable[[], Any]) -> None:
    nl.netns.create("blue")
    verb()
    first = 2 if verb not in (nl.netns.list, nl.netns.prune) else 1
    text = said(verb, Failing("openat", errno.EMFILE, first))
    assert "cannot list the " in text and FILES in text, text


def test_call(host: nl.RTNetlink, bare_namespaces: Callable[[int], list[BareNamespace]]) -> None:
    path = bare_namespaces(1)[0].path
    text = said(lambda: nl.netns.call(path, os.getpid), Failing("setns", errno.EPERM))
    assert f"cannot enter namespace {path}: not permitted" in text and RIGHT in text, text


def test_a_thread_that_could_not_begin(
    host: nl.RTNetlink, bare_namespaces: Callable[[int], list[BareNamespace]]
) -> None:
    """It had no memory for its first line, and was waited for without end."""
    path = bare_namespaces(1)[0].path

    def no_memory_for_threads(call: Call) -> int:
        with open(f"/proc/{call.thread}/status") as status:
            first = next(int(line.split()[1]) for line in status if line.startswith("Tgid:"))
        return errno.ENOMEM if call.name == "mmap" and call.thread != first else 0

    text = said(lambda: nl.netns.call(path, os.getpid), no_memory_for_threads)
    assert f"cannot begin a thread in namespace {path}: {MEMORY}" in text, text


def test_names_of_sockets(host: nl.RTNetlink) -> None:
    def no_file(call: Call) -> int:
        return errno.EMFILE if call.name in ("socket", "openat") else 0

    bound("x")  # its modules are loaded
    text = said(lambda: bound("x"), no_file)
    assert f"cannot list unix sockets: this process has as many files open as it may ({FILES})" in text, text
