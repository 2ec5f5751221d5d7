"""The network namespaces of a host, found by the processes in them and by the names in /run/netns."""

from __future__ import annotations

import os

from ..os_error import explained
from ..record import Record
from .handle import RUN_DIRECTORY, Netns
from .named import list as names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


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


def discover() -> dict[int, Namespace]:
    """Return all namespaces that can be seen, by inode; the caller's own may be among them."""
    first: dict[int, int] = {}
    for pid in processes():
        inode = inode_of(pid)
        if inode:
            first.setdefault(inode, pid)
    named: dict[int, list[str]] = {}
    for name, inode in named_inodes():
        named.setdefault(inode, []).append(name)
    return {
        inode: Namespace(inode, first.get(inode, 0), tuple(named.get(inode, ())))
        for inode in (*first, *(inode for inode in named if inode not in first))
    }


def processes() -> list[int]:
    """Return the processes that /proc shows, ascending."""
    try:
        found = os.listdir("/proc")
    except OSError as error:
        raise explained(error, "list the processes") from None
    return sorted([int(entry) for entry in found if entry.isdigit()])


def inode_of(pid: int | str) -> int:
    """Return the network namespace of a process ("self": ours); 0 if it is gone, or we may not look at it."""
    try:
        target = os.readlink(f"/proc/{pid}/ns/net")  # a third of a stat, for every process there is
    except OSError:
        return 0
    digits = target.removeprefix("net:[").removesuffix("]")
    return int(digits) if digits.isdigit() else 0


def named_inodes() -> Iterator[tuple[str, int]]:
    """Yield (name, inode) for each name in /run/netns that is a namespace's."""
    with Netns.current() as own:
        device = own.identity[0]
    for name in names():
        try:
            status = os.stat(f"{RUN_DIRECTORY}/{name}")
        except OSError:  # it dangles
            continue
        if status.st_dev == device:
            yield name, status.st_ino
