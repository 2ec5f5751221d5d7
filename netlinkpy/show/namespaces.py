"""The network namespaces of a host, found by the processes in them and by the names in /run/netns."""

from __future__ import annotations

import os

from ..netns.handle import Netns
from ..netns.named import list as names
from ..record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_COMMAND_ROOM = 4096  # bytes of a command line that are looked at


class Namespace(Record):
    """One network namespace: its inode, which identifies it (all are in one file system, nsfs); its first
    process, 0 if it has none; its names in /run/netns."""

    inode: int
    pid: int
    names: tuple[str, ...]

    def open(self) -> Netns:
        """Open it. Raise OSError if it is gone, or we may not look at it."""
        ways: list[int | str] = [self.pid] if self.pid else []
        refusal: OSError | None = None
        for way in [*ways, *self.names]:
            try:
                handle = Netns.open(way)
            except OSError as error:
                refusal = error
                continue
            if handle.identity[1] == self.inode:
                return handle
            handle.close()  # the process has ended, and another one has its number
        raise refusal or ProcessLookupError(f"namespace {self.inode} is gone")


def find() -> dict[int, Namespace]:
    """Return all namespaces that can be seen, by inode; the caller's own may be among them."""
    first: dict[int, int] = {}
    for pid in sorted(int(entry) for entry in os.listdir("/proc") if entry.isdigit()):
        inode = inode_of(pid)
        if inode:
            first.setdefault(inode, pid)
    named: dict[int, list[str]] = {}
    for name, inode in _named():
        named.setdefault(inode, []).append(name)
    return {
        inode: Namespace(inode, first.get(inode, 0), tuple(named.get(inode, ())))
        for inode in (*first, *(inode for inode in named if inode not in first))
    }


def inode_of(pid: int | str) -> int:
    """Return the network namespace of a process ("self": ours); 0 if it is gone, or we may not look at it."""
    try:
        target = os.readlink(f"/proc/{pid}/ns/net")  # a third of a stat, for every process there is
    except OSError:
        return 0
    digits = target.removeprefix("net:[").removesuffix("]")
    return int(digits) if digits.isdigit() else 0


def command_of(pid: int) -> str:
    """Return the command line of a process, its program without the path; "" if it is gone."""
    words = [word for word in _contents(f"/proc/{pid}/cmdline").split("\0") if word]
    if not words:
        return _contents(f"/proc/{pid}/comm").strip()
    return " ".join([words[0].rpartition("/")[2] or words[0], *words[1:]])


def control_groups_of(pid: int) -> str:
    """Return what /proc/PID/cgroup says; "" if the process is gone."""
    return _contents(f"/proc/{pid}/cgroup")


def _contents(path: str) -> str:
    try:
        with open(path, "rb", buffering=0) as file:
            return os.fsdecode(file.read(_COMMAND_ROOM) or b"")
    except OSError:
        return ""


def _named() -> Iterator[tuple[str, int]]:
    """Yield (name, inode) for each name in /run/netns that is a namespace's."""
    device = os.stat("/proc/self/ns/net").st_dev
    for name in names():
        try:
            status = os.stat(f"/run/netns/{name}")
        except OSError:  # it dangles
            continue
        if status.st_dev == device:
            yield name, status.st_ino
