"""What a container sees of the kernel: its own /proc and /sys, read-only where they configure."""

from __future__ import annotations

import os

from ..backends import load
from ..uapi.mount import (
    MNT_DETACH,
    MS_BIND,
    MS_MOVE,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    MS_SLAVE,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_PLAIN = MS_NOSUID | MS_NODEV | MS_NOEXEC
_READ_ONLY = ("bus", "fs", "irq", "sys", "sysrq-trigger")  # below /proc, as Docker has them
_SCRATCH = "/proc"  # a directory that is surely there; what is mounted on it meanwhile is gone afterwards


def arrange(own_network: bool, dns: Sequence[str], privileged: bool) -> None:
    """Make the mounts of a container, in the mount and PID namespace that the caller just got: what is
    mounted here is not seen outside, what is unmounted outside goes here too. /dev/shm is its own; the rest
    of the file system is the host's.

    own_network: the network namespace is not the caller's, so /sys must be mounted anew to show its links."""
    mount = load().mount
    mount("none", "/", None, MS_REC | MS_SLAVE)
    if dns:
        _put("/etc/resolv.conf", "".join(f"nameserver {address}\n" for address in dns))
    if os.path.isdir("/dev/shm"):
        mount("shm", "/dev/shm", "tmpfs", _PLAIN)
    if os.path.isdir("/sys"):
        _mount_sysfs(own_network)
    mount("proc", "/proc", "proc", _PLAIN)
    if not privileged:
        # root may write here without any capability: its files are root's.
        for path in [f"/proc/{name}" for name in _READ_ONLY if os.path.exists(f"/proc/{name}")]:
            mount(path, path, None, MS_BIND)
            mount("none", path, None, MS_REMOUNT | MS_BIND | MS_RDONLY | _PLAIN)
        for path in _mounts_at("/sys"):  # the control groups, too: who writes there stops our first process
            mount("none", path, None, MS_REMOUNT | MS_BIND | MS_RDONLY | _PLAIN)


def _mount_sysfs(own_network: bool) -> None:
    """Mount /sys anew, to show the links of this network namespace; the control groups stay where they were.
    A user namespace may mount none for a network namespace above it: then the caller's stays."""
    mount = load().mount
    try:
        mount("sysfs", _SCRATCH, "sysfs", _PLAIN)
    except PermissionError:
        if own_network:
            raise
        return
    if os.path.isdir("/sys/fs/cgroup"):
        mount("/sys/fs/cgroup", f"{_SCRATCH}/fs/cgroup", None, MS_BIND | MS_REC)
    mount(_SCRATCH, "/sys", None, MS_MOVE)


def _mounts_at(path: str) -> list[str]:
    """Return where something is mounted, at a path and below (proc_pid_mountinfo(5))."""
    top = path.encode()
    with open("/proc/self/mountinfo", "rb") as table:
        # A space, a tab, a line end and a backslash stand there as \\ and three octal digits.
        places = [line.split(b" ", 5)[4].decode("unicode_escape").encode("latin-1") for line in table]
    below = top + b"/"
    return [os.fsdecode(one) for one in dict.fromkeys(places) if one == top or one.startswith(below)]


def _put(path: str, content: str) -> None:
    """Lay a file over one that is there: the file lives in a mount of its own, and is nowhere else."""
    backend = load()
    backend.mount("netlinkpy", _SCRATCH, "tmpfs", _PLAIN)
    try:
        source = f"{_SCRATCH}/file"
        with open(source, "w") as file:
            file.write(content)
        backend.mount(source, path, None, MS_BIND)
    finally:
        backend.umount(_SCRATCH, MNT_DETACH)
