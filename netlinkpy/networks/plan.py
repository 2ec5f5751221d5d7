"""ConnectPlan: the endpoints of one call of connect_many(), and the addresses chosen for them."""

from __future__ import annotations

import errno

from ..netns.handle import label_of
from ..rtnl.values import format_ip, parse_ip, parse_prefix, several
from ..wire.errors import NetlinkError, meaning
from ..wiring.endpoint import Endpoint
from ..wiring.errors import AttachError, attach_error
from .container_state import look_inside
from .ipam import AddressPool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..rtnl.netlink import RTNetlink
    from ..rtnl.values import IP
    from ..wiring.attachment import Attachment
    from .connection import Connection
    from .container_state import ContainerState
    from .network_record import NetworkRecord

KERNEL_MTU = 1500  # of a veth by default


class ConnectPlan:
    """The endpoints of one call, and the addresses chosen for them."""

    def __init__(self, host: RTNetlink, network: NetworkRecord, connections: list[Connection]) -> None:
        self._network = network
        families = [(*subnet.packed, subnet.gateway) for subnet in network.subnets]
        self._lengths = {len(base): length for base, length, _ in families}
        self._gateway_of = {len(base): gateway for base, _, gateway in families}
        self._connections = connections
        self._fixed: dict[int, list[bytes]] = {}
        self._failures: dict[int, AttachError] = {}
        self.endpoints: list[Endpoint] = []
        self._places: list[int] = []  # of each endpoint: the position of its connection
        for position in range(len(connections)):
            self._try(position, self._read_fixed)
        self._pool = AddressPool(host, network, len(connections))
        for packed in self._fixed.values():
            self._pool.reserve(packed)
        for position in self._fixed:
            self._try(position, self._add)

    def _try(self, position: int, step: Callable[[int], None]) -> None:
        """Take one step for a connection; note the failure if there is one."""
        try:
            step(position)
        except (ValueError, TypeError, OSError) as error:
            connection = self._connections[position]
            verb = f"connect {label_of(connection.netns)} to network {self._network.name}"
            number, text = errno.EINVAL, str(error)
            if isinstance(error, OSError):
                number = error.errno or errno.EIO
                text = error.strerror or text
                if isinstance(error, NetlinkError):
                    text = error.text or f"{error.verb}: {meaning(number)}"
            self._failures[position] = attach_error(position, connection, number, verb, text=text)

    def check(self) -> None:
        """Raise the first of the failures, if there are any; it holds all of them."""
        ordered = tuple(self._failures[position] for position in sorted(self._failures))
        if ordered:
            ordered[0].failures = ordered
            raise ordered[0]

    def in_order(self, each: list[Attachment | AttachError]) -> list[Attachment | AttachError]:
        """Return the results of all connections: those of the endpoints, and the failures."""
        outcome: dict[int, Attachment | AttachError] = dict(self._failures)
        for position, one in zip(self._places, each, strict=True):
            if isinstance(one, AttachError):
                one.position = position
            outcome[position] = one
        return [outcome[position] for position in range(len(self._connections))]

    def another(self, place: int, address: str) -> Endpoint | None:
        """Return an endpoint to try in place of one whose address is taken; None if the caller asked for that
        address."""
        position = self._places[place]
        packed = parse_ip(address)
        if packed in self._fixed[position]:
            return None
        self._pool.reserve([packed])
        self._pool.look()
        addresses = self._pool.choose(self._fixed[position])
        self.endpoints[place] = self._with_addresses(self.endpoints[place], addresses)
        return self.endpoints[place]

    def adopt(self, place: int, there: Attachment) -> Endpoint:
        """Return the endpoint to compare with an interface of the name that is there already: automatic
        addresses, and automatic default routes, are those that it has."""
        endpoint, position = self.endpoints[place], self._places[place]
        fixed = self._fixed[position]
        has = [parse_prefix(text)[0] for text in there.addresses]
        if there.bridge != self._network.bridge or not set(fixed).issubset(has):
            return endpoint
        if sorted(map(len, has)) != sorted(self._lengths) or not all(map(self._network.subnet_of, has)):
            return endpoint
        connection = self._connections[position]
        if connection.ifname is None and connection.gateways is None:
            endpoint = endpoint.replace(gateways=there.gateways)
        return self._with_addresses(endpoint, has)

    def _read_fixed(self, position: int) -> None:
        """Check the addresses that a connection asks for."""
        given = self._connections[position].ip
        fixed = [parse_ip(text) for text in several(given)]
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
        state = None if connection.ifname is not None else look_inside(connection.netns)
        ifname = connection.ifname or ""
        if state is not None:
            ifname = state.wired.get(self._network.bridge, state.free_ifname)
        endpoint = Endpoint(
            netns=connection.netns,
            bridge=self._network.bridge,
            gateways=self._gateways(connection, state),
            mac=connection.mac,
            ifname=ifname,
            host_ifname=connection.host_ifname,
            mtu=None if self._network.mtu == KERNEL_MTU else self._network.mtu,
            metric=connection.metric,
            routes=tuple(connection.routes),
            queues=connection.queues,
        )
        addresses = self._pool.choose(self._fixed[position])
        self.endpoints.append(self._with_addresses(endpoint, addresses))
        self._places.append(position)

    def _gateways(self, connection: Connection, state: ContainerState | None) -> tuple[IP, ...]:
        """Return the gateways of the default routes that the container gets by this network."""
        if connection.gateways is not None:
            return tuple(several(connection.gateways))
        if self._network.internal:
            return ()
        has = state.default_families if state is not None and connection.metric is None else ()
        return tuple([gateway for family, gateway in self._gateway_of.items() if family not in has])

    def _with_addresses(self, endpoint: Endpoint, addresses: list[bytes]) -> Endpoint:
        return endpoint.replace(
            addresses=tuple([f"{format_ip(packed)}/{self._lengths[len(packed)]}" for packed in addresses])
        )
