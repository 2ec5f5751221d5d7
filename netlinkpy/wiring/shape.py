"""Shape: what endpoints have in common that differ only in names and addresses, and their programs, packed
once."""

from __future__ import annotations

import os

from ..wire.program import Program, ProgramStep
from .endpoint import IPV6_MIN_MTU
from .prepared import PREPARED
from .recipe import BY_GROUP, BY_INDEX, INSIDE, RECIPE, Step, kernel_echoes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..wire.template import Template
    from .bridge import Bridge
    from .endpoint import CheckedEndpoint, Form


def shape_of(wanted: CheckedEndpoint) -> Shape:
    """The shape of an endpoint, packed anew only for one that was not met before."""
    if PREPARED.echoes is None:
        PREPARED.echoes = kernel_echoes()
    key = wanted.form, PREPARED.echoes
    shape = PREPARED.shapes.get(key)
    if shape is None:
        shape = Shape(*key)
        PREPARED.keep_shape(key, shape)
    return shape


class Shape:
    """mtu, metric, queues: as in Endpoint; addresses: (bytes, prefix length) of each; gateways: bytes of
    each; routes: (bytes, prefix length, whether it has no gateway) of each; families: the sizes of the
    addresses; echo: whether the kernel echoes a create; has_ipv6: whether its interfaces get IPv6."""

    __slots__ = (
        "_programs",
        "_templates",
        "addresses",
        "echo",
        "families",
        "gateways",
        "has_ipv6",
        "metric",
        "mtu",
        "queues",
        "routes",
    )

    def __init__(self, form: Form, echo: bool) -> None:
        self.addresses: tuple[tuple[int, int], ...]
        self.mtu, self.metric, self.queues, self.addresses, self.gateways, self.routes = form
        self.echo: bool = echo
        self.families = {size for size, _ in self.addresses}
        # Not below 1280 bytes, and not where the kernel was started without it.
        large = self.mtu is None or self.mtu >= IPV6_MIN_MTU
        self.has_ipv6 = large and os.path.exists("/proc/net/if_inet6")
        self._programs: dict[Any, tuple[Program, tuple[int, ...]]] = {}
        self._templates: dict[tuple[int, bool], Template] = {}

    def program(self, first: int, last: int, bridge: Bridge) -> tuple[Program, tuple[int, ...]]:
        """The program of the steps from `first` to before `last` of the recipe that this shape needs on that
        bridge, and the place of each in the recipe."""
        key = first, last, bridge.settled
        made = self._programs.get(key)
        if made is None:
            places = tuple(
                place
                for place in range(first, last)
                if isinstance(step := RECIPE[place], Step) and step.applies(self, bridge)
            )
            steps = [self._program_step(RECIPE[place]) for place in places]
            made = self._programs[key] = Program(steps), places
        return made

    def _program_step(self, step: Any) -> ProgramStep:
        return ProgramStep(
            step.name,
            step.build(self, BY_INDEX),
            ack=step.ack,
            plan=step.keep(self),
            beside=step.where != INSIDE,
            tolerated=step.tolerated,
        )

    def template(self, place: int, *, group: bool = False) -> Template:
        """The messages of one step for many: of each row, or (group) of the group of many."""
        key = place, group
        if key not in self._templates:
            step: Any = RECIPE[place]
            self._templates[key] = step.build(self, BY_GROUP if group else BY_INDEX)
        return self._templates[key]
