"""Errors of the operating system say the verb, what was tried and why, and descriptors have one owner."""

from __future__ import annotations

import errno
import os
import pickle
import struct
from collections.abc import Callable

import pytest

import netlinkpy as nl
from netlinkpy.closing import Descriptor, close_owned
from netlinkpy.nat import Nat
from netlinkpy.networks import removing
from netlinkpy.os_error import during, explained
from netlinkpy.wire.errors import NetlinkError, OverrunError
from netlinkpy.wire.transaction import Request


def test_the_verb_comes_first_once() -> None:
    for inner, text in (
        (OSError(errno.EIO, "cannot read x", "/x"), "[Errno 5] remove network web: cannot read x: '/x'"),
        (NetlinkError(errno.EBUSY, "list links"), "remove network web: list links: in use [EBUSY]"),
        (NetlinkError(errno.EBUSY, "remove network web", text="no"), "remove network web: no [EBUSY]"),
    ):
        with pytest.raises(type(inner)) as caught, during("remove network web"):
            raise inner
        assert str(caught.value) == text and caught.value.errno == inner.errno
        assert str(pickle.loads(pickle.dumps(caught.value))) == text


def test_what_is_no_error_of_the_system_passes() -> None:
    with pytest.raises(ValueError, match=r"^no$"), during("remove network web"):
        raise ValueError("no")
    failed = nl.AttachError(errno.EEXIST, "create eth0", where="process 7")
    with pytest.raises(nl.AttachError, match=r"^create eth0 in process 7"), during("attach process 7"):
        raise failed


def test_a_limit_is_named_and_the_file_kept() -> None:
    told = explained(OSError(errno.ENFILE, "x", "/f"), "open f")
    assert str(told) == (
        "[Errno 23] cannot open f: this host has as many files open as it may (sysctl fs.file-max): '/f'"
    )
    assert isinstance(explained(OSError(errno.EPERM, "x"), "enter"), PermissionError)


def unserve() -> None:
    with Nat() as nat:
        nat.remove_network(7)


@pytest.mark.parametrize(
    ("verb", "work"),
    [
        ("create network web: find ", lambda: nl.Network.create("web", subnets="172.30.0.0/16")),
        ("remove network web: find ", lambda: removing.remove("web")),
        ("connect process 1 to network web: find ", lambda: nl.networks.connect("web", 1)),
        ("disconnect process 1 from network web: find ", lambda: nl.networks.disconnect("web", 1)),
        ("remove network 7: ask for ", unserve),
    ],
)
def test_each_verb_says_whose_question_failed(
    verb: str, work: Callable[[], object], fresh_namespace: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(self: object, requests: list[Request], **_: object) -> None:
        raise OverrunError(errno.ENOBUFS, requests[0].verb)

    monkeypatch.setattr("netlinkpy.transport.socket.Socket.ask", asked)
    with pytest.raises(OverrunError) as caught:
        work()
    assert str(caught.value).startswith(verb)


def test_a_descriptor_is_closed_once() -> None:
    one = Descriptor()
    assert one.fileno() == -1
    one.close()
    one.open("/", os.O_RDONLY)
    number = one.fileno()
    one.close()
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(number)
    other = os.open("/", os.O_RDONLY)
    assert other == number
    one.close()
    os.fstat(other)
    numbers = bytearray(struct.pack("=3i", -1, other, -1))
    doomed: list[int | None] = []
    close_owned(numbers, doomed)
    close_owned(numbers, doomed)
    assert numbers == b"\xff" * 12 and not doomed
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(other)
