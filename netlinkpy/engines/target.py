"""TARGET: how a command line names a container: a name in /run/netns, a path, a process id; or a scheme and a
name."""

from __future__ import annotations

import os

from ..netns.handle import named_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..netns.handle import Target

HELP = "TARGET is a name in /run/netns, a path, a process id; or netns:NAME, pid:N, docker:NAME, podman:NAME"


def read_target(text: str) -> Target:
    """Return what a TARGET means to the library: digits are a process unless a namespace bears that name (as
    `ip` looks).

    Raise ValueError if it can be none, OSError if an engine does not know the container."""
    scheme, colon, rest = text.partition(":")
    if colon and scheme == "netns":
        named_path(rest)
        return rest
    if colon and scheme == "pid":
        return _pid(rest)
    if colon and "/" not in scheme and scheme in ("docker", "podman"):
        from .container_pid import resolve

        return resolve(scheme, rest)
    if "/" in text:
        return text
    if text.isascii() and text.isdigit() and not os.path.lexists(named_path(text)):
        return _pid(text)
    named_path(text)
    return text


def _pid(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 0 < int(text) <= 0x7FFFFFFF:
        raise ValueError(f"{text!r} is no process id")
    return int(text)
