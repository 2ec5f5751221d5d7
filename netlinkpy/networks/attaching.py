"""attach() and attach_many(): wire containers to any bridge, and on a network's bridge do what the network
needs."""

from __future__ import annotations

import errno

from ..wire.errors import NetlinkError
from ..wiring.attach import Concern, Hooks, wire_endpoints
from .altnames import MadeAs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Literal, overload

    from ..nat import Nat
    from ..rtnl.netlink import RTNetlink
    from ..wiring.attachment import Attachment
    from ..wiring.bridge import Bridge
    from ..wiring.endpoint import Endpoint
    from ..wiring.errors import AttachError


def attach(endpoint: Endpoint, *, timeout: float = 10.0) -> Attachment:
    """Give a container an interface, wired to a bridge of the caller's namespace, and return when its first
    packet passes.

    If exactly this exists already, nothing changes (Attachment.changed is False). What a dead call left
    unfinished is removed and made anew. Ports still published for the previous owner of its address on a
    network are withdrawn; a network that is removed at the same time either stays or refuses the container.
    timeout: seconds for each conversation with the kernel. Whether a firewall drops what goes between the
    bridge's ports is not looked at: nat.bridged_drops() tells.

    Raise AttachError (an OSError), which names the step, the attribute and the reason; then nothing of the
    interface is left."""
    return attach_many([endpoint], timeout=timeout)[0]


if TYPE_CHECKING:

    @overload
    def attach_many(
        endpoints: Iterable[Endpoint],
        *,
        on_error: Literal["raise"] = "raise",
        progress: Callable[[int, int], None] | None = None,
        timeout: float = 10.0,
    ) -> list[Attachment]: ...

    @overload
    def attach_many(
        endpoints: Iterable[Endpoint],
        *,
        on_error: Literal["continue"],
        progress: Callable[[int, int], None] | None = None,
        timeout: float = 10.0,
    ) -> list[Attachment | AttachError]: ...


def attach_many(
    endpoints: Iterable[Endpoint],
    *,
    on_error: str = "raise",
    progress: Callable[[int, int], None] | None = None,
    timeout: float = 10.0,
) -> list[Attachment] | list[Attachment | AttachError]:
    """Wire many endpoints of any shapes, at the kernel's own speed. Return the results in the order given.

    on_error="raise": all or nothing; raise the AttachError of the first that failed (its `failures` has all).
    on_error="continue": each endpoint stands alone, and an AttachError takes the place of each that failed.
    progress(done, of) is called meanwhile. The rest is as for attach()."""
    if on_error not in ("raise", "continue"):
        raise ValueError(f"on_error is raise or continue, not {on_error!r}")
    whole = on_error == "raise"
    return wire_endpoints(list(endpoints), whole=whole, progress=progress, timeout=timeout, hooks=HOOKS)


# What the hooks need is imported when they run: it brings all of nat/, which other bridges do not need.


def _concerns(bridge: Bridge) -> Concern | None:
    """Return what concerns a bridge that is a network's. Raise NetlinkError (ENETDOWN) if something cuts its
    containers off."""
    made = MadeAs.read(bridge.altnames())
    if made is None:
        return None
    from .audit import cut_off

    cut = cut_off(bridge.name, bridge.up, bridge.mac, bridge.addresses, made)
    if cut:
        text = f"{cut[0]}; `netlinkpy network reload {made.name}` puts it right"
        raise NetlinkError(errno.ENETDOWN, f"look at network {made.name}", text=text)
    return Concern(any(":" in gateway for gateway in made.gateways))


def _reserved(index: int, addresses: list[str], differs: bool, timeout: float) -> tuple[bool, list[str]]:
    from ..nat import Nat
    from ..rtnl.netlink import RTNetlink
    from .reconcile import receive

    with RTNetlink(timeout=timeout) as host, Nat(timeout=timeout) as nat:
        return receive(host, nat, index, addresses, differs)


def _parting(index: int, timeout: float) -> str:
    from ..rtnl.netlink import RTNetlink
    from .leftovers import parting

    with RTNetlink(timeout=timeout) as host:
        return parting(host, index)


#: What a network's bridge needs; on any other they have no work.
HOOKS = Hooks(
    concerns=_concerns,
    reserved=_reserved,
    parting=_parting,
)


def hooks_with(host: RTNetlink, nat: Nat) -> Hooks:
    """Return HOOKS that use connections to the kernel which are open already."""
    from .leftovers import parting
    from .reconcile import receive

    return HOOKS.replace(
        reserved=lambda index, addresses, differs, timeout: receive(host, nat, index, addresses, differs),
        parting=lambda index, timeout: parting(host, index),
    )
