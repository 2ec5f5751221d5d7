"""detach() and detach_many(): remove attachments, many at the price of one wait."""

from __future__ import annotations

import errno

from ..os_error import during
from ..rtnl.claims import claimed_addresses
from ..rtnl.netlink import RTNetlink
from ..uapi.if_ import IFNAMSIZ
from ..wire.errors import NetlinkError
from .link_group import remove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .attachment import Attachment

_LOOK_ONE_BY_ONE = 8  # up to this many are looked up one by one rather than in a dump of all links


def detach(attachment: Attachment) -> bool:
    """Remove an attachment's interface (both ends). Return False if it was gone already, perhaps with its
    container.

    Only a host end with the attachment's index and its name (or, if it was renamed, the claim of one of its
    addresses) is removed: a later link with one of them is left alone. The kernel takes about 20 ms;
    detach_many() takes hardly more for hundreds. Raise NetlinkError if the kernel refuses."""
    return detach_many([attachment]) == 1


def detach_many(attachments: Iterable[Attachment]) -> int:
    """Remove many attachments as detach() does; return how many were still there. Raise NetlinkError if the
    kernel refuses."""
    wanted = list(attachments)
    whose = f"{wanted[0].ifname} of {wanted[0].netns}" if len(wanted) == 1 else f"{len(wanted)} attachments"
    with during(f"detach {whose}"):
        return _detach(wanted)


def _detach(wanted: Sequence[Attachment]) -> int:
    with RTNetlink() as rt:
        if len(wanted) <= _LOOK_ONE_BY_ONE:
            present = [attachment.host_index for attachment in wanted if _is_there(rt, attachment)]
        else:
            links = rt.links.columns(kind="veth")
            raw = links["name"].tobytes()
            padded = [raw[at : at + IFNAMSIZ] for at in range(0, len(raw), IFNAMSIZ)]
            names = dict(zip(links["index"], padded, strict=True))
            present = [
                one.host_index
                for one in wanted
                if (name := names.get(one.host_index)) is not None
                and (name == _padded(one.host_ifname) or _is_there(rt, one))
            ]
        if len(present) == 1:
            return _delete(rt, present[0])
    return remove(list(dict.fromkeys(present)))


def _padded(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape").ljust(IFNAMSIZ, b"\0")


def _is_there(rt: RTNetlink, attachment: Attachment) -> bool:
    link = rt.links.find(attachment.host_index)
    if link is None or link.kind != "veth":
        return False
    own = {cidr.partition("/")[0] for cidr in attachment.addresses}
    return link.name == attachment.host_ifname or not claimed_addresses(link.altnames).isdisjoint(own)


def _delete(rt: RTNetlink, index: int) -> int:
    try:
        rt.links.delete(index)
    except NetlinkError as error:
        if error.errno != errno.ENODEV:
            raise
        return 0
    return 1
