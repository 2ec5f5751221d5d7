"""IP addresses and prefixes as iproute2 reads and writes them (10.1 is 10.1.0.0, 10.0.0.0/255.0.0.0 is a
/8)."""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_pton

from ...rtnl.values import FAMILY_OF_LENGTH, parse_lladdr
from ..command_error import CommandError
from ..names import FAMILIES
from .grammar import c_number

EVERYTHING = ("default", "all", "any")


class Prefix:
    """An address with a length in bits. family 0 and no bytes: "default" of whatever family; stated: the
    length was given."""

    __slots__ = ("address", "family", "length", "stated")

    def __init__(self, family: int, address: bytes, length: int, *, stated: bool) -> None:
        self.family = family
        self.address = address
        self.length = length
        self.stated = stated

    def covers(self, address: bytes) -> bool:
        """Return whether an address lies within."""
        if not self.length and not self.address:
            return True
        if len(address) != len(self.address):
            return False
        spare = len(address) * 8 - self.length
        return int.from_bytes(address, "big") >> spare == int.from_bytes(self.address, "big") >> spare


def ipv4(text: str) -> bytes | None:
    """Read one to four numbers; those missing on the right are zero."""
    parts = [c_number(part) if part[:1].isdigit() else None for part in text.split(".")]
    if len(parts) > 4:
        return None
    out = bytearray(4)
    for position, part in enumerate(parts):
        if part is None or not 0 <= part <= 255:
            return None
        out[position] = part
    return bytes(out)


def _address(text: str, family: int) -> bytes | None:
    if ":" in text:
        if family not in (0, AF_INET6):
            return None
        try:
            return inet_pton(AF_INET6, text)
        except OSError:
            return None
    return ipv4(text) if family in (0, AF_INET) else None


def address(text: str, family: int = 0) -> bytes:
    """Return an address in network order, of one family or (0) of any."""
    if text in EVERYTHING and family in (AF_INET, AF_INET6):
        return bytes(4 if family == AF_INET else 16)
    found = _address(text, family)
    if found is None:
        kind = FAMILIES.get(family, "any valid")
        raise CommandError(f'Error: {kind} address is expected rather than "{text}".', final=True)
    return found


def prefix(text: str, family: int = 0) -> Prefix:
    """Read ADDRESS, ADDRESS/LENGTH, ADDRESS/NETMASK, or default."""
    if family not in (0, AF_INET, AF_INET6):
        why = f'Error: "{text}" may be inet prefix, but it is not allowed in this context.'
        raise CommandError(why, final=True)
    if text in EVERYTHING:
        return Prefix(family, b"", 0, stated=True)
    whole, slash, tail = text.partition("/")
    packed = _address(whole, family)
    length = None if packed is None else (_length(tail, len(packed)) if slash else len(packed) * 8)
    if packed is None or length is None:
        kind = FAMILIES.get(family, "any valid")
        raise CommandError(f'Error: {kind} prefix is expected rather than "{text}".', final=True)
    return Prefix(FAMILY_OF_LENGTH[len(packed)], packed, length, stated=bool(slash))


def _length(text: str, size: int) -> int | None:
    value = c_number(text) if "." not in text else None
    if value is not None:
        return value if 0 <= value <= size * 8 else None
    mask = ipv4(text) if text and size == 4 else None
    if mask is None or "." not in text:
        return None
    bits = f"{int.from_bytes(mask, 'big'):032b}"
    return None if "01" in bits else bits.count("1")


def lladdr(text: str) -> bytes:
    """Return a hardware address of any length, or (for tunnels) an IPv4 address."""
    try:
        packed = ipv4(text) if "." in text and ":" not in text else parse_lladdr(text)
    except ValueError:
        packed = None
    if packed is None:
        raise CommandError(f'"{text}" is invalid lladdr.')
    return packed
