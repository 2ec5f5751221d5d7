"""run: commands in namespaces of their own, with the network in one of Docker's four modes. No daemon and no
state: what runs is what the kernel holds."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .container import Container as Container
    from .container import start as start
    from .executing import execute as execute
    from .options import Options as Options
    from .running import Call as Call
    from .running import Running as Running
    from .running import find as find
    from .running import listing as listing
    from .sync_pipe import StartError as StartError

_PLACES = {
    "Container": "container",
    "start": "container",
    "execute": "executing",
    "StartError": "sync_pipe",
    **dict.fromkeys(("Call", "Running", "find", "listing"), "running"),
    "Options": "options",
}

__all__ = [*_PLACES]


def __getattr__(name: str) -> object:
    from .._lazy import fetch

    return fetch(__name__, _PLACES, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
