"""What the bridge of a network has besides its names: addresses, and no address that the kernel gives it by
itself."""

from __future__ import annotations

import errno

from ..uapi.if_link import IN6_ADDR_GEN_MODE_NONE
from ..wire.errors import NetlinkError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..rtnl.netlink import RTNetlink

# Without a link-local address the host looks for no neighbour on behalf of others; the kernel's own would
# come a second after the first port (duplicate address detection).
_LINK_LOCAL = "fe80::1/64"


def bridge_addresses(gateways: Iterable[str]) -> list[str]:
    """Return the addresses of a bridge, with their prefix lengths, as the gateways are given."""
    own = list(gateways)
    return [*own, _LINK_LOCAL] if any(":" in cidr for cidr in own) else own


def configure(host: RTNetlink, index: int, gateways: Iterable[str]) -> None:
    """Give a bridge, up or down, what it has not of that."""
    host.links.set(index, addrgenmode=IN6_ADDR_GEN_MODE_NONE)
    there = {address.cidr for address in host.addresses.list(dev=index)}
    for cidr in bridge_addresses(gateways):
        if cidr not in there:
            six = ":" in cidr
            try:
                host.addresses.add(cidr, dev=index, nodad=six, broadcast=None if six else "+")
            except NetlinkError as error:
                if error.errno != errno.EEXIST:  # another reload was as quick
                    raise
