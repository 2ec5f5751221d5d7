"""The `cffi` backend: the shim by cffi's door. Every function of `lib` releases the GIL."""

from __future__ import annotations

from netlinkpy.backends.interface import Backend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    ffi: Any
    lib: Any
else:
    from netlinkpy.backends._shim import ffi, lib

_from_buffer = ffi.from_buffer
_MOST = 64  # buffers in a list


class Door:
    """The calls of csrc/shim.h, each an attribute."""

    def __init__(self) -> None:
        at = lib.nlp_calls
        while at.name:
            name = ffi.string(at.name).decode()
            setattr(self, name, _call(getattr(lib, f"nlp_{name}"), ffi.string(at.takes).decode()))
            at += 1


def _call(function: Any, takes: str) -> Callable[..., int]:
    """One call, by its letters."""
    numbers = takes.count("n")
    letters = takes[numbers:]
    listed = letters[-1:].isupper()
    if not letters:
        return lambda *given: int(function(given, ffi.NULL, ffi.NULL, 0))

    def call(*given: Any) -> int:
        spans = [_span(one, letter) for letter, one in zip(letters, given[numbers:], strict=True)]
        items = spans.pop() if listed else ()
        result: int = function(given[:numbers], spans, items, len(items))
        return result

    return call


def _span(given: Any, letter: str) -> Any:
    """A buffer as a struct nlp_span, which holds it; a list of them as a list."""
    if letter == "R" or letter == "W":
        if len(given) > _MOST:
            raise ValueError(f"there are more than {_MOST} buffers in the list")
        return [_span(one, letter.lower()) for one in given]
    if letter == "o" and given is None:
        return ffi.NULL, 0
    if letter == "b" and not isinstance(given, bytes):
        raise TypeError("bytes are needed, which nobody can change")
    data = _from_buffer("uint8_t[]", given, letter != "r" and letter != "b")
    return data, len(data)


BACKEND = Backend("cffi", Door())
