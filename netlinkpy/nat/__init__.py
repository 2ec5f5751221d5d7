"""nat: what the host's packet filter does for networks: masquerading, published ports, isolation; one
nf_tables table."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .foreign import ForeignDrop as ForeignDrop
    from .forwarding import Setting as Setting
    from .nat import Nat as Nat
    from .records import NatNetwork as NatNetwork
    from .records import Port as Port

_PLACES = {
    "ForeignDrop": "foreign",
    "Setting": "forwarding",
    "Nat": "nat",
    "NatNetwork": "records",
    "Port": "records",
}


def __getattr__(name: str) -> object:
    from .._lazy import fetch

    return fetch(__name__, _PLACES, name)
