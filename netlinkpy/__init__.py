"""netlinkpy: wire containers on Linux by hand-built netlink messages. See README.md or
help(netlinkpy.attach)."""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import nat as nat
    from . import netns as netns
    from . import networks as networks
    from . import run as run
    from .backends import backend as backend
    from .netns.handle import Netns as Netns
    from .networks.attaching import attach as attach
    from .networks.attaching import attach_many as attach_many
    from .networks.network import Network as Network
    from .rtnl.address import Address as Address
    from .rtnl.bulk import BulkError as BulkError
    from .rtnl.bulk import RowError as RowError
    from .rtnl.fdb import ForwardingEntry as ForwardingEntry
    from .rtnl.link import Link as Link
    from .rtnl.link import Peer as Peer
    from .rtnl.neighbour import Neighbour as Neighbour
    from .rtnl.netlink import RTNetlink as RTNetlink
    from .rtnl.route import Nexthop as Nexthop
    from .rtnl.route import Route as Route
    from .rtnl.rule import Rule as Rule
    from .wire.errors import DeadlineError as DeadlineError
    from .wire.errors import DumpInterruptedError as DumpInterruptedError
    from .wire.errors import MalformedError as MalformedError
    from .wire.errors import NetlinkError as NetlinkError
    from .wire.errors import OverrunError as OverrunError
    from .wiring.attachment import Attachment as Attachment
    from .wiring.detach import detach as detach
    from .wiring.detach import detach_many as detach_many
    from .wiring.endpoint import Endpoint as Endpoint
    from .wiring.errors import AttachError as AttachError

_PLACES = {
    "nat": "",
    "netns": "",
    "run": "",
    "networks": "",
    "Network": "networks.network",
    "backend": "backends",
    "Netns": "netns.handle",
    "Address": "rtnl.address",
    "BulkError": "rtnl.bulk",
    "RowError": "rtnl.bulk",
    "ForwardingEntry": "rtnl.fdb",
    "Link": "rtnl.link",
    "Peer": "rtnl.link",
    "Neighbour": "rtnl.neighbour",
    "RTNetlink": "rtnl.netlink",
    "Nexthop": "rtnl.route",
    "Route": "rtnl.route",
    "Rule": "rtnl.rule",
    **dict.fromkeys(
        ("DeadlineError", "DumpInterruptedError", "MalformedError", "NetlinkError", "OverrunError"),
        "wire.errors",
    ),
    "attach": "networks.attaching",
    "attach_many": "networks.attaching",
    "Attachment": "wiring.attachment",
    "detach": "wiring.detach",
    "detach_many": "wiring.detach",
    "Endpoint": "wiring.endpoint",
    "AttachError": "wiring.errors",
}

__all__ = [*_PLACES, "__version__"]


def __getattr__(name: str) -> object:
    from ._lazy import fetch

    return fetch(__name__, _PLACES, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
