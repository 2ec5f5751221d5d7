"""remove and prune: networks taken away, and what dead calls left half made.

A bridge that is just being made or removed is in a private group (wiring/bridge.py), whose number is free
again when the maker dies. remove() puts the bridge into one before it looks for ports, and connect() looks at
the bridge's group after it made its port: so at least one of two that meet sees the other."""

from __future__ import annotations

import errno
from time import monotonic, sleep

from ..rtnl.netlink import RTNetlink
from ..wire.errors import NetlinkError
from ..wiring.bridge import PrivateGroup, is_private, regroup
from .firewall import drop_unclaimed, withdraw
from .network import Network, find, name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..rtnl.link import Link

_LOOK_EVERY = 0.005  # seconds between two looks at a bridge that is just being removed


def remove(network: Network) -> None:
    """Remove a network that no container is connected to. NetlinkError: EBUSY one is, ENOENT it is gone, or
    being removed."""
    verb = f"remove network {network.name}"
    with RTNetlink() as host:
        if find(host, network.name).index != network.index:
            raise NetlinkError(errno.ENOENT, verb, text="it is gone, another has its name now")
        group = PrivateGroup()
        try:
            if group.take([network.index]):
                raise NetlinkError(errno.ENOENT, verb, text="it is gone")
            try:
                ports = host.links.list(master=network.index)
                if ports:
                    raise NetlinkError(errno.EBUSY, verb, text=_in_use(network, len(ports)))
                withdraw([network.bridge])
                group.delete_members()
            except BaseException:
                regroup(group.socket, [network.index], 0)
                raise
        finally:
            group.close()


def _in_use(network: Network, count: int) -> str:
    from .members import members

    names = [member.container for member in members(network)]
    shown = ", ".join(name for name in names[:3] if name) or "unknown ones"
    more = f" and {count - 3} more" if count > 3 else ""
    return f"it is in use by {count} {'container' if count == 1 else 'containers'}: {shown}{more}"


def prune() -> list[str]:
    """Remove every network that no container is connected to, and what calls that died left half made
    (networks and attachments), and withdraw what the packet filter holds for networks and containers that are
    gone. Gives the names of the networks."""
    removed: list[str] = []
    with RTNetlink() as host:
        removed += [name for name in (name_of(link.altnames) for link in clear_dead(host)) if name]
        drop_unclaimed(host)
    for network in Network.list():
        try:
            remove(network)
        except NetlinkError as error:
            if error.errno not in (errno.EBUSY, errno.ENOENT):
                raise
        else:
            removed.append(network.name)
    return sorted(removed)


def is_leftover(link: Link) -> bool:
    """Whether a link is half made by a call that died."""
    if not is_private(link.group):
        return False
    try:
        PrivateGroup(link.group).close()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    return True


def clear_dead(host: RTNetlink) -> list[Link]:
    """Remove all that dead calls left half made, and give it."""
    links = [link for link in host.links.list() if is_private(link.group)]
    dead = {group for group in {link.group for link in links} if clear_leftovers(host, group)}
    return [link for link in links if link.group in dead]


def clear_leftovers(host: RTNetlink, number: int) -> bool:
    """Remove what a dead call left in its private group; False where the call is still going on. A bridge
    that has ports was about to be removed, and is given back."""
    try:
        group = PrivateGroup(number)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    try:
        bridges = [link for link in host.links.list(kind="bridge") if link.group == number]
        used = [link.index for link in bridges if host.links.list(master=link.index)]
        regroup(group.socket, used, 0)
        unused = [link.name for link in bridges if link.index not in used]
        if unused:
            withdraw(unused)
        group.delete_members()
    finally:
        group.close()
    return True


def is_staying(host: RTNetlink, network: Network) -> bool:
    """Whether a network is still there, now that we have a port on it; waits for one who is just removing it,
    and who may see our port or not."""
    deadline = monotonic() + host.socket.timeout
    while True:
        try:
            link: Link = host.links.get(network.index)
        except NetlinkError as error:
            if error.errno != errno.ENODEV:
                raise
            return False
        if not is_private(link.group) or clear_leftovers(host, link.group):
            return True
        if monotonic() > deadline:
            return False
        sleep(_LOOK_EVERY)
