"""AttachError: which endpoint could not be attached, at which step, and why."""

from __future__ import annotations

from errno import EIO

from ..wire.errors import NetlinkError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from .row import Row


class AttachError(NetlinkError):
    """One endpoint failed; nothing of it is left anywhere.

    position: its place in the list that attach_many() was given (0 for attach()); endpoint: as it was given;
    failures: this error and those of the other endpoints that failed in the same call. The other attributes
    are NetlinkError's."""

    position: int = 0
    endpoint: Any = None
    failures: Sequence[AttachError] = ()

    def during(self, doing: str) -> None:
        """Stay as it is: it names the container and the step."""


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
    """Return the AttachError of an endpoint; the other arguments are NetlinkError's."""
    error = AttachError(errno, verb, where=where, path=path, text=text, hint=hint)
    error.position = position
    error.endpoint = endpoint
    error.failures = (error,)
    return error


def failure(
    row: Row, errno: int, verb: str, *, path: str = "", text: str = "", hint: str = ""
) -> AttachError:
    """Return the AttachError of a row, in its container."""
    where = row.wanted.label
    return attach_error(row.position, row.endpoint, errno, verb, where=where, path=path, text=text, hint=hint)


def of_other(error: OSError, verb: str, position: int, endpoint: Any) -> AttachError:
    """Return the AttachError of an endpoint for which something else failed; verb: what that was for."""
    if isinstance(error, NetlinkError):
        told = {"where": error.where, "path": error.path, "text": error.text, "hint": error.hint}
        made = attach_error(position, endpoint, error.errno or EIO, f"{verb}: {error.verb}", **told)
    else:
        made = attach_error(position, endpoint, error.errno or EIO, verb, text=error.strerror or str(error))
    for note in getattr(error, "__notes__", ()):
        made.add_note(note)
    return made


class Failures:
    """The failures of one call, by position. whole: the first one ends the call; otherwise each endpoint
    stands alone."""

    def __init__(self, whole: bool) -> None:
        self._whole = whole
        self.by_position: dict[int, AttachError] = {}

    def add(self, *errors: AttachError) -> None:
        """Note failures, the first for each endpoint."""
        for error in errors:
            self.by_position.setdefault(error.position, error)

    def refuse(self, row: Row, errno: int, text: str, verb: str = "attach") -> None:
        """Note that a row is refused, with our own sentence."""
        self.add(failure(row, errno, verb, text=text))

    def check(self) -> None:
        """Raise the first failure, if there is one and the call is all or nothing."""
        if self._whole and self.by_position:
            ordered = tuple(self.by_position[position] for position in sorted(self.by_position))
            ordered[0].failures = ordered
            raise ordered[0]

    def without(self, rows: Iterable[Row]) -> list[Row]:
        """Return those of the rows that have not failed."""
        return [row for row in rows if row.position not in self.by_position]
