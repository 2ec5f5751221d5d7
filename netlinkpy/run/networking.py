"""The interface and the published ports of a container, by networks/ and nat/."""

from __future__ import annotations

import errno
from time import monotonic, sleep

from ..networks.attaching import attach
from ..record import Record
from ..rollback import Rollback
from ..wiring.attachment import Attachment, warnings
from ..wiring.detach import detach
from ..wiring.endpoint import Endpoint
from .published_ports import PublishedPort, is_loopback, leading_to, shown
from .sync_pipe import start_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    from ..nat import Port
    from .held_ports import HeldPorts
    from .options import Options

    T = TypeVar("T")


_DYING = 0.25  # seconds in which the interface of a container goes whose supervisor was killed: some 20 ms
_LOOK_EVERY = 0.005  # seconds between two tries to publish


class Connected(Record):
    """What a container has of the host: its interface, the ports that lead to it, and what the user should
    know: settings of the host that were changed, and what stands in the way of its packets; held: the host's
    side of the ports."""

    attachment: Attachment
    ports: tuple[Port, ...] = ()
    notes: tuple[str, ...] = ()
    held: HeldPorts | None = None

    def shown_ports(self) -> tuple[str, ...]:
        """Return the ports as docker shows them: "0.0.0.0:8080->80/tcp"."""
        return tuple(map(shown, self.ports))


def connect(pid: int, options: Options) -> Connected:
    """Wire process `pid` to the network options.net, or to options.bridge in its place. Raise OSError or
    ValueError if that cannot be; then nothing of it is left."""
    with Rollback() as rollback, rollback:
        held = None
        if options.ports:
            _refuse_internal(options)
            from .held_ports import HeldPorts

            held = HeldPorts(map(PublishedPort.parse, options.ports))
            rollback.before(held.close)
        if options.bridge is not None:
            attachment = _attach(pid, options, options.bridge)
            notes: list[str] = []
        else:
            attachment, notes = _connect(pid, options)
        rollback.before(detach, attachment)
        ports = _publish(attachment, options, notes, rollback)
    notes += warnings(attachment)
    return Connected(attachment, ports, tuple(notes), held)


def disconnect(connected: Connected) -> None:
    """Remove everything; what is gone already is no error, and what fails is tried once more."""
    try:
        if connected.held is not None:
            connected.held.close()
        if connected.ports:
            _twice(_unpublish, connected.ports)
    finally:
        _twice(detach, connected.attachment)


def _twice(work: Callable[[T], object], whose: T) -> None:
    try:
        work(whose)
    except OSError:
        work(whose)


def _attach(pid: int, options: Options, bridge: str) -> Attachment:
    addresses = [address for address in (options.ip, options.ip6) if address is not None]
    if not addresses:
        raise start_error(errno.EINVAL, f"bridge {bridge} has no addresses to give: choose one by --ip")
    gateways = options.gateways or None
    endpoint = Endpoint(netns=pid, bridge=bridge, addresses=addresses, gateways=gateways, mac=options.mac)
    return attach(endpoint)


def _connect(pid: int, options: Options) -> tuple[Attachment, list[str]]:
    from .. import networks

    network = options.net
    notes: list[str] = []
    if network == "bridge":
        found = networks.default()
        network, notes = found.name, [*found.notes]
    attachment = networks.connect(
        network,
        pid,
        ip=[address for address in (options.ip, options.ip6) if address is not None],
        gateways=options.gateways or None,
        mac=options.mac,
    )
    return attachment, notes


def _publish(
    attachment: Attachment, options: Options, notes: list[str], rollback: Rollback
) -> tuple[Port, ...]:
    if not options.ports:
        return ()
    from ..nat import Nat, PortTakenError

    ports = tuple(leading_to(options.ports, attachment.addresses))
    rollback.before(_unpublish, ports)
    deadline = monotonic() + _DYING
    with Nat() as nat:
        while True:
            try:
                notes += map(str, nat.publish(_filtered(ports), check=False))  # they are held
            except PortTakenError:  # by nobody's supervisor, which would hold it: perhaps one was killed
                if monotonic() > deadline:
                    raise
                sleep(_LOOK_EVERY)
                nat.sweep()
            else:
                return ports


def _filtered(ports: Iterable[Port]) -> list[Port]:
    """Return the ports that the packet filter serves: the others are relayed alone."""
    return [port for port in ports if not is_loopback(port.host)]


def _refuse_internal(options: Options) -> None:
    """Refuse to publish ports on an internal network, which nothing reaches from outside."""
    from ..networks.lookup import find_bridge, read_network
    from ..rtnl.netlink import RTNetlink

    with RTNetlink() as host:
        link = find_bridge(host, options.net) if options.bridge is None else host.links.find(options.bridge)
        network = None if link is None else read_network(link)
    if network is not None and network.internal:
        raise start_error(errno.EINVAL, f"network {network.name} is internal: no port of it can be published")


def _unpublish(ports: tuple[Port, ...]) -> None:
    from ..nat import Nat

    with Nat() as nat:
        nat.unpublish(_filtered(ports))
