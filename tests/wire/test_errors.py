"""Errors: OSErrors that say verb, place, attribute and cause in one line, and travel between processes."""

from __future__ import annotations

import copy
import errno
import os
import pickle

import pytest

import netlinkpy as nl
from netlinkpy.wire.errors import MalformedError, NetlinkError, meaning

KINDS = [NetlinkError, nl.DumpInterruptedError, nl.OverrunError, nl.DeadlineError, nl.AttachError]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            NetlinkError(errno.EEXIST, "add link A", where="process 7", path="ifname", text="because"),
            "add link A in process 7: because (attribute ifname) [EEXIST]",
        ),
        (NetlinkError(errno.EEXIST, "add link A", hint="ours"), "add link A: ours [EEXIST]"),
        (NetlinkError(errno.EEXIST, "add link A", text="theirs", hint="ours"), "add link A: theirs [EEXIST]"),
        (NetlinkError(errno.EEXIST, "add link A"), "add link A: it exists already [EEXIST]"),
        (NetlinkError(errno.ENOSPC, "do it"), f"do it: {os.strerror(errno.ENOSPC)} [ENOSPC]"),
        (NetlinkError(4000, "do it"), f"do it: {os.strerror(4000)} [errno 4000]"),
        (MalformedError("too short"), "[Errno 74] too short"),
        (MalformedError("too short", "linkinfo").inside("link"), "[Errno 74] link.linkinfo: too short"),
        (
            MalformedError("too short").inside("data").inside("linkinfo"),
            "[Errno 74] linkinfo.data: too short",
        ),
    ],
)
def test_the_sentence(error: OSError, text: str) -> None:
    assert str(error) == text


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_an_os_error_and_travels(kind: type[NetlinkError]) -> None:
    error = kind(errno.EPERM, "do it", where="here", path="a.b", text="text", hint="hint")
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(other) is kind and isinstance(other, OSError)
        assert (other.errno, str(other)) == (error.errno, str(error))
        assert (other.verb, other.where, other.path, other.text, other.hint) == (
            "do it",
            "here",
            "a.b",
            "text",
            "hint",
        )


def test_what_a_dump_gave_travels_too() -> None:
    error = nl.DumpInterruptedError(errno.EINTR, "list links")
    assert error.partial == []
    error.partial = [{"ifname": "lo"}]
    assert pickle.loads(pickle.dumps(error)).partial == [{"ifname": "lo"}]
    assert nl.DumpInterruptedError(errno.EINTR, "list links").partial == []


def test_malformed_errors_travel() -> None:
    error = MalformedError("too short", "linkinfo")
    back = pickle.loads(pickle.dumps(error))
    assert (type(back), str(back), back.path, back.why) == (
        MalformedError,
        str(error),
        "linkinfo",
        "too short",
    )


def test_every_errno_has_a_phrase() -> None:
    for number in errno.errorcode:
        assert meaning(number) and "\n" not in meaning(number)
