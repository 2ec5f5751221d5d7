"""The TARGET of --net=container:TARGET: whose network is to be shared."""

from __future__ import annotations

import errno

from ..netns.handle import Netns
from ..record import Record
from .running import Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Shared(Record):
    """The network namespace to be shared, open; and what else one of our own containers shares with it."""

    netns: Netns
    hostname: str | None = None
    dns: tuple[str, ...] = ()


def open_target(text: str) -> Shared:
    """Find it: one of our own by name, or what `netlinkpy attach` takes for a TARGET.

    ProcessLookupError or FileNotFoundError where it is not there; ValueError where it cannot be."""
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
            return Shared(netns, told.hostname or None, told.dns)
    except (ProcessLookupError, ValueError):
        return Shared(_open(text))


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
