"""Claims: an address on a bridge is taken exactly when a link of the host bears the name
`ip:BRIDGE-IFINDEX:ADDRESS`.

It is an alternative name of the container's host end, so the kernel's own check for unique names decides
between two who want the same address at the same time, and an address is free again when the link is gone,
with no code run."""

from __future__ import annotations

from sys import byteorder

from ..rtnl.claims import claim_name
from ..rtnl.values import format_ip
from ..uapi.netlink import NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST
from ..uapi.rtnetlink import RTM_NEWLINKPROP
from ..wire.attributes import Slot
from ..wire.rtnetlink.link import LINK
from ..wire.template import Template

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..transport.socket import Socket
    from .bridge import Bridge
    from .endpoint import Wanted

_LONGEST = 56  # "ip:4294967295:" and the longest IPv6 address, in fours


class Refused:
    """A claim that the kernel refused: whose, which, and why (EEXIST: the address is taken)."""

    __slots__ = ("address", "errno", "name", "row")

    def __init__(self, row: Wanted, packed: bytes, bridge_index: int, errno: int) -> None:
        self.row = row
        self.address = format_ip(packed)
        self.name = claim_name(bridge_index, packed)
        self.errno = errno


def claim(socket: Socket, rows: list[Wanted], bridges: dict[str, Bridge]) -> list[Refused]:
    """Claim every address of the rows for their host ends, all in few datagrams; gives what was refused."""
    wanted = [(row, packed, bridges[row.bridge]) for row in rows for packed, _ in row.addresses]
    if not wanted:
        return []
    columns = {
        "host_index": b"".join([row.host_index.to_bytes(4, byteorder) for row, _, _ in wanted]),
        "name": b"".join([claim_bytes(bridge, packed) for _, packed, bridge in wanted]),
    }
    out = _CLAIM.stamp(columns, len(wanted), sequence=1)
    failures = socket.exchange(out, len(wanted), verb="claim addresses")
    return [
        Refused(row, packed, bridge.index, error)
        for (row, packed, bridge), error in [(wanted[number], error) for number, error, _ in failures]
    ]


def claim_bytes(bridge: Bridge, packed: bytes) -> bytes:
    """The name that claims an address, as it lies in a message."""
    return claim_name(bridge.index, packed).encode().ljust(_LONGEST, b"\0")


def claiming(names: Iterable[str]) -> Template:
    """One claim for each of the slots named so, all for the link in the slot host_index."""
    template = Template()
    for name in names:
        values = {"ifi_index": Slot("host_index", 4), "prop_list": {"alt_ifname": [Slot(name, _LONGEST)]}}
        template.add(LINK, RTM_NEWLINKPROP, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL, values)
    return template


_CLAIM = claiming(["name"])
