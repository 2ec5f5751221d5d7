"""AnnounceMark: the note of a network that some address there had a MAC that does not follow from it
(`net:NAME:announces`).

The next owner of such an address must announce it even if the MAC follows from it; so from then on every
container that connects announces its addresses. Before the first such address nobody does, since a broadcast
reaches every port."""

from __future__ import annotations

import errno

from ..rtnl.values import parse_ip, parse_mac
from ..wire.errors import NetlinkError
from ..wiring.endpoint import tells_mac
from .altnames import ANNOUNCES, property_altnames

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..rtnl.netlink import RTNetlink
    from ..wiring.attachment import Attachment
    from .network_record import NetworkRecord


class AnnounceMark:
    """The mark of one network, during one call. It stays if an exception that is no Exception (a Ctrl-C)
    interrupts the call: all may have been made by then, and needless announcements do no harm."""

    def __init__(self, host: RTNetlink, network: NetworkRecord) -> None:
        self._host = host
        self._index = network.index
        self._names = property_altnames(network.name, [ANNOUNCES])
        self._is_set = network.announces
        self._is_ours = False

    def set(self) -> None:
        """Set the mark: before the address is used, so that it stands even if this process dies then."""
        if self._is_set:
            return
        self._is_set = True
        try:
            self._host.links.add_altnames(self._index, self._names)
        except NetlinkError as error:
            if error.errno != errno.EEXIST:  # another did so just now
                raise
        else:
            self._is_ours = True

    def settle(self, made: Iterable[Attachment]) -> None:
        """Take the mark away again if this call set it and nothing that was made needs it."""
        if not self._is_ours or not all(map(_has_own_mac, made)):
            return
        try:
            self._host.links.delete_altnames(self._index, self._names)
        except NetlinkError as error:
            if error.errno not in (errno.ENODEV, errno.ENOENT):  # the network went meanwhile
                raise


def _has_own_mac(attachment: Attachment) -> bool:
    mac = parse_mac(attachment.mac)
    return all(tells_mac(parse_ip(text.partition("/")[0]), mac) for text in attachment.addresses)
