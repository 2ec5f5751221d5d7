"""netns: network namespaces, named as `ip netns` names them (in /run/netns), or found by process, path or
descriptor."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins

    from .handle import Netns as Netns
    from .inside import call as call
    from .inside import identify as identify
    from .inside import pids as pids
    from .inside import popen as popen
    from .inside import run as run
    from .named import bind as bind
    from .named import create as create
    from .named import create_many as create_many
    from .named import delete as delete
    from .named import delete_many as delete_many
    from .named import list as list
    from .named import prune as prune

_PLACES = {
    **dict.fromkeys(("bind", "create", "create_many", "delete", "delete_many", "prune", "list"), "named"),
    **dict.fromkeys(("call", "identify", "pids", "popen", "run"), "inside"),
    "Netns": "handle",
}


__all__ = [*_PLACES]


def __getattr__(name: str) -> object:
    from .._lazy import fetch

    return fetch(__name__, _PLACES, name)


def __dir__() -> builtins.list[str]:
    return sorted({*globals(), *_PLACES})
