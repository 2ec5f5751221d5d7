"""The `cffi` backend: the shim through cffi's door. Every function of `lib` releases the GIL."""

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

_from_buffer, _OCTETS = ffi.from_buffer, ffi.typeof("uint8_t[]")
_NULL = ffi.NULL
_NONE = _NULL, 0


class Door:
    """The calls of csrc/shim.h as attributes."""

    def __init__(self) -> None:
        at = lib.nlp_calls
        while at.name:
            name = ffi.string(at.name).decode()
            setattr(self, name, _call(getattr(lib, f"nlp_{name}"), ffi.string(at.takes).decode()))
            at += 1


def _call(function: Any, takes: str) -> Callable[..., int]:
    """Return a call that takes its arguments by the letters of csrc/shim.h."""
    numbers = takes.count("n")
    if numbers == len(takes):
        return lambda *given: function(given, _NULL, _NULL, 0)
    last = len(takes.rstrip("RW"))
    modes = [(place, takes[place] in "wo") for place in range(numbers, last)]
    fixed = [place for place, _ in modes if takes[place] == "b"]
    has_list, is_list_written = last < len(takes), takes[-1] == "W"

    def call(*given: Any) -> int:
        for place in fixed:
            if type(given[place]) is not bytes:
                raise TypeError("a bytes object is needed: it cannot change")
        # Each pair is a struct nlp_span, and keeps its buffer alive. None is one without data.
        spans: list[Any] = []
        for place, is_written in modes:
            one = given[place]
            if one is None and takes[place] == "o":
                spans.append(_NONE)
            else:
                data = _from_buffer(_OCTETS, one, is_written)
                spans.append((data, len(data)))
        items = []
        if has_list:
            for one in given[last]:
                data = _from_buffer(_OCTETS, one, is_list_written)
                items.append((data, len(data)))
        result: int = function(given[:numbers], spans, items, len(items))
        return result

    return call


BACKEND = Backend("cffi", Door())
