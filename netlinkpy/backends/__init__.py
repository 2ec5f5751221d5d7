"""The choice between the shim's two doors and the pure twin: `load()` returns the backend that this process
uses."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netlinkpy.backends.interface import Backend

_chosen: Backend | None = None


def load() -> Backend:
    """The backend in use (interface.py); chosen at the first call, then kept.

    NETLINKPY_BACKEND=cffi|native|python forces one: ImportError if it cannot be had, ValueError for another
    word. Otherwise it is cffi where _cffi_backend and the shim's shared object are there, native where only
    the shared object is, else python.
    """
    global _chosen
    if _chosen is None:
        import os

        _chosen = _choose(os.environ.get("NETLINKPY_BACKEND", ""))
    return _chosen


def backend() -> str:
    """The name of the backend in use: "cffi", "native" or "python". Errors as load()."""
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
    """The backend of that name. ImportError says why it cannot be had."""
    try:
        if name == "cffi":
            from netlinkpy.backends.cffi import BACKEND

            return BACKEND
        if name == "native":
            from netlinkpy.backends.native import BACKEND

            return BACKEND
    except ImportError as error:
        raise ImportError(f"the {name} backend cannot be had: {error}") from error
    if name == "python":
        from netlinkpy.backends.pure import BACKEND

        return BACKEND
    raise ValueError(f"NETLINKPY_BACKEND is {name!r}; it can be cffi, native or python")
