"""Script: datagrams that are sent in turn in each of many namespaces, later ones with what the kernel told in
reply to earlier ones."""

from __future__ import annotations

from ..backends import load
from ..framing import NLMSG_HDRLEN, NLMSGHDR
from ..record import Record
from ..uapi.netlink import NLM_F_ACK
from .attributes import Placed
from .template import stamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Protocol

    from ..backends.interface import Visited
    from .message import Message
    from .table import Plan
    from .template import Template

    class Beside(Protocol):
        """A socket that can be lent (transport/socket.py)."""

        def lend(self) -> int: ...
        def take_back(self, answered: bool) -> None: ...


class Step(Record):
    """One datagram of a script.

    ack: it ends with the ack of its last message, which is asked for; else with the reply to that. plan: its
    fields are kept of the reply, and go into the slots of their names in later datagrams; where the kernel
    does not tell them all, the script stops (ENODATA). beside: not sent through the socket inside the
    namespace, but through one outside that serves all."""

    name: str
    template: Template
    ack: bool = True
    plan: Plan | None = None
    beside: bool = False


class Script:
    """Steps made ready: their datagrams in one piece, numbered through. `names` of the steps; `values`: the
    names of what is kept, in the order in which run() gives it."""

    __slots__ = ("_compiled", "_data", "_places", "names", "steps", "values")

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = tuple(steps)
        self.names = tuple([step.name for step in steps])
        self.values: tuple[str, ...] = ()
        self._places: list[Placed] = []
        data = bytearray()
        compiled = []
        widths: dict[str, int] = {}  # of what is kept
        sequence = 0
        for step in steps:
            start = len(data)
            data += step.template.data
            last = len(step.template.messages) - 1
            for number, (_, at) in enumerate(step.template.messages):
                sequence += 1
                length, type, flags, _, port = NLMSGHDR.unpack_from(data, start + at)
                flags |= NLM_F_ACK if step.ack and number == last else 0
                NLMSGHDR.pack_into(data, start + at, length, type, flags, sequence, port)
            puts = []
            for place in step.template.places:
                if place.name in widths:
                    if place.width != widths[place.name]:
                        text = f"slot {place.name} has {place.width} bytes, and {widths[place.name]} are kept"
                        raise ValueError(text)
                    puts.append((self.values.index(place.name), place.offset))
                else:
                    self._places.append(Placed(place.name, start + place.offset, place.width))
            plan = None if step.plan is None else step.plan.compiled
            compiled.append((len(data) - start, step.beside, plan, puts))
            if step.plan is not None:
                self.values += step.plan.names
                widths.update(
                    {name: field.width for name, field in zip(step.plan.names, step.plan.fields, strict=True)}
                )
        self._data = bytes(data)
        self._compiled = load().compile_script(compiled)

    def stamp(
        self, columns: Mapping[str, bytes], rows: int, constants: Mapping[str, bytes] | None = None
    ) -> bytearray:
        """The datagrams of so many rows; see Template.stamp()."""
        return stamp(self._data, self._places, columns, rows, constants or {})

    def room(self, rows: int) -> Any:
        """Room for the results of run()."""
        return self._compiled.room(rows)

    def read(self, results: Any) -> list[Visited]:
        """What is known of each row: also of a run that was broken off by an exception."""
        told: list[Visited] = self._compiled.read(results)
        return told

    def run(
        self,
        datagrams: bytearray,
        netns_fds: bytes,
        timeout: float,
        sockets: bytearray | None = None,
        beside: Beside | None = None,
        results: Any = None,
    ) -> list[Visited]:
        """Run it with stamped datagrams, a row in each namespace; see backends/interface.py, `visit`.
        timeout: seconds for each row; beside: the socket outside; results: of room()."""
        fd = -1 if beside is None else beside.lend()
        timeout_ns = int(timeout * 1e9)
        visited = load().visit(self._compiled, datagrams, netns_fds, sockets, fd, timeout_ns, results)
        if beside is not None:
            beside.take_back(not any(outcome[0] for outcome in visited))
        return visited

    def message(self, step: int, number: int) -> tuple[Message, bytes]:
        """The description and the body of a message of a step, for the reading of an extended ack."""
        template = self.steps[step].template
        description, start = template.messages[number]
        length = NLMSGHDR.unpack_from(template.data, start)[0]
        return description, template.data[start + NLMSG_HDRLEN : start + length]
