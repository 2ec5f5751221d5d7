"""Executor: the only code that runs the steps of the recipe (recipe.py).

For one row, the steps up to the next barrier with work are one program. If that stops after the row was
reserved, and for many rows from the start, the steps are run one after the other: consecutive steps inside
the containers as one program, each step on the host by a message for each row, or by one for the whole
staging group of a bridge."""

from __future__ import annotations

import errno
from _thread import get_native_id
from struct import Struct
from sys import byteorder

from ..os_error import not_entered, reason
from ..record import Record
from ..transport.visit import visit
from ..wire.attributes import Placed
from ..wire.errors import meaning
from ..wire.extack import decode
from ..wire.program import Program, ProgramStep
from ..wire.template import stamp
from .errors import failure
from .recipe import BRIDGE, DUMP, GROUP, INSIDE, RECIPE, RESERVED, Step, find_by_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import TypeVar

    from ..netns.handle import Netns
    from ..wire.program import Outcome
    from ..wire.template import Template
    from .bridge import Bridge
    from .containers import Containers
    from .errors import AttachError, Failures
    from .row import Row
    from .shape import Run

    Key = TypeVar("Key")

_FD = Struct("=i")
_SEQUENCE = 8  # offset of nlmsg_seq
_RESERVED = RECIPE.index(RESERVED)


class Refusal(Record):
    """A row that stopped before it was reserved. step, message: where (-1: at no message); addresses: those
    it was to have."""

    row: Row
    step: str
    message: int
    addresses: tuple[tuple[bytes, int], ...]
    error: AttachError


class Executor:
    """Runs steps for rows. What fails after a row was reserved is noted in `failures`."""

    def __init__(self, containers: Containers, failures: Failures, timeout: float) -> None:
        """timeout: seconds for each row of a visit."""
        self._containers = containers
        self._failures = failures
        self._timeout = timeout

    def run(self, rows: list[Row], last: int, tell: Callable[[], None] = lambda: None) -> list[Refusal]:
        """Run the steps before place `last` of the recipe that the rows have not done yet (the same for all).
        Return the rows that were refused before they were reserved. Call tell() after each visit."""
        refusals: list[Refusal] = []
        if not rows:
            return refusals
        if len(rows) == 1 and rows[0].done < last and not self._run_alone(rows[0], last, refusals):
            return refusals
        place = rows[0].done
        while place < last and (rows := self._failures.without(rows)):
            step = RECIPE[place]
            end = place + 1
            if isinstance(step, Step) and step.where == INSIDE:
                while isinstance(following := RECIPE[end], Step) and following.where == INSIDE and end < last:
                    end += 1
                self._inside(rows, place, end, refusals, tell)
            elif isinstance(step, Step):
                for bridge, members in _by(rows, lambda row: row.bridge):
                    self._on_bridge(bridge, members, place, step, refusals)
            stopped = {refusal.row.position for refusal in refusals}
            rows = [row for row in rows if row.position not in stopped]
            self._failures.check()
            for row in self._failures.without(rows):
                row.done = end
            place = end
        return refusals

    # -- inside the containers, or all of one row ----------------------------------------------------------

    def _run_alone(self, row: Row, last: int, refusals: list[Refusal]) -> bool:
        """Run all steps of one row in one visit. Return True if run() must run the remaining steps."""
        handle = self._containers.enter_alone(row)
        if handle is None:  # there are or were other rows
            return True
        run = row.shape.run(row.done, last, row.bridge)
        if not run.places:
            row.done = last
            return True
        (outcome,) = self._visit(run, [row], [handle], row.bridge)
        if not outcome.errno:
            row.done = last
            return True
        row.socket = -1  # a late answer could pass for that of a later request
        if outcome.step >= 0:
            row.done = run.places[outcome.step]
        if row.done < _RESERVED:
            refusals.append(_refusal(row, outcome, run))
            return False
        return True

    def _inside(
        self, rows: list[Row], first: int, last: int, refusals: list[Refusal], tell: Callable[[], None]
    ) -> None:
        """Run steps inside the containers, for 64 rows of one shape at a time."""

        def work(alike: list[Row], handles: Sequence[Netns | None]) -> None:
            run = alike[0].shape.run(first, last, alike[0].bridge)
            for row, outcome in zip(alike, self._visit(run, alike, handles), strict=True):
                if not outcome.errno:
                    continue
                refusal = _refusal(row, outcome, run)
                if first < _RESERVED:
                    refusals.append(refusal)
                else:
                    self._failures.add(refusal.error)
            tell()
            self._failures.check()

        self._containers.enter(rows, work)

    def _visit(
        self, run: Run, rows: list[Row], handles: Sequence[Netns | None], beside: Bridge | None = None
    ) -> list[Outcome]:
        """Run steps for rows of one shape; return the outcome of each."""
        program = run.program
        results = program.room(len(rows))
        makes = run.places[0] < _RESERVED
        slots = []
        for place, row in enumerate(rows):
            if makes:
                slots.append(row.slots(claims=beside is not None))
                row.made_by(program, results, place)
                row.bridge.group.hold(row)
            else:
                slots.append(row.ends())
        columns = slots[0] if len(rows) == 1 else _join(slots)
        constants = {"host_thread": get_native_id().to_bytes(4, byteorder)}
        if len(rows) == 1 or len({row.bridge for row in rows}) == 1:
            constants.update(rows[0].bridge.slots)
        else:
            columns.update(_join([row.bridge.slots for row in rows]))
        fds = b"".join([_FD.pack(-1 if handle is None else handle.fileno()) for handle in handles])
        sockets = self._containers.sockets_for(rows)
        try:
            visit(
                program,
                program.stamp(columns, len(rows), constants),
                fds,
                self._timeout,
                sockets=sockets,
                beside=None if beside is None else beside.group.socket,
                results=results,
                hush=makes,
            )
        finally:
            self._containers.unhush()
        if sockets is not None:
            for row, (fd,) in zip(rows, _FD.iter_unpack(sockets), strict=True):
                row.socket = fd
        outcomes = []
        for place, row in enumerate(rows):
            outcome = program.outcome(results, place)
            done = outcome.step if outcome.errno else len(run.places)
            for number, note, start, stop in run.notes:
                if number < done:
                    note(row, outcome.values[start:stop])
            outcomes.append(outcome)
        return outcomes

    # -- on the host, for many -----------------------------------------------------------------------------

    def _on_bridge(
        self, bridge: Bridge, rows: list[Row], place: int, step: Step, refusals: list[Refusal]
    ) -> None:
        """Run one step on the host for many rows of one bridge."""
        if step.where == BRIDGE:
            if not step.applies(rows[0].shape, bridge):
                return
            if step.ack:
                error = self._send_once(rows[0], rows[0].shape.template(place), step)
            else:
                error = errno.ENODEV if bridge.is_gone() else 0
            if error:
                self._refuse_all(bridge, rows, step, error)
            elif step.note is not None:
                step.note(rows[0], ())
        elif step.many == GROUP:
            template = rows[0].shape.template(place, group=True)
            # The kernel stops at the first member that it refuses: send one message for each, to learn which.
            if self._send_once(rows[0], template, step):
                if bridge.is_gone():  # for which the kernel says no more than EINVAL
                    self._refuse_all(bridge, rows, step, errno.ENODEV)
                else:
                    self._each(bridge, rows, place, step, None)
        elif step.many == DUMP:
            self._see(bridge, rows, step)
        else:
            self._each(bridge, rows, place, step, refusals if place < _RESERVED else None)

    def _send_once(self, row: Row, template: Template, step: Step) -> int:
        """Send a template's messages once, for the bridge of a row or its group; return the errno of the
        first refusal, 0 if there is none."""
        datagram = template.stamp(row.bridge.slots, 1, sequence=1)
        socket = row.bridge.group.socket
        refused = socket.exchange(datagram, len(template.messages), verb=step.verbs(row)[0])
        return refused[0].errno if refused else 0

    def _each(
        self, bridge: Bridge, rows: list[Row], place: int, step: Step, refusals: list[Refusal] | None
    ) -> None:
        """Send a step's messages for each row, many in a datagram. refusals: collects what is refused; None:
        a refusal is a failure."""
        for shape, alike in _by(rows, lambda row: row.shape):
            if not step.applies(shape, bridge):
                continue
            template = shape.template(place)
            each = len(template.messages)
            columns = _join([row.ends() for row in alike])
            if place < _RESERVED:
                columns.update(_join([row.claims() for row in alike]))
            datagrams = _numbered(template, columns, len(alike), bridge.slots)
            verb = step.verbs(alike[0])[0]
            refused = bridge.group.socket.exchange(datagrams, each * len(alike), verb=verb)
            for one in refused:
                error, tlvs = one.errno, one.tlvs
                row, message = alike[one.row // each], one.row % each
                if error == step.tolerated:
                    continue
                told = _failure(row, step, message, error, tlvs, template)
                if refusals is None:
                    self._failures.add(told)
                else:
                    refusals.append(Refusal(row, step.name, message, row.wanted.addresses, told))

    def _see(self, bridge: Bridge, rows: list[Row], step: Step) -> None:
        states = bridge.port_states([row.host_index for row in rows])
        for row in rows:
            state = states.get(row.host_index)
            if state is None:
                text = f"its host end {row.host_ifname} is no port of {bridge.name} any more"
                self._failures.refuse(row, errno.ENODEV, text)
            elif step.note is not None:
                step.note(row, (state,))

    def _refuse_all(self, bridge: Bridge, rows: list[Row], step: Step, number: int) -> None:
        """Note for all rows of a bridge that a step failed."""
        gone = number == errno.ENODEV
        text = f"bridge {bridge.name} was removed meanwhile" if gone else meaning(number)
        for row in rows:
            self._failures.refuse(row, number, text, "attach" if gone else step.verbs(row)[0])


def are_there(rows: list[Row], containers: Containers, timeout: float) -> list[Row]:
    """Return those of the rows whose container already has an interface of their name. timeout: seconds for
    each row."""
    program = Program([ProgramStep("find", find_by_name(), ack=False)])
    there: list[Row] = []

    def work(alike: list[Row], handles: Sequence[Netns | None]) -> None:
        results = program.room(len(alike))
        columns = _join([row.slots(claims=False) for row in alike])
        fds = b"".join([_FD.pack(handle.fileno()) for handle in handles if handle is not None])
        visit(program, program.stamp(columns, len(alike)), fds, timeout, results=results)
        there.extend(row for place, row in enumerate(alike) if not program.outcome(results, place).errno)

    containers.enter(rows, work, namespaces=True)
    return there


def _by(rows: Iterable[Row], key: Callable[[Row], Key]) -> Iterable[tuple[Key, list[Row]]]:
    found: dict[Key, list[Row]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found.items()


def _join(slots: list[dict[str, bytes]]) -> dict[str, bytes]:
    """Return the slots of many rows as columns."""
    return {name: b"".join([each[name] for each in slots]) for name in slots[0]}


def _numbered(
    template: Template, columns: dict[str, bytes], rows: int, constants: dict[str, bytes]
) -> bytearray:
    """Return the messages of many rows, with consecutive sequence numbers from 1."""
    each = len(template.messages)
    places = list(template.places)
    for message, (_, start) in enumerate(template.messages):
        places.append(Placed(f"#{message}", start + _SEQUENCE, 4))
        numbers = range(1 + message, 1 + each * rows, each)
        columns[f"#{message}"] = Struct(f"={rows}I").pack(*numbers)
    return stamp(template.data, places, columns, rows, constants)


def _refusal(row: Row, outcome: Outcome, run: Run) -> Refusal:
    if outcome.step < 0:
        why = not_entered(outcome.errno) or reason(outcome.errno)  # no netlink socket has answered yet
        error = failure(row, outcome.errno, "open a socket", text=why)
        return Refusal(row, "enter", -1, row.wanted.addresses, error)
    step = RECIPE[run.places[outcome.step]]
    assert isinstance(step, Step)
    template = run.program.steps[outcome.step].template
    told = _failure(row, step, outcome.message, outcome.errno, outcome.tlvs, template)
    return Refusal(row, step.name, outcome.message, row.wanted.addresses, told)


def _failure(row: Row, step: Step, message: int, number: int, tlvs: bytes, template: Template) -> AttachError:
    """Return the error of a refused message of a step (-1: no message was refused, reading the answers
    failed)."""
    verbs = step.verbs(row)
    verb = verbs[message] if 0 <= message < len(verbs) else verbs[0]
    told = decode(tlvs)
    if message >= 0 and tlvs:
        told = decode(tlvs, *template.message(message))
    hint = step.hint(verb, number)
    return failure(row, number, verb, path=told.path, text=told.sentence, hint=hint)
