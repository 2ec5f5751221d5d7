"""networks: Docker's networks without a daemon or a state file: bridges with subnets, automatic addresses and
masquerading, all read back from the kernel."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .connecting import connect as connect
    from .connecting import connect_many as connect_many
    from .connecting import disconnect as disconnect
    from .connection import Connection as Connection
    from .members import Member as Member
    from .network import Network as Network
    from .network import default as default
    from .network_record import NetworkRecord as NetworkRecord
    from .network_record import Subnet as Subnet
    from .watching import watch as watch

_PLACES = {
    **dict.fromkeys(("connect", "connect_many", "disconnect"), "connecting"),
    "Connection": "connection",
    "Member": "members",
    "Network": "network",
    "default": "network",
    "NetworkRecord": "network_record",
    "Subnet": "network_record",
    "watch": "watching",
}

__all__ = [*_PLACES]


def __getattr__(name: str) -> object:
    from .._lazy import fetch

    return fetch(__name__, _PLACES, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
