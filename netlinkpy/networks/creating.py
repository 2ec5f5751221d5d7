"""create(): make a network, whole or not at all; and ensure_default(), which makes the one of `run
--net=bridge`."""

from __future__ import annotations

import errno

from ..nat import Nat, forwarding
from ..os_error import during
from ..rollback import Rollback
from ..rtnl.claims import claim_name
from ..rtnl.netlink import RTNetlink
from ..rtnl.values import parse_ip
from ..wire.errors import NetlinkError
from ..wiring.link_group import StagingGroup, is_staging
from . import boundary
from .altnames import MadeAs, name_of
from .blocks import blocks
from .bridge_setup import configure
from .firewall import serve, withdraw_networks
from .leftovers import clear_group
from .lookup import find_bridge, find_network, read_network
from .reconcile import put_all_back
from .spec import CheckedSpec, NetworkSpec, bridge_mac, first_subnet
from .subnets_in_use import SubnetsInUse, pick6, pools

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..nat.forwarding import Setting
    from .network_record import NetworkRecord, Subnet

DEFAULT = "bridge"  # the network of `run --net=bridge`
_ROUNDS = 16  # how often another subnet is picked if somebody else took it first


def create(spec: NetworkSpec) -> NetworkRecord:
    """Make a network: see Network.create()."""
    wanted = CheckedSpec(spec)
    with during(f"create network {wanted.name}"), RTNetlink() as host:
        for _ in range(_ROUNDS):
            _clear_way(host, wanted)
            subnets = _choose_subnets(SubnetsInUse(host), wanted)
            try:
                return _NetworkMaker(host, wanted, subnets).make()
            except _TakenError as error:
                taken = error
                if not wanted.pick4:
                    break
        raise taken


def ensure_default() -> NetworkRecord:
    """Return the network `bridge`; make it with an automatic subnet if it does not exist."""
    with RTNetlink() as host:
        link = find_bridge(host, DEFAULT)
        if link is not None and not is_staging(link.group):
            return find_network(host, DEFAULT)
        try:
            return create(NetworkSpec(DEFAULT))
        except NetlinkError as error:
            if error.errno not in (errno.EEXIST, errno.EBUSY):
                raise
            return find_network(host, DEFAULT)  # another made it at the same time


class _TakenError(NetlinkError):
    """A network made at the same time has a subnet that overlaps ours."""


def _clear_way(host: RTNetlink, wanted: CheckedSpec) -> None:
    """Check that nothing has the network's names; remove what a dead call left."""
    verb = f"create network {wanted.name}"
    for link in (find_bridge(host, wanted.name), host.links.find(wanted.bridge)):
        if link is None:
            continue
        if is_staging(link.group) and link.kind == "bridge":
            if not clear_group(host, link.group):
                raise NetlinkError(errno.EBUSY, verb, text="another process is just making or removing it")
            link = host.links.find(link.index)
            if link is None:
                continue
        other = name_of(link.altnames)
        if other == wanted.name:
            raise NetlinkError(errno.EEXIST, verb, text=f"network {other} exists already")
        holder = f"network {other}" if other else f"link {link.index} ({link.kind or 'no kind'})"
        text = f"the interface name {wanted.bridge} is taken by {holder}"
        raise NetlinkError(errno.EEXIST, verb, text=text)


def _choose_subnets(in_use: SubnetsInUse, wanted: CheckedSpec) -> list[Subnet]:
    """Return the subnets, including those that are picked. Raise NetlinkError if one is in use."""
    verb = f"create network {wanted.name}"
    subnets = list(wanted.subnets)
    for subnet in subnets:
        holder = in_use.holder(*subnet.packed)
        if holder:
            raise NetlinkError(errno.EADDRINUSE, verb, text=f"subnet {subnet.subnet} overlaps {holder}")
    if wanted.pick4:
        picked = in_use.pick4()
        if picked is None:
            raise NetlinkError(errno.ENOSPC, verb, text=f"no subnet of the pools is free ({pools()})")
        subnets.append(first_subnet(*picked))
    if wanted.pick6:
        subnets.append(first_subnet(*pick6()))
    return subnets


class _NetworkMaker:
    """One network being made. Its bridge is in a staging group, and down, until it is complete."""

    def __init__(self, host: RTNetlink, wanted: CheckedSpec, subnets: list[Subnet]) -> None:
        self._host = host
        self._wanted = wanted
        self._subnets = subnets
        self._mac = bridge_mac(subnets)
        self._verb = f"create network {wanted.name}"

    def make(self) -> NetworkRecord:
        with StagingGroup() as group, Rollback() as rollback, rollback:
            rollback.before(group.roll_back)
            index = self._add_bridge(group)
            self._name(index)
            notes = self._configure(index)
            rollback.before(withdraw_networks, [index])
            self._close(index, rollback)
            notes += self._serve(index, rollback)
            self._host.links.set(index, up=True)
            made = read_network(self._host.links.get(index))
            if made is None or group.release([index]):
                raise NetlinkError(errno.ENODEV, self._verb, text="it was removed meanwhile")
        return made.replace(notes=tuple(notes))

    def _add_bridge(self, group: StagingGroup) -> int:
        link = self._host.links.add(
            self._wanted.bridge,
            kind="bridge",
            address=self._mac,
            group=group.number,
            mcast_snooping=int(self._wanted.spec.mcast_snooping),
        )
        return link.index

    def _name(self, index: int) -> None:
        """Give the bridge the names that make it a network; the first name decides between two calls at
        once."""
        name = self._wanted.name
        made = MadeAs(
            name,
            frozenset(self._wanted.words()),
            tuple(one.cidr for one in self._subnets),
            tuple(one.ip_range for one in self._subnets if one.ip_range),
            self._mac,
        )
        names = made.altnames()
        for subnet in self._subnets:
            own = (subnet.gateway, *subnet.aux_addresses)
            names += [claim_name(index, parse_ip(text)) for text in own]
        try:
            self._host.links.add_altnames(index, names)
        except NetlinkError as error:
            if error.errno != errno.EEXIST:
                raise
            text = f"network {name} exists already"
            raise NetlinkError(errno.EEXIST, self._verb, text=text) from None

    def _configure(self, index: int) -> list[str]:
        """Give the bridge all it needs; return, in sentences, what it could not be given."""
        if self._wanted.mtu is not None:
            # A message of its own: a MAC set by the create gives way to the lowest of the bridge's ports.
            self._host.links.set(index, mtu=self._wanted.mtu)
        why = configure(self._host, index, self._wanted.bridge, [subnet.cidr for subnet in self._subnets])
        return [f"bridge {self._wanted.bridge}: {why}"] if why else []

    def _close(self, index: int, rollback: Rollback) -> None:
        """Close its boundary, if it is internal."""
        made = read_network(self._host.links.get(index))
        if made is not None and made.internal:
            rollback.before(boundary.drop, self._host, made)
            boundary.lay(self._host, made)

    def _serve(self, index: int, rollback: Rollback) -> list[str]:
        """Let the packet filter serve it: the table decides between two overlapping networks made at once.
        Return, in sentences, what else was changed on the host, what others took from other networks, and
        whose rules block this one."""
        made = read_network(self._host.links.get(index))
        if made is None:
            raise NetlinkError(errno.ENODEV, self._verb, text="it was removed meanwhile")
        with Nat() as nat:
            notes = put_all_back(self._host, nat)
            try:
                changed = serve(nat, made)
            except NetlinkError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                raise _TakenError(errno.EADDRINUSE, self._verb, text=error.text) from None
            if self._wanted.spec.forward_all:
                everywhere: list[Setting] = []
                rollback.before(forwarding.undo, everywhere)
                changed += nat.forward_all(everywhere)
            settings = [one for one in changed if f".conf.{made.bridge}." not in one.name]  # but the bridge's
            return [*notes, *map(str, settings), *blocks(nat, made)]
