"""The containers' side of an attach: rows of endpoints of one shape, stamped and run inside their
namespaces."""

from __future__ import annotations

import errno
import os
from struct import Struct

from ..native import load
from ..netns.handle import Netns
from ..wire.extack import decode
from ..wire.message import NLMSG_HDRLEN
from ..wire.rtnetlink.link import LINK, RTM_NEWLINK
from ..wire.table import Plan, number
from .errors import failure
from .templates import shape_of, step_names, values_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ..native.interface import Step, Visited
    from ..wire.template import Template
    from .endpoint import Wanted
    from .errors import AttachError
    from .templates import Shape

AT_A_TIME = 64  # rows in one call of the shim: signals are served in between
_REPLY_ROOM = 4096  # for the echo of a create, some 1500 bytes
_INDEX_OFFSET = NLMSG_HDRLEN + 4  # of ifi_index
_NUMBER = Struct("=I")
_FD = Struct("=i")
_FEW_SOCKETS = 16
MAX_SOCKETS = 256  # rows of a call that keep their socket between phases: a process has 1024 descriptors


def kernel_echoes() -> bool:
    """Whether the kernel answers NLM_F_ECHO on RTM_NEWLINK: since 6.2."""
    release = os.uname().release.split(".")
    return (int(release[0]), int("".join(filter(str.isdigit, release[1][:3])) or 0)) >= (6, 2)


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


class Group:
    """Rows of one shape that are visited together: their namespaces open, their messages stamped."""

    def __init__(self, rows: list[Wanted], handles: Sequence[Netns | None], timeout: float) -> None:
        """handles: the namespaces; None for a row that has a socket inside already."""
        self._rows = rows
        self._fds = b"".join([_FD.pack(-1 if handle is None else handle.fileno()) for handle in handles])
        self._timeout = int(timeout * 1e9)

    def create(self, groups: list[int], host_fd: int, echo: bool) -> list[AttachError | None]:
        """Create every row's pair and configure the container's end; the rows get their indices. Gives what
        failed, for each row: EEXIST of the create means that something is in the way."""
        shape = shape_of(self._rows[0], echo)
        values = [values_of(row) for row in self._rows]
        columns = {name: b"".join([each[name] for each in values]) for name in values[0]}
        columns["group"] = b"".join([_NUMBER.pack(group) for group in groups])
        constants = {"host_netns": _NUMBER.pack(host_fd)}
        replies = bytearray(_REPLY_ROOM * len(self._rows))
        take = (RTM_NEWLINK, _INDEX_OFFSET)
        create = self._step(shape.create, columns, constants)
        configure = self._step(shape.configure, columns, constants)
        wanted_replies = (replies, _REPLY_ROOM)
        if echo:
            steps: list[Step] = [(*create, take, (), wanted_replies)]
            names = ["create", "configure"]
        else:
            find = self._step(shape.find, columns, constants)
            steps = [(*create, None, (), None), (*find, take, (), wanted_replies)]
            names = ["create", "find", "configure"]
        steps.append((*configure, None, shape.configure.offsets("index"), None))
        visited = self._visit(steps)
        for place, (row, outcome) in enumerate(zip(self._rows, visited, strict=True)):
            row.index = outcome[4]
            if row.index:
                row.host_index = _peer_index(replies, place * _REPLY_ROOM)
        return self._failures(visited, names, [step[0] for step in steps], shape_templates(shape, names))

    def look(self) -> list[bool]:
        """Whether each row's container has a link of its name."""
        shape = shape_of(self._rows[0], True)
        columns = {"ifname": b"".join([values_of(row)["ifname"] for row in self._rows])}
        step = self._step(shape.find, columns, {})
        visited = load().visit(self._fds, [(*step, None, (), None)], self._timeout)
        return [not outcome[0] for outcome in visited]

    def make_ready(self) -> list[AttachError | None]:
        """Bring up every row's lo, and have the kernel complete the carrier change of its interface."""
        shape = shape_of(self._rows[0], True)
        columns = {"index": b"".join([_NUMBER.pack(row.index) for row in self._rows])}
        step = self._step(shape.ready, columns, {})
        visited = self._visit([(*step, None, (), None)])
        return self._failures(visited, ["ready"], [step[0]], [shape.ready])

    def _visit(self, steps: list[Step]) -> list[Visited]:
        """Run steps, through the rows' sockets where they have one; else they get one, as long as there are
        not too many."""
        rows = self._rows
        place = rows[-1].position
        if rows[0].socket < 0 and place >= _FEW_SOCKETS and place >= _share_of_files(MAX_SOCKETS, 4):
            return load().visit(self._fds, steps, self._timeout)
        sockets = bytearray(b"".join([_FD.pack(row.socket) for row in rows]))
        try:
            return load().visit(self._fds, steps, self._timeout, sockets)
        finally:
            for place, row in enumerate(rows):
                (row.socket,) = _FD.unpack_from(sockets, place * 4)

    def _step(
        self, template: Template, columns: dict[str, bytes], constants: dict[str, bytes]
    ) -> tuple[bytearray, int]:
        """Every row's copy of a template, back to back, and the length of one."""
        return template.stamp(columns, len(self._rows), constants), len(template.data)

    def _failures(
        self, visited: list[Visited], names: list[str], datagrams: Iterable[object], templates: list[Template]
    ) -> list[AttachError | None]:
        found: list[AttachError | None] = [None] * len(visited)
        for place, outcome in enumerate(visited):
            if outcome[0]:
                found[place] = _failure(self._rows[place], outcome, names, templates)
        return found


def shape_templates(shape: object, names: list[str]) -> list[Template]:
    """The templates of a shape by their names."""
    return [getattr(shape, name) for name in names]


def in_groups(
    rows: Iterable[Wanted], work: Callable[[list[Wanted], list[Netns]], None], echo: bool = True
) -> list[AttachError]:
    """Call work(rows, handles) for rows of one shape at a time, 64 at most, their namespaces open meanwhile.
    Gives the rows whose namespace cannot be opened."""
    failed: list[AttachError] = []
    for alike in _alike(rows, echo):
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
    for alike in _alike([row for row in rows if row.socket >= 0], True):
        work(alike, [None] * len(alike))
    return in_groups([row for row in rows if row.socket < 0], work)


def _alike(rows: Iterable[Wanted], echo: bool) -> Iterator[list[Wanted]]:
    """The rows in lists of one shape, 64 at most in each."""
    shapes: dict[Shape, list[Wanted]] = {}  # which keeps each shape, so that no other takes its place
    for row in rows:
        shapes.setdefault(shape_of(row, echo), []).append(row)
    for alike in shapes.values():
        size = AT_A_TIME if len(alike) < _FEW_SOCKETS else _share_of_files(AT_A_TIME, 8)
        for start in range(0, len(alike), size):
            yield alike[start : start + size]


def _share_of_files(most: int, part: int) -> int:
    """`most`, or less where this process may have only few files open: 1/part of them."""
    from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit

    soft = getrlimit(RLIMIT_NOFILE)[0]
    return most if soft == RLIM_INFINITY else max(min(most, soft // part), 1)


def _failure(row: Wanted, outcome: Visited, names: list[str], templates: list[Template]) -> AttachError:
    refusal, step, message, tlvs, _ = outcome
    if step < 0:
        hint = {
            errno.EPERM: "not permitted to enter the namespace: it belongs to another user namespace",
            errno.EINVAL: "it is no network namespace",
        }.get(refusal, "")
        return failure(row.position, row.endpoint, refusal, f"enter {row.label}", hint=hint)
    verbs = step_names(row)[names[step]]
    verb = verbs[message] if 0 <= message < len(verbs) else verbs[0]
    told = decode(tlvs)
    if message >= 0:
        description, start = templates[step].messages[message]
        body = templates[step].data[start + NLMSG_HDRLEN :]
        told = decode(tlvs, description, body)
    hint = _hint(row, names[step], verb, refusal)
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


def _peer_index(replies: bytearray, start: int) -> int:
    """IFLA_LINK of the link message at `start`: the index of the other end."""
    found = bytearray(4)
    end = start + _NUMBER.unpack_from(replies, start)[0]
    load().gather(replies, end, _peer_plan().compiled, [found], None, 0, 1, start)
    return int(_NUMBER.unpack(found)[0])


_peer_plans: list[Plan] = []


def _peer_plan() -> Plan:
    if not _peer_plans:
        _peer_plans.append(Plan(LINK, RTM_NEWLINK, {"peer": number(LINK, "link")}))
    return _peer_plans[0]
