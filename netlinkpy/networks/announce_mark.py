"""The mark `net:NAME:announces` of a network: some address there had a MAC that does not follow from it.

The next owner of such an address must announce it even if the MAC follows from it; so from then on every
container on the network announces its addresses. Before the first such address nobody does, since a broadcast
reaches every port. The mark is never taken away: another call may rely on it as soon as it is there, and
needless announcements do no harm."""

from __future__ import annotations

import errno

from ..wire.errors import NetlinkError
from .altnames import ANNOUNCES, name_of, word_altname

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..rtnl.link import Link
    from ..rtnl.netlink import RTNetlink


def announces(host: RTNetlink, link: Link, differs: bool) -> bool:
    """Return whether a network has the mark, now that we own addresses on its bridge (who had them before us
    set it before they were used). link: the bridge as it is now; differs: one of ours has a MAC that does not
    follow from it, so set the mark."""
    mark = word_altname(name_of(link.altnames), ANNOUNCES)
    if mark in link.altnames:
        return True
    if differs:
        try:
            host.links.add_altnames(link.index, [mark])
        except NetlinkError as error:
            if error.errno not in (errno.EEXIST, errno.ENODEV):  # another did so just now; the bridge went
                raise
            return True
    return False
