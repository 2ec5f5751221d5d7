"""Names that are fetched from their module when first asked for, so that a bare import costs next to
nothing."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def fetch(package: str, places: Mapping[str, str], name: str) -> object:
    """The object `name` of a package: `places` says which of its modules holds it ("" where it is a module
    itself). Kept in the package, so that this is asked once. AttributeError for an unknown name."""
    place = places.get(name)
    if place is None:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    module = f"{package}.{place or name}"
    __import__(module)
    found = getattr(sys.modules[module], name) if place else sys.modules[module]
    setattr(sys.modules[package], name, found)
    return found
