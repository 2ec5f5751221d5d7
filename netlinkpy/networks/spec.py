"""NetworkSpec: the arguments of Network.create(); CheckedSpec: the same, checked."""

from __future__ import annotations

import os

from ..record import Record
from ..rtnl.values import (
    check_ifname,
    check_number,
    format_ip,
    format_mac,
    network,
    parse_ip,
    parse_prefix,
    several,
)
from ..wiring.endpoint import IPV6_MIN_MTU, mac_from_ipv4
from .altnames import OPTION_WORDS
from .network_record import Subnet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..rtnl.values import IP, IPPrefix

LONGEST_NAME = 63
RESERVED_NAMES = ("host", "none", "container", "default")  # they mean something else to `run --net`
_PUNCTUATION = "_.-"


class NetworkSpec(Record):
    """The arguments of Network.create(), described there."""

    _freezes = True

    name: str
    subnets: IPPrefix | Iterable[IPPrefix] = ()
    gateways: IP | Iterable[IP] = ()
    ip_ranges: IPPrefix | Iterable[IPPrefix] = ()
    aux_addresses: IP | Iterable[IP] = ()
    ipv6: bool = False
    mtu: int | None = None
    internal: bool = False
    isolate: bool = False
    masquerade: bool = True
    mcast_snooping: bool = False
    bridge: str | None = None
    forward_all: bool = False


class CheckedSpec:
    """A NetworkSpec that was checked.

    name, bridge: checked names; mtu: None for the kernel's; subnets: those given, with what was given to be
    in them; pick4, pick6: whether to pick one of that family; spec: as it was given."""

    __slots__ = ("bridge", "mtu", "name", "pick4", "pick6", "spec", "subnets")

    def __init__(self, spec: NetworkSpec) -> None:
        """Raise ValueError or TypeError, which say what is wrong with the spec."""
        self.spec = spec
        self.name = check_name(spec.name)
        self.bridge = bridge_name(self.name) if spec.bridge is None else check_ifname(spec.bridge)
        nets = [_net(text) for text in several(spec.subnets)]
        families = {len(packed) for packed, _ in nets}
        if len(families) < len(nets):
            raise ValueError("a network has one IPv4 and one IPv6 subnet at most")
        self.pick4 = not nets
        self.pick6 = spec.ipv6 and 16 not in families
        least = IPV6_MIN_MTU if 16 in families or self.pick6 else 68
        self.mtu = None if spec.mtu is None else check_number(spec.mtu, least, 65535, "mtu")
        self.subnets = self._fill([Subnet(f"{format_ip(packed)}/{length}", "") for packed, length in nets])

    def _fill(self, subnets: list[Subnet]) -> list[Subnet]:
        """Put the gateways, ranges and reserved addresses each into the subnet that holds it."""
        gateways, ranges = self._placed("gateways", subnets), self._placed("ip_ranges", subnets)
        reserved = self._placed("aux_addresses", subnets)
        filled = []
        for subnet in subnets:
            base, length = subnet.packed
            first = _text(int.from_bytes(base, "big") + 1, len(base))
            gateway = _at_most_one(gateways.get(subnet.subnet, []), "gateway", subnet) or first
            ip_range = _at_most_one(ranges.get(subnet.subnet, []), "ip-range", subnet)
            if ip_range and parse_prefix(ip_range)[1] < length:
                raise ValueError(f"ip-range {ip_range} is larger than subnet {subnet.subnet}")
            aux = tuple(dict.fromkeys(reserved.get(subnet.subnet, ())))
            for text in (gateway, *aux):
                if not is_host(parse_ip(text), length):
                    raise ValueError(
                        f"{text} is the first or last address of {subnet.subnet}: no host has it"
                    )
            if gateway in aux:
                raise ValueError(f"the reserved address {gateway} is the gateway of {subnet.subnet}")
            filled.append(Subnet(subnet.subnet, gateway, ip_range, aux))
        return filled

    def _placed(self, kind: str, subnets: list[Subnet]) -> dict[str, list[str]]:
        """Return what was given of one kind, by subnet."""
        found: dict[str, list[str]] = {}
        what = {"gateways": "gateway", "ip_ranges": "ip-range", "aux_addresses": "reserved address"}[kind]
        for text in several(getattr(self.spec, kind)):
            packed, length = parse_prefix(text) if kind == "ip_ranges" else (parse_ip(text), 0)
            if length and network(packed, length) != packed:
                raise ValueError(f"{what} {text} has bits set behind its prefix length")
            for subnet in subnets:
                if subnet.holds(packed):
                    plain = f"{format_ip(packed)}/{length}" if kind == "ip_ranges" else format_ip(packed)
                    found.setdefault(subnet.subnet, []).append(plain)
                    break
            else:
                inside = ", ".join(subnet.subnet for subnet in subnets)
                where = (
                    f"outside the subnets of the network ({inside})" if inside else "given without a subnet"
                )
                raise ValueError(f"{what} {text} is {where}")
        return found

    def words(self) -> list[str]:
        """Return those of OPTION_WORDS that apply."""
        spec = self.spec
        there = (spec.internal, spec.isolate, not spec.masquerade, spec.mcast_snooping)
        return [word for word, applies in zip(OPTION_WORDS, there, strict=True) if applies]


def check_name(name: str) -> str:
    """Return the name if a network may have it: letters, digits and `_.-`, 63 at most, beginning with a
    letter or digit. Raise ValueError, which says what is wrong, if not."""
    if not isinstance(name, str):
        raise TypeError(f"the name of a network is text, not {name!r}")
    plain = name.isascii() and all(character.isalnum() or character in _PUNCTUATION for character in name)
    if not name or not plain or not name[0].isalnum() or len(name) > LONGEST_NAME:
        raise ValueError(
            f"{name!r} cannot name a network: letters, digits and {_PUNCTUATION}, "
            f"beginning with a letter or digit, {LONGEST_NAME} at most"
        )
    if name in RESERVED_NAMES:
        raise ValueError(f"{name!r} cannot name a network: it is a mode of its own")
    return name


def bridge_name(name: str) -> str:
    """Return the name of a network's bridge: the network's own if an interface may have it, else the
    beginning of that and a checksum."""
    try:
        return check_ifname(name)
    except ValueError:
        from binascii import crc32

        return f"{name[:6]}-{crc32(name.encode()):08x}"


def bridge_mac(subnets: Iterable[Subnet]) -> str:
    """Return the MAC of a network's bridge: it follows from its IPv4 address, as a container's does; without
    one it is random."""
    for subnet in subnets:
        packed = parse_ip(subnet.gateway)
        if len(packed) == 4:
            return format_mac(mac_from_ipv4(packed))
    return format_mac(b"\x02" + os.urandom(5))


def is_host(packed: bytes, length: int) -> bool:
    """Return whether a host may have that address in a net of that prefix length: not the first, and in IPv4
    not the last."""
    spare = len(packed) * 8 - length
    host = int.from_bytes(packed, "big") & ((1 << spare) - 1)
    return host != 0 and (len(packed) == 16 or host != (1 << spare) - 1)


def first_subnet(packed: bytes, length: int) -> Subnet:
    """Return a subnet whose gateway is its first address."""
    gateway = _text(int.from_bytes(packed, "big") + 1, len(packed))
    return Subnet(f"{format_ip(packed)}/{length}", gateway)


def _text(number: int, size: int) -> str:
    return format_ip(number.to_bytes(size, "big"))


def _at_most_one(texts: list[str], what: str, subnet: Subnet) -> str:
    if len(texts) > 1:
        raise ValueError(f"subnet {subnet.subnet} has one {what} at most, not {' and '.join(texts)}")
    return texts[0] if texts else ""


def _net(text: IPPrefix) -> tuple[bytes, int]:
    packed, length = parse_prefix(text)
    if "/" not in str(text):
        raise ValueError(f"subnet {text!r} has no prefix length: write {text}/16, say")
    base = network(packed, length)
    if base != packed:
        raise ValueError(
            f"subnet {text} has bits set behind its prefix length: write {format_ip(base)}/{length}"
        )
    longest = 30 if len(packed) == 4 else 126
    if length > longest:
        raise ValueError(f"subnet {text} is too small for a gateway and a container: /{longest} is the least")
    first = packed[0]
    if (
        length < 8
        or (len(packed) == 4 and (first in (0, 127, 255) or 224 <= first < 240))
        or (len(packed) == 16 and (first in (0, 0xFF) or (first == 0xFE and packed[1] & 0xC0 == 0x80)))
    ):
        raise ValueError(f"subnet {text} cannot hold containers")
    return packed, length
