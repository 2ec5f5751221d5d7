"""The choice between the shim's two doors and its pure twin."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netlinkpy.backends.interface import Backend

_chosen: Backend | None = None


def load() -> Backend:
    """Return the backend in use (interface.py), chosen at the first call, then kept.

    NETLINKPY_BACKEND=cffi|native|python forces one: raise ImportError if it is not available, ValueError for
    another word. Otherwise it is cffi if _cffi_backend and the shim's shared object exist, native if only the
    shared object exists, else python.
    """
    global _chosen
    if _chosen is None:
        import os

        _chosen = _choose(os.environ.get("NETLINKPY_BACKEND", ""))
    return _chosen


def backend() -> str:
    """Return the name of the backend in use: "cffi", "native" or "python". Raise what load() raises."""
    return load().NAME


def _choose(word: str) -> Backend:
    if word:
        return get(word)
    for name in ("cffi", "native"):
        try:
            return get(name)
        except ImportError:
            continue
    return get("python")


def get(name: str) -> Backend:
    """Return the backend of that name. Raise ImportError, which says why, if it is not available."""
    try:
        if name == "cffi":
            from netlinkpy.backends.cffi import BACKEND

            return BACKEND
        if name == "native":
            from netlinkpy.backends.native import BACKEND

            return BACKEND
    except ImportError as error:
        raise ImportError(f"the {name} backend is not available: {error}") from error
    if name == "python":
        from netlinkpy.backends.pure import BACKEND

        return BACKEND
    raise ValueError(f"NETLINKPY_BACKEND is {name!r}; it can be cffi, native or python")
