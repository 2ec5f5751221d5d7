"""detach and detach_many: attachments taken apart again, many at the price of one wait."""

from __future__ import annotations

import errno

from ..rtnl.netlink import RTNetlink
from ..uapi.if_ import IFNAMSIZ
from ..wire.errors import NetlinkError
from .link_group import remove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from .attachment import Attachment

_LOOK_ONE_BY_ONE = 8  # up to so many are looked up one by one rather than in a dump of all links


def detach(attachment: Attachment) -> bool:
    """Remove an attachment's interface (both its ends). False where it was gone already, with its container
    perhaps.

    Its host end must bear the name and the index that the attachment says: what came after it under one of
    them is left alone. It takes the kernel some 20 ms; detach_many() takes hardly more for hundreds."""
    return detach_many([attachment]) == 1


def detach_many(attachments: Iterable[Attachment]) -> int:
    """Remove many, and give how many were still there. As detach(); NetlinkError where the kernel refuses."""
    wanted = list(attachments)
    with RTNetlink() as rt:
        if len(wanted) <= _LOOK_ONE_BY_ONE:
            present = [attachment.host_index for attachment in wanted if _is_there(rt, attachment)]
        else:
            links = rt.links.columns(kind="veth")
            raw = links["name"].tobytes()
            padded = [raw[at : at + IFNAMSIZ] for at in range(0, len(raw), IFNAMSIZ)]
            names = dict(zip(links["index"], padded, strict=True))
            present = [
                one.host_index for one in wanted if names.get(one.host_index) == _padded(one.host_ifname)
            ]
        if len(present) == 1:
            return _delete(rt, present[0])
    return remove(list(dict.fromkeys(present)))


def _padded(name: str) -> bytes:
    return name.encode().ljust(IFNAMSIZ, b"\0")


def _is_there(rt: RTNetlink, attachment: Attachment) -> bool:
    try:
        link = rt.links.get(attachment.host_index)
        return link.name == attachment.host_ifname and link.kind == "veth"
    except NetlinkError as error:
        if error.errno != errno.ENODEV:
            raise
        return False


def _delete(rt: RTNetlink, index: int) -> int:
    try:
        rt.links.delete(index)
    except NetlinkError as error:
        if error.errno != errno.ENODEV:
            raise
        return 0
    return 1
