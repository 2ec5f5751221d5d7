"""Nat: masquerading, published ports and isolation of the networks of one host, by the table `inet
netlinkpy`."""

from __future__ import annotations

import errno

from ..closing import Closing
from ..nft.conntrack import Conntrack
from ..nft.tables import Nftables, add_elements, delete_elements, delete_table
from ..rtnl.values import format_ip, parse_ip
from ..wire.errors import NetlinkError
from ..wire.netfilter.elements import Element
from . import forwarding_sysctls
from .records import NETWORK_SETS, PORT_MAPS, NatNetwork, networks_of, placed, port_of, target_of
from .stale_flows import end_of_addresses, end_of_bypasses, end_of_ports
from .table import FAMILY, TABLE, ensure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from typing import TypeVar

    from ..netns.handle import Target
    from ..nft.tables import Change
    from .forwarding_sysctls import Setting
    from .other_firewalls import ForeignDrop
    from .records import Port

    T = TypeVar("T")


class Nat(Closing):
    """What the packet filter of one network namespace does for its networks. Needs Linux 5.7 or newer.

    netns: None is the caller's; else as for RTNetlink. timeout: seconds for each verb.

    The kernel is the only database: whatever is asked is read from the table, and each verb is one
    transaction, done whole or not at all, however many processes change the table at once (one that depends
    on what it read is tried again, until time is up, if another came in between). Other tables are never
    touched. Every verb raises NetlinkError if the kernel refuses, ValueError or TypeError for arguments that
    cannot be; nothing is changed then. Close it, or use `with`. Use it from one thread at a time.

    Settings under /proc/sys/net are changed only if necessary, and the changes returned. They stay (nothing
    remembers the values before), except route_localnet, which is reset with the network."""

    def __init__(self, netns: Target | None = None, *, timeout: float = 10.0) -> None:
        self._netns = netns
        self._tables = Nftables(netns, timeout=timeout)
        self._conntrack = Conntrack(self._tables.socket)

    def close(self) -> None:
        """Close the socket; a second time does nothing."""
        self._tables.close()

    # -- networks --------------------------------------------------------------------------------------

    def ensure(self) -> None:
        """Make the table, or correct its chains and rules; its elements stay. add_network() does so too.

        Raise NetlinkError (EEXIST) if there is a table of that name whose sets are not ours."""
        self._tables.commit(ensure(), verb=f"make the table {TABLE}")

    def add_network(
        self,
        bridge: str,
        subnets: Iterable[str],
        *,
        internal: bool = False,
        isolate: bool = False,
        masquerade: bool = True,
    ) -> list[Setting]:
        """Serve a network; if the bridge's network is served already, change it to this.

        bridge: its name (the bridge should be there, for its own forwarding setting); subnets: IPv4 and IPv6,
        in any number, "172.17.0.0/16". internal: nothing passes between it and anything else; published ports
        are reached only from the host itself and within it. isolate: nothing passes between it and other
        networks of ours, published ports included. masquerade: packets leave it for the outside with the
        host's address, and from outside only answers and published ports reach it; otherwise its addresses
        are routed unchanged, and it is open from outside.

        Turn on forwarding for its IP versions (unless it is internal) and return the settings changed. Raise
        ValueError if a subnet overlaps one of another network, OSError if a setting cannot be written; the
        network is as before then."""
        wanted = NatNetwork.checked(
            bridge, subnets, internal=internal, isolate=isolate, masquerade=masquerade
        )
        before = self._replace(bridge, wanted, verb=f"add network {bridge}")
        families = {":" in subnet for subnet in wanted.subnets}
        try:
            if internal:
                return []
            return self._inside(
                lambda: forwarding_sysctls.forward(bridge, ipv4=False in families, ipv6=True in families)
            )
        except OSError:
            self._replace(bridge, before, verb=f"restore network {bridge}")
            raise

    def rename_networks(self, names: Mapping[str, str]) -> None:
        """Serve networks whose bridges were renamed as before, since rules go by names; their ports stay.

        names: the new name of each bridge by its old one; two may change places. One that is not served is
        skipped. What is served under a new name, and is not renamed itself, is replaced."""

        def plan() -> list[Change]:
            found = self._network_elements()
            networks = {network.bridge: network for network in networks_of(found)}
            renamed = [networks[old].replace(bridge=new) for old, new in names.items() if old in networks]
            if not renamed:
                return []
            replaced = {*names, *(network.bridge for network in renamed)}
            return _changes(found, [networks[name] for name in networks if name in replaced], renamed)

        self._tables.update(plan, verb=f"rename networks {', '.join(names)}")

    def remove_network(self, bridge: str) -> list[Setting]:
        """Stop serving a network, and withdraw the ports published for its addresses, with their tracked
        flows. With the last network the whole table is removed. Do nothing if the network is not served.
        Return the settings changed."""
        if all(network.bridge != bridge for network in self.networks()):
            return []
        # Before the rules that make it safe go; and after, for one who published meanwhile.
        changes = self._inside(lambda: forwarding_sysctls.route_localnet([bridge], on=False))
        doomed: dict[str, list[Element]] = {}

        def plan() -> list[Change]:
            found = self._network_elements()
            networks = {network.bridge: network for network in networks_of(found)}
            mine = networks.pop(bridge, None)
            doomed.clear()
            if mine is None:
                return []
            for map in PORT_MAPS:
                doomed[map] = [one for one in self._elements(map) if mine.holds(target_of(one))]
            if not networks:
                return [delete_table(FAMILY, TABLE)]
            return [*_deletions(doomed), *_changes(found, [mine], [])]

        self._tables.update(plan, verb=f"remove network {bridge}")
        changes += self._inside(lambda: forwarding_sysctls.route_localnet([bridge], on=False))
        end_of_ports(self._conntrack, _ports_of(doomed))
        return changes

    def networks(self) -> list[NatNetwork]:
        """Return the networks that are served, by the bridge's name."""
        return self._tables.consistent(self._networks, verb="list the networks")

    def remove(self) -> bool:
        """Remove the table if it holds no network and no port; return whether it did."""
        removed: list[bool] = []

        def plan() -> list[Change]:
            removed[:] = [self._exists() and not self._networks() and not self._ports()]
            return [delete_table(FAMILY, TABLE)] if removed[0] else []

        self._tables.update(plan, verb=f"remove the table {TABLE}")
        return removed[0]

    def foreign_drops(self, bridges: Iterable[str] | None = None) -> list[ForeignDrop]:
        """Return the forward chains of other firewalls that drop what they do not accept, and do not accept
        the traffic of these bridges (None: of all networks), with the rules that would help. (nf_tables does
        not see those of the old iptables-legacy.)"""
        from .other_firewalls import foreign_drops

        given = None if bridges is None else list(bridges)

        def read() -> list[ForeignDrop]:
            names = [network.bridge for network in self._networks()] if given is None else given
            return foreign_drops(self._tables, names, (FAMILY, TABLE))

        return self._tables.consistent(read, verb="look for chains that drop")

    # -- ports -----------------------------------------------------------------------------------------

    def publish(self, ports: Iterable[Port], *, check: bool = True) -> list[Setting]:
        """Publish ports, all or none; those published identically already stay. Any number of ports is one
        transaction, and costs a packet one look-up.

        A port is reached from outside, from the host by any of its addresses (127.0.0.1 too, but not ::1,
        which the kernel routes to lo alone), from other networks (unless isolated or internal), and from the
        container itself and its neighbours by an address of the host. check: refuse ports that a process of
        the host has bound (publishing would silently take them from it), by binding each for a moment.

        For IPv4 ports that 127.0.0.1 reaches, route_localnet is turned on for the network's bridge, beside
        which the table drops what comes for 127.0.0.0/8 from elsewhere than lo. Earlier UDP flows that pass
        the ports by are forgotten. Return the settings changed. Raise ValueError for an address in no network
        of ours, or a port that cannot be; OSError: EADDRINUSE another published port or a process has it,
        EADDRNOTAVAIL the host has no such address."""
        wanted = list(ports)
        places = placed(wanted)
        homes = self._homes(wanted)
        if check:
            from .bound_ports import check_free

            self._inside(lambda: check_free(wanted))
        bridges = {homes[port.address] for port in wanted if _on_loopback(port)}
        changes = self._inside(lambda: forwarding_sysctls.route_localnet(bridges, on=True))
        verb = f"publish port {wanted[0]}" if len(wanted) == 1 else f"publish {len(wanted)} ports"
        try:
            self._add_ports(places, verb)
        except OSError:
            if not any(map(_on_loopback, self.ports())):  # others may need it by now
                self._inside(lambda: forwarding_sysctls.undo(changes))
            raise
        self._allow_hairpin(homes)
        end_of_bypasses(self._conntrack, wanted, self._own_addresses)
        return changes

    def unpublish(self, ports: Iterable[Port]) -> list[Port]:
        """Withdraw published ports, with their tracked flows, and return those that were there: one that
        leads elsewhere by now stays."""
        wanted = placed(ports)
        return self._withdraw(
            lambda map, element: wanted.get(map, {}).get(element.key) == element.data,
            maps=wanted,
            verb="unpublish ports",
        )

    def ports(self) -> list[Port]:
        """Return the published ports, by protocol, host address and number."""
        found = self._tables.consistent(self._ports, verb="list the published ports")
        return sorted(found, key=lambda port: (port.protocol, port.host, port.port, port.address))

    def forget(self, addresses: Iterable[str], *, flows: bool = False) -> list[Port]:
        """Withdraw every published port that leads to one of these addresses, in one transaction, and forget
        the flows that came by them; return the ports. So no port is left to lead to the next container that
        gets the address of one that died.

        It is cheap if there is nothing to do: some 0.1 ms, and 0.5 us for each port that is published.
        flows: forget all flows from and to the addresses, even if no port led to them; that walks the
        kernel's table of all flows (see nft.conntrack), and pays for many addresses at once."""
        packed = {parse_ip(address) for address in addresses}
        if not packed:
            return []
        whose = format_ip(next(iter(packed))) if len(packed) == 1 else f"{len(packed)} addresses"
        withdrawn = self._withdraw(
            lambda _, element: target_of(element) in packed,
            maps=PORT_MAPS,
            holding=packed,
            verb=f"withdraw the ports of {whose}",
        )
        if flows:
            end_of_addresses(self._conntrack, packed)
        return withdrawn

    # -- reading ---------------------------------------------------------------------------------------

    def _exists(self) -> bool:
        return any(table["name"] == TABLE for table in self._tables.tables(FAMILY))

    def _elements(self, name: str, holding: Collection[bytes] = ()) -> list[Element]:
        """Return the elements of a set or map of ours; none if there is no table."""
        try:
            return self._tables.elements(FAMILY, TABLE, name, holding)
        except NetlinkError as error:
            if error.errno != errno.ENOENT:
                raise
            return []

    def _network_elements(self) -> dict[str, list[Element]]:
        return {name: self._elements(name) for name in NETWORK_SETS}

    def _networks(self) -> list[NatNetwork]:
        return networks_of(self._network_elements())

    def _ports(self) -> list[Port]:
        return _ports_of({map: self._elements(map) for map in PORT_MAPS})

    def _homes(self, ports: Iterable[Port]) -> dict[str, str]:
        """Return the network's bridge for each address that ports lead to. Raise ValueError if one is in
        none."""
        networks = self.networks()
        homes: dict[str, str] = {}
        for port in ports:
            if port.address not in homes:
                packed = parse_ip(port.address)
                home = next((network.bridge for network in networks if network.holds(packed)), None)
                if home is None:
                    raise ValueError(f"port {port}: {port.address} is in no network of this host")
                homes[port.address] = home
        return homes

    # -- changing --------------------------------------------------------------------------------------

    def _replace(self, bridge: str, wanted: NatNetwork | None, *, verb: str) -> NatNetwork | None:
        """Put one network in the place of what there is for a bridge; return what there was."""
        before: list[NatNetwork | None] = []

        def plan() -> list[Change]:
            found = self._network_elements()
            networks = {network.bridge: network for network in networks_of(found)}
            mine = networks.pop(bridge, None)
            before[:] = [mine]
            for other in networks.values():
                clash = wanted and wanted.overlap(other)
                if clash:
                    raise ValueError(f"subnet {clash[0]} overlaps {clash[1]} of network {other.bridge}")
            if wanted is None and not networks:
                return [delete_table(FAMILY, TABLE)]
            return [*ensure(), *_changes(found, [mine] if mine else [], [wanted] if wanted else [])]

        self._tables.update(plan, verb=verb)
        return before[0]

    def _add_ports(self, places: dict[str, dict[bytes, bytes]], verb: str) -> None:
        changes = [
            change
            for map, data in places.items()
            for change in add_elements(FAMILY, TABLE, map, _elements_of(data))
        ]
        try:
            self._tables.commit(changes, verb=verb)
        except NetlinkError as error:
            if error.errno not in (errno.EEXIST, errno.EBUSY):  # EBUSY on older kernels
                raise
            taken = self._taken(places)
            if taken is None:  # its owner withdrew it meanwhile
                self._tables.commit(changes, verb=verb)
                return
            why = f"port {taken} is taken: it leads to {taken.address} port {taken.target}"
            raise NetlinkError(errno.EADDRINUSE, verb, where=error.where, text=why) from None

    def _taken(self, places: dict[str, dict[bytes, bytes]]) -> Port | None:
        """Return the first published port that conflicts with others."""
        for map, data in places.items():
            for element in self._elements(map):
                if data.get(element.key, element.data) != element.data:
                    return port_of(element)
        return None

    def _withdraw(
        self,
        match: Callable[[str, Element], bool],
        *,
        maps: Iterable[str],
        holding: Collection[bytes] = (),
        verb: str,
    ) -> list[Port]:
        """Delete and return the ports that match() takes, with their flows."""
        doomed: dict[str, list[Element]] = {}

        def plan() -> list[Change]:
            for map in maps:
                doomed[map] = [one for one in self._elements(map, holding) if match(map, one)]
            return _deletions(doomed)

        self._tables.update(plan, verb=verb)
        withdrawn = _ports_of(doomed)
        end_of_ports(self._conntrack, withdrawn)
        return withdrawn

    def _allow_hairpin(self, homes: dict[str, str]) -> None:
        from ..rtnl.netlink import RTNetlink
        from .hairpin import filtered, let_back

        everywhere = self._inside(filtered)
        with RTNetlink(self._netns) as rt:
            for bridge in set(homes.values()):
                let_back(rt, bridge, [one for one, home in homes.items() if home == bridge], everywhere)

    def _own_addresses(self) -> set[bytes]:
        from ..rtnl.netlink import RTNetlink

        with RTNetlink(self._netns) as rt:
            return {parse_ip(address.address) for address in rt.addresses.list()}

    def _inside(self, function: Callable[[], T]) -> T:
        """Return what a function returns when the calling thread is in our namespace."""
        if self._netns is None:
            return function()
        from ..netns.processes import call

        return call(self._netns, function)


def _changes(
    found: dict[str, list[Element]], before: Iterable[NatNetwork], after: Iterable[NatNetwork]
) -> list[Change]:
    """Return what turns networks into others, given the elements found in the sets."""
    old, new = _elements_of_networks(before), _elements_of_networks(after)
    changes: list[Change] = []
    for name, elements in old.items():
        there = set(found[name])
        gone = [one for one in elements if one in there and one not in new.get(name, [])]
        changes += delete_elements(FAMILY, TABLE, name, gone)
    for name, elements in new.items():
        changes += add_elements(FAMILY, TABLE, name, elements)
    return changes


def _elements_of_networks(networks: Iterable[NatNetwork]) -> dict[str, list[Element]]:
    found: dict[str, list[Element]] = {}
    for network in networks:
        for name, elements in network.elements().items():
            found.setdefault(name, []).extend(elements)
    return found


def _deletions(doomed: dict[str, list[Element]]) -> list[Change]:
    return [
        change for map, elements in doomed.items() for change in delete_elements(FAMILY, TABLE, map, elements)
    ]


def _ports_of(found: dict[str, list[Element]]) -> list[Port]:
    return [port_of(element) for elements in found.values() for element in elements]


def _elements_of(data: dict[bytes, bytes]) -> list[Element]:
    return [Element.from_row((key, value, 0, b"")) for key, value in data.items()]


def _on_loopback(port: Port) -> bool:
    """Return whether 127.0.0.1 (or another address of 127.0.0.0/8) leads to a port."""
    return ":" not in port.address and (port.host in ("", "0.0.0.0") or port.host.startswith("127."))
