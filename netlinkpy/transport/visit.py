"""visit(): run a program inside network namespaces, by the shim."""

from __future__ import annotations

from ..backends import load
from ..os_error import explained

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from ..wire.program import Program

    class Beside(Protocol):
        """A socket that can be lent (transport/socket.py)."""

        def lend(self) -> int: ...
        def take_back(self, answered: bool) -> None: ...


def visit(
    program: Program,
    datagrams: bytearray,
    netns_fds: bytes,
    timeout: float,
    *,
    sockets: bytearray | None = None,
    beside: Beside | None = None,
    results: bytearray,
    hush: bool = False,
) -> None:
    """Run a program with its stamped datagrams, one row in each namespace.

    netns_fds: C ints; timeout: seconds for each row; sockets: C ints, talked through or, where they are -1,
    opened, and then the caller's to close; beside: the socket outside; results: of program.room(), filled
    row by row; hush: see backends/interface.py. Raise OSError if no thread can be had, ValueError if the
    buffers do not fit together."""
    fd = -1 if beside is None else beside.lend()
    answered = False
    try:
        load().visit(program.data, datagrams, netns_fds, sockets, fd, int(timeout * 1e9), results, hush)
        answered = beside is not None and not program.has_failed(results)
    except OSError as error:
        raise explained(error, "start the threads that enter the containers") from None
    finally:
        if beside is not None:
            beside.take_back(answered)
