"""The kinds of link, one file each, imported by name when first used."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from ..kind import Kind

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")
_MOST = 64  # names kept that are no kind here: the owner of a namespace chooses the names of its links' kinds
_found: dict[str, ModuleType | None] = {}


def find(name: object) -> Kind | None:
    """Return the kind of a name, None if it has no file here."""
    return getattr(_module(name), "KIND", None)


def find_port(name: object) -> Kind | None:
    """Return the options of links whose master is of a kind (IFLA_INFO_SLAVE_KIND); None if it has no file
    here."""
    return getattr(_module(name), "PORT", None)


def _module(name: object) -> ModuleType | None:
    if name in _found:
        return _found[name]
    if not isinstance(name, str) or name[:1] in ("", "_") or not _LETTERS.issuperset(name):
        return None  # it becomes the name of a file
    try:
        module = __import__(f"{__package__}.{name}", fromlist=["KIND"])
    except ModuleNotFoundError as error:
        if error.name != f"{__package__}.{name}":
            raise
        module = None
        if len(_found) >= _MOST:
            _found.clear()
    _found[name] = module
    return module
