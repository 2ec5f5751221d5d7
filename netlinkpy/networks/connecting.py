"""connect, connect_many and disconnect: containers on networks, with automatic addresses."""

from __future__ import annotations

import errno

from ..nat import Nat
from ..record import Record
from ..rtnl.netlink import RTNetlink
from ..wire.errors import NetlinkError
from ..wiring.attach import attach_many
from ..wiring.attachment import Attachment
from ..wiring.detach import detach_many
from ..wiring.endpoint import label
from .network import Network, find
from .plan import Plan
from .removing import is_staying

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Literal, TypedDict, Unpack, overload

    from ..netns.handle import Target
    from ..wiring.errors import AttachError

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
        plan = Plan(host, found, wanted)
        made: list[Attachment] = []
        try:
            if on_error == "raise":
                plan.check()
                made = attach_many(
                    plan.endpoints,
                    progress=progress,
                    timeout=timeout,
                    another=plan.another,
                    announce=found.announces,
                )
                results: list[Attachment | AttachError] = [*made]
            else:
                each = attach_many(
                    plan.endpoints,
                    on_error="continue",
                    progress=progress,
                    timeout=timeout,
                    another=plan.another,
                    announce=found.announces,
                )
                made = [one for one in each if isinstance(one, Attachment)]
                results = plan.in_order(each)
        finally:
            plan.mark.settle(made)
        if made and not is_staying(host, found):
            detach_many(made)
            verb = f"connect to network {found.name}"
            raise NetlinkError(errno.ENOENT, verb, text="it was removed meanwhile")
        return results


def disconnect(network: Network | str, netns: Target) -> list[Attachment]:
    """Disconnect a container from a network: its interfaces there go, and the ports published for their
    addresses. Gives what was there.

    NetlinkError: ENOENT there is no such network, ENOTCONN the container is not connected to it."""
    with RTNetlink() as host:
        found = find(host, network.name if isinstance(network, Network) else network)
    attachments = [one for one in Attachment.find_all(netns) if one.bridge == found.bridge]
    if not attachments:
        verb = f"disconnect {label(netns)} from network {found.name}"
        raise NetlinkError(errno.ENOTCONN, verb, text="it is not connected to it")
    with Nat() as nat:
        nat.forget(text.partition("/")[0] for one in attachments for text in one.addresses)
    detach_many(attachments)
    return attachments
