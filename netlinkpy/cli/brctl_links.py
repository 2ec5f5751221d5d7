"""The links of a namespace as brctl finds and changes them: bridges and ports."""

from __future__ import annotations

from errno import ENODEV

from ..transport.socket import Socket
from ..uapi.rtnetlink import RTEXT_FILTER_SKIP_STATS, RTM_GETLINK
from ..wire.errors import NetlinkError
from ..wire.rtnetlink.link import LINK
from .command_error import CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..wire.attributes import Values


class Bridges:
    """The links of this namespace, seen as bridges and ports."""

    def __init__(self, socket: Socket) -> None:
        self.socket = socket

    def links(self) -> list[Values]:
        """Return all links."""
        return self.socket.dump(LINK, RTM_GETLINK, {"ext_mask": RTEXT_FILTER_SKIP_STATS}, verb="list links")

    def find(self, name: str) -> Values | None:
        """Return a link by its name, None if there is none."""
        if not 0 < len(name.encode("utf-8", "surrogateescape")) < 16:
            return None
        values = {"ifname": name, "ext_mask": RTEXT_FILTER_SKIP_STATS}
        try:
            return self.socket.request(LINK, RTM_GETLINK, 0, values, verb=f"find link {name}")[0]
        except NetlinkError as error:
            if error.errno != ENODEV:
                raise
            return None

    def bridge(self, name: str) -> Values:
        """Return a bridge by its name."""
        link = self.find(name)
        if link is None:
            raise CommandError(f"bridge {name} does not exist!")
        if not is_bridge(link):
            raise CommandError(f"device {name} is not a bridge!")
        return link

    def send(self, type: int, flags: int, values: Values, refusal: Callable[[int], str]) -> None:
        """Send one link message; `refusal` makes the sentence for an errno."""
        try:
            self.socket.request(LINK, type, flags, values, verb="change bridge")
        except NetlinkError as error:
            raise CommandError(refusal(error.errno or 0)) from None


def is_bridge(link: Values) -> bool:
    """Return whether a link is a bridge."""
    return bool(link.get("linkinfo", {}).get("kind") == "bridge")
