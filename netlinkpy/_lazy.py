"""Lazy names: import what a package exports when it is first used, so that a bare import costs next to
nothing."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def fetch(package: str, places: Mapping[str, str], name: str) -> object:
    """Return the object `name` of a package, and keep it there. places: the module that holds each name ("":
    it is a module itself). Raise AttributeError for an unknown name."""
    place = places.get(name)
    if place is None:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    module = f"{package}.{place or name}"
    __import__(module)
    found = getattr(sys.modules[module], name) if place else sys.modules[module]
    setattr(sys.modules[package], name, found)
    return found
