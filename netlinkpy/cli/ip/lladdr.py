"""Hardware addresses as iproute2 reads them."""

from __future__ import annotations

from ..command_error import CommandError
from .grammar import c_number
from .inet import ipv4


def mac(text: str) -> bytes:
    """Return a hardware address of whatever length, or (for tunnels) an IPv4 address, packed."""
    if "." in text and ":" not in text:
        packed = ipv4(text)
        if packed is None:
            raise CommandError(f'"{text}" is invalid lladdr.')
        return packed
    out = bytearray()
    for part in text.split(":"):
        value = c_number(part, 16) if part and len(part) <= 2 else None
        if value is None or not 0 <= value <= 255:
            raise CommandError(f'"{text}" is invalid lladdr.')
        out.append(value)
    return bytes(out)
