"""explained(): an error of the operating system, with what was tried, and the way out if there is one."""

from __future__ import annotations

import errno
import os

_REASONS = {
    errno.EAGAIN: "no more threads are allowed (RLIMIT_NPROC, or pids.max of the cgroup)",
    errno.EMFILE: "this process has as many files open as it may (RLIMIT_NOFILE, `ulimit -n`)",
    errno.ENFILE: "this host has as many files open as it may (sysctl fs.file-max)",
    errno.ENOMEM: "the kernel has no memory left for it",
    errno.ENOBUFS: "the kernel has no memory left for it",
}


def reason(number: int | None) -> str:
    """Return what an errno means where no more is known, with the limit that was reached."""
    number = number or errno.EIO
    return _REASONS.get(number) or os.strerror(number)


def explained(error: OSError, tried: str, why: str = "") -> OSError:
    """Return an error of the same errno and file that says what was tried ("open a netlink socket"). why: the
    reason, if more is known than the errno tells."""
    text = f"cannot {tried}: {why or reason(error.errno)}"
    if error.filename is None:
        return OSError(error.errno, text)
    return OSError(error.errno, text, error.filename)
