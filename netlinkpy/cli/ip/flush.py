"""Flush: delete what is found and look again, until nothing is found."""

from __future__ import annotations

from ...wire.errors import NetlinkError
from ..command_error import CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ...wire.attributes import Values
    from .session import Session


def flush(
    session: Session,
    what: str,
    find: Callable[[], list[Values]],
    delete: Callable[[Values], object],
    show: Callable[[Values], str],
    gone: tuple[int, ...],
) -> None:
    """Delete all that `find` returns. -s reports each round, -s -s each entry too. gone: the refusal for an
    entry that is gone meanwhile, as a secondary address goes with its primary."""
    statistics, rounds = session.options.statistics, session.options.loops
    out = session.output()
    done = 0
    while found := find():
        if rounds and done == rounds:
            raise CommandError(
                f"*** Flush is not complete after {done} rounds: {len(found)} {what} remain ***"
            )
        done += 1
        for values in found:
            if statistics > 1:
                out.text(show(values))
            try:
                delete(values)
            except NetlinkError as error:
                if error.errno not in gone:
                    raise
        if statistics:
            out.text(f"\n*** Round {done}, deleting {len(found)} {what} ***\n")
            out.flush()
    if statistics and done:
        out.text(f"*** Flush is complete after {done} round{'s' * (done > 1)} ***\n")
    elif statistics:
        out.text("Nothing to flush.\n")
    out.flush()
