"""Nat: masquerading, published ports and isolation of the networks of one host, by the table `inet
netlinkpy`."""

from __future__ import annotations

import errno

from ..closing import Closing
from ..nft.conntrack import Conntrack
from ..nft.tables import Nftables, add_elements, delete_elements, delete_table
from ..os_error import during
from ..record import Record
from ..rollback import Rollback
from ..rtnl.claims import claim_name, unclaimed
from ..rtnl.values import format_ip, parse_ip
from ..wire.errors import NetlinkError
from ..wire.netfilter.elements import Element
from . import forwarding
from .port_names import PortNames, named_ports
from .records import NETWORK_SETS, PORT_MAPS, NatNetwork, networks_of, placed, port_of, ports_of, target_of
from .stale_flows import end_of_addresses, end_of_bypasses, end_of_ports
from .table import CHAIN_USES, FAMILY, TABLE, ensure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from typing import TypeVar

    from ..netns.handle import Target
    from ..nft.tables import Change
    from ..rtnl.link import Link
    from ..rtnl.netlink import RTNetlink
    from ..rtnl.values import IP, IPPrefix
    from .forwarding import Setting
    from .other_firewalls import ForeignDrop
    from .records import Port

    T = TypeVar("T")


class _Seen:
    """What receive() read of one generation of the tables of one namespace: networks: those served; targets:
    the addresses that ports lead to, each with its claim (claims.py), None if they were not read."""

    __slots__ = ("generation", "namespace", "networks", "targets")

    def __init__(self, namespace: int, generation: int) -> None:
        self.namespace = namespace
        self.generation = generation
        self.networks: set[NatNetwork] = set()
        self.targets: dict[bytes, str] | None = None


_seen = _Seen(0, 0)  # by this process, last


class PortTakenError(NetlinkError):
    """A port that is published already (EADDRINUSE). port: the one that has it."""

    port: Port


class TableState(Record):
    """What the table holds at one moment: intact: whether every chain is there with as many rules as it must
    have; the networks and ports."""

    intact: bool
    networks: tuple[NatNetwork, ...]
    ports: tuple[Port, ...]


class Nat(Closing):
    """What the packet filter of one network namespace does for its networks. Needs Linux 5.7 or newer.

    netns: None is the caller's; else as for RTNetlink. timeout: seconds for each verb.

    The kernel is the only database: whatever is asked is read from the table, and each verb is one
    transaction, done whole or not at all, however many processes change the table at once (one that depends
    on what it read is tried again, until time is up, if another came in between). Other tables are never
    touched. Every verb raises NetlinkError if the kernel refuses, ValueError or TypeError for arguments that
    cannot be; nothing is changed then. Close it, or use `with`. Use it from one thread at a time.

    A network is known by its bridge's index, so a bridge may be renamed. Settings under /proc/sys/net are
    changed only if necessary, and the changes returned; an alternative name of the link remembers each, and
    with the last network that needs them they are put back (forwarding.py)."""

    def __init__(self, netns: Target | None = None, *, timeout: float = 10.0) -> None:
        self._netns = netns
        self._timeout = timeout
        self._opened: RTNetlink | None = None
        self._tables = Nftables(netns, timeout=timeout)
        self._conntrack = Conntrack(self._tables.socket)

    def close(self) -> None:
        """Close the sockets; a second time does nothing."""
        self._tables.close()
        if self._opened is not None:
            self._opened.close()

    @property
    def _host(self) -> RTNetlink:
        """The links of the namespace; opened when first used."""
        if self._opened is None:
            from ..rtnl.netlink import RTNetlink

            self._opened = RTNetlink(self._netns, timeout=self._timeout)
        return self._opened

    # -- networks --------------------------------------------------------------------------------------

    def ensure(self) -> None:
        """Make the table, or correct its chains and rules; its elements stay. add_network() does so too.

        Raise NetlinkError (EEXIST) if there is a table of that name whose sets are not ours."""
        self._tables.commit(ensure(), verb=f"make the table {TABLE}")

    def add_network(
        self,
        bridge: str | int,
        subnets: IPPrefix | Iterable[IPPrefix],
        *,
        internal: bool = False,
        isolate: bool = False,
        masquerade: bool = True,
    ) -> list[Setting]:
        """Serve a network; if the bridge's network is served already, change it to this.

        bridge: its name or index; subnets: IPv4 and IPv6, in any number, "172.17.0.0/16". internal: nothing
        passes between it and anything else; published ports are reached only from the host itself. isolate:
        nothing passes between it and other networks of ours, published ports included. masquerade: packets
        leave it for the outside with the host's address, and from outside only answers and published ports
        reach it; otherwise its addresses are routed unchanged, and it is open from outside.

        Turn on forwarding for its IP versions (unless it is internal): of the bridge, and of the links of
        default routes; return the settings changed. Raise ValueError if a subnet overlaps one of another
        network, NetlinkError if there is no such bridge (ENODEV), OSError if a setting cannot be written; the
        network is as before then."""
        verb = f"add network {bridge}"
        with during(verb), Rollback() as rollback, rollback:
            link = self._host.links.get(bridge)
            wanted = NatNetwork.checked(
                link.index, subnets, internal=internal, isolate=isolate, masquerade=masquerade
            )
            self._replace(link.index, wanted, rollback, verb=verb)
            return [] if internal else self._forward(link, wanted.versions)

    def forward(self) -> list[Setting]:
        """Turn on what forwarding the networks that are served need, where it is off by now; return the
        settings changed."""
        changes: list[Setting] = []
        for one in self.networks():
            link = self._host.links.find(one.index)
            if link is not None and not one.internal:
                changes += self._forward(link, one.versions)
        return changes

    def forward_all(self, changes: list[Setting] | None = None) -> list[Setting]:
        """Make the host a router between all its links (net.ipv4.ip_forward, net.ipv6.conf.all.forwarding);
        return the settings changed. They stay. changes: a list that gets each before it is made."""
        return self._inside(lambda: forwarding.forward_all([] if changes is None else changes))

    def remove_network(self, bridge: str | int) -> list[Setting]:
        """Stop serving a network, and withdraw the ports published for its addresses, with their tracked
        flows. With the last network the whole table is removed, and with the last of an IP version the
        settings that we changed for it are put back. bridge: its name or index; if it is not served, only
        what a dead call did not put back is. Return the settings changed."""
        changes: list[Setting] = []
        with during(f"remove network {bridge}"), Rollback() as rollback, rollback:
            index = self._index_of(bridge)
            mine = self._served().get(index)
            if mine is not None:
                rollback.before(self._inside, lambda: forwarding.undo(changes))
                # Before the rules that make it safe go; and after, for one who published meanwhile.
                self._route_localnet([index], on=False, changes=changes)
                ports = self._replace(index, None, rollback, verb=f"remove network {bridge}")
                self._route_localnet([index], on=False, changes=changes)
                self._unname(ports, [mine], rollback)
                end_of_ports(self._conntrack, ports)
            return changes + self._put_back(index, rollback)

    def networks(self) -> list[NatNetwork]:
        """Return the networks that are served, by the bridge's name (empty if the bridge is gone)."""
        return sorted(map(self._named, self._served().values()), key=lambda one: (one.bridge, one.index))

    def look(self) -> TableState:
        """Return what is in the table: all of one generation."""

        def read() -> TableState:
            intact = self._tables.holds(FAMILY, TABLE, CHAIN_USES)
            return TableState(intact, tuple(self._networks().values()), tuple(self._ports()))

        return self._tables.consistent(read, verb=f"look at the table {TABLE}")

    def receive(self, network: NatNetwork, addresses: Iterable[IP]) -> bool:
        """Make ready for the new owners of addresses on a network: withdraw the ports that still lead to
        these, and to addresses that no link claims. Return whether every chain is there with as many rules as
        it must have, and the network is served just so.

        Some 20 us if no table of this namespace was changed since this process asked last."""
        seen = self._seen()
        targets = self._targets(seen)
        if targets:
            free = unclaimed(self._host, filter(None, targets.values()))
            gone = {packed for packed, name in targets.items() if not name or name in free}
            self.forget(map(format_ip, gone.union(map(parse_ip, addresses)).intersection(targets)))
        if network not in seen.networks:
            elements = {name: some[:1] for name, some in network.elements().items()}
            if not self._tables.holds(FAMILY, TABLE, CHAIN_USES, elements):
                return False
            seen.networks.add(network)
        return True

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
        not see those of the old iptables-legacy.) A network that is internal has only traffic between its
        containers, and one of an IP version only that."""
        from .other_firewalls import merged

        return merged(self.foreign_drops_by_bridge(bridges))

    def foreign_drops_by_bridge(self, bridges: Iterable[str] | None = None) -> dict[str, list[ForeignDrop]]:
        """Return foreign_drops() for each bridge, with the commands for it alone."""
        from .other_firewalls import Bridge, foreign_drops

        given = None if bridges is None else list(bridges)
        outside = {version: forwarding.uplinks(self._host, version) for version in (4, 6)}

        def read() -> dict[str, list[ForeignDrop]]:
            served = self._networks()
            if given is None:
                named = [(one.bridge, one.index) for one in map(self._named, served.values())]
            else:
                named = [(bridge, self._index_of(bridge)) for bridge in given]
            wanted = []
            for name, index in named:
                network = served.get(index)
                if network is None:
                    wanted.append(Bridge(name, index))
                else:
                    wanted.append(Bridge(name, index, tuple(network.versions), not network.internal))
            return self._inside(lambda: foreign_drops(self._tables, wanted, outside))

        return self._tables.consistent(read, verb="look for chains that drop")

    # -- ports -----------------------------------------------------------------------------------------

    def publish(self, ports: Iterable[Port], *, check: bool = True) -> list[Setting]:
        """Publish ports, all or none; those published identically already stay. Any number of ports is one
        transaction, and costs a packet one look-up.

        A port is reached from outside by the links of its host address (by those of default routes, if it
        has none), from the host by any of its addresses but 127.0.0.1 and ::1, from other networks (unless
        isolated or internal), and from the container itself and its neighbours by an address of the host. A
        port at any address and one at an address of that family exclude each other. The host end that claims
        the address gets an alternative name for it (port_names.py), and with it the port is withdrawn.

        check: refuse ports that a process of the host has bound (publishing would silently take them from
        it), by binding each for a moment; nothing holds them afterwards. Port.localhost: also what the host
        sends to 127.0.0.0/8; for that route_localnet is turned on for the network's bridge, beside which the
        table drops what comes for 127.0.0.0/8 from elsewhere than lo. If another program empties the table, a
        container reaches the host's 127.0.0.1 until the table is there again: `netlinkpy run` relays instead.

        Earlier UDP flows that pass the ports by are forgotten. Return the settings changed. Raise ValueError
        for an address in no network of ours, or a port that cannot be; OSError: EADDRINUSE another published
        port (PortTakenError) or a process has it, EADDRNOTAVAIL the host has no such address, ENOENT no
        container has claimed the address, ENOSPC the container has no room for more names."""
        wanted = list(ports)
        places = placed(wanted)
        verb = f"publish port {wanted[0]}" if len(wanted) == 1 else f"publish {len(wanted)} ports"
        with during(verb), Rollback() as rollback, rollback:
            homes = self._homes(wanted)
            if check:
                from .bound_ports import check_free

                self._inside(lambda: check_free(wanted))
            names = PortNames(self._host, verb)
            rollback.before(names.undo)
            names.add(wanted, {address: network.index for address, network in homes.items()})
            rollback.before(lambda: self._withdraw(_elements_at(placed(names.added)), Rollback(), verb=verb))
            self._add_ports(places, verb)
            bridges = {homes[port.address].index for port in wanted if port.localhost}
            changes: list[Setting] = []
            rollback.before(self._inside, lambda: forwarding.undo(changes))
            self._route_localnet(bridges, on=True, changes=changes)  # behind the guard in the table
            changes += self._forward_at(wanted, homes)
            self._allow_hairpin(homes)
            end_of_bypasses(self._conntrack, wanted, self._own_addresses)
        return changes

    def unpublish(self, ports: Iterable[Port]) -> list[Port]:
        """Withdraw published ports, with their tracked flows, and return those that were there: one that
        leads elsewhere by now stays."""
        wanted = list(ports)
        places = placed(wanted)
        places["localhost4"] = places.get("ports4", {})
        with during("unpublish ports"), Rollback() as rollback, rollback:
            self._unname(wanted, self._served().values(), rollback)
            return self._withdraw(_elements_at(places), rollback, verb="unpublish ports")

    def ports(self) -> list[Port]:
        """Return the published ports, by protocol, host address and number."""
        found = self._tables.consistent(self._ports, verb="list the published ports")
        return sorted(found, key=lambda port: (port.protocol, port.host, port.port, port.address))

    def forget(self, addresses: Iterable[IP], *, flows: bool = False) -> list[Port]:
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
        verb = f"withdraw the ports of {whose}"

        def read() -> dict[str, list[Element]]:
            return {
                map: [one for one in self._elements(map, packed) if target_of(one) in packed]
                for map in PORT_MAPS
            }

        with during(verb), Rollback() as rollback, rollback:
            doomed = self._tables.consistent(read, verb=verb)
            withdrawn: list[Port] = []
            if any(doomed.values()):
                self._unname(ports_of(doomed), self._served().values(), rollback)
                withdrawn = self._withdraw(doomed, rollback, verb=verb)
            if flows:
                end_of_addresses(self._conntrack, packed)
            return withdrawn

    def sweep(self) -> list[Port]:
        """Withdraw every port that no link names: its container is gone, or who published it died half-way.
        Return them. All links are listed."""
        _, orphans = self.compare_ports()
        return self.unpublish(orphans) if orphans else []

    def compare_ports(self) -> tuple[list[Port], list[Port]]:
        """Return the ports that links name and the table has not, and those that it has and no link names."""
        there = self.ports()  # before the names: a name stands before its port
        named = self.named_ports()
        has, says = set(there), set(named)
        return [one for one in named if one not in has], [one for one in there if one not in says]

    def restore_ports(self) -> tuple[list[Port], list[Port]]:
        """Publish again the ports that links name and the table has not. Return them, and those that are in
        the way of each other or in no network, which stay out."""
        back: list[Port] = []
        out: list[Port] = []
        lost, _ = self.compare_ports()
        if not lost:
            return back, out
        networks = list(self._served().values())
        for port in lost:
            packed = parse_ip(port.address)
            try:
                if not any(one.holds(packed) for one in networks):
                    raise ValueError(f"port {port}: {port.address} is in no network of this host")
                self._add_ports(placed([port]), f"publish port {port}")
            except (ValueError, PortTakenError):
                out.append(port)
            else:
                back.append(port)
        bridges = {
            one.index
            for port in back
            if port.localhost
            for one in networks
            if one.holds(parse_ip(port.address))
        }
        self._route_localnet(bridges, on=True)
        return back, out

    def named_ports(self) -> list[Port]:
        """Return the ports that the links of containers name."""
        return named_ports(self._host.links.list())

    # -- reading ---------------------------------------------------------------------------------------

    def _seen(self) -> _Seen:
        """Return what this process has read of the tables, if they are of the same generation still; any
        transaction, also of other tables, makes another."""
        global _seen
        namespace, generation = self._tables.socket.netns_cookie, self._tables.generation()
        if not namespace or (namespace, generation) != (_seen.namespace, _seen.generation):
            _seen = _Seen(namespace, generation)
        return _seen

    def _targets(self, seen: _Seen) -> dict[bytes, str]:
        """Return the addresses that ports lead to, each with its claim ("" if it is in no network)."""
        if seen.targets is None:
            found = {target_of(one) for map in PORT_MAPS for one in self._elements(map)}
            networks = list(self._networks().values()) if found else []
            homes = {packed: next((one for one in networks if one.holds(packed)), None) for packed in found}
            seen.targets = {
                packed: claim_name(home.index, packed) if home else "" for packed, home in homes.items()
            }
        return seen.targets

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

    def _networks(self) -> dict[int, NatNetwork]:
        return networks_of(self._network_elements())

    def _served(self) -> dict[int, NatNetwork]:
        """Return the networks by the indices of their bridges, all of one generation."""
        return self._tables.consistent(self._networks, verb="list the networks")

    def _named(self, network: NatNetwork) -> NatNetwork:
        link = self._host.links.find(network.index)
        return network if link is None else network.replace(bridge=link.name)

    def _index_of(self, bridge: str | int) -> int:
        """Return the index of a bridge, 0 if there is none of that name."""
        if isinstance(bridge, int):
            return bridge
        link = self._host.links.find(bridge)
        return 0 if link is None else link.index

    def _ports(self) -> list[Port]:
        return ports_of({map: self._elements(map) for map in PORT_MAPS})

    def _homes(self, ports: Iterable[Port]) -> dict[str, NatNetwork]:
        """Return the network of each address that ports lead to. Raise ValueError if one is in none."""
        networks = list(self._served().values())
        homes: dict[str, NatNetwork] = {}
        for port in ports:
            if port.address not in homes:
                packed = parse_ip(port.address)
                home = next((network for network in networks if network.holds(packed)), None)
                if home is None:
                    raise ValueError(f"port {port}: {port.address} is in no network of this host")
                homes[port.address] = home
        return homes

    # -- changing --------------------------------------------------------------------------------------

    def _replace(
        self, index: int, wanted: NatNetwork | None, rollback: Rollback | None = None, *, verb: str
    ) -> list[Port]:
        """Put one network in the place of what there is for a bridge; if none is wanted, its ports go too:
        return them. rollback: learns how to put back what there was."""
        was: NatNetwork | None = None
        doomed: dict[str, list[Element]] = {}
        noted = False

        def put_back() -> None:
            self._replace(index, was, verb=f"undo {verb}")
            if any(doomed.values()):
                self._add_ports(_places_of(doomed), f"undo {verb}")

        def plan() -> list[Change]:
            nonlocal was, noted
            found = self._network_elements()
            networks = networks_of(found)
            was = networks.pop(index, None)
            for other in networks.values():
                clash = wanted and wanted.overlap(other)
                if clash:
                    name = self._named(other).bridge or f"with bridge {other.index}, which is gone"
                    raise ValueError(f"subnet {clash[0]} overlaps {clash[1]} of network {name}")
            doomed.clear()
            if wanted is None and was is not None:
                for map in PORT_MAPS:
                    doomed[map] = [one for one in self._elements(map) if was.holds(target_of(one))]
            if rollback is not None and not noted:
                noted = True
                rollback.before(put_back)
            if wanted is not None:
                return [*ensure(), *_changes(found, was, wanted)]
            if was is None:
                return []
            if not networks:
                return [delete_table(FAMILY, TABLE)]
            return [*_deletions(doomed), *_changes(found, was, None)]

        self._tables.update(plan, verb=verb)
        return ports_of(doomed)

    def _add_ports(self, places: Mapping[str, Mapping[bytes, bytes]], verb: str) -> None:
        """Add elements to the maps of ports. Raise PortTakenError if another port is in the way."""
        versions = {map[-1] for map in places}

        def plan() -> list[Change]:
            there = {
                map: {one.key: one.data for one in self._elements(map)}
                for map in PORT_MAPS
                if map[-1] in versions
            }
            taken = _taken(there, places)
            if taken is not None:
                why = f"port {taken} is taken: it leads to {taken.address} port {taken.target}"
                error = PortTakenError(errno.EADDRINUSE, verb, where=self._tables.socket.where, text=why)
                error.port = taken
                raise error
            new = {
                map: [(key, value) for key, value in data.items() if key not in there[map]]
                for map, data in places.items()
            }
            return [
                change
                for map, data in new.items()
                for change in add_elements(FAMILY, TABLE, map, _elements_of(data))
            ]

        self._tables.update(plan, verb=verb)

    def _unname(self, ports: Iterable[Port], networks: Iterable[NatNetwork], rollback: Rollback) -> None:
        """Take the names of ports from the links that bear them. networks: those that they are in."""
        doomed = list(ports)
        homes = {
            port.address: network.index
            for port in doomed
            for network in networks
            if network.holds(parse_ip(port.address))
        }
        names = PortNames(self._host, "unpublish ports")
        rollback.before(names.undo)
        names.remove(doomed, homes)

    def _withdraw(self, wanted: Mapping[str, list[Element]], rollback: Rollback, *, verb: str) -> list[Port]:
        """Delete those elements that are there, and the flows of their ports. Return these."""
        doomed: dict[str, list[Element]] = {}

        def plan() -> list[Change]:
            for map, elements in wanted.items():
                sought = {(one.key, one.data) for one in elements}
                held = {target_of(one) for one in elements}
                there = self._elements(map, held) if elements else []
                doomed[map] = [one for one in there if (one.key, one.data) in sought]
            return _deletions(doomed)

        rollback.before(lambda: self._add_ports(_places_of(doomed), f"undo: {verb}"))
        self._tables.update(plan, verb=verb)
        withdrawn = ports_of(doomed)
        end_of_ports(self._conntrack, withdrawn)
        return withdrawn

    def _put_back(self, gone: int, rollback: Rollback) -> list[Setting]:
        """Put back what we changed for a bridge that is no network's any more, and for an IP version that no
        network needs; return the changes."""
        needed = {version for one in self._served().values() if not one.internal for version in one.versions}
        changes = self._inside(lambda: forwarding.put_back(self._host, gone, needed, rollback))
        return changes + self.forward() if changes else changes  # for one who added a network meanwhile

    def _forward(self, link: Link, versions: Collection[int]) -> list[Setting]:
        """Turn on forwarding from a bridge, and from the links of default routes."""
        served = set(self._served())
        return self._inside(lambda: forwarding.turn_on(self._host, [link], served, versions))

    def _forward_at(self, ports: Iterable[Port], homes: Mapping[str, NatNetwork]) -> list[Setting]:
        """Turn on forwarding from the links that have the host addresses of ports."""
        at = {port.host for port in ports if any(parse_ip(port.host or "0.0.0.0"))}
        links = (
            {one.index: one.address for one in self._host.addresses.list() if one.address in at} if at else {}
        )
        found = [link for link in map(self._host.links.find, links) if link is not None and link.name != "lo"]
        if not found:
            return []
        served = {network.index for network in homes.values()}
        versions = {6 if ":" in host else 4 for host in at}
        return self._inside(lambda: forwarding.turn_on(self._host, found, served, versions))

    def _route_localnet(
        self, indices: Iterable[int], *, on: bool, changes: list[Setting] | None = None
    ) -> list[Setting]:
        links = [link for link in map(self._host.links.find, indices) if link is not None]
        made = [] if changes is None else changes
        return self._inside(lambda: forwarding.route_localnet(links, on, made))

    def _allow_hairpin(self, homes: Mapping[str, NatNetwork]) -> None:
        from .hairpin import filtered, let_back

        everywhere = self._inside(filtered)
        for index in {network.index for network in homes.values()}:
            addresses = [address for address, home in homes.items() if home.index == index]
            let_back(self._host, index, addresses, everywhere)

    def _own_addresses(self) -> set[bytes]:
        return {parse_ip(address.address) for address in self._host.addresses.list()}

    def _inside(self, function: Callable[[], T]) -> T:
        """Return what a function returns when the calling thread is in our namespace."""
        if self._netns is None:
            return function()
        from ..netns.processes import call

        return call(self._netns, function)


def _changes(
    found: dict[str, list[Element]], before: NatNetwork | None, after: NatNetwork | None
) -> list[Change]:
    """Return what turns one network into another, given the elements found in the sets."""
    old = before.elements() if before else {}
    new = after.elements() if after else {}
    changes: list[Change] = []
    for name, elements in old.items():
        there = set(found[name])
        gone = [one for one in elements if one in there and one not in new.get(name, [])]
        changes += delete_elements(FAMILY, TABLE, name, gone)
    for name, elements in new.items():
        changes += add_elements(FAMILY, TABLE, name, elements)
    return changes


def _deletions(doomed: dict[str, list[Element]]) -> list[Change]:
    return [
        change for map, elements in doomed.items() for change in delete_elements(FAMILY, TABLE, map, elements)
    ]


def _elements_at(places: Mapping[str, Mapping[bytes, bytes]]) -> dict[str, list[Element]]:
    """Return the elements of ports, by map, as placed() has them."""
    return {map: _elements_of(data.items()) for map, data in places.items()}


def _places_of(found: Mapping[str, Iterable[Element]]) -> dict[str, dict[bytes, bytes]]:
    """Return where the ports of elements stand, as placed() has them."""
    return {map: {one.key: one.data for one in elements} for map, elements in found.items()}


def _elements_of(data: Iterable[tuple[bytes, bytes]]) -> list[Element]:
    return [Element.from_row((key, value, 0, b"", b"", None)) for key, value in data]


def _taken(
    there: Mapping[str, Mapping[bytes, bytes]], places: Mapping[str, Mapping[bytes, bytes]]
) -> Port | None:
    """Return the first port that is there and excludes one of others; None if none does. A port at any
    address and one at an address of its family exclude each other."""
    for map, data in places.items():
        for key, value in data.items():
            if there[map].get(key, value) != value:
                return port_of(Element(key, there[map][key]))
            if map.startswith("bound") and (other := there[f"ports{map[-1]}"].get(key[-8:])):
                return port_of(Element(key[-8:], other))
        if map.startswith("ports"):
            for key, value in there[f"bound{map[-1]}"].items():
                if key[-8:] in data:
                    return port_of(Element(key, value))
    return None
