"""Claims: an address on a bridge is taken exactly when a link of the host bears the name
`ip:BRIDGE-IFINDEX:ADDRESS`.

It is an alternative name of the container's host end, so the kernel's own check for unique names decides
between two who want the same address at the same time, and an address is free again when the link is gone,
with no code run."""

from __future__ import annotations

from sys import byteorder

from ..rtnl.claims import claim_name
from ..rtnl.values import format_ip
from ..wire.attributes import Slot
from ..wire.conversation import NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST
from ..wire.rtnetlink.link import LINK, RTM_NEWLINKPROP
from ..wire.template import Template

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..transport.socket import Socket
    from .bridge import Bridge
    from .endpoint import Wanted

_LONGEST = 56  # "ip:4294967295:" and the longest IPv6 address, in fours


class Refused:
    """A claim that the kernel refused: whose, which, and why (EEXIST: the address is taken)."""

    __slots__ = ("address", "errno", "name", "row")

    def __init__(self, row: Wanted, address: str, name: str, errno: int) -> None:
        self.row = row
        self.address = address
        self.name = name
        self.errno = errno


def claim(socket: Socket, rows: list[Wanted], bridges: dict[str, Bridge]) -> list[Refused]:
    """Claim every address of the rows for their host ends, all in few datagrams; gives what was refused."""
    wanted = [
        (row, packed, claim_name(bridges[row.bridge].index, packed))
        for row in rows
        for packed, _ in row.addresses
    ]
    if not wanted:
        return []
    columns = {
        "index": b"".join([row.host_index.to_bytes(4, byteorder) for row, _, _ in wanted]),
        "name": b"".join([name.encode().ljust(_LONGEST, b"\0") for _, _, name in wanted]),
    }
    out = _TEMPLATE.stamp(columns, len(wanted), sequence=1)
    failures = socket.exchange(out, len(wanted), verb="claim addresses")
    return [
        Refused(wanted[number][0], format_ip(wanted[number][1]), wanted[number][2], error)
        for number, error, _ in failures
    ]


_TEMPLATE = Template()
_TEMPLATE.add(
    LINK,
    RTM_NEWLINKPROP,
    NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL,
    {"ifi_index": Slot("index", 4), "prop_list": {"alt_ifname": [Slot("name", _LONGEST)]}},
)
