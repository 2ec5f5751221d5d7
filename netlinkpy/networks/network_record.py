"""NetworkRecord and Subnet: the data of a network; Network (network.py) adds the verbs."""

from __future__ import annotations

from ..record import Record
from ..rtnl.values import network, parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Subnet(Record):
    """One subnet of a network.

    subnet: "172.30.0.0/16"; gateway: an address of the bridge; ip_range: the part that automatic addresses
    come from, empty if that is the whole subnet; aux_addresses: the reserved addresses."""

    subnet: str
    gateway: str
    ip_range: str = ""
    aux_addresses: tuple[str, ...] = ()

    @property
    def packed(self) -> tuple[bytes, int]:
        """Its lowest address, 4 or 16 bytes, and its prefix length."""
        return parse_prefix(self.subnet)

    @property
    def cidr(self) -> str:
        """The bridge's address with its prefix length, "172.30.0.1/16"."""
        return f"{self.gateway}/{self.packed[1]}"

    def holds(self, packed: bytes) -> bool:
        """Return whether an address (4 or 16 bytes) is in it."""
        base, length = self.packed
        return len(packed) == len(base) and network(packed, length) == base


class NetworkRecord(Record):
    """The fields of a network, described in Network."""

    name: str
    bridge: str
    index: int
    mac: str
    mtu: int
    subnets: tuple[Subnet, ...]
    internal: bool = False
    isolate: bool = False
    masquerade: bool = True
    mcast_snooping: bool = False
    announces: bool = False
    notes: tuple[str, ...] = ()

    def subnet_of(self, packed: bytes) -> Subnet | None:
        """Return the subnet that holds an address (4 or 16 bytes), None if none does."""
        return next((subnet for subnet in self.subnets if subnet.holds(packed)), None)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it in plain values, for JSON; notes only if there are some."""
        values = {**self.as_dict(), "subnets": [subnet.as_dict() for subnet in self.subnets]}
        if not self.notes:
            del values["notes"]
        return values
