"""connect(), connect_many() and disconnect(): containers on networks, with automatic addresses."""

from __future__ import annotations

import errno

from ..nat import Nat
from ..netns.handle import label_of
from ..os_error import during
from ..rtnl.netlink import RTNetlink
from ..wire.errors import NetlinkError
from ..wiring.attach import wire_endpoints
from ..wiring.attachment import Attachment
from ..wiring.detach import detach_many
from .attaching import hooks_with
from .connection import Connection
from .lookup import find_network
from .network_record import NetworkRecord
from .plan import ConnectPlan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Literal, Unpack, overload

    from ..netns.handle import Target
    from ..wiring.errors import AttachError
    from .connection import ConnectionOptions


def connect(
    network: NetworkRecord | str,
    netns: Target,
    *,
    timeout: float = 10.0,
    **options: Unpack[ConnectionOptions],
) -> Attachment:
    """Connect a container to a network, and return when its first packet passes. One that is connected just
    so stays as it is, with the addresses that it has (Attachment.changed is False). options: the fields of
    Connection; timeout: seconds for each conversation with the kernel.

    Raise NetlinkError if there is no such network (ENOENT), it is full (ENOSPC), an address is not in its
    subnets or is its gateway (EINVAL), or an address or a name is taken (EEXIST, AttachError), and whatever
    attach() raises. Then nothing is left, neither in the container nor on the host."""
    return connect_many(network, [Connection(netns, **options)], timeout=timeout)[0]


if TYPE_CHECKING:

    @overload
    def connect_many(
        network: NetworkRecord | str,
        connections: Iterable[Connection | Target],
        *,
        on_error: Literal["raise"] = "raise",
        progress: Callable[[int, int], None] | None = None,
        timeout: float = 10.0,
    ) -> list[Attachment]: ...

    @overload
    def connect_many(
        network: NetworkRecord | str,
        connections: Iterable[Connection | Target],
        *,
        on_error: Literal["continue"],
        progress: Callable[[int, int], None] | None = None,
        timeout: float = 10.0,
    ) -> list[Attachment | AttachError]: ...


def connect_many(
    network: NetworkRecord | str,
    connections: Iterable[Connection | Target],
    *,
    on_error: str = "raise",
    progress: Callable[[int, int], None] | None = None,
    timeout: float = 10.0,
) -> list[Attachment] | list[Attachment | AttachError]:
    """Connect many containers to one network (a container alone stands for a Connection without options), as
    attach_many() attaches them: all or nothing, or with on_error="continue" an AttachError in the place of
    each that failed. progress(done, of) is called meanwhile."""
    if on_error not in ("raise", "continue"):
        raise ValueError(f"on_error is raise or continue, not {on_error!r}")
    wanted = [one if isinstance(one, Connection) else Connection(one) for one in connections]
    name = network.name if isinstance(network, NetworkRecord) else network
    whose = label_of(wanted[0].netns) if len(wanted) == 1 else f"{len(wanted)} containers"
    verb = f"connect {whose} to network {name}"
    with during(verb), RTNetlink(timeout=timeout) as host, Nat(timeout=timeout) as nat:
        found = find_network(host, name)
        plan = ConnectPlan(host, found, wanted)
        if on_error == "raise":
            plan.check()
        each = wire_endpoints(
            plan.endpoints,
            whole=on_error == "raise",
            progress=progress,
            timeout=timeout,
            hooks=hooks_with(host, nat).replace(another=plan.another, adopt=plan.adopt),
        )
        return plan.in_order(each)


def disconnect(network: NetworkRecord | str, netns: Target) -> list[Attachment]:
    """Disconnect a container from a network: its interfaces there go, and the ports published for their
    addresses. Return what was there.

    Raise NetlinkError if there is no such network (ENOENT), or the container is not connected to it
    (ENOTCONN)."""
    name = network.name if isinstance(network, NetworkRecord) else network
    verb = f"disconnect {label_of(netns)} from network {name}"
    with during(verb):
        with RTNetlink() as host:
            found = find_network(host, name)
        attachments = [one for one in Attachment.find_all(netns) if one.bridge == found.bridge]
        if not attachments:
            raise NetlinkError(errno.ENOTCONN, verb, text="it is not connected to it")
        with Nat() as nat:
            nat.forget(text.partition("/")[0] for one in attachments for text in one.addresses)
        detach_many(attachments)
    return attachments
