"""Namespace ids: the numbers by which one network namespace refers to another (a veth's peer is in namespace
n)."""

from __future__ import annotations

from ..netns.handle import Netns
from ..uapi.net_namespace import NETNSA_NSID_NOT_ASSIGNED
from ..uapi.rtnetlink import RTM_GETNSID, RTM_NEWNSID
from ..wire.rtnetlink.nsid import NSID
from .values import check_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins

    from ..netns.handle import Target
    from .netlink import RTNetlink


class NamespaceIds:
    """The ids that one namespace has for others: `rt.nsids`."""

    def __init__(self, rt: RTNetlink) -> None:
        self._socket = rt.socket

    def get(self, netns: Target) -> int | None:
        """Return the id of a namespace, None if it has none yet."""
        with Netns.open(netns) as handle:
            verb = f"find the id of {handle.label}"
            asked = {"fd": handle.fileno()}
            number: int = self._socket.get(NSID, RTM_GETNSID, asked, verb=verb)["nsid"]
        return None if number == NETNSA_NSID_NOT_ASSIGNED else number

    def set(self, netns: Target, number: int) -> None:
        """Set the id of a namespace. Raise NetlinkError (EEXIST) if it has one, or if the id is another's."""
        check_number(number, 0, 0x7FFFFFFF, "a namespace id")
        with Netns.open(netns) as handle:
            verb = f"give {handle.label} the id {number}"
            values = {"fd": handle.fileno(), "nsid": number}
            self._socket.request(NSID, RTM_NEWNSID, 0, values, verb=verb)

    def list(self) -> builtins.list[int]:
        """Return the ids in use, ascending."""
        found = self._socket.dump(NSID, RTM_GETNSID, {}, verb="list namespace ids")
        return sorted(entry["nsid"] for entry in found)
