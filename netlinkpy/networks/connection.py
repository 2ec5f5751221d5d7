"""Connection: a container to connect to a network."""

from __future__ import annotations

from ..record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypedDict

    from ..netns.handle import Target
    from ..rtnl.values import IP, IPPrefix

    class ConnectionOptions(TypedDict, total=False):
        """The fields of Connection except netns."""

        ip: IP | Iterable[IP]
        mac: str | None
        ifname: str | None
        host_ifname: str | None
        gateways: IP | Iterable[IP] | None
        metric: int | None
        routes: Iterable[tuple[IPPrefix, IP | None]]
        queues: int


class Connection(Record):
    """A container to connect to a network, by one interface.

    netns: the container: a process id, a name in /run/netns, a path, or a Netns. ip: the addresses that it
    gets, without prefix length, at most one of each family; for the other families of the network a free one
    is found. ifname: its name in the container; None: the first ethN that is free, and no default routes if
    the container has one. gateways: of the default routes; None: the network's (none if it is internal). mac,
    host_ifname, metric, routes, queues: as in Endpoint. The MTU is the network's."""

    _freezes = True

    netns: Target
    ip: IP | Iterable[IP] = ()
    mac: str | None = None
    ifname: str | None = "eth0"
    host_ifname: str | None = None
    gateways: IP | Iterable[IP] | None = None
    metric: int | None = None
    routes: Iterable[tuple[IPPrefix, IP | None]] = ()
    queues: int = 1
