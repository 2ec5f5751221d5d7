"""Shape: what endpoints that differ only in names and addresses have in common, with their programs, packed
once."""

from __future__ import annotations

import os

from ..record import Record
from ..wire.program import Program, ProgramStep
from .endpoint import IPV6_MIN_MTU
from .prepared import PREPARED
from .recipe import BY_GROUP, BY_INDEX, INSIDE, RECIPE, Step, kernel_echoes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..wire.template import Template
    from .bridge import Bridge
    from .endpoint import CheckedEndpoint, Form
    from .row import Row


def shape_of(wanted: CheckedEndpoint) -> Shape:
    """Return the shape of an endpoint, a new one only if its form was not met before."""
    if PREPARED.echoes is None:
        PREPARED.echoes = kernel_echoes()
    key = wanted.form, PREPARED.echoes
    shape = PREPARED.shapes.get(key)
    if shape is None:
        shape = Shape(*key)
        PREPARED.keep_shape(key, shape)
    return shape


class Run(Record):
    """Steps that are run in one visit. places: of each in the recipe; notes: (number, function called when it
    is done, start and end of what it keeps in the outcome's values) of each step that notes something."""

    program: Program
    places: tuple[int, ...]
    notes: tuple[tuple[int, Callable[[Row, tuple[int, ...]], None], int, int], ...]


class Shape:
    """What endpoints that differ only in names and addresses share.

    mtu, metric, queues, onlink: as in Endpoint; addresses: (bytes, prefix length) of each; gateways: bytes of
    each; routes: (bytes, prefix length, whether it has no gateway) of each; families: the sizes of the
    addresses; echo: whether the kernel echoes a create; has_ipv6: whether its interfaces get IPv6."""

    __slots__ = (
        "_runs",
        "_templates",
        "addresses",
        "echo",
        "families",
        "gateways",
        "has_ipv6",
        "metric",
        "mtu",
        "onlink",
        "queues",
        "routes",
    )

    def __init__(self, form: Form, echo: bool) -> None:
        self.addresses: tuple[tuple[int, int], ...]
        self.mtu, self.metric, self.queues, self.onlink, self.addresses, self.gateways, self.routes = form
        self.echo: bool = echo
        self.families = {size for size, _ in self.addresses}
        # Not below an MTU of 1280 bytes, nor if the kernel was started without IPv6.
        large = self.mtu is None or self.mtu >= IPV6_MIN_MTU
        self.has_ipv6 = large and os.path.exists("/proc/net/if_inet6")
        self._runs: dict[Any, Run] = {}
        self._templates: dict[tuple[int, bool], Template] = {}

    def run(self, first: int, last: int, bridge: Bridge) -> Run:
        """Return the steps from place `first` to before `last` of the recipe that this shape needs on this
        bridge."""
        key = first, last, bridge.settled
        made = self._runs.get(key)
        if made is None:
            steps = [(place, RECIPE[place]) for place in range(first, last)]
            needed = [
                (place, step)
                for place, step in steps
                if isinstance(step, Step) and step.applies(self, bridge)
            ]
            made = self._runs[key] = self._run(needed)
        return made

    def _run(self, needed: list[tuple[int, Step]]) -> Run:
        steps = []
        notes = []
        kept = 0
        for number, (_, step) in enumerate(needed):
            plan = step.keep(self)
            steps.append(
                ProgramStep(
                    step.name,
                    step.build(self, BY_INDEX),
                    ack=step.ack,
                    plan=plan,
                    beside=step.where != INSIDE,
                    tolerated=step.tolerated,
                )
            )
            start, kept = kept, kept + len(plan.names if plan is not None else ())
            if step.note is not None:
                notes.append((number, step.note, start, kept))
        return Run(Program(steps), tuple([place for place, _ in needed]), tuple(notes))

    def template(self, place: int, *, group: bool = False) -> Template:
        """Return the template of the step at a place of the recipe: for each row, or (group) for the whole
        staging group."""
        key = place, group
        if key not in self._templates:
            step: Any = RECIPE[place]
            self._templates[key] = step.build(self, BY_GROUP if group else BY_INDEX)
        return self._templates[key]
