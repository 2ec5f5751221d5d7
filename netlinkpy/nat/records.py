"""NatNetwork and Port: what the table holds, as records and as elements of its sets and maps."""

from __future__ import annotations

from sys import byteorder

from ..record import Record
from ..rtnl.values import check_number, format_ip, ip_text, network, parse_ip, parse_prefix, several
from ..uapi.nf_tables import NFT_SET_ELEM_INTERVAL_END
from ..wire.netfilter.elements import Element

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..rtnl.values import IP, IPPrefix

PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}  # IANA's numbers
PORT_MAPS = ("ports4", "ports6", "bound4", "bound6", "localhost4")
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
    """A network as the table knows it: its bridge's index, its subnets ("172.17.0.0/16"), and what
    add_network() was told; bridge: its bridge's name now, empty if that is gone."""

    index: int
    subnets: tuple[str, ...]
    internal: bool = False
    isolate: bool = False
    masquerade: bool = True
    bridge: str = ""

    @classmethod
    def checked(
        cls,
        index: int,
        subnets: IPPrefix | Iterable[IPPrefix],
        *,
        internal: bool,
        isolate: bool,
        masquerade: bool,
    ) -> NatNetwork:
        """Return the record of add_network()'s arguments. Raise ValueError, which says what is wrong with
        them."""
        nets = []
        for text in several(subnets):
            packed, length = parse_prefix(text)
            if not length or network(packed, length) != packed:
                raise ValueError(f"{text!r} is no subnet: write its lowest address and prefix length")
            nets.append((packed, length))
        nets.sort(key=lambda net: (len(net[0]), net))
        texts = tuple(f"{format_ip(packed)}/{length}" for packed, length in nets)
        return cls(index, texts, internal, isolate, masquerade)

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

    @property
    def versions(self) -> set[int]:
        """The IP versions of its subnets: 4, 6."""
        return {6 if ":" in subnet else 4 for subnet in self.subnets}

    def holds(self, packed: bytes) -> bool:
        """Return whether an address (4 or 16 bytes) is in one of its subnets."""
        nets = map(parse_prefix, self.subnets)
        return any(len(low) == len(packed) and network(packed, length) == low for low, length in nets)

    def elements(self) -> dict[str, list[Element]]:
        """Return the elements that stand for it, by set."""
        key = self.index.to_bytes(4, byteorder)
        found = {"networks": [Element(key)], "within": [Element(key + key)]}
        if self.internal:
            found["internal"] = [Element(key)]
        if self.isolate:
            found["isolated"] = [Element(key)]
        kind = "masquerade" if self.masquerade else "routed"
        for text in self.subnets:
            low, length = parse_prefix(text)
            version = "4" if len(low) == 4 else "6"
            found.setdefault(kind + version, []).extend(_interval(low, length, str(self.index)))
        return found


def networks_of(found: Mapping[str, Iterable[Element]]) -> dict[int, NatNetwork]:
    """Return the networks that elements (by set) stand for, by their bridges' indices, in order."""
    indices = {
        kind: {int.from_bytes(one.key, byteorder) for one in found[kind]}
        for kind in ("networks", "internal", "isolated")
    }
    subnets: dict[str, list[tuple[int, bytes, int]]] = {}
    routed = set()
    for kind in ("masquerade", "routed"):
        for low, length, comment in _prefixes(found[f"{kind}4"]) + _prefixes(found[f"{kind}6"]):
            subnets.setdefault(comment, []).append((len(low), low, length))
            if kind == "routed":
                routed.add(comment)
    return {
        index: NatNetwork(
            index,
            tuple(f"{format_ip(low)}/{length}" for _, low, length in sorted(subnets.get(str(index), []))),
            index in indices["internal"],
            index in indices["isolated"],
            str(index) not in routed,
        )
        for index in sorted(indices["networks"])
    }


class Port(Record):
    """A published port: what comes to `port` of the host, at its address `host` (empty: at any that it has),
    goes to port `target` of a container's `address`, IPv4 or IPv6. protocol: "tcp", "udp" or "sctp".
    localhost: also what the host itself sends to 127.0.0.0/8, for which its bridge gets route_localnet (see
    Nat.publish())."""

    protocol: str
    port: int
    address: str
    target: int
    host: str = ""
    localhost: bool = False

    if TYPE_CHECKING:

        def __init__(
            self, protocol: str, port: int, address: IP, target: int, host: IP = "", localhost: bool = False
        ) -> None: ...

    else:

        def __new__(cls, *values, **named):
            made = super().__new__(cls, *values, **named)
            if type(made.address) is str is type(made.host):
                return made
            return cls(**{**made.as_dict(), "address": ip_text(made.address), "host": ip_text(made.host)})

    def __str__(self) -> str:
        at = f"[{self.host}]:" if ":" in self.host else f"{self.host}:" if self.host else ""
        return f"{at}{self.port}/{self.protocol}"


def placed(ports: Iterable[Port]) -> dict[str, dict[bytes, bytes]]:
    """Return where ports stand in the table: by map, the data of each key. Raise ValueError for a port that
    cannot be, or excludes another of them."""
    found: dict[str, dict[bytes, bytes]] = {}
    addresses: dict[str, bytes] = {"": b""}
    protocols = {name: bytes((number, 0, 0, 0)) for name, number in PROTOCOLS.items()}
    for one in ports:
        protocol, port, address, target = one.protocol, one.port, one.address, one.target
        host, localhost = one.host, one.localhost
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
        if localhost and (len(to) == 16 or (at and at[0] != 127)):
            raise ValueError(f"port {one}: localhost is 127.0.0.0/8, which does not lead there")
        if at and at[0] == 127 and len(at) == 4 and not localhost:
            raise ValueError(f"port {one}: for {host} say localhost=True (read there what it opens)")
        if not (port.__class__ is target.__class__ is int and 0 < port < 65536 > target > 0):
            for number in (port, target):
                check_number(number, 1, 65535, "a port")
        data = to + target.to_bytes(2, "big") + b"\0\0"
        version = "4" if len(to) == 4 else "6"
        key = protocols[protocol] + port.to_bytes(2, "big") + b"\0\0"
        places = [(("bound" if at else "ports") + version, at + key)]
        if localhost and not at:
            places.append(("localhost4", key))
        for map, key in places:
            if found.setdefault(map, {}).setdefault(key, data) != data:
                raise ValueError(f"port {one} cannot lead to two places")
    for version in "46":
        anywhere = found.get(f"ports{version}", {})
        for key, data in found.get(f"bound{version}", {}).items():
            if key[-8:] in anywhere:
                one = port_of(Element(key, data))
                raise ValueError(f"port {one} is among those at any address already")
    return found


def protocol_number(name: str) -> int:
    """Return the number of a protocol that a Port names: one of PROTOCOLS, or what port_of() made of
    another."""
    return PROTOCOLS.get(name) or int(name)


def target_of(element: Element) -> bytes:
    """Return the address that an element of one of the maps leads to."""
    return element.data[:-4]


def port_of(element: Element) -> Port:
    """Return the port that an element of one of the maps stands for (one of localhost4 adds that alone)."""
    host, protocol, port = element.key[:-8], element.key[-8], element.key[-4:-2]
    return Port(
        _NAMES.get(protocol, str(protocol)),
        int.from_bytes(port, "big"),
        format_ip(target_of(element)),
        int.from_bytes(element.data[-4:-2], "big"),
        format_ip(host) if host else "",
        len(host) == 4 and host[0] == 127,
    )


def ports_of(found: Mapping[str, Iterable[Element]]) -> list[Port]:
    """Return the ports that elements (by map) stand for. What is no port of ours is passed over."""
    also = {(one.key, one.data) for one in found.get("localhost4", ())}
    return [
        port_of(one).replace(localhost=True) if (one.key, one.data) in also else port_of(one)
        for map, elements in found.items()
        if map != "localhost4"
        for one in elements
        if len(one.key) in (8, 12, 24) and len(one.data) in (8, 20)
    ]


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
