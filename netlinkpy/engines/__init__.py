"""engines: docker and podman, asked through their own API on their unix socket for what we need of them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .container_pid import names as names
    from .container_pid import resolve as resolve

_PLACES = {"names": "container_pid", "resolve": "container_pid"}

__all__ = [*_PLACES]


def __getattr__(name: str) -> object:
    from .._lazy import fetch

    return fetch(__name__, _PLACES, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
