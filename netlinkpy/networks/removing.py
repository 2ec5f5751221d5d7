"""remove() and prune(): remove networks."""

from __future__ import annotations

import errno

from ..nat import Nat
from ..os_error import during
from ..rollback import Rollback
from ..rtnl.netlink import RTNetlink
from ..wire.errors import NetlinkError
from ..wiring.link_group import StagingGroup, is_staging
from . import boundary
from .altnames import name_of
from .firewall import withdraw_networks
from .leftovers import clear_dead, clear_group, serve_again
from .lookup import find_bridge, find_network, list_networks
from .members import members
from .network_record import NetworkRecord
from .reconcile import put_all_back


def remove(network: NetworkRecord | str) -> None:
    """Remove a network that no container is connected to; one that a dead call left half made or half removed
    goes too. Raise NetlinkError if a container is (EBUSY), or the network is gone or being removed
    (ENOENT)."""
    name = network if isinstance(network, str) else network.name
    verb = f"remove network {name}"
    with during(verb), RTNetlink() as host:
        if _cleared(host, name):
            return
        found = find_network(host, name)
        if isinstance(network, NetworkRecord) and found.index != network.index:
            raise NetlinkError(errno.ENOENT, verb, text="it is gone, another has its name now")
        network = found  # the record may be old, and its bridge's name another network's by now
        with StagingGroup() as group, Rollback() as rollback, rollback:
            withdrawn: list[NetworkRecord] = []
            rollback.before(_put_back, host, group, withdrawn)
            if group.borrow([network.index]):
                raise NetlinkError(errno.ENOENT, verb, text="it is gone")
            ports = host.links.list(master=network.index)
            if ports:
                raise NetlinkError(errno.EBUSY, verb, text=_in_use(network, len(ports)))
            withdrawn.append(network)
            withdraw_networks([network.index])
            boundary.drop(host, network)
            group.delete_members()


def _cleared(host: RTNetlink, name: str) -> bool:
    """Return whether it was a dead call that held the network, and what that left is gone now."""
    link = find_bridge(host, name)
    if link is None or not is_staging(link.group) or not clear_group(host, link.group):
        return False
    return host.links.find(link.index) is None


def _put_back(host: RTNetlink, group: StagingGroup, withdrawn: list[NetworkRecord]) -> None:
    """Serve a network again if it was withdrawn, and take it out of the group then: one that cannot be served
    stays there, a leftover."""
    for network in withdrawn:
        serve_again(host, network)
    group.roll_back()


def _in_use(network: NetworkRecord, count: int) -> str:
    names = [member.container for member in members(network)]
    shown = ", ".join(name for name in names[:3] if name) or "unknown ones"
    more = f" and {count - 3} more" if count > 3 else ""
    return f"it is in use by {count} {'container' if count == 1 else 'containers'}: {shown}{more}"


def prune() -> list[str]:
    """Remove every network that no container is connected to, and what dead calls left unfinished (networks
    and attachments), and withdraw what the packet filter holds for networks and containers that are gone.
    Return the names of the networks."""
    removed: list[str] = []
    with during("prune networks"), RTNetlink() as host:
        removed += [name for name in (name_of(link.altnames) for link in clear_dead(host)) if name]
        with Nat() as nat:
            put_all_back(host, nat)
        networks = list_networks(host)
    for network in networks:
        try:
            remove(network)
        except NetlinkError as error:
            if error.errno not in (errno.EBUSY, errno.ENOENT):
                raise
        else:
            removed.append(network.name)
    return sorted(removed)
