"""Zones: the link that an IPv6 address is on, said behind the address, "fe80::1%eth0" (RFC 4007)."""

from __future__ import annotations

from .values import ip_text, name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .netlink import RTNetlink
    from .values import Dev, IPPrefix


def split(address: IPPrefix) -> tuple[str, str]:
    """Return an address or prefix as text without its zone, and the zone, empty if there is none."""
    text = address if isinstance(address, str) else ip_text(address)
    before, _, behind = text.partition("%")
    zone, slash, length = behind.partition("/")
    if not zone or ":" not in before or "/" in before:
        return text, ""
    return f"{before}{slash}{length}", zone


def resolve(rt: RTNetlink, address: IPPrefix, dev: Dev | None) -> tuple[Any, Dev | None]:
    """Return an address without its zone, and the link it is on: dev, or else the zone (a link's name, or an
    index). Raise ValueError if these are two links, NetlinkError (ENODEV) if there is none of that name."""
    if isinstance(address, str) and "%" not in address:
        return address, dev
    plain, zone = split(address)
    if not zone or zone == dev:
        return plain, dev
    known = rt.links.find(zone)
    told = int(zone) if known is None and zone.isdecimal() else zone
    if dev is not None and rt.index(dev) != rt.index(told):
        raise ValueError(f"{address} is not on {name_of(dev)}")
    return plain, told if dev is None else dev


def require(rt: RTNetlink, address: IPPrefix, dev: Dev | None) -> tuple[Any, Dev]:
    """As resolve(). Raise TypeError if neither says the link."""
    plain, on = resolve(rt, address, dev)
    if on is None:
        raise TypeError(f"{address} needs dev, the link that it is on")
    return plain, on
