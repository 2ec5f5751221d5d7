"""AttachError: which endpoint could not be attached (or detached), at which step, and why."""

from __future__ import annotations

from ..wire.errors import NetlinkError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from .row import Row


class AttachError(NetlinkError):
    """One endpoint failed; nothing of it is left anywhere.

    position: its place in the list that attach_many() was given (0 for attach()); endpoint: as it was given;
    failures: this error and those of the other endpoints that failed in the same call. Besides, all that
    NetlinkError tells."""

    position: int = 0
    endpoint: Any = None
    failures: Sequence[AttachError] = ()


def attach_error(
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
    """The AttachError of an endpoint; see NetlinkError for the rest."""
    error = AttachError(errno, verb, where=where, path=path, text=text, hint=hint)
    error.position = position
    error.endpoint = endpoint
    error.failures = (error,)
    return error


def failure(
    row: Row, errno: int, verb: str, *, path: str = "", text: str = "", hint: str = ""
) -> AttachError:
    """The AttachError of a row, in its container."""
    where = row.wanted.label
    return attach_error(row.position, row.endpoint, errno, verb, where=where, path=path, text=text, hint=hint)


class Failures:
    """The failures of one call, by position; `whole`: the first one ends it, else each endpoint stands
    alone."""

    def __init__(self, whole: bool) -> None:
        self._whole = whole
        self.by_position: dict[int, AttachError] = {}

    def add(self, *errors: AttachError) -> None:
        """Note failures; the first of an endpoint counts."""
        for error in errors:
            self.by_position.setdefault(error.position, error)

    def refuse(self, row: Row, errno: int, text: str, verb: str = "attach") -> None:
        """Note that a row is refused, in our own words."""
        self.add(failure(row, errno, verb, text=text))

    def check(self) -> None:
        """Raise the first failure, where the call is all or nothing and has one."""
        if self._whole and self.by_position:
            ordered = tuple(self.by_position[position] for position in sorted(self.by_position))
            ordered[0].failures = ordered
            raise ordered[0]

    def without(self, rows: Iterable[Row]) -> list[Row]:
        """The rows that have not failed."""
        return [row for row in rows if row.position not in self.by_position]
