"""Hairpin mode: for a container that reaches itself by its own published port, on hosts where br_netfilter
shows bridged packets to the packet filter.

There the destination is changed while the packet is still inside the bridge, which then forwards it directly
to the port it came from (br_nf_pre_routing_finish() of the kernel); a port sends nothing back unless it is in
hairpin mode. Without br_netfilter the packet goes to the host and is routed back, and the mode is not
needed."""

from __future__ import annotations

import errno

from ..rtnl.claims import claim_name
from ..rtnl.values import parse_ip
from ..uapi.rtnetlink import RTM_NEWLINK
from ..wire.errors import NetlinkError
from ..wire.rtnetlink.link import LINK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..rtnl.netlink import RTNetlink

_SETTINGS = {4: "iptables", 16: "ip6tables"}  # by length of the address


def filtered() -> set[int]:
    """Return the IP versions (as lengths of addresses) of which the packet filter sees bridged packets, on
    all bridges of the calling thread's namespace."""
    found = set()
    for length, name in _SETTINGS.items():
        try:
            with open(f"/proc/sys/net/bridge/bridge-nf-call-{name}") as file:
                if file.read().strip() != "0":
                    found.add(length)
        except FileNotFoundError:  # br_netfilter is not loaded
            continue
    return found


def let_back(rt: RTNetlink, bridge: int, addresses: Iterable[str], everywhere: set[int]) -> None:
    """Put the ports of the containers with these addresses into hairpin mode, if it is needed.

    everywhere: what filtered() returned. What is not there (the bridge, a container, its claim: see
    wiring.claims) is passed over."""
    link = rt.links.find(bridge)
    if link is None:
        return
    options = link.attributes.get("linkinfo", {}).get("data", {})
    seen = everywhere | {length for length, name in _SETTINGS.items() if options.get(f"nf_call_{name}")}
    for address in addresses:
        packed = parse_ip(address)
        port = rt.links.find(claim_name(link.index, packed)) if len(packed) in seen else None
        if port is not None:
            _set_hairpin(rt, port.index)


def _set_hairpin(rt: RTNetlink, index: int) -> None:
    mode = {"linkinfo": {"slave_kind": "bridge", "slave_data": {"mode": 1}}}
    try:
        rt.socket.request(LINK, RTM_NEWLINK, 0, {"ifi_index": index, **mode}, verb="set hairpin mode")
    except NetlinkError as error:
        if error.errno not in (errno.ENODEV, errno.EINVAL):  # the container, or its port, is gone meanwhile
            raise
