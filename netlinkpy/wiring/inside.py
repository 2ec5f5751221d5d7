"""The containers' side of an attach: rows of endpoints of one shape, stamped and run inside their
namespaces."""

from __future__ import annotations

import errno
import os
from struct import Struct

from ..backends import load
from ..netns.handle import Netns
from ..transport.visit import visit
from ..wire.extack import decode
from .bridge import PORT_STATES
from .claims import Refused, claim_bytes
from .errors import failure
from .templates import shape_of, step_names, values_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ..backends.interface import Ahead as Opening
    from ..netns.handle import Target
    from ..transport.socket import Socket
    from ..wire.program import Outcome, Program
    from .bridge import Bridge
    from .endpoint import Wanted
    from .errors import AttachError
    from .templates import Shape

AT_A_TIME = 64  # rows in one call of the shim: signals are served in between
_NUMBER = Struct("=I")
_FD = Struct("=i")
_FEW_SOCKETS = 16
MAX_SOCKETS = 256  # rows of a call that keep their socket between phases: a process has 1024 descriptors


def reserve_descriptors(fd: int, rows: int) -> None:
    """Have the process's table of descriptors grow at once for the rows' sockets. While a second thread
    shares it each doubling waits for an RCU grace period, some milliseconds. fd: the newest descriptor."""
    if rows < _FEW_SOCKETS:
        return
    from fcntl import F_DUPFD_CLOEXEC, fcntl

    try:
        os.close(fcntl(fd, F_DUPFD_CLOEXEC, fd + min(rows, MAX_SOCKETS) + AT_A_TIME))
    except OSError:  # the limit is lower: then it grows as it must
        return


class Ahead:
    """A namespace, and a socket that a thread opens inside while other things are done."""

    __slots__ = ("_opening", "handle")

    def __init__(self, handle: Netns) -> None:
        self.handle = handle
        self._opening: Opening | None = load().open_ahead(handle.fileno())

    @classmethod
    def begin(cls, target: Target) -> Ahead | None:
        """Begin. What fails here is tried again, and said, where the namespace is entered."""
        try:
            handle = Netns.open(target)
        except (OSError, ValueError, TypeError):
            return None
        try:
            return cls(handle)
        except OSError:
            handle.close()
            return None

    def opened(self) -> int:
        """The socket, the first time; -1 where there is none."""
        opening, self._opening = self._opening, None
        try:
            return -1 if opening is None else opening.take()
        except OSError:
            return -1

    def close(self) -> None:
        """Close the namespace, and the socket that nobody asked for."""
        if self._opening is not None:
            self._opening.close()
        self.handle.close()


class Group:
    """Rows of one shape that are visited together: their namespaces open, their messages stamped."""

    def __init__(self, rows: list[Wanted], handles: Sequence[Netns | None], timeout: float) -> None:
        """handles: the namespaces; None for a row that has a socket inside already."""
        self._rows = rows
        self._fds = b"".join([_FD.pack(-1 if handle is None else handle.fileno()) for handle in handles])
        self._timeout = timeout

    def create(self, groups: list[int], host_fd: int) -> list[AttachError | None]:
        """Create every row's pair and configure the container's end; the rows get their indices. Gives what
        failed, for each row: EEXIST of the create means that something is in the way."""
        program = shape_of(self._rows[0]).make
        values = [values_of(row) for row in self._rows]
        columns = {name: b"".join([each[name] for each in values]) for name in values[0]}
        columns["group"] = b"".join([_NUMBER.pack(group) for group in groups])
        outcomes = self._run(program, columns, {"host_netns": _NUMBER.pack(host_fd)})
        for row, outcome in zip(self._rows, outcomes, strict=True):
            row.index, row.host_index = outcome.values
        return self._failures(outcomes, program)

    def wire(self, bridge: Bridge, host_fd: int, finish: bool) -> AttachError | Refused | None:
        """All of a row that stands alone, in one visit, as far as it goes: what create() does and the claims,
        whose failures are given; and what of the later phases succeeds, which the row then tells (claimed,
        port, finished). finish: go to the very end."""
        (row,) = self._rows
        program = shape_of(row).whole(bridge.settled, finish)
        columns = {**values_of(row), **bridge.slots, "host_netns": _NUMBER.pack(host_fd)}
        for place, (packed, _) in enumerate(row.addresses):
            columns[f"claim{place}"] = claim_bytes(bridge, packed)
        row.visit = program, program.room(1)
        (outcome,) = self._run(program, columns, {}, bridge.group.socket, row.visit[1])
        error, done, message = outcome.errno, outcome.step, outcome.message
        row.index, row.host_index, state = outcome.values
        if error:  # an answer that came late could pass for a later one's
            row.close()
        if error and done < program.names.index("enslave"):
            if program.names[done] == "claim" and message >= 0:
                packed, _ = row.addresses[message]
                return Refused(row, packed, bridge.index, error)
            return _failure(row, outcome, program)
        row.claimed = True
        if done > program.names.index("enslave"):
            bridge.is_pinned()
        if not error or program.names[done] == "finish":
            row.port = PORT_STATES[state]
        row.finished = finish and not error
        return None

    def look(self) -> list[bool]:
        """Whether each row's container has a link of its name."""
        program = shape_of(self._rows[0]).find
        columns = {"ifname": b"".join([values_of(row)["ifname"] for row in self._rows])}
        results = program.room(len(self._rows))
        datagrams = program.stamp(columns, len(self._rows))
        visit(program, datagrams, self._fds, self._timeout, results=results)
        return [not outcome.errno for outcome in program.outcomes(results)]

    def make_ready(self) -> list[AttachError | None]:
        """Bring up every row's lo, and have the kernel complete the carrier change of its interface."""
        program = shape_of(self._rows[0]).ready
        columns = {"index": b"".join([_NUMBER.pack(row.index) for row in self._rows])}
        return self._failures(self._run(program, columns, {}), program)

    def _run(
        self,
        program: Program,
        columns: dict[str, bytes],
        constants: dict[str, bytes],
        beside: Socket | None = None,
        results: bytearray | None = None,
    ) -> list[Outcome]:
        """Run a program, through the rows' sockets where they have one; else they get one, as long as there
        are not too many."""
        rows = self._rows
        place = rows[-1].position
        sockets = None
        if rows[0].socket >= 0 or place < _FEW_SOCKETS or place < _share_of_files(MAX_SOCKETS, 4):
            sockets = bytearray(b"".join([_FD.pack(row.socket) for row in rows]))
        inside = [row.socket >= 0 for row in rows]
        datagrams = program.stamp(columns, len(rows), constants)
        if results is None:
            results = program.room(len(rows))
        try:
            visit(
                program,
                datagrams,
                self._fds,
                self._timeout,
                sockets=sockets,
                beside=beside,
                results=results,
            )
        finally:
            if sockets is not None:
                for row, (fd,) in zip(rows, _FD.iter_unpack(sockets), strict=True):
                    row.socket = fd
        outcomes = program.outcomes(results)
        for row, outcome, was_open in zip(rows, outcomes, inside, strict=True):
            if outcome.errno and not was_open:
                row.close()
        return outcomes

    def _failures(self, outcomes: list[Outcome], program: Program) -> list[AttachError | None]:
        return [
            _failure(row, outcome, program) if outcome.errno else None
            for row, outcome in zip(self._rows, outcomes, strict=True)
        ]


def host_index_of(row: Wanted) -> int:
    """The index of a row's host end, also where an exception broke off the visit that made it; 0: none."""
    if not row.host_index and row.visit is not None:
        program, results = row.visit
        return program.outcome(results, 0).values[program.values.index("host_index")]
    return row.host_index


def in_groups(rows: Iterable[Wanted], work: Callable[[list[Wanted], list[Netns]], None]) -> list[AttachError]:
    """Call work(rows, handles) for rows of one shape at a time, 64 at most, their namespaces open meanwhile.
    Gives the rows whose namespace cannot be opened."""
    failed: list[AttachError] = []
    for alike in _alike(rows):
        opened: list[Netns] = []
        present: list[Wanted] = []
        try:
            for row in alike:
                try:
                    opened.append(Netns.open(row.endpoint.netns))
                except (OSError, ValueError) as error:
                    text = getattr(error, "strerror", "") or str(error)
                    number = getattr(error, "errno", errno.EINVAL) or errno.EIO
                    failed.append(
                        failure(row.position, row.endpoint, number, "attach", where=row.label, text=text)
                    )
                else:
                    present.append(row)
            if present:
                work(present, opened)
        finally:
            for handle in opened:
                handle.close()
    return failed


def through_sockets(
    rows: list[Wanted], work: Callable[[list[Wanted], Sequence[Netns | None]], None]
) -> list[AttachError]:
    """As in_groups(), but rows that have a socket inside are not opened for it (None)."""
    for alike in _alike([row for row in rows if row.socket >= 0]):
        work(alike, [None] * len(alike))
    return in_groups([row for row in rows if row.socket < 0], work)


def _alike(rows: Iterable[Wanted]) -> Iterator[list[Wanted]]:
    """The rows in lists of one shape, 64 at most in each."""
    shapes: dict[Shape, list[Wanted]] = {}  # which keeps each shape, so that no other takes its place
    for row in rows:
        shapes.setdefault(shape_of(row), []).append(row)
    for alike in shapes.values():
        size = AT_A_TIME if len(alike) < _FEW_SOCKETS else _share_of_files(AT_A_TIME, 8)
        for start in range(0, len(alike), size):
            yield alike[start : start + size]


def _share_of_files(most: int, part: int) -> int:
    """`most`, or less where this process may have only few files open: 1/part of them."""
    from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit

    soft = getrlimit(RLIMIT_NOFILE)[0]
    return most if soft == RLIM_INFINITY else max(min(most, soft // part), 1)


def _failure(row: Wanted, outcome: Outcome, program: Program) -> AttachError:
    refusal, step, message = outcome.errno, outcome.step, outcome.message
    if step < 0:
        hint = {
            errno.EPERM: "not permitted to enter the namespace: it belongs to another user namespace",
            errno.EINVAL: "it is no network namespace",
        }.get(refusal, "")
        return failure(row.position, row.endpoint, refusal, f"enter {row.label}", hint=hint)
    name = program.names[step]
    verbs = step_names(row)[name]
    verb = verbs[message] if 0 <= message < len(verbs) else verbs[0]
    told = decode(outcome.tlvs, *(program.message(step, message) if message >= 0 else ()))
    hint = _hint(row, name, verb, refusal)
    return failure(
        row.position,
        row.endpoint,
        refusal,
        verb,
        where=row.label,
        path=told.path,
        text=told.sentence,
        hint=hint,
    )


def _hint(row: Wanted, step: str, verb: str, number: int) -> str:
    """Our own sentence where the kernel has none."""
    if number == errno.EEXIST and step == "configure":
        if "default route" in verb:
            return "the container has a default route already: give a metric, or no gateways (--no-gateway)"
        return "the container has it already"
    if number == errno.EPERM and step == "create":
        return "not permitted: this needs CAP_NET_ADMIN both in the container and on the host"
    return ""
