"""What tests of networks share: subnets, the check that nothing changed, and children that die halfway."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

import netlinkpy as nl
from netlinkpy.wiring.attach import Hooks, wire_endpoints
from netlinkpy.wiring.link_group import is_staging
from tests.support.crash import interrupted
from tests.support.namespaces import Namespace
from tests.support.snapshot import snapshot

SUBNET, GATEWAY = "172.30.0.0/16", "172.30.0.1"
SUBNET6, GATEWAY6 = "fd00:30::/64", "fd00:30::1"


def settle(*places: Namespace) -> None:
    """Wait until what the kernel does by itself (joining groups, duplicate address detection) is over."""
    deadline = time.monotonic() + 5
    now = [snapshot(place) for place in (None, *places)]
    while time.monotonic() < deadline:
        time.sleep(0.1)
        before, now = now, [snapshot(place) for place in (None, *places)]
        if before == now:
            return


def check_restored(before: Sequence[dict[str, object]], *places: Namespace) -> None:
    """Check that the state of the host and these namespaces becomes what it was, once the kernel has done
    what it does in its own time (routes follow the carrier)."""
    deadline = time.monotonic() + 3
    for place, was in zip((None, *places), before, strict=True):
        while (now := snapshot(place)) != was and time.monotonic() < deadline:
            time.sleep(0.05)
        for table in was:
            new, old = _rows(now, table), _rows(was, table)
            assert new == old, (place, table, "too much", new - old, "missing", old - new)


def _rows(state: dict[str, Any], table: str) -> set[str]:
    return {repr(row) for row in state[table]}


def outcome_at(at: int, work: Callable[[], object]) -> str:
    """Let a child do some work, killed by SIGKILL just before its conversation `at` with the kernel (0:
    never). Return "killed", "done", or what was raised."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            with interrupted(at, signal.SIGKILL):
                work()
            os.write(write_end, b"done")
        except BaseException as error:
            os.write(write_end, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.close(write_end)
    with open(read_end) as pipe:
        said = pipe.read()
    _, status = os.waitpid(pid, 0)
    return "killed" if os.WIFSIGNALED(status) else said


def leftovers(host: nl.RTNetlink) -> list[str]:
    """Return the links that are not finished."""
    return [link.name for link in host.links.list() if is_staging(link.group)]


def wired(endpoints: list[nl.Endpoint], **hooks: Any) -> list[nl.Attachment]:
    """attach_many() with hooks (wiring/attach.py)."""
    made = wire_endpoints(endpoints, whole=True, hooks=Hooks(**hooks))
    return [one for one in made if isinstance(one, nl.Attachment)]
