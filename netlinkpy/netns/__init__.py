"""netns: network namespaces, named as `ip netns` names them (in /run/netns), or found by process, path or
descriptor."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins

    from .handle import Netns as Netns
    from .named import bind as bind
    from .named import create as create
    from .named import create_many as create_many
    from .named import delete as delete
    from .named import delete_many as delete_many
    from .named import list as list
    from .named import prune as prune
    from .processes import call as call
    from .processes import identify as identify
    from .processes import pids as pids
    from .processes import popen as popen
    from .processes import run as run

_PLACES = {
    **dict.fromkeys(("bind", "create", "create_many", "delete", "delete_many", "prune", "list"), "named"),
    **dict.fromkeys(("call", "identify", "pids", "popen", "run"), "processes"),
    "Netns": "handle",
}


__all__ = [*_PLACES]


def __getattr__(name: str) -> object:
    from .._lazy import fetch

    return fetch(__name__, _PLACES, name)


def __dir__() -> builtins.list[str]:
    return sorted({*globals(), *_PLACES})
