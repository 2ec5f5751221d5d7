"""What the bridge of a network has besides its names: addresses, and no address that the kernel gives it by
itself."""

from __future__ import annotations

import errno
from struct import Struct

from ..uapi.if_link import IN6_ADDR_GEN_MODE_NONE
from ..uapi.ip import IPV4_DEVCONF_ACCEPT_REDIRECTS
from ..uapi.rtnetlink import RTM_NEWLINK
from ..wire.errors import NetlinkError
from ..wire.rtnetlink.link import LINK
from ..wiring.advertisements import refuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..rtnl.netlink import RTNetlink
    from ..wire.rtnetlink.typed_values import LinkValues

_DEVCONF = Struct("=HHI")  # an attribute of IFLA_INET_CONF: length, number of the setting, value
# Without a link-local address the host looks for no neighbour on behalf of others; the kernel's own would
# come a second after the first port (duplicate address detection).
_LINK_LOCAL = "fe80::1/64"


def bridge_addresses(gateways: Iterable[str]) -> list[str]:
    """Return the addresses of a bridge, with their prefix lengths, as the gateways are given."""
    own = list(gateways)
    return [*own, _LINK_LOCAL] if any(":" in cidr for cidr in own) else own


def configure(host: RTNetlink, index: int, name: str, gateways: Iterable[str]) -> str:
    """Give a bridge, up or down, what it has not of that, and keep it from heeding router advertisements and
    redirects of its containers. Return "" if all of that is so now, else what could not be done."""
    try:
        host.links.set(index, addrgenmode=IN6_ADDR_GEN_MODE_NONE)
    except NetlinkError as error:
        if error.errno != errno.EAFNOSUPPORT:  # it has no IPv6: its MTU is below 1280, or the host has none
            raise
    there = {address.cidr for address in host.addresses.list(dev=index)}
    for cidr in bridge_addresses(gateways):
        if cidr not in there:
            six = ":" in cidr
            try:
                host.addresses.add(cidr, dev=index, nodad=six, broadcast=None if six else "+")
            except NetlinkError as error:
                if error.errno != errno.EEXIST:  # another reload was as quick
                    raise
    conf = _DEVCONF.pack(_DEVCONF.size, IPV4_DEVCONF_ACCEPT_REDIRECTS, 0)
    values: LinkValues = {"ifi_index": index, "af_spec": {"inet": {"conf": conf}}}
    host.socket.request(LINK, RTM_NEWLINK, 0, values, verb=f"set bridge {name}")
    return refuse(name)
