"""NatNetwork and Port: what the table holds, as records and as elements of its sets and maps."""

from __future__ import annotations

from ..record import Record
from ..rtnl.values import check_ifname, check_number, format_ip, network, parse_ip, parse_prefix
from ..uapi.nf_tables import NFT_SET_ELEM_INTERVAL_END
from ..wire.netfilter.elements import Element

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}  # IANA's numbers
PORT_MAPS = ("ports4", "ports6", "bound4", "bound6")
NETWORK_SETS = (
    "networks",
    "within",
    "internal",
    "isolated",
    "masquerade4",
    "masquerade6",
    "routed4",
    "routed6",
)
_LOOPBACK6 = bytes(15) + b"\1"
_NAMES = {number: name for name, number in PROTOCOLS.items()}


class NatNetwork(Record):
    """A network as the table knows it: its bridge's name, its subnets ("172.17.0.0/16"), and what
    add_network() was told."""

    bridge: str
    subnets: tuple[str, ...]
    internal: bool = False
    isolate: bool = False
    masquerade: bool = True

    @classmethod
    def checked(
        cls, bridge: str, subnets: Iterable[str], *, internal: bool, isolate: bool, masquerade: bool
    ) -> NatNetwork:
        """Return the record of add_network()'s arguments. Raise ValueError, which says what is wrong with
        them."""
        if check_ifname(bridge) in ("all", "default"):
            raise ValueError(f"a bridge called {bridge} has no settings of its own (net/ipv4/conf/{bridge})")
        nets = []
        for text in [subnets] if isinstance(subnets, str) else subnets:
            packed, length = parse_prefix(text)
            if not length or network(packed, length) != packed:
                raise ValueError(f"{text!r} is no subnet: write its lowest address and prefix length")
            nets.append((packed, length))
        nets.sort(key=lambda net: (len(net[0]), net))
        texts = tuple(f"{format_ip(packed)}/{length}" for packed, length in nets)
        return cls(bridge, texts, internal, isolate, masquerade)

    def overlap(self, other: NatNetwork) -> tuple[str, str] | None:
        """Return a subnet of this network and one of another that have addresses in common; None if there are
        none."""
        for mine in self.subnets:
            for theirs in other.subnets:
                (one, length), (two, other_length) = parse_prefix(mine), parse_prefix(theirs)
                shorter = min(length, other_length)
                if len(one) == len(two) and network(one, shorter) == network(two, shorter):
                    return mine, theirs
        return None

    def holds(self, packed: bytes) -> bool:
        """Return whether an address (4 or 16 bytes) is in one of its subnets."""
        nets = map(parse_prefix, self.subnets)
        return any(len(low) == len(packed) and network(packed, length) == low for low, length in nets)

    def elements(self) -> dict[str, list[Element]]:
        """Return the elements that stand for it, by set."""
        name = _ifname(self.bridge)
        found = {"networks": [Element(name)], "within": [Element(name + name)]}
        if self.internal:
            found["internal"] = [Element(name)]
        if self.isolate:
            found["isolated"] = [Element(name)]
        kind = "masquerade" if self.masquerade else "routed"
        for text in self.subnets:
            low, length = parse_prefix(text)
            version = "4" if len(low) == 4 else "6"
            found.setdefault(kind + version, []).extend(_interval(low, length, self.bridge))
        return found


def networks_of(found: Mapping[str, Iterable[Element]]) -> list[NatNetwork]:
    """Return the networks that elements (by set) stand for, by the bridge's name."""
    names = {kind: {_text(one.key) for one in found[kind]} for kind in ("networks", "internal", "isolated")}
    subnets: dict[str, list[tuple[int, bytes, int]]] = {}
    routed = set()
    for kind in ("masquerade", "routed"):
        for low, length, bridge in _prefixes(found[f"{kind}4"]) + _prefixes(found[f"{kind}6"]):
            subnets.setdefault(bridge, []).append((len(low), low, length))
            if kind == "routed":
                routed.add(bridge)
    return [
        NatNetwork(
            bridge,
            tuple(f"{format_ip(low)}/{length}" for _, low, length in sorted(subnets.get(bridge, []))),
            bridge in names["internal"],
            bridge in names["isolated"],
            bridge not in routed,
        )
        for bridge in sorted(names["networks"])
    ]


class Port(Record):
    """A published port: what comes to `port` of the host, at its address `host` (empty: at any that it has),
    goes to port `target` of a container's `address`, IPv4 or IPv6. protocol: "tcp", "udp" or "sctp"."""

    protocol: str
    port: int
    address: str
    target: int
    host: str = ""

    def __str__(self) -> str:
        at = f"[{self.host}]:" if ":" in self.host else f"{self.host}:" if self.host else ""
        return f"{at}{self.port}/{self.protocol}"


def placed(ports: Iterable[Port]) -> dict[str, dict[bytes, bytes]]:
    """Return where ports stand in the table: by map, the data of each key. Raise ValueError for a port that
    cannot be, or is there twice."""
    found: dict[str, dict[bytes, bytes]] = {}
    addresses: dict[str, bytes] = {"": b""}
    protocols = {name: bytes((number, 0, 0, 0)) for name, number in PROTOCOLS.items()}
    for one in ports:
        protocol, port, address, target, host = one.protocol, one.port, one.address, one.target, one.host
        for text in (address, host):
            if text not in addresses:
                packed = parse_ip(text)
                addresses[text] = packed if any(packed) else b""  # 0.0.0.0 and :: say the same as nothing
        to, at = addresses[address], addresses[host]
        if protocol not in protocols:
            raise ValueError(f"port {one}: a protocol is one of {', '.join(PROTOCOLS)}")
        if not to:
            raise ValueError(f"port {one} leads to no address")
        if at == _LOOPBACK6:
            raise ValueError(f"port {one}: for ::1 the kernel takes answers from lo alone; use 127.0.0.1")
        if host and (":" in host) != (":" in address):
            raise ValueError(f"port {one}: {host} and {address} are of two families")
        if not (port.__class__ is target.__class__ is int and 0 < port < 65536 > target > 0):
            for number in (port, target):
                check_number(number, 1, 65535, "a port")
        data = to + target.to_bytes(2, "big") + b"\0\0"
        map = ("bound" if at else "ports") + ("4" if len(to) == 4 else "6")
        key = at + protocols[protocol] + port.to_bytes(2, "big") + b"\0\0"
        if found.setdefault(map, {}).setdefault(key, data) != data:
            raise ValueError(f"port {one} cannot lead to two places")
    return found


def protocol_number(name: str) -> int:
    """Return the number of a protocol that a Port names: one of PROTOCOLS, or what port_of() made of
    another."""
    return PROTOCOLS.get(name) or int(name)


def target_of(element: Element) -> bytes:
    """Return the address that an element of one of the maps leads to."""
    return element.data[:-4]


def port_of(element: Element) -> Port:
    """Return the port that an element of one of the maps stands for."""
    host, protocol, port = element.key[:-8], element.key[-8], element.key[-4:-2]
    return Port(
        _NAMES.get(protocol, str(protocol)),
        int.from_bytes(port, "big"),
        format_ip(target_of(element)),
        int.from_bytes(element.data[-4:-2], "big"),
        format_ip(host) if host else "",
    )


def _ifname(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape").ljust(16, b"\0")


def _text(key: bytes) -> str:
    return key.rstrip(b"\0").decode("utf-8", "surrogateescape")


def _interval(low: bytes, length: int, comment: str) -> list[Element]:
    """Return the two elements of a subnet in a set with intervals: its lowest address, and the one after its
    highest (if there is one)."""
    size = len(low)
    after = int.from_bytes(low, "big") + (1 << (size * 8 - length))
    elements = [Element.commented(low, comment)]
    if after < 1 << size * 8:
        elements.append(Element(after.to_bytes(size, "big"), b"", NFT_SET_ELEM_INTERVAL_END))
    return elements


def _prefixes(elements: Iterable[Element]) -> list[tuple[bytes, int, str]]:
    """Return (lowest address, prefix length, comment) of each subnet in such a set. If one ends and the next
    begins at the same address, the end comes first."""
    found = []
    begun: Element | None = None
    for element in sorted(elements, key=lambda one: (one.key, not one.flags & NFT_SET_ELEM_INTERVAL_END)):
        if not element.flags & NFT_SET_ELEM_INTERVAL_END:
            begun = element
        elif begun is not None:
            found.append(_prefix(begun, int.from_bytes(element.key, "big")))
            begun = None
    if begun is not None:
        found.append(_prefix(begun, 1 << len(begun.key) * 8))
    return found


def _prefix(begun: Element, after: int) -> tuple[bytes, int, str]:
    low = begun.key
    addresses = after - int.from_bytes(low, "big")
    return low, len(low) * 8 - (addresses.bit_length() - 1), begun.comment
