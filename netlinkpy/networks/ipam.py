"""AddressPool: the free addresses of one network, for automatic allocation without leases (ipam: IP address
management).

An address is taken if a link of the host claims it (wiring/recipe.py), and the kernel decides between two who
want the same; so a good guess suffices here. It is random among the free addresses, so that simultaneous
callers rarely collide."""

from __future__ import annotations

import errno
import os
from sys import byteorder
from time import monotonic

from ..rtnl.claims import claim_name, claimed_address
from ..rtnl.values import parse_ip, parse_prefix
from ..uapi.if_link import IFLA_ALT_IFNAME
from ..uapi.rtnetlink import RTEXT_FILTER_SKIP_STATS, RTM_GETLINK
from ..wire.errors import DumpInterruptedError, NetlinkError
from ..wire.rtnetlink.link import LINK
from .leftovers import clear_dead, is_leftover

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..rtnl.netlink import RTNetlink
    from .network_record import NetworkRecord, Subnet

PROBES = 8  # for up to this many addresses ask for each whether it is taken, rather than dump all links
_FRESH = 0.02  # seconds for which one look at all links is good enough: a failed claim costs as much
_EMBEDS = 96  # an IPv6 subnet of this prefix length or less has room for an IPv4 address at its end


class AddressPool:
    """The free addresses of a network, for one call that wires `count` containers in all."""

    def __init__(self, host: RTNetlink, network: NetworkRecord, count: int) -> None:
        self._host = host
        self._network = network
        self._subnets = {len(subnet.packed[0]): _SubnetPool(subnet) for subnet in network.subnets}
        self._given: list[bytes] = []
        self._looked_at = 0.0
        if count > PROBES:
            self.look()

    def look(self) -> None:
        """Learn every address that is claimed now, unless that was just done."""
        if monotonic() - self._looked_at < _FRESH:
            return
        self._subnets = {len(subnet.packed[0]): _SubnetPool(subnet) for subnet in self._network.subnets}
        for packed in (*_claimed(self._host, self._network.index), *self._given):
            subnet = self._subnets.get(len(packed))
            if subnet is not None:
                subnet.take(packed)
        self._looked_at = monotonic()

    def reserve(self, packed: Iterable[bytes]) -> None:
        """Keep addresses from being chosen."""
        for one in packed:
            self._given.append(one)
            self._subnets[len(one)].take(one)

    def choose(self, fixed: Iterable[bytes]) -> list[bytes]:
        """Return addresses for one container: those of `fixed` first, and a free one for each family that is
        not among them. Raise NetlinkError (ENOSPC) if the network is full.

        An IPv6 address ends with the IPv4 address if the subnets allow it: so the MAC follows from both, and
        no neighbour's cache is stale when they are used again."""
        chosen = list(fixed)
        if not self._subnets:
            text = f"network {self._network.name} has no subnet: its bridge lost its addresses"
            raise NetlinkError(errno.EADDRNOTAVAIL, "choose an address", text=text)
        for family in sorted(self._subnets):
            if all(len(packed) != family for packed in chosen):
                pair = chosen[0] if chosen and family == 16 and len(chosen[0]) == 4 else b""
                one = self._probed(family, pair) or self._known(family, pair) or self._freed(family)
                self.reserve([one])
                chosen.append(one)
        return chosen

    def _probed(self, family: int, pair: bytes) -> bytes | None:
        """Ask the kernel for each of a few guesses and return the first free one; None if all addresses are
        known already, or no guess was free."""
        if self._looked_at:
            return None
        subnet = self._subnets[family]
        guesses = [subnet.embed(pair)] if pair else []
        for _ in range(PROBES):
            guess = guesses.pop() if guesses else subnet.guess()
            if guess is None:
                continue
            if not subnet.has_taken(guess) and not self._is_claimed(guess):
                return guess
            subnet.take(guess)
        return None

    def _known(self, family: int, pair: bytes) -> bytes | None:
        """Return a free address, from one dump of all links; None if the network is full."""
        if not self._looked_at:
            self.look()
        subnet = self._subnets[family]
        embedded = subnet.embed(pair) if pair else None
        return embedded if embedded is not None and not subnet.has_taken(embedded) else subnet.guess()

    def _freed(self, family: int) -> bytes:
        """Return an address that a dead call holds in a network that is full. Raise NetlinkError if there is
        none."""
        if clear_dead(self._host):
            self._looked_at = 0.0
            found = self._known(family, b"")
            if found is not None:
                return found
        raise NetlinkError(
            errno.ENOSPC,
            "choose an address",
            text=f"network {self._network.name} is full: no address of {self._subnets[family].name} is free",
        )

    def _is_claimed(self, packed: bytes) -> bool:
        """Ask the kernel whether somebody has an address now."""
        link = self._host.links.find(claim_name(self._network.index, packed))
        return link is not None and not is_leftover(link)


class _SubnetPool:
    """The addresses of one subnet: where automatic ones may come from, and which are known to be taken."""

    def __init__(self, subnet: Subnet) -> None:
        base, length = subnet.packed
        self._size = len(base)
        self._base, self._length = int.from_bytes(base, "big"), length
        self._whole = not subnet.ip_range
        self.name = subnet.ip_range or subnet.subnet
        packed, within = parse_prefix(self.name)
        low = int.from_bytes(packed, "big")
        high = low + (1 << (self._size * 8 - within)) - 1
        last = self._base + (1 << (self._size * 8 - length)) - 1
        self._low = max(low, self._base + 1)
        self._high = min(high, last - 1) if self._size == 4 else high
        self._taken: set[int] = set()
        self._within = 0  # how many of the taken ones are between low and high
        for text in (subnet.gateway, *subnet.aux_addresses):
            self.take(parse_ip(text))

    def take(self, packed: bytes) -> None:
        number = int.from_bytes(packed, "big")
        if number not in self._taken:
            self._taken.add(number)
            self._within += self._low <= number <= self._high

    def has_taken(self, packed: bytes) -> bool:
        return int.from_bytes(packed, "big") in self._taken

    def embed(self, pair: bytes) -> bytes | None:
        """Return the address of this subnet that ends with an IPv4 address; None if it has no room for that,
        or the automatic ones must come from a part of it."""
        if self._length > _EMBEDS or not self._whole:
            return None
        return (self._base | int.from_bytes(pair, "big")).to_bytes(16, "big")

    def guess(self) -> bytes | None:
        """Return a random address that is not known to be taken; None if there is none."""
        room = self._high - self._low + 1
        free = room - self._within
        if free <= 0:
            return None
        if free * 4 >= room:  # a few tries hit a free one
            while True:
                number = self._low + _random(room)
                if number not in self._taken:
                    return number.to_bytes(self._size, "big")
        left = [number for number in range(self._low, self._high + 1) if number not in self._taken]
        return left[_random(len(left))].to_bytes(self._size, "big")


def _random(below: int) -> int:
    """Return a random number below another (the random module costs milliseconds to import)."""
    size = (below.bit_length() + 7) // 8 + 2
    return int.from_bytes(os.urandom(size), "big") % below


def _claimed(host: RTNetlink, index: int) -> list[bytes]:
    """Return every address that is claimed on a bridge, from one dump of the links' names.

    It searches the messages for the bytes of the attribute (its type, and how the name begins) rather than
    parse them. A dump that was interrupted each time is good enough."""
    begin = f"ip:{index}:"
    asked = {"ext_mask": RTEXT_FILTER_SKIP_STATS}
    try:
        replies = host.socket.dump_bodies(LINK, RTM_GETLINK, asked, verb="list the names of links")
    except DumpInterruptedError as error:
        names = [name for link in error.partial for name in link.get("prop_list", {}).get("alt_ifname", ())]
        texts = [claimed_address(name, index) for name in names]
        return [parse_ip(text) for text in texts if text]
    sought = IFLA_ALT_IFNAME.to_bytes(2, byteorder) + begin.encode()
    found = []
    for reply in replies:
        body = reply.body
        at = body.find(sought)
        while at >= 0:
            start = at + len(sought)
            found.append(parse_ip(body[start : body.index(0, start)].decode()))
            at = body.find(sought, start)
    return found
