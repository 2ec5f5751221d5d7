"""Pool: the free addresses of one network, for automatic allocation without leases.

An address is taken when a link of the host claims it (wiring/claims.py), and the kernel decides between two
who want the same; so all that is needed here is a good guess. It is random among the free addresses, so that
callers at the same time rarely meet."""

from __future__ import annotations

import errno
import os
from sys import byteorder

from ..rtnl.values import parse_ip, parse_prefix
from ..wire.errors import DumpInterruptedError, NetlinkError
from ..wire.rtnetlink.link import LINK, RTEXT_FILTER_SKIP_STATS, RTM_GETLINK
from ..wiring.claims import claim_name, claimed_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..rtnl.netlink import RTNetlink
    from .network import Network, Subnet

PROBES = 8  # for up to so many addresses ask for each whether it is taken, rather than dump all links
_IFLA_ALT_IFNAME = 53
_EMBEDS = 96  # an IPv6 subnet of so many bits or fewer has room for an IPv4 address at its end


class Pool:
    """The free addresses of a network, taken for one caller, who asks for `count` containers in all."""

    def __init__(self, host: RTNetlink, network: Network, count: int) -> None:
        self._host = host
        self._network = network
        self._sides = {len(subnet.packed[0]): _Side(subnet) for subnet in network.subnets}
        self._looked = False
        if count > PROBES:
            self.look()

    def look(self) -> None:
        """Learn every address that is claimed now."""
        self._looked = True
        for packed in _claimed(self._host, self._network.index):
            self._note(packed)

    def _note(self, packed: bytes) -> None:
        side = self._sides.get(len(packed))
        if side is not None:
            side.take(packed)

    def reserve(self, packed: Iterable[bytes]) -> None:
        """Keep addresses that this call gives otherwise."""
        for one in packed:
            self._note(one)

    def choose(self, fixed: Iterable[bytes]) -> list[bytes]:
        """Addresses for one container: those of `fixed` first, and a free one for each family that is not
        among them. NetlinkError (ENOSPC) where the network is full.

        An IPv6 address ends with the IPv4 address where the subnets allow it: so the MAC, which comes from
        the IPv4 address, says both, and no neighbour's cache is wrong when they are used again."""
        chosen = list(fixed)
        for family, side in sorted(self._sides.items()):
            if any(len(packed) == family for packed in chosen):
                continue
            pair = chosen[0] if chosen and family == 16 and len(chosen[0]) == 4 else b""
            chosen.append(self._one(side, pair))
        return chosen

    def _one(self, side: _Side, pair: bytes) -> bytes:
        guess = side.embed(pair) if pair else None
        if guess is not None and not self._is_taken(guess):
            side.take(guess)
            return guess
        for _ in range(PROBES):
            guess = side.guess()
            if guess is None:
                break
            taken = self._is_taken(guess)
            side.take(guess)
            if not taken:
                return guess
        if not self._looked:
            self.look()
            guess = side.guess()
            if guess is not None:
                side.take(guess)
                return guess
        raise NetlinkError(
            errno.ENOSPC,
            "choose an address",
            text=f"network {self._network.name} is full: no address of {side.name} is free",
        )

    def _is_taken(self, packed: bytes) -> bool:
        """Whether an address is claimed, by what is known; asked of the kernel where nothing is."""
        side = self._sides[len(packed)]
        if side.has_taken(packed):
            return True
        if self._looked:
            return False
        try:
            self._host.links.get(claim_name(self._network.index, packed))
        except NetlinkError as error:
            if error.errno != errno.ENODEV:
                raise
            return False
        return True


class _Side:
    """The addresses of one subnet: where automatic ones may come from, and those known to be taken."""

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
        """The address of this subnet that ends with an IPv4 address; None where it has no room for that, or
        the automatic ones are to come from a part of it."""
        if self._length > _EMBEDS or not self._whole:
            return None
        return (self._base | int.from_bytes(pair, "big")).to_bytes(16, "big")

    def guess(self) -> bytes | None:
        """An address that is not known to be taken, at random; None where there is none."""
        room = self._high - self._low + 1
        free = room - self._within
        if free <= 0:
            return None
        if free * 4 >= room:  # a few throws hit a free one
            while True:
                number = self._low + _random(room)
                if number not in self._taken:
                    return number.to_bytes(self._size, "big")
        left = [number for number in range(self._low, self._high + 1) if number not in self._taken]
        return left[_random(len(left))].to_bytes(self._size, "big")


def _random(below: int) -> int:
    """A random number below another (the random module costs milliseconds to import)."""
    size = (below.bit_length() + 7) // 8 + 2
    return int.from_bytes(os.urandom(size), "big") % below


def _claimed(host: RTNetlink, index: int) -> list[bytes]:
    """Every address that is claimed on a bridge, from one dump of the links' names.

    The messages are searched for the attribute as bytes (its type and how the name begins): they need not be
    understood whole. A dump that others' changes interrupt each time is good enough."""
    begin = f"ip:{index}:"
    asked = {"ext_mask": RTEXT_FILTER_SKIP_STATS}
    try:
        replies = host.socket.dump_bodies(LINK, RTM_GETLINK, asked, verb="list the names of links")
    except DumpInterruptedError as error:
        names = [name for link in error.partial for name in link.get("prop_list", {}).get("alt_ifname", ())]
        texts = [claimed_address(name, index) for name in names]
        return [parse_ip(text) for text in texts if text]
    sought = _IFLA_ALT_IFNAME.to_bytes(2, byteorder) + begin.encode()
    found = []
    for reply in replies:
        body = reply.body
        at = body.find(sought)
        while at >= 0:
            start = at + len(sought)
            found.append(parse_ip(body[start : body.index(0, start)].decode()))
            at = body.find(sought, start)
    return found
