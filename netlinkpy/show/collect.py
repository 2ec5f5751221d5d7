"""read(): look at a host, tell its links apart into networks, their ports and the rest, and follow each wire
into the container at its other end."""

from __future__ import annotations

import os

from ..nat.nat import Nat
from ..netns import discovery
from ..netns.handle import Netns
from ..networks.lookup import read_network
from ..rtnl.claims import claimed_address
from ..rtnl.netlink import RTNetlink
from ..rtnl.values import parse_ip
from ..uapi.if_ import IFF_LOOPBACK
from ..uapi.if_bridge import PORT_STATES
from .container_interfaces import interfaces, wired
from .container_names import containers
from .model import End, Host, HostNetwork, HostPort

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..nat.records import Port
    from ..rtnl.link import Link
    from .model import HostContainer, Interface


def read() -> Host:
    """Look at the caller's network namespace, and into every other one that a process or a name in /run/netns
    leads to.

    What goes away meanwhile, or what we may not look at, is left out. Raise NetlinkError if the kernel
    refuses to tell of our own namespace."""
    with Netns.current() as here, RTNetlink() as rt:
        found = discovery.discover()
        found.pop(here.identity[1], None)
        known = containers(found.values())
        ends, unwired = _follow(found, known, here)
        astray = _publish(ends)
        links = rt.links.list()
        view = _View(links, interfaces(rt, links), ends)
    networks = tuple(_network(view, link) for link in links if link.index in view.masters)
    return Host(
        name=os.uname().nodename,
        networks=networks,
        links=tuple(view.port(link) for link in links if view.stands_alone(link)),
        unwired=tuple(sorted(unwired, key=lambda one: (one.by, one.title))),
        astray=tuple(astray),
    )


def _follow(
    found: dict[int, discovery.Namespace], known: dict[int, HostContainer], here: Netns
) -> tuple[dict[int, list[End]], list[HostContainer]]:
    """Return the ends in containers by the index of the host's interface, and the containers without any."""
    ends: dict[int, list[End]] = {}
    unwired = []
    for inode, namespace in found.items():
        try:
            with namespace.open() as handle:
                wires = wired(handle, here)
        except OSError:  # it has just gone, or we may not look into it: the host's side shows that
            continue
        if not wires:
            unwired.append(known[inode])
        for index, interface in wires:
            ends.setdefault(index, []).append(End(known[inode], interface))
    return ends, unwired


def _publish(ends: dict[int, list[End]]) -> list[Port]:
    """Give each end the published ports that lead to it; return the others."""
    by_address: dict[str, list[Port]] = {}
    for port in _published():
        by_address.setdefault(port.address, []).append(port)
    if by_address:
        for several in ends.values():
            for position, end in enumerate(several):
                own = [address.partition("/")[0] for address in end.interface.addresses]
                ports = [port for address in own for port in by_address.pop(address, ())]
                several[position] = end.replace(published=tuple(ports))
    return [port for ports in by_address.values() for port in ports]


def _published() -> list[Port]:
    """Return the ports that netlinkpy has published; none if we may not ask (CAP_NET_ADMIN), or the kernel
    cannot tell."""
    try:
        with Nat() as nat:
            return nat.ports()
    except OSError:
        return []


class _View:
    """The links of the host by index, and what else is known of each."""

    def __init__(self, links: list[Link], seen: list[Interface], ends: dict[int, list[End]]) -> None:
        self.links = {link.index: link for link in links}
        self.interfaces = {interface.index: interface for interface in seen}
        self.ends = ends
        self.ports: dict[int, list[Link]] = {}
        for link in links:
            if link.master is not None:
                self.ports.setdefault(link.master, []).append(link)
        self.masters = {link.index for link in links if link.kind == "bridge" or link.index in self.ports}

    def stands_alone(self, link: Link) -> bool:
        """Return whether a link is neither a network nor the port of one; lo is not shown."""
        return link.master is None and link.index not in self.masters and not link.flags & IFF_LOOPBACK

    def port(self, link: Link) -> HostPort:
        """Return a link with what is wired to it."""
        ends = tuple(self.ends.get(link.index, ()))
        state = ""
        claims: tuple[str, ...] = ()
        if link.master is not None:
            message = link.attributes
            info = message.get("linkinfo", {})
            number = info.get("slave_data", {}).get("state", -1) if info.get("slave_kind") == "bridge" else -1
            state = PORT_STATES[number] if 0 <= number < len(PORT_STATES) else ""
            names = message.get("prop_list", {}).get("alt_ifname", ())
            claims = tuple(text for name in names if (text := claimed_address(name, link.master)))
        near = self.links.get(link.link) if link.link and link.link_nsid is None else None
        return HostPort(
            interface=self.interfaces[link.index],
            state=state,
            claims=claims,
            peer=near.name if near else "",
            ends=ends,
            hidden=link.link_nsid is not None and not ends,
        )


def _network(view: _View, link: Link) -> HostNetwork:
    made = read_network(link)
    traits: list[str] = []
    if made is not None:
        traits = ["network"] + [word for word in ("internal", "isolate") if getattr(made, word)]
        traits += [] if made.masquerade else ["no-masquerade"]
    ports = [view.port(port) for port in view.ports.get(link.index, ())]
    return HostNetwork(
        name=made.name if made is not None else link.name,
        interface=view.interfaces[link.index],
        traits=tuple(traits),
        ports=tuple(sorted(ports, key=_by_address)),
    )


def _by_address(port: HostPort) -> tuple[bool, int, bytes, str]:
    """Return the sort key: containers by their first address, then what has none, by name."""
    addresses = [address for end in port.ends for address in end.interface.addresses]
    first = parse_ip(addresses[0].partition("/")[0]) if addresses else b""
    return not first, len(first), first, port.interface.name
