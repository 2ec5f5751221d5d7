"""run: commands in namespaces of their own, with the network in one of Docker's four modes. No daemon and no
state: what runs is what the kernel holds."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .container import Container as Container
    from .container import start as start
    from .enter import execute as execute
    from .line import StartError as StartError
    from .names import Call as Call
    from .names import Running as Running
    from .names import find as find
    from .names import listing as listing
    from .options import Options as Options

_PLACES = {
    "Container": "container",
    "start": "container",
    "execute": "enter",
    "StartError": "line",
    **dict.fromkeys(("Call", "Running", "find", "listing"), "names"),
    "Options": "options",
}


def __getattr__(name: str) -> object:
    from .._lazy import fetch

    return fetch(__name__, _PLACES, name)
