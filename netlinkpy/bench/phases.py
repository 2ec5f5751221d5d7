"""One run of the bench: its phases, timed."""

from __future__ import annotations

from time import perf_counter

from ..networks.attaching import attach_many
from ..record import Record
from ..rtnl.netlink import RTNetlink
from ..wiring.detach import detach_many
from ..wiring.endpoint import Endpoint
from .proof import SAFE_NEIGHBOURS, Wired, make_neighbours_permanent, prove
from .testbed import PORTS_PER_BRIDGE, address_of, gateway_of, make_bridges, make_containers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..netns.handle import Netns
    from ..wiring.attachment import Attachment

    Progress = Callable[[str], Callable[[int, int], None]]


class Phase(Record):
    """A phase of the bench and the seconds it took."""

    name: str
    seconds: float


class Bench:
    """N containers on as many bridges as they need, in the namespace that this process is in."""

    def __init__(self, count: int, progress: Progress) -> None:
        self._count = count
        self._progress = progress
        self._containers: list[Netns] = []
        self._attachments: list[Attachment] = []
        self.bridges: list[str] = []
        self.phases: list[Phase] = []
        self.pings = 0
        self.unanswered: list[str] = []

    def wire(self) -> None:
        """Make the namespaces and bridges, and wire all."""
        begin = perf_counter()
        self._containers = make_containers(self._count, self._progress("make"))
        self.bridges = make_bridges(self._count)
        self._note("make namespaces", begin)
        endpoints = [
            Endpoint(
                netns=netns,
                bridge=self.bridges[number // PORTS_PER_BRIDGE],
                addresses=f"{address_of(number)}/16",
            )
            for number, netns in enumerate(self._containers)
        ]
        begin = perf_counter()
        self._attachments = attach_many(endpoints, progress=self._progress("attach"))
        self._note("attach", begin)

    def prove(self, deadline: float = 2.0) -> None:
        """Ping from every container to its gateway and a neighbour; what was not answered is kept in
        `unanswered`."""
        begin = perf_counter()
        with RTNetlink() as rt:
            macs = {name: rt.links.get(name).address for name in self.bridges}
        wired = [
            Wired(
                netns=netns,
                index=attachment.index,
                address=address_of(number),
                mac=attachment.mac,
                gateway=gateway_of(number // PORTS_PER_BRIDGE),
                gateway_mac=macs[attachment.bridge],
                bridge=attachment.bridge,
            )
            for number, (netns, attachment) in enumerate(
                zip(self._containers, self._attachments, strict=True)
            )
        ]
        if self._count > SAFE_NEIGHBOURS:
            make_neighbours_permanent(wired)
        self.pings, self.unanswered = prove(wired, deadline, self._progress("prove"))
        self._note("prove by packets", begin)

    def tear_down(self) -> None:
        """Detach all, and let the namespaces go."""
        begin = perf_counter()
        detach_many(self._attachments)
        self._note("detach", begin)
        self._attachments = []
        self.close()

    def close(self) -> None:
        """Let the namespaces go."""
        for netns in self._containers:
            netns.close()
        self._containers = []

    def _note(self, name: str, begin: float) -> None:
        self.phases.append(Phase(name, perf_counter() - begin))
