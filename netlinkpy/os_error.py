"""Errors of the operating system say what was tried and the way out if there is one (explained()), and which
verb it was for (during)."""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

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
    if not why and str(error.filename).startswith("/proc") and not os.path.exists("/proc/self"):
        why = "is /proc mounted?"
    text = f"cannot {tried}: {why or reason(error.errno)}"
    if error.filename is None:
        return OSError(error.errno, text)
    return OSError(error.errno, text, error.filename)


def not_entered(number: int | None) -> str:
    """Return what an errno means where a network namespace was to be entered; "" if no more than anywhere."""
    if number == errno.EPERM:
        return "not permitted to enter it: this needs CAP_SYS_ADMIN in the user namespace that owns it"
    return "it is no network namespace" if number == errno.EINVAL else ""


class during:  # noqa: N801 - read as a word: with during("remove network web"): ...
    """Its `with` block does this: an OSError that leaves it says so first, unless it does so already."""

    __slots__ = ("_doing",)

    def __init__(self, doing: str) -> None:
        self._doing = doing

    def __enter__(self) -> None:
        return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        said = f"{self._doing}:", f"{self._doing} "
        if isinstance(error, OSError) and not str(error.strerror).startswith(said):
            told: Any = error
            if hasattr(told, "during"):
                told.during(self._doing)
            else:
                error.strerror = f"{self._doing}: {error.strerror or error}"
                error.args = (error.errno, error.strerror, *error.args[2:])
