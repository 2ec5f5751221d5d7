"""Who owns a descriptor cannot be copied, and what strangers put in /run/netns makes nobody wait."""

from __future__ import annotations

import copy
import errno
import gc
import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

import netlinkpy as nl
from netlinkpy.backends.interface import Descriptors, Hush
from netlinkpy.nat import Nat
from netlinkpy.netns import Netns
from netlinkpy.nft.tables import Nftables
from netlinkpy.transport.socket import Socket
from netlinkpy.wiring.link_group import StagingGroup

OWNERS: dict[str, Callable[[], object]] = {
    "Netns": Netns.current,
    "RTNetlink": nl.RTNetlink,
    "Socket": Socket,
    "Nat": Nat,
    "Nftables": Nftables,
    "StagingGroup": StagingGroup,
    "Descriptors": lambda: Descriptors(1),
    "Hush": Hush,
}


@pytest.mark.usefixtures("loopback")
@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps], ids=lambda one: one.__name__)
def test_an_owner_is_not_copied(owner: str, duplicate: Callable[[object], object]) -> None:
    made = OWNERS[owner]()
    with pytest.raises(TypeError, match=f"{owner} owns a descriptor"):
        duplicate(made)
    made.close()  # type: ignore[attr-defined]


def test_an_unclosed_namespace_warns() -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        Netns.current()
        gc.collect()
    assert [one.category for one in told] == [ResourceWarning]


def make(path: Path, kind: str) -> None:
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "terminal":
        path.symlink_to("/dev/ptmx")
    elif kind == "zeros":
        path.symlink_to("/dev/zero")
    else:
        with open(path, "wb") as file:
            file.truncate(1 << 40)


@pytest.mark.parametrize("kind", ["fifo", "terminal", "zeros", "huge"])
def test_no_open_waits(tmp_path: Path, kind: str) -> None:
    """In a process of its own, which would stand still."""
    path = tmp_path / "blue"
    make(path, kind)
    program = (
        "import sys, netlinkpy as nl\n"
        "from netlinkpy.netns import named, Netns\n"
        "try:\n"
        "    Netns.open(sys.argv[1])\n"
        "except OSError as error:\n"
        "    print(error.errno)\n"
        "print(named._abandoned(sys.argv[1]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.stdout == f"{errno.EINVAL}\nFalse\n", done.stderr
