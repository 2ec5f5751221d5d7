"""SubnetsInUse: the nets that a host uses already, and the free ones among docker's pools."""

from __future__ import annotations

import os

from ..rtnl.values import network, parse_ip, parse_prefix
from ..uapi.rtnetlink import RT_TABLE_MAIN
from .altnames import name_of
from .lookup import read_network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..rtnl.link import Link
    from ..rtnl.netlink import RTNetlink

    Net = tuple[bytes, int, str]  # its lowest address, prefix length, and whose it is

_POOLS = (  # docker's default address pools: (base, prefix length of the pool's subnets, how many)
    ("172.17.0.0", 16, 15),
    ("192.168.0.0", 20, 16),
)

_SHORTEST = 8  # the prefix length of an on-link route that says where hosts are
_MOST = 65536  # bytes that are read of a file


class SubnetsInUse:
    """The nets in use in the caller's namespace at one moment.

    taken: those of networks and of interfaces, which no network may overlap; avoided: what a subnet that we
    choose leaves alone besides: nets on-link, and the host's name servers. Routes by a gateway, or to
    nowhere, say nothing of where containers may be (a VPN's or an administrator's often cover all private
    addresses); nor does one on-link that is shorter than /8, which is half a default route."""

    def __init__(self, host: RTNetlink) -> None:
        links = host.links.list()
        names = {link.index: _holder(link) for link in links}
        self.taken: list[Net] = []
        self.avoided: list[Net] = []
        for address in host.addresses.list():
            holder = names.get(address.index, "an interface")
            self.taken.append((*_net(address.cidr), f"{address.cidr} of {holder}"))
        for network_ in filter(None, map(read_network, links)):  # also where the bridge has lost its address
            self.taken += [
                (*one.packed, f"{one.subnet} of network {network_.name}") for one in network_.subnets
            ]
        for route in host.routes.list(table=None):  # main alone is an error if it has no route yet
            if route.table != RT_TABLE_MAIN or route.destination == "default":
                continue
            packed, length = parse_prefix(route.destination)
            if route.type == "unicast" and not route.gateway and not route.nexthops and length >= _SHORTEST:
                self.avoided.append((packed, length, f"the route {route.destination}"))
        self.avoided += [(packed, 8 * len(packed), "a name server") for packed in _name_servers()]

    def holder(self, packed: bytes, length: int) -> str:
        """Return who has a net that overlaps this one, in words; "" if a network may have it."""
        return _overlapping(self.taken, packed, length)

    def pick4(self) -> tuple[bytes, int] | None:
        """Return the first subnet of the pools that is free, None if none is."""
        for packed, length in _pools():
            if not _overlapping([*self.taken, *self.avoided], packed, length):
                return packed, length
        return None


def _net(cidr: str) -> tuple[bytes, int]:
    packed, length = parse_prefix(cidr)
    return network(packed, length), length


def _overlapping(nets: list[Net], packed: bytes, length: int) -> str:
    for other, other_length, holder in nets:
        shorter = min(length, other_length)
        if len(other) == len(packed) and network(other, shorter) == network(packed, shorter):
            return holder
    return ""


def _name_servers() -> list[bytes]:
    """Return the name servers of the host (resolv.conf(5))."""
    found = []
    try:
        with open("/etc/resolv.conf", encoding="utf-8", errors="replace") as file:
            for line in file.read(_MOST).splitlines():
                word, *rest = line.split() or [""]
                if word == "nameserver" and rest:
                    with_scope = rest[0].partition("%")[0]
                    try:
                        found.append(parse_ip(with_scope))
                    except ValueError:
                        continue
    except OSError:
        return []
    return found


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
