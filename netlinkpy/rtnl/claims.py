"""Claims: the alternative names by which a link claims an address, `ip:BRIDGE-IFINDEX:ADDRESS`.

Link names are unique in the kernel, so an address on a bridge is taken exactly while a link has its name; see
wiring/recipe.py."""

from __future__ import annotations

from .values import format_ip


def claim_name(bridge_index: int, packed: bytes) -> str:
    """Return the name that claims an address (4 or 16 bytes) on a bridge."""
    return f"ip:{bridge_index}:{format_ip(packed)}"


def claimed_address(name: str, bridge_index: int) -> str | None:
    """Return the address that a name claims on a bridge, None if it is no claim there."""
    prefix = f"ip:{bridge_index}:"
    return name[len(prefix) :] if name.startswith(prefix) else None
