"""Endpoint: a container's interface as the caller describes it; CheckedEndpoint: the same in bytes."""

from __future__ import annotations

import os

from ..netns.handle import label_of
from ..record import Record
from ..rtnl.values import (
    check_altname,
    check_ifname,
    check_number,
    format_ip,
    network,
    parse_ip,
    parse_mac,
    parse_prefix,
    several,
)
from ..uapi.if_ import IFNAMSIZ

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, TypeAlias

    from ..netns.handle import Target
    from ..rtnl.values import IP, IPPrefix
    from .bridge import Bridge

    #: MTU, metric, queues, onlink; (bytes, prefix length) of each address; bytes of each gateway; (bytes,
    #: prefix length, whether it has no gateway) of each route.
    Form: TypeAlias = tuple[
        int | None,
        int | None,
        int,
        bool,
        tuple[tuple[int, int], ...],
        tuple[int, ...],
        tuple[tuple[int, int, bool], ...],
    ]

IPV6_MIN_MTU = 1280  # bytes (RFC 8200, section 5)
MAC_PREFIX = b"\x02\x42"  # of the MAC that follows from an IPv4 address, as on Docker's bridge


class Endpoint(Record):
    """One interface of one container, for attach() to make.

    netns: the container: a process id, a name in /run/netns, a path (or an os.PathLike), or a Netns.
    bridge: the bridge in the caller's namespace that its host end becomes a port of, also by an alternative
        name.
    addresses: one or more IPv4 or IPv6 addresses with their prefix lengths, "172.17.42.99/16"; these
        and all other addresses also as objects of the module ipaddress.
    gateways: of the default routes, at most one for each family; None: the bridge's own addresses (none if
    the bridge has no address of the family); (): no default route.
    mac: "12:34:56:78:9a:bc", "random", or None: 02:42 and the first IPv4 address, so that an address
        that is used again has the same MAC and no ARP cache is stale (without IPv4: random, locally
        administered).
    ifname: its name in the container; host_ifname: of the host end (None: veth and eight random digits).
    mtu: in bytes, both ends (None: the kernel's 1500; below 1280 only on a bridge without IPv6 addresses).
    metric: of the default routes (a second interface of a container needs a different one, or gateways=()).
    routes: more routes, (destination, gateway or None): ("10.0.0.0/8", "172.17.42.7").
    queues: transmit and receive queues of each end (more cost memory and time).
    onlink: take the gateways to be neighbours, although no address or route covers them."""

    _freezes = True

    netns: Target
    bridge: str
    addresses: IPPrefix | Iterable[IPPrefix] = ()
    gateways: IP | Iterable[IP] | None = None
    mac: str | None = None
    ifname: str = "eth0"
    host_ifname: str | None = None
    mtu: int | None = None
    metric: int | None = None
    routes: Iterable[tuple[IPPrefix, IP | None]] = ()
    queues: int = 1
    onlink: bool = False


class CheckedEndpoint(Record):
    """An endpoint that was checked, every value in the bytes that messages take; immutable.

    endpoint: as it was given; label: the container in words; host_ifname: None if it is to be random;
    addresses: (address, prefix length) of each; gateways: of the default routes; routes: (destination, prefix
    length, gateway or None) of each; fixed_mac: whether its MAC is the same each time; form: all that its
    messages depend on apart from the values in their slots (shape.py)."""

    endpoint: Endpoint
    label: str
    bridge: str
    ifname: str
    host_ifname: str | None
    addresses: tuple[tuple[bytes, int], ...]
    gateways: tuple[bytes, ...]
    routes: tuple[tuple[bytes, int, bytes | None], ...]
    mac: bytes
    fixed_mac: bool
    mtu: int | None
    form: Form

    @property
    def metric(self) -> int | None:
        """The metric of its default routes; None: the kernel's default."""
        return self.form[1]

    @property
    def tells_mac(self) -> bool:
        """Whether its MAC follows from each of its addresses: from the IPv4 address that it is, or ends
        with."""
        return {MAC_PREFIX + packed[-4:] for packed, _ in self.addresses} <= {self.mac}

    @property
    def address_texts(self) -> tuple[str, ...]:
        """The addresses as text, in the form in which the kernel's are shown."""
        return tuple([f"{format_ip(packed)}/{length}" for packed, length in self.addresses])

    @property
    def gateway_texts(self) -> tuple[str, ...]:
        """The gateways as text, in the form in which the kernel's are shown."""
        return tuple(map(format_ip, self.gateways))


def check(endpoint: Endpoint, bridge_of: Callable[[str], Bridge] | None = None) -> CheckedEndpoint:
    """Return an endpoint checked, with gateways from its bridge if it has none.

    bridge_of: returns the bridge of a name, called after all else is checked; None: skip what depends on the
    bridge. Raise ValueError or TypeError if something is wrong with the endpoint, and whatever bridge_of
    raises."""
    bridge_name = check_bridge(endpoint.bridge)
    ifname, host_ifname = check_ifname(endpoint.ifname), endpoint.host_ifname
    if host_ifname is not None:
        check_ifname(host_ifname)
    # The kernel would replace a `%d` by a number (dev_alloc_name()).
    for name in (ifname, host_ifname or ""):
        if "%" in name:
            raise ValueError(f"{name!r} cannot be the name of an interface here: no percent sign")
    addresses: tuple[tuple[bytes, int], ...] = ()
    form: tuple[Any, ...] = ()
    given = endpoint.addresses
    for text in (given,) if isinstance(given, str) else several(given):
        one = _host_address(text)
        addresses += (one,)
        form += ((len(one[0]), one[1]),)
    routes: tuple[tuple[bytes, int, bytes | None], ...] = ()
    routes_form: tuple[Any, ...] = ()
    for item in endpoint.routes:
        route = _route(item)
        routes += (route,)
        routes_form += ((len(route[0]), route[1], route[2] is None),)
    mac, fixed_mac = _mac(endpoint.mac, addresses)
    mtu, metric, queues = endpoint.mtu, endpoint.metric, endpoint.queues
    if mtu is not None:
        check_number(mtu, 68, 65535, "mtu")
    if metric is not None:
        check_number(metric, 1, 0xFFFFFFFF, "metric")
    if queues != 1:
        check_number(queues, 1, 4096, "queues")
    if len(addresses) > 1 or mtu is not None:
        _check_addresses(addresses, mtu)
    if endpoint.gateways is not None:
        via = endpoint.gateways
        gateways = tuple([parse_ip(text) for text in ((via,) if isinstance(via, str) else several(via))])
        if len({len(gateway) for gateway in gateways}) < len(gateways):
            raise ValueError("at most one gateway for each family")
    else:
        gateways = ()
    _check_own(addresses, [*gateways, *[via for _, _, via in routes if via is not None]])
    if bridge_of is not None:
        bridge = bridge_of(bridge_name)
        if endpoint.gateways is None:
            gateways = _gateways_of(bridge, addresses)
        if mtu is not None and mtu < IPV6_MIN_MTU:
            _check_spares_ipv6(bridge, mtu)
    gateways_form: tuple[int, ...] = ()
    for gateway in gateways:
        gateways_form += (len(gateway),)
    return CheckedEndpoint.from_row(
        (
            endpoint,
            label_of(endpoint.netns),
            bridge_name,
            ifname,
            host_ifname,
            addresses,
            gateways,
            routes,
            mac,
            fixed_mac,
            mtu,
            (mtu, metric, queues, bool(endpoint.onlink), form, gateways_form, routes_form),
        )
    )


def check_bridge(name: str) -> str:
    """Return the name of a bridge, or an alternative name of it. Raise ValueError if no link has such a
    name."""
    return check_altname(name) if type(name) is str and len(name) >= IFNAMSIZ else check_ifname(name)


def _check_addresses(addresses: tuple[tuple[bytes, int], ...], mtu: int | None) -> None:
    packed = [packed for packed, _ in addresses]
    for place, one in enumerate(packed):
        if one in packed[:place]:
            raise ValueError(f"address {format_ip(one)} is given twice")
        if len(one) == 16 and mtu is not None and mtu < IPV6_MIN_MTU:
            raise ValueError(f"mtu {mtu} is too small for IPv6, which needs {IPV6_MIN_MTU}")


def _gateways_of(bridge: Bridge, addresses: tuple[tuple[bytes, int], ...]) -> tuple[bytes, ...]:
    """Return the bridge's addresses that lie in our addresses' nets. Raise ValueError if the bridge has
    addresses of a family, but none in our net."""
    found: dict[int, bytes] = {}
    missed: dict[int, str] = {}
    for packed, length in addresses:
        size, spare = len(packed), len(packed) * 8 - length
        net = int.from_bytes(packed, "big") >> spare
        other = None
        for gateway, _ in bridge.addresses:
            if len(gateway) != size or (size == 16 and _link_local(gateway)):
                continue
            if int.from_bytes(gateway, "big") >> spare == net:
                found.setdefault(size, gateway)
                break
            other = other or gateway
        else:
            if other is not None:
                missed[size] = (
                    f"{format_ip(packed)}/{length} is outside the net of {bridge.name} ({format_ip(other)})"
                )
    for size, why in missed.items():
        if size not in found:
            raise ValueError(f"{why}: give gateways (--default-gateway)")
    gateways = tuple(found.values())
    _check_own(addresses, gateways)
    return gateways


def _check_spares_ipv6(bridge: Bridge, mtu: int) -> None:
    """Raise ValueError if a port of this MTU would cost the bridge its IPv6 addresses: the kernel gives a
    bridge the MTU of its smallest port (br_mtu_auto_adjust()), and an interface below 1280 bytes has no
    IPv6."""
    for gateway, length in bridge.addresses:
        if len(gateway) == 16 and not _link_local(gateway):
            raise ValueError(
                f"mtu {mtu} would take {format_ip(gateway)}/{length} away from {bridge.name}:"
                f" a bridge has its smallest port's, and IPv6 needs {IPV6_MIN_MTU}"
            )


def _check_own(addresses: tuple[tuple[bytes, int], ...], gateways: Sequence[bytes]) -> None:
    for packed, _ in addresses:
        if packed in gateways and not _link_local(packed):
            raise ValueError(f"gateway {format_ip(packed)} is the container's own address")


def mac_from_ipv4(packed: bytes) -> bytes:
    """Return 02:42 and the four bytes of the address: a locally administered MAC (IEEE 802, second bit), as
    on Docker's bridge."""
    return MAC_PREFIX + packed


def _host_address(text: IPPrefix) -> tuple[bytes, int]:
    packed, length = parse_prefix(text)
    if length == len(packed) * 8 and "/" not in str(text):
        raise ValueError(f"{text!r} has no prefix length: write {text}/16, say")
    first = packed[0]
    if first in (0, 255) or (len(packed) == 4 and (first == 127 or 224 <= first < 240)):
        raise ValueError(f"{text} cannot be the address of a container")
    if len(packed) == 4 and length < 31:
        last = (1 << (32 - length)) - 1
        if int.from_bytes(packed, "big") & last in (0, last):
            raise ValueError(f"{text} is the first or last address of its net, which no host may have")
    return packed, length


def _route(route: tuple[IPPrefix, IP | None]) -> tuple[bytes, int, bytes | None]:
    try:
        destination, gateway = route
    except (TypeError, ValueError):
        raise TypeError(f"a route is (destination, gateway or None), not {route!r}") from None
    packed, length = parse_prefix(destination)
    if network(packed, length) != packed:
        raise ValueError(f"route {destination} has bits set beyond its prefix length")
    via = None if gateway is None else parse_ip(gateway)
    if via is not None and len(via) != len(packed):
        raise ValueError(f"route {destination} and its gateway {gateway} are of different families")
    return packed, length, via


def _mac(given: str | None, addresses: tuple[tuple[bytes, int], ...]) -> tuple[bytes, bool]:
    """Return the MAC, and whether it is the same each time for this endpoint."""
    if given is None:
        for packed, _ in addresses:
            if len(packed) == 4:
                return MAC_PREFIX + packed, True
    if given is None or given == "random":
        random = bytearray(os.urandom(6))
        random[0] = random[0] & 0xFC | 0x02  # unicast, locally administered
        return bytes(random), False
    packed = parse_mac(given)
    if packed[0] & 1 or packed == bytes(6):
        raise ValueError(
            f"{given} is a {'zero' if packed == bytes(6) else 'multicast'} address, no interface's"
        )
    return packed, True


def _link_local(packed: bytes) -> bool:
    return len(packed) == 16 and packed[0] == 0xFE and packed[1] & 0xC0 == 0x80
