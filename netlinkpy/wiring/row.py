"""Row: one endpoint of a call, and what has been made of it."""

from __future__ import annotations

import os
from sys import byteorder

from ..rtnl.claims import claim_name
from ..rtnl.values import format_mac
from ..uapi.if_ import IFNAMSIZ
from .attachment import Attachment
from .recipe import CLAIM_SIZE, slots_of
from .shape import shape_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..wire.program import Program
    from .bridge import Bridge
    from .endpoint import CheckedEndpoint


class Row:
    """One endpoint of a call, and what has become of it.

    position: of the endpoint in the call; endpoint: as it was given; wanted: the same, checked; bridge;
    host_ifname: the host end's name; done: the place in the recipe that it has reached; socket: the
    descriptor of a socket inside its container, owned by Containers, -1 if there is none; identity: (device,
    inode) of its namespace, None until it was opened; index, host_index: of the container's end and the host
    end, 0 until they exist; advertised: whether the container's end was made so that it heeds router
    advertisements; port: the state of its port, empty until it was seen."""

    __slots__ = (
        "_told",
        "advertised",
        "bridge",
        "done",
        "endpoint",
        "host_ifname",
        "host_index",
        "identity",
        "index",
        "port",
        "position",
        "shape",
        "socket",
        "wanted",
    )

    def __init__(self, position: int, wanted: CheckedEndpoint, bridge: Bridge) -> None:
        self.position = position
        self.bridge: Bridge = bridge
        self.socket = -1
        self.identity: tuple[int, int] | None = None
        self.want(wanted)

    def want(self, wanted: CheckedEndpoint) -> None:
        """Begin (again) with this endpoint, of which nothing exists yet."""
        self.endpoint = wanted.endpoint
        self.wanted: CheckedEndpoint = wanted
        self.shape = shape_of(wanted)
        self.host_ifname: str = wanted.host_ifname or f"veth{os.urandom(4).hex()}"
        self.done = 0
        self.port = ""
        self.advertised = False
        self.index = self.host_index = 0
        self._told: tuple[Program, bytearray, int] | None = None

    def made_by(self, program: Program, results: bytearray, place: int) -> None:
        """Note where a program that is about to make the pair will keep the indices of its ends."""
        self._told = program, results, place

    def known_host_index(self) -> int:
        """Return the index of the host end, also if an exception prevented the results of the visit from
        being read; 0 if it does not exist."""
        if self.host_index or self._told is None:
            return self.host_index
        program, results, place = self._told
        return program.outcome(results, place).values[program.values.index("host_index")]

    def slots(self, *, claims: bool) -> dict[str, bytes]:
        """Return the slots that it fills in the messages that make it (claims: and in those that claim its
        addresses); the call's and the bridge's are not among them."""
        slots = slots_of(self.wanted)
        slots["host_ifname"] = self.host_ifname.encode("utf-8", "surrogateescape").ljust(IFNAMSIZ, b"\0")
        if claims:
            slots.update(self.claims())
        return slots

    def claims(self) -> dict[str, bytes]:
        """Return the slots of the names that claim its addresses."""
        claims = {}
        for place, (packed, _) in enumerate(self.wanted.addresses):
            claims[f"claim{place}"] = claim_name(self.bridge.index, packed).encode().ljust(CLAIM_SIZE, b"\0")
        return claims

    def ends(self) -> dict[str, bytes]:
        """Return the slots of the indices of its two ends, which must exist."""
        return {
            "index": self.index.to_bytes(4, byteorder),
            "host_index": self.host_index.to_bytes(4, byteorder),
        }

    def attachment(self) -> Attachment:
        """Return the Attachment of what was made."""
        wanted = self.wanted
        return Attachment.from_row(
            (
                wanted.label,
                wanted.bridge,
                wanted.ifname,
                self.index,
                format_mac(wanted.mac),
                wanted.address_texts,
                wanted.gateway_texts,
                self.host_ifname,
                self.host_index,
                self.port,
                True,
                (),
            )
        )
