"""AttachError: which endpoint could not be attached (or detached), at which step, and why."""

from __future__ import annotations

from ..wire.errors import NetlinkError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


class AttachError(NetlinkError):
    """One endpoint failed; nothing of it is left anywhere.

    position: its place in the list that attach_many() was given (0 for attach()); endpoint: as it was given;
    failures: this error and those of the other endpoints that failed in the same call. Besides, all that
    NetlinkError tells."""

    position: int = 0
    endpoint: Any = None
    failures: Sequence[AttachError] = ()


def failure(
    position: int,
    endpoint: Any,
    errno: int,
    verb: str,
    *,
    where: str = "",
    path: str = "",
    text: str = "",
    hint: str = "",
) -> AttachError:
    """An AttachError for one endpoint; see NetlinkError for the rest."""
    error = AttachError(errno, verb, where=where, path=path, text=text, hint=hint)
    error.position = position
    error.endpoint = endpoint
    error.failures = (error,)
    return error
