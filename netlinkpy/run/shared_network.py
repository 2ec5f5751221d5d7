"""SharedNetwork: the network of another container, which --net=container:TARGET asks for."""

from __future__ import annotations

import errno

from ..netns.handle import Netns
from ..record import Record
from .running import Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class SharedNetwork(Record):
    """The network namespace to share, open; hostname, dns: what a container of ours shares with it."""

    netns: Netns
    hostname: str | None = None
    dns: tuple[str, ...] = ()


def open_target(text: str) -> SharedNetwork:
    """Open the network of a TARGET: a container of ours by name, or what `netlinkpy attach` takes.

    Raise ProcessLookupError or FileNotFoundError if there is none, ValueError if it cannot be one."""
    if not text:
        raise ValueError("container: needs a TARGET")
    try:
        with Call(text) as call:
            told = call.tell()
            netns = Netns.open(told.pid)
            try:
                call.check_alive()
            except BaseException:
                netns.close()
                raise
            return SharedNetwork(netns, told.hostname or None, told.dns)
    except (ProcessLookupError, ValueError):
        return SharedNetwork(_open(text))


def _open(text: str) -> Netns:
    from ..engines.target import read_target

    target: Any = read_target(text)
    try:
        return Netns.open(target)
    except FileNotFoundError as error:
        if target != text or "/" in text:
            raise
        sentence = f"there is no container {text}: none of ours runs by that name, no namespace bears it"
        raise FileNotFoundError(errno.ENOENT, sentence, error.filename) from None
