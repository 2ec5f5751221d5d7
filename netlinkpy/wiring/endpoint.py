"""Endpoint: what a container's interface shall be, as the caller says it; and the same checked and in
bytes."""

from __future__ import annotations

import os

from ..record import Record
from ..rtnl.values import (
    FAMILY_OF_LENGTH,
    check_ifname,
    check_number,
    format_ip,
    network,
    parse_ip,
    parse_mac,
    parse_prefix,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..netns.handle import Target
    from ..wire.program import Program
    from .bridge import Bridge
    from .templates import Shape


IPV6_MIN_MTU = 1280  # bytes (RFC 8200, section 5)


class Endpoint(Record):
    """One interface of one container, to be made by attach().

    netns: the container: a process id, a name in /run/netns, a path, or a Netns.
    bridge: the bridge in the caller's namespace that its host end becomes a port of.
    addresses: one or more IPv4 or IPv6 addresses with their prefix lengths, "172.17.42.99/16".
    gateways: of the default routes, at most one for each family; None: the bridge's own addresses (none where
        the bridge has no address of the family); (): no default route.
    mac: "12:34:56:78:9a:bc", "random", or None: 02:42 and the first IPv4 address, so that an address that
        comes back brings the same MAC and no ARP cache is wrong (without IPv4: random, locally administered).
    ifname: its name in the container; host_ifname: of the host end (None: veth and eight random digits).
    mtu: in bytes, both ends (None: the kernel's 1500; below 1280 only on a bridge without IPv6 addresses).
    metric: of the default routes (a second interface of a container needs one that differs, or gateways=()).
    routes: more routes, (destination, gateway or None): ("10.0.0.0/8", "172.17.42.7").
    queues: transmit and receive queues of each end (more cost memory and time)."""

    netns: Target
    bridge: str
    addresses: str | Iterable[str] = ()
    gateways: str | Iterable[str] | None = None
    mac: str | None = None
    ifname: str = "eth0"
    host_ifname: str | None = None
    mtu: int | None = None
    metric: int | None = None
    routes: Iterable[tuple[str, str | None]] = ()
    queues: int = 1


class Wanted:
    """An endpoint that was checked: every value in the bytes that messages take, and what becomes of it."""

    __slots__ = (
        "addresses",
        "bridge",
        "claimed",
        "endpoint",
        "finished",
        "fixed_mac",
        "gateways",
        "host_ifname",
        "host_index",
        "ifname",
        "index",
        "label",
        "mac",
        "metric",
        "mtu",
        "port",
        "position",
        "queues",
        "routes",
        "shape",
        "socket",
        "visit",
    )

    def __init__(self, position: int, endpoint: Endpoint) -> None:
        """ValueError or TypeError says what is wrong with the endpoint."""
        self.position = position
        self.socket = -1  # inside the container, once there is one
        self.unmade()
        self.become(endpoint)

    def unmade(self) -> None:
        """Nothing of it is there (any more)."""
        self.index = 0
        self.host_index = 0
        self.claimed = False  # its addresses
        self.port = ""  # the state of its port, once it was seen
        self.finished = False  # its host end is in no private group any more
        self.visit: tuple[Program, bytearray] | None = None  # what makes it, and the room for its results

    def become(self, endpoint: Endpoint) -> None:
        """Want this endpoint, in place of one that was not to be had. Errors as when it is made."""
        self.endpoint = endpoint
        self.shape: Shape | None = None  # found when it is needed (templates.py)
        self.label = label(endpoint.netns)
        self.bridge = check_ifname(endpoint.bridge)
        self.ifname = _name(endpoint.ifname)
        named = endpoint.host_ifname
        self.host_ifname = f"veth{os.urandom(4).hex()}" if named is None else _name(named)
        self.addresses = [_host_address(text) for text in _several(endpoint.addresses)]
        self.routes = [_route(route) for route in endpoint.routes]
        self.gateways: list[bytes] | None = None
        if endpoint.gateways is not None:
            self.gateways = [parse_ip(text) for text in _several(endpoint.gateways)]
        self.mac, self.fixed_mac = _mac(endpoint.mac, self.addresses)
        self.mtu = None if endpoint.mtu is None else check_number(endpoint.mtu, 68, 65535, "mtu")
        self.metric = (
            None if endpoint.metric is None else check_number(endpoint.metric, 1, 0xFFFFFFFF, "metric")
        )
        self.queues = check_number(endpoint.queues, 1, 4096, "queues")
        self._check_addresses()
        self._check_reach()

    def _check_addresses(self) -> None:
        packed = [packed for packed, _ in self.addresses]
        for place, one in enumerate(packed):
            if one in packed[:place]:
                raise ValueError(f"address {format_ip(one)} is given twice")
            if len(one) == 16 and self.mtu is not None and self.mtu < IPV6_MIN_MTU:
                raise ValueError(f"mtu {self.mtu} is too small for IPv6, which needs {IPV6_MIN_MTU}")

    def close(self) -> None:
        """Close the socket inside, where there is one."""
        if self.socket >= 0:
            os.close(self.socket)
            self.socket = -1

    def gateways_from(self, bridge: Bridge) -> None:
        """Where no gateways were given: take the bridge's addresses in the nets of ours. ValueError where it
        has addresses of the family, and none of them is in our net."""
        if self.gateways is not None:
            return
        found: dict[int, bytes] = {}
        missed: dict[int, str] = {}
        for packed, length in self.addresses:
            family = len(packed)
            own = [
                gateway
                for gateway, _ in bridge.addresses(FAMILY_OF_LENGTH[family])
                if not _link_local(gateway)
            ]
            net = network(packed, length)
            inside = [gateway for gateway in own if network(gateway, length) == net]
            if inside:
                found.setdefault(family, inside[0])
            elif own:
                missed[family] = (
                    f"{format_ip(packed)}/{length} is outside the net of {self.bridge} ({format_ip(own[0])})"
                )
        for family, why in missed.items():
            if family not in found:
                raise ValueError(f"{why}: give gateways (--default-gateway)")
        self.gateways = list(found.values())
        self._check_own(self.gateways)

    def spares_ipv6_of(self, bridge: Bridge) -> None:
        """ValueError where it would take the bridge's IPv6 addresses away: the kernel gives a bridge the MTU
        of its smallest port (br_mtu_auto_adjust()), and an interface below 1280 bytes has no IPv6."""
        if self.mtu is None or self.mtu >= IPV6_MIN_MTU:
            return
        for gateway, length in bridge.addresses(FAMILY_OF_LENGTH[16]):
            if not _link_local(gateway):
                raise ValueError(
                    f"mtu {self.mtu} would take {format_ip(gateway)}/{length} away from {self.bridge}:"
                    f" a bridge has its smallest port's, and IPv6 needs {IPV6_MIN_MTU}"
                )

    @property
    def tells_mac(self) -> bool:
        """Whether each address of it brings its MAC."""
        return all(tells_mac(packed, self.mac) for packed, _ in self.addresses)

    @property
    def address_texts(self) -> tuple[str, ...]:
        """The addresses as the kernel's are shown."""
        return tuple([f"{format_ip(packed)}/{length}" for packed, length in self.addresses])

    @property
    def gateway_texts(self) -> tuple[str, ...]:
        """The gateways as the kernel's are shown."""
        return tuple([format_ip(gateway) for gateway in self.gateways or ()])

    def _check_reach(self) -> None:
        """Every gateway must be in the net of an address, and none may be the container's own."""
        gateways = list(self.gateways or ())
        if len({len(gateway) for gateway in gateways}) < len(gateways):
            raise ValueError("at most one gateway for each family")
        gateways += [via for _, _, via in self.routes if via is not None]
        if not gateways:
            return
        self._check_own(gateways)
        nets = [(len(packed), length, network(packed, length)) for packed, length in self.addresses]
        for gateway in gateways:
            if _link_local(gateway) or any(
                size == len(gateway) and network(gateway, length) == net for size, length, net in nets
            ):
                continue
            texts = ", ".join(self.address_texts) or "none"
            raise ValueError(f"gateway {format_ip(gateway)} is outside the nets of the addresses ({texts})")

    def _check_own(self, gateways: list[bytes]) -> None:
        for packed, _ in self.addresses:
            if packed in gateways and not _link_local(packed):
                raise ValueError(f"gateway {format_ip(packed)} is the container's own address")


def label(target: Target) -> str:
    """A namespace in words, for errors: "process 2778", "namespace blue"."""
    if isinstance(target, int):
        return f"process {target}"
    if isinstance(target, str):
        return f"namespace {target}"
    return str(getattr(target, "label", None) or repr(target))


def mac_from_ipv4(packed: bytes) -> bytes:
    """02:42 and the four bytes of the address: locally administered (IEEE 802, second bit), the scheme of
    Docker's bridge."""
    return b"\x02\x42" + packed


def tells_mac(packed: bytes, mac: bytes) -> bool:
    """Whether an address (4 or 16 bytes) brings this MAC: by the IPv4 address that it is, or ends with."""
    return mac == mac_from_ipv4(packed[-4:])


def _name(name: str) -> str:
    """A name that a link gets as it is: of one with `%d` the kernel would make another (dev_alloc_name())."""
    if "%" in check_ifname(name):
        raise ValueError(f"{name!r} cannot be the name of an interface here: no percent sign")
    return name


def _several(values: str | Iterable[str]) -> list[str]:
    return [values] if isinstance(values, str) else list(values)


def _host_address(text: str) -> tuple[bytes, int]:
    packed, length = parse_prefix(text)
    if "/" not in text:
        raise ValueError(f"{text!r} has no prefix length: write {text}/16, say")
    first = packed[0]
    if first in (0, 255) or (len(packed) == 4 and (first == 127 or first >= 224)):
        raise ValueError(f"{text} cannot be the address of a container")
    if len(packed) == 4 and length < 31:
        low = network(packed, length)
        if (
            packed == low
            or int.from_bytes(packed, "big") == int.from_bytes(low, "big") + (1 << (32 - length)) - 1
        ):
            raise ValueError(f"{text} is the first or last address of its net, which no host may have")
    return packed, length


def _route(route: tuple[str, str | None]) -> tuple[bytes, int, bytes | None]:
    try:
        destination, gateway = route
    except (TypeError, ValueError):
        raise TypeError(f"a route is (destination, gateway or None), not {route!r}") from None
    packed, length = parse_prefix(destination)
    if network(packed, length) != packed:
        raise ValueError(f"route {destination} has bits set behind its prefix length")
    via = None if gateway is None else parse_ip(gateway)
    if via is not None and len(via) != len(packed):
        raise ValueError(f"route {destination} and its gateway {gateway} are of two families")
    return packed, length, via


def _mac(given: str | None, addresses: list[tuple[bytes, int]]) -> tuple[bytes, bool]:
    """The MAC, and whether it is always the same for this endpoint."""
    if given is None:
        for packed, _ in addresses:
            if len(packed) == 4:
                return mac_from_ipv4(packed), True
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
