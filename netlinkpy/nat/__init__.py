"""nat: what the host's packet filter does for networks: masquerading, published ports, isolation, in one
nf_tables table."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .forwarding import Setting as Setting
    from .nat import Nat as Nat
    from .nat import PortTakenError as PortTakenError
    from .nat import TableState as TableState
    from .other_firewalls import ForeignDrop as ForeignDrop
    from .other_firewalls import bridged_drops as bridged_drops
    from .records import NatNetwork as NatNetwork
    from .records import Port as Port

_PLACES = {
    "ForeignDrop": "other_firewalls",
    "bridged_drops": "other_firewalls",
    "Setting": "forwarding",
    "Nat": "nat",
    "PortTakenError": "nat",
    "TableState": "nat",
    "NatNetwork": "records",
    "Port": "records",
}

__all__ = [*_PLACES]


def __getattr__(name: str) -> object:
    from .._lazy import fetch

    return fetch(__name__, _PLACES, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
