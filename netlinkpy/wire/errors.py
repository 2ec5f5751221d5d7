"""Errors: each is an OSError that says verb, object, container, attribute path and the kernel's text."""

from __future__ import annotations

import errno as _errno

from ..os_error import reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class MalformedError(OSError):
    """Bytes that are no netlink message (errno EBADMSG): the sender's mistake, never the caller's."""

    def __init__(self, why: str, path: str = "") -> None:
        super().__init__(_errno.EBADMSG, f"{path}: {why}" if path else why)
        self.why = why
        self.path = path

    def __reduce__(self) -> Any:
        return type(self), (self.why, self.path)

    def inside(self, name: str) -> MalformedError:
        """Return the same error with its path as seen from one level of nesting further out."""
        return MalformedError(self.why, f"{name}.{self.path}" if self.path else name)


class NetlinkError(OSError):
    """The kernel refused a request.

    errno: the kernel's; verb: what was asked ("add link br0"); where: the container or namespace, empty for
    the caller's own; path: the attribute that the kernel points at; text: the kernel's sentence; hint: ours,
    used if the kernel gives none."""

    def __init__(
        self, errno: int, verb: str, *, where: str = "", path: str = "", text: str = "", hint: str = ""
    ) -> None:
        self.verb = verb
        self.where = where
        self.path = path
        self.text = text
        self.hint = hint
        super().__init__(errno, self._sentence(errno))

    def during(self, doing: str) -> None:
        """Have the verb say what it was for."""
        self.verb = f"{doing}: {self.verb}"
        self.strerror = self._sentence(self.errno or 0)

    def _sentence(self, errno: int) -> str:
        name = _errno.errorcode.get(errno, f"errno {errno}")
        subject = f"{self.verb} in {self.where}" if self.where else self.verb
        attribute = f" (attribute {self.path})" if self.path else ""
        why = self.text or self.hint or meaning(errno)
        return f"{subject}: {why}{attribute} [{name}]"

    def __str__(self) -> str:
        return str(self.strerror)

    def __reduce__(self) -> Any:
        made = (type(self), self.errno, self.verb, self.where, self.path, self.text, self.hint)
        return _rebuild, made, self.__dict__


class DumpInterruptedError(NetlinkError):
    """A dump was interrupted by changes each time it was tried (EINTR). partial: the entries of the last
    try."""

    partial: list[Any] = []  # noqa: RUF012 - set on the instance if there are any


class LostError(NetlinkError):
    """A request was sent, and its answer could not be received: what became of it is not known."""


class OverrunError(LostError):
    """Messages were lost because the receive buffer overflowed (ENOBUFS): the answer is not known."""


class DeadlineError(NetlinkError):
    """The kernel did not answer in time (ETIMEDOUT)."""


def _rebuild(
    kind: type[NetlinkError], errno: int, verb: str, where: str, path: str, text: str, hint: str
) -> NetlinkError:
    return kind(errno, verb, where=where, path=path, text=text, hint=hint)


# What an errno without text means if it comes from rtnetlink; the C library's sentences are too general.
_MEANINGS = {
    _errno.EPERM: "not permitted: this needs CAP_NET_ADMIN in the namespace's user namespace",
    _errno.ENODEV: "no such interface",
    _errno.EEXIST: "it exists already",
    _errno.EXFULL: "the bridge is full: it holds 1023 ports at most",
    _errno.EADDRNOTAVAIL: "the address cannot be used: not there, or a multicast or zero hardware address",
    _errno.ENOTCONN: "the peer cannot be up at its creation",
    _errno.EINVAL: "the kernel finds a value invalid and does not say which",
    _errno.EOPNOTSUPP: "this kernel does not support it",
    _errno.ENETUNREACH: "unreachable: no route leads there, or no address covers the gateway",
    _errno.ESRCH: "there is no such entry",
    _errno.ENOENT: "there is no such entry",
    _errno.EBUSY: "in use",
    _errno.ERANGE: "a value is out of range",
    _errno.ENOBUFS: "answers were lost: the receive buffer ran over",
    _errno.EBADMSG: "the kernel's answer is malformed",
    _errno.ETIMEDOUT: "the kernel did not answer in time",
    _errno.EINTR: "interrupted by changes each time it was tried",
}


def meaning(errno: int) -> str:
    """Return a phrase for an errno to which the kernel gave no text."""
    return _MEANINGS.get(errno) or reason(errno)
