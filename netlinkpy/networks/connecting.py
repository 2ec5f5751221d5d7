"""connect, connect_many and disconnect: containers on networks, with automatic addresses."""

from __future__ import annotations

import errno

from ..record import Record
from ..rtnl.netlink import RTNetlink
from ..rtnl.values import format_ip, parse_ip
from ..wire.errors import NetlinkError
from ..wiring.attach import attach_many
from ..wiring.attachment import Attachment
from ..wiring.detach import detach_many
from ..wiring.endpoint import Endpoint, label
from ..wiring.errors import AttachError, failure
from .interior import look_inside
from .network import Network, find
from .pool import Pool
from .removing import is_staying

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Literal, TypedDict, Unpack, overload

    from ..netns.handle import Target
    from .interior import Interior

    class Options(TypedDict, total=False):
        """The fields of Connection but for netns."""

        ip: str | Iterable[str]
        mac: str | None
        ifname: str | None
        host_ifname: str | None
        gateways: str | Iterable[str] | None
        metric: int | None
        routes: Iterable[tuple[str, str | None]]
        queues: int


KERNEL_MTU = 1500  # of a veth, where nothing else is asked for


class Connection(Record):
    """A container that is to be connected to a network, by one interface.

    netns: the container: a process id, a name in /run/netns, a path, or a Netns. ip: the addresses it shall
    have, without prefix length, at most one of each family; for the other families of the network a free one
    is found. ifname: its name in the container; None: the first ethN that is free, and no default routes
    where the container has one. gateways: of the default routes; None: the network's (none where it is
    internal). mac, host_ifname, metric, routes, queues: as in Endpoint. The MTU is the network's."""

    netns: Target
    ip: str | Iterable[str] = ()
    mac: str | None = None
    ifname: str | None = "eth0"
    host_ifname: str | None = None
    gateways: str | Iterable[str] | None = None
    metric: int | None = None
    routes: Iterable[tuple[str, str | None]] = ()
    queues: int = 1


def connect(
    network: Network | str, netns: Target, *, timeout: float = 10.0, **options: Unpack[Options]
) -> Attachment:
    """Connect a container to a network, and return when its first packet passes. options: the fields of
    Connection; timeout: seconds for each conversation with the kernel.

    NetlinkError: ENOENT there is no such network; ENOSPC it is full; EINVAL an address is not one of its
    subnets', or its gateway; EEXIST (AttachError) an address or a name is taken; or what attach() raises.
    Nothing is left then, neither in the container nor on the host."""
    return connect_many(network, [Connection(netns, **options)], timeout=timeout)[0]


if TYPE_CHECKING:

    @overload
    def connect_many(
        network: Network | str,
        connections: Iterable[Connection | Target],
        *,
        on_error: Literal["raise"] = "raise",
        progress: Callable[[int, int], None] | None = None,
        timeout: float = 10.0,
    ) -> list[Attachment]: ...

    @overload
    def connect_many(
        network: Network | str,
        connections: Iterable[Connection | Target],
        *,
        on_error: Literal["continue"],
        progress: Callable[[int, int], None] | None = None,
        timeout: float = 10.0,
    ) -> list[Attachment | AttachError]: ...


def connect_many(
    network: Network | str,
    connections: Iterable[Connection | Target],
    *,
    on_error: str = "raise",
    progress: Callable[[int, int], None] | None = None,
    timeout: float = 10.0,
) -> list[Attachment] | list[Attachment | AttachError]:
    """Connect many containers to one network (a container alone stands for a Connection without options), as
    attach_many() attaches them: all or nothing, or with on_error="continue" an AttachError in the place of
    each that failed. progress(done, of) is called as it goes."""
    if on_error not in ("raise", "continue"):
        raise ValueError(f"on_error is raise or continue, not {on_error!r}")
    wanted = [one if isinstance(one, Connection) else Connection(one) for one in connections]
    with RTNetlink(timeout=timeout) as host:
        found = find(host, network.name if isinstance(network, Network) else network)
        plan = _Plan(host, found, wanted)
        if on_error == "raise":
            plan.check()
            made = attach_many(plan.endpoints, progress=progress, timeout=timeout, another=plan.another)
            _check_still_there(host, found, made)
            return made
        each = attach_many(
            plan.endpoints, on_error="continue", progress=progress, timeout=timeout, another=plan.another
        )
        _check_still_there(host, found, [one for one in each if isinstance(one, Attachment)])
        return plan.in_order(each)


def disconnect(network: Network | str, netns: Target) -> list[Attachment]:
    """Disconnect a container from a network: its interfaces there go. Gives what was there.

    NetlinkError: ENOENT there is no such network, ENOTCONN the container is not connected to it."""
    with RTNetlink() as host:
        found = find(host, network.name if isinstance(network, Network) else network)
    attachments = [one for one in Attachment.find_all(netns) if one.bridge == found.bridge]
    if not attachments:
        verb = f"disconnect {label(netns)} from network {found.name}"
        raise NetlinkError(errno.ENOTCONN, verb, text="it is not connected to it")
    detach_many(attachments)
    return attachments


class _Plan:
    """The endpoints of one call, and the addresses that are chosen for them."""

    def __init__(self, host: RTNetlink, network: Network, connections: list[Connection]) -> None:
        self._network = network
        self._connections = connections
        self._fixed: dict[int, list[bytes]] = {}
        self._failures: dict[int, AttachError] = {}
        self.endpoints: list[Endpoint] = []
        self._places: list[int] = []  # of each endpoint: the position of its connection
        for position in range(len(connections)):
            self._try(position, self._read_fixed)
        self._pool = Pool(host, network, len(connections))
        for packed in self._fixed.values():
            self._pool.reserve(packed)
        for position in self._fixed:
            self._try(position, self._add)

    def _try(self, position: int, step: Callable[[int], None]) -> None:
        """Take one step for a connection; what is wrong with it is kept."""
        try:
            step(position)
        except (ValueError, TypeError, OSError) as error:
            connection = self._connections[position]
            verb = f"connect {label(connection.netns)} to network {self._network.name}"
            number, text = errno.EINVAL, str(error)
            if isinstance(error, OSError):
                number = error.errno or errno.EIO
                text = (isinstance(error, NetlinkError) and error.text) or error.strerror or text
            self._failures[position] = failure(position, connection, number, verb, text=text)

    def check(self) -> None:
        """Raise the first of the failures, which holds them all."""
        ordered = tuple(self._failures[position] for position in sorted(self._failures))
        if ordered:
            ordered[0].failures = ordered
            raise ordered[0]

    def in_order(self, each: list[Attachment | AttachError]) -> list[Attachment | AttachError]:
        """The results of all connections, those of the endpoints among them."""
        outcome: dict[int, Attachment | AttachError] = dict(self._failures)
        for position, one in zip(self._places, each, strict=True):
            if isinstance(one, AttachError):
                one.position = position
            outcome[position] = one
        return [outcome[position] for position in range(len(self._connections))]

    def another(self, place: int, address: str) -> Endpoint | None:
        """An endpoint to be tried in place of one whose address is taken; None where that was asked for."""
        position = self._places[place]
        packed = parse_ip(address)
        if packed in self._fixed[position]:
            return None
        self._pool.look()
        addresses = self._pool.choose(self._fixed[position])
        self.endpoints[place] = self._with_addresses(self.endpoints[place], addresses)
        return self.endpoints[place]

    def _read_fixed(self, position: int) -> None:
        """The addresses that a connection asks for, checked."""
        given = self._connections[position].ip
        fixed = [parse_ip(text) for text in ([given] if isinstance(given, str) else given)]
        if len({len(packed) for packed in fixed}) < len(fixed):
            raise ValueError("it can have one address of each family")
        for packed in fixed:
            text, subnet = format_ip(packed), self._network.subnet_of(packed)
            if subnet is None:
                nets = ", ".join(one.subnet for one in self._network.subnets)
                raise ValueError(f"address {text} is outside the subnets of the network ({nets})")
            if text == subnet.gateway:
                raise ValueError(f"address {text} is the gateway of {subnet.subnet}")
            if text in subnet.aux_addresses:
                raise ValueError(f"address {text} is reserved in {subnet.subnet}")
        self._fixed[position] = fixed

    def _add(self, position: int) -> None:
        connection = self._connections[position]
        interior = None if connection.ifname is not None else look_inside(connection.netns)
        if interior is not None and self._network.bridge in interior.bridges:
            raise FileExistsError(errno.EEXIST, "it is connected already")
        endpoint = Endpoint(
            netns=connection.netns,
            bridge=self._network.bridge,
            gateways=self._gateways(connection, interior),
            mac=connection.mac,
            ifname=interior.free_ifname if interior is not None else connection.ifname or "",
            host_ifname=connection.host_ifname,
            mtu=None if self._network.mtu == KERNEL_MTU else self._network.mtu,
            metric=connection.metric,
            routes=tuple(connection.routes),
            queues=connection.queues,
        )
        addresses = self._pool.choose(self._fixed[position])
        self.endpoints.append(self._with_addresses(endpoint, addresses))
        self._places.append(position)

    def _gateways(self, connection: Connection, interior: Interior | None) -> tuple[str, ...]:
        """The gateways of the default routes that the container shall have by this network."""
        if connection.gateways is not None:
            given = connection.gateways
            return (given,) if isinstance(given, str) else tuple(given)
        if self._network.internal:
            return ()
        has = interior.default_families if interior is not None and connection.metric is None else ()
        return tuple(subnet.gateway for subnet in self._network.subnets if len(subnet.packed[0]) not in has)

    def _with_addresses(self, endpoint: Endpoint, addresses: list[bytes]) -> Endpoint:
        lengths = {len(subnet.packed[0]): subnet.packed[1] for subnet in self._network.subnets}
        return endpoint.replace(
            addresses=tuple(f"{format_ip(packed)}/{lengths[len(packed)]}" for packed in addresses)
        )


def _check_still_there(host: RTNetlink, network: Network, made: list[Attachment]) -> None:
    """See that the network was not removed while we connected to it; else take apart what was made."""
    if made and not is_staying(host, network):
        detach_many(made)
        verb = f"connect to network {network.name}"
        raise NetlinkError(errno.ENOENT, verb, text="it was removed meanwhile")
