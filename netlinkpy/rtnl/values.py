"""Values: addresses, prefixes and names as people write them, to the bytes of messages and back."""

from __future__ import annotations

import os
from _socket import AF_INET, AF_INET6, inet_ntop, inet_pton

from ..uapi.if_ import ALTIFNAMSIZ, IFNAMSIZ

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
    from typing import Any, TypeAlias

    from .link import Link

    #: An IP address as callers give it; and one with a prefix length (ipaddress's interfaces are addresses).
    IP: TypeAlias = "str | IPv4Address | IPv6Address"
    IPPrefix: TypeAlias = "IP | IPv4Network | IPv6Network"

    #: An interface: by name, alternative name or index, or the record of it, whose index counts.
    Dev: TypeAlias = "str | int | Link"

FAMILY_OF_LENGTH = {4: AF_INET, 16: AF_INET6}
_HEXADECIMAL = frozenset("0123456789abcdefABCDEF")
_NOT_IN_NAMES = frozenset(b"/\0\t\n\v\f\r \xa0")  # the kernel's isspace() takes Latin-1's blank for one
BITS = {AF_INET: 32, AF_INET6: 128}


def packed_width(family: int) -> int:
    """Return the size of a family's addresses in bytes. Raise ValueError if it has no IP addresses."""
    if family not in BITS:
        raise ValueError(f"{family!r} is no family of IP addresses: AF_INET or AF_INET6")
    return BITS[family] // 8


def parse_ip(text: IP) -> bytes:
    """Return an IPv4 or IPv6 address in network order, 4 or 16 bytes. Raise ValueError if it is none."""
    try:
        return inet_pton(AF_INET6 if ":" in text else AF_INET, text)  # type: ignore[operator, arg-type]
    except (OSError, ValueError):
        raise ValueError(f"{text!r} is no IP address") from None
    except (TypeError, AttributeError):  # ipaddress's: text costs nothing
        if isinstance(text, str):
            raise
        return parse_ip(ip_text(text))


def parse_prefix(text: IPPrefix) -> tuple[bytes, int]:
    """Return the address bytes and the prefix length of "172.17.0.0/16"; without a slash the length of an
    address. Raise ValueError if the text is no prefix."""
    if not isinstance(text, str):
        text = ip_text(text)
    address, slash, length = text.partition("/")
    packed = parse_ip(address)
    bits = len(packed) * 8
    if not slash:
        return packed, bits
    if not (length.isascii() and length.isdigit()) or int(length) > bits:
        raise ValueError(f"{text!r}: the prefix length is a number from 0 to {bits}")
    return packed, int(length)


def is_of_ipaddress(value: object) -> bool:
    """Return whether a value is an address, an interface or a network of the module ipaddress, which is not
    imported for it."""
    return any(kind.__module__ == "ipaddress" for kind in type(value).__mro__)


def ip_text(value: IPPrefix) -> str:
    """Return an address or prefix as text. Raise TypeError if it is neither text nor of ipaddress."""
    if not is_of_ipaddress(value):
        _check_text(value, "an IP address")
    return str(value)


def several(values: IPPrefix | Iterable[IPPrefix]) -> Iterable[Any]:
    """Return the items of one or many addresses or prefixes. A network of ipaddress, which can be iterated,
    is one."""
    if isinstance(values, (tuple, list)):
        return values
    one = isinstance(values, str) or is_of_ipaddress(values)
    return (values,) if one else values  # type: ignore[return-value]


def format_ip(packed: bytes) -> str:
    """Return 4 or 16 bytes as text; other lengths as hexadecimal."""
    family = FAMILY_OF_LENGTH.get(len(packed))
    return inet_ntop(family, packed) if family else packed.hex()


def network(packed: bytes, length: int) -> bytes:
    """Return the address with all bits beyond the prefix cleared."""
    spare = len(packed) * 8 - length
    return (int.from_bytes(packed, "big") >> spare << spare).to_bytes(len(packed), "big")


def broadcast_of(packed: bytes, length: int) -> bytes | None:
    """Return the broadcast address of an IPv4 address's net, None if it has none: IPv6, and nets of one or
    two addresses (RFC 3021)."""
    if len(packed) != 4 or length > 30:
        return None
    return (int.from_bytes(packed, "big") | (1 << (32 - length)) - 1).to_bytes(4, "big")


def parse_mac(text: str) -> bytes:
    """Return the six bytes of a hardware address, "02:42:ac:11:00:02". Raise ValueError if it is none."""
    packed = parse_lladdr(text)
    if len(packed) != 6:
        raise ValueError(f"{text!r} is no hardware address (six bytes, as 02:42:ac:11:00:02)")
    return packed


def parse_lladdr(text: str) -> bytes:
    """As parse_mac(), for an address of any length."""
    _check_text(text, "a hardware address")
    if len(text) == 17 and text[2::3] == ":::::":  # as nearly all are
        digits = text.replace(":", "")
        if len(digits) == 12 and _HEXADECIMAL.issuperset(digits):
            return bytes.fromhex(digits)
    parts = text.split(":")
    if not all(0 < len(part) <= 2 and _HEXADECIMAL.issuperset(part) for part in parts):
        raise ValueError(f"{text!r} is no hardware address (bytes, as 02:42:ac:11:00:02)")
    return bytes([int(part, 16) for part in parts])


def format_mac(packed: bytes) -> str:
    """Return bytes as 02:42:ac:11:00:02."""
    return packed.hex(":")


def check_family(family: int) -> int:
    """Return a family to list: 0 for both, AF_INET or AF_INET6. Raise ValueError for another."""
    if family not in (0, *FAMILY_OF_LENGTH.values()):
        raise ValueError(f"family is AF_INET, AF_INET6, or 0 for both, not {family!r}")
    return family


def check_ifname(name: str) -> str:
    """Return the name if a link may have it (dev_valid_name() of the kernel). Raise ValueError, which says
    what is wrong, if not."""
    if type(name) is str and name.isalnum() and name.isascii() and len(name) < IFNAMSIZ:
        return name  # as nearly all are
    return _check_name(name, IFNAMSIZ)


def check_altname(name: str) -> str:
    """As check_ifname(), for an alternative name: up to 127 bytes, colons allowed."""
    return _check_name(name, ALTIFNAMSIZ, colon=True)


def fits_name(packed: bytes, size: int) -> bool:
    """Return whether bytes can be a name: at most `size` with the NUL that ends it, and none that a name may
    not have."""
    return 0 < len(packed) < size and _NOT_IN_NAMES.isdisjoint(packed)


def name_of(dev: Dev) -> Any:
    """Return what to call an interface: its name if it is given by its record, else as it is given."""
    return getattr(dev, "name", dev)


def _check_name(name: str, size: int, *, colon: bool = False) -> str:
    _check_text(name, "an interface name")
    try:
        packed = os.fsencode(name)
    except UnicodeEncodeError:
        packed = b""
    if not packed or name in (".", ".."):
        raise ValueError(f"{name!r} cannot name an interface")
    if len(packed) >= size:
        raise ValueError(f"{name!r} is too long to name an interface: {size - 1} bytes are the most")
    if not fits_name(packed, size) or (b":" in packed and not colon):
        raise ValueError(
            f"{name!r} cannot name an interface: no slash, {'' if colon else 'colon, '}blank or NUL"
        )
    return name


def _check_text(value: object, what: str) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{what} is text, not {value!r}")


def check_lifetimes(valid: int, preferred: int) -> dict[str, int]:
    """Return the lifetimes of an address (seconds) as its message holds them. Raise ValueError if they are
    invalid."""
    if not valid:
        raise ValueError("valid_lft is zero")
    if preferred > valid:
        raise ValueError("preferred_lft is greater than valid_lft")
    return {"ifa_prefered": preferred, "ifa_valid": valid}


def check_number(value: int, low: int, high: int, what: str) -> int:
    """Return the number if it is whole and within bounds. Raise ValueError or TypeError, which names `what`,
    if not."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{what} is a number, not {value!r}")
    if not low <= value <= high:
        raise ValueError(f"{what} is from {low} to {high}, not {value}")
    return value
