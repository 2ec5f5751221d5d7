"""tell: what a verb made is told on standard output, or taken away again."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def tell(show: Callable[[], object], take_away: Callable[[], object]) -> None:
    """Show what was made. If that fails (the disk is full, a signal comes), take it away again, since the
    exit code says that nothing was done; if only the reader went away, it stays."""
    try:
        show()
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except BaseException:
        discard_output()
        take_away()
        raise


def discard_output() -> None:
    """Discard what Python still holds for standard output: else it would complain at its end."""
    import os

    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
