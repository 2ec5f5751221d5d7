"""Prepared: what is kept between calls, so that the next one asks and packs less.

Nothing of it is believed: a bridge is what it was only where the kernel says the same again in its answer
(bridge.py), and a shape holds no more than packed messages."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..wire.program import Program
    from .bridge import KnownBridge
    from .shape import Shape

_MOST = 64  # bridges, and shapes


class Prepared:
    """shapes: by what endpoints have in common; bridges: by name, as they were the last time; look,
    local_route: the programs that look at a bridge, and how a packet would go, once there are any; echoes:
    whether the kernel echoes a create, once that was asked."""

    __slots__ = ("bridges", "echoes", "local_route", "look", "shapes")

    def __init__(self) -> None:
        self.local_route: Program | None = None
        self.echoes: bool | None = None
        self.shapes: dict[Any, Shape] = {}
        self.bridges: dict[str, KnownBridge] = {}
        self.look: Program | None = None

    def keep_shape(self, form: Any, shape: Shape) -> None:
        """Keep a shape; the least recent ones go when there are too many."""
        _keep(self.shapes, form, shape)

    def keep_bridge(self, name: str, known: KnownBridge) -> None:
        """Keep what a bridge is."""
        _keep(self.bridges, name, known)


def _keep(kept: dict[Any, Any], key: Any, value: Any) -> None:
    if key not in kept and len(kept) >= _MOST:
        kept.pop(next(iter(kept)), None)
    kept[key] = value


PREPARED = Prepared()
