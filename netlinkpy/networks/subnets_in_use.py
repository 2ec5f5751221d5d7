"""SubnetsInUse: the nets that a host uses already, and the free ones among docker's pools."""

from __future__ import annotations

import os

from ..rtnl.values import network, parse_ip, parse_prefix
from ..uapi.rtnetlink import RT_TABLE_MAIN
from .altnames import name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..rtnl.link import Link
    from ..rtnl.netlink import RTNetlink

_POOLS = (  # docker's default address pools: (base, prefix length of the pool's subnets, how many)
    ("172.17.0.0", 16, 15),
    ("192.168.0.0", 20, 16),
)


class SubnetsInUse:
    """The nets in use in the caller's namespace at one moment."""

    def __init__(self, host: RTNetlink) -> None:
        names = {link.index: _holder(link) for link in host.links.list()}
        self.nets: list[tuple[bytes, int, str]] = []
        for address in host.addresses.list():
            packed = parse_ip(address.address)
            holder = names.get(address.index, "an interface")
            self._add(packed, address.prefix_length, f"{address.cidr} of {holder}")
        for route in host.routes.list(table=None):  # main alone is an error if it has no route yet
            if route.table != RT_TABLE_MAIN or route.destination == "default":
                continue
            via = f" of {names[route.index]}" if route.index in names else ""
            self._add(*parse_prefix(route.destination), f"the route {route.destination}{via}")

    def _add(self, packed: bytes, length: int, holder: str) -> None:
        self.nets.append((network(packed, length), length, holder))

    def holder(self, packed: bytes, length: int) -> str:
        """Return who uses a net that overlaps this one, in words; "" if it is free."""
        for other, other_length, holder in self.nets:
            shorter = min(length, other_length)
            if len(other) == len(packed) and network(other, shorter) == network(packed, shorter):
                return holder
        return ""

    def pick4(self) -> tuple[bytes, int] | None:
        """Return the first subnet of the pools that is free, None if none is."""
        for packed, length in _pools():
            if not self.holder(packed, length):
                return packed, length
        return None


def pick6() -> tuple[bytes, int]:
    """Return a /64 that hardly anybody else has: unique local, with a random global id (RFC 4193, section
    3.2.2)."""
    return b"\xfd" + os.urandom(5) + bytes(10), 64


def pools() -> str:
    """Return the pools in words."""
    return " and ".join(f"{base}/{length} with the {count - 1} after it" for base, length, count in _POOLS)


def _pools() -> Iterator[tuple[bytes, int]]:
    for base, length, count in _POOLS:
        first = int.from_bytes(parse_ip(base), "big")
        for number in range(count):
            yield (first + (number << (32 - length))).to_bytes(4, "big"), length


def _holder(link: Link) -> str:
    name = name_of(link.altnames) if link.kind == "bridge" else ""
    return f"network {name}" if name else f"interface {link.name}"
