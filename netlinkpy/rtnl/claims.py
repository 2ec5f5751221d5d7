"""Claims: the alternative names by which a link claims an address, `ip:BRIDGE-IFINDEX:ADDRESS`.

Link names are unique in the kernel, so an address on a bridge is taken exactly while a link has its name; see
wiring/recipe.py."""

from __future__ import annotations

import errno

from ..uapi.rtnetlink import RTEXT_FILTER_SKIP_STATS, RTM_GETLINK
from ..wire.rtnetlink.link import LINK
from ..wire.transaction import Request
from .values import format_ip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from .netlink import RTNetlink

_ONE_BY_ONE = 64  # up to this many names are asked for one by one, rather than all links listed


def claim_name(bridge_index: int, packed: bytes) -> str:
    """Return the name that claims an address (4 or 16 bytes) on a bridge."""
    return f"ip:{bridge_index}:{format_ip(packed)}"


def claimed_address(name: str, bridge_index: int) -> str | None:
    """Return the address that a name claims on a bridge, None if it is no claim there."""
    prefix = f"ip:{bridge_index}:"
    return name[len(prefix) :] if name.startswith(prefix) else None


def claimed_addresses(names: Iterable[str]) -> set[str]:
    """Return the addresses that names claim, on any bridge. Names that are no claim are passed over."""
    found = (name.split(":", 2) for name in names)
    return {parts[2] for parts in found if len(parts) == 3 and parts[0] == "ip"}


def unclaimed(host: RTNetlink, names: Iterable[str]) -> set[str]:
    """Return those of some claims that no link has."""
    wanted = list(names)
    if len(wanted) > _ONE_BY_ONE:
        return set(wanted).difference(*(link.altnames for link in host.links.list()))
    verb = "look for who has an address"
    asked = [
        Request(verb, LINK, RTM_GETLINK, 0, {"alt_ifname": name, "ext_mask": RTEXT_FILTER_SKIP_STATS})
        for name in wanted
    ]
    free = set()
    for name, answer in zip(wanted, host.socket.ask(asked), strict=True):
        if answer.error is not None:
            if answer.error.errno != errno.ENODEV:
                raise answer.error
            free.add(name)
    return free
