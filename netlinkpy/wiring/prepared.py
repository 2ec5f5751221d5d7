"""Prepared: what is kept between calls, so that the next one asks the kernel and packs less.

None of it is trusted: what is known of a bridge is used only if the kernel reports the same again
(bridge.py), and a shape holds nothing but packed messages."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..wire.program import Program
    from .bridge import KnownBridge
    from .shape import Shape

_MOST = 64  # bridges, and shapes


class Prepared:
    """What is kept between calls.

    shapes: by form; bridges: by name, as they were in the last call; look, local_route: the programs that
    look at a bridge and at the route of a packet, None until they are made; echoes: whether the kernel echoes
    a create, None until it is known."""

    __slots__ = ("bridges", "echoes", "local_route", "look", "shapes")

    def __init__(self) -> None:
        self.local_route: Program | None = None
        self.echoes: bool | None = None
        self.shapes: dict[Any, Shape] = {}
        self.bridges: dict[str, KnownBridge] = {}
        self.look: Program | None = None

    def keep_shape(self, form: Any, shape: Shape) -> None:
        """Keep a shape; the oldest goes if there are too many."""
        _keep(self.shapes, form, shape)

    def keep_bridge(self, name: str, known: KnownBridge) -> None:
        """Keep a bridge as it is now; the oldest goes if there are too many."""
        _keep(self.bridges, name, known)


def _keep(kept: dict[Any, Any], key: Any, value: Any) -> None:
    while key not in kept and len(kept) >= _MOST:
        oldest, *_ = list(kept)  # at once: an iterator fails if another thread keeps something meanwhile
        kept.pop(oldest, None)
    kept[key] = value


PREPARED = Prepared()
