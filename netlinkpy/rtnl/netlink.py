"""RTNetlink: an rtnetlink socket in one namespace, and the objects that it reaches."""

from __future__ import annotations

from ..closing import Closing
from ..netns.sockets import open_socket
from ..uapi.netlink import NETLINK_ROUTE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..netns.handle import Target
    from .address import Addresses
    from .fdb import ForwardingEntries
    from .links import Links
    from .neighbour import Neighbours
    from .nsid import NamespaceIds
    from .routes import Routes
    from .rule import Rules
    from .values import Dev

_PLACES = {
    "links": ("links", "Links"),
    "addresses": ("address", "Addresses"),
    "routes": ("routes", "Routes"),
    "rules": ("rule", "Rules"),
    "neighbours": ("neighbour", "Neighbours"),
    "fdb": ("fdb", "ForwardingEntries"),
    "nsids": ("nsid", "NamespaceIds"),
}


class RTNetlink(Closing):
    """The links, addresses, routes, rules, neighbours, forwarding entries and namespace ids of one network
    namespace.

    netns: None is the caller's; a str a name in /run/netns, or a path (or an os.PathLike); an int a process
    id; or a Netns. The calling thread never leaves its own namespace. timeout: seconds for each request.

    Every verb raises NetlinkError (an OSError) if the kernel refuses, ValueError or TypeError for an invalid
    argument (then nothing was sent), DeadlineError if no answer came in time. Close it, or use `with`."""

    links: Links
    addresses: Addresses
    routes: Routes
    rules: Rules
    neighbours: Neighbours
    fdb: ForwardingEntries
    nsids: NamespaceIds

    def __init__(self, netns: Target | None = None, *, timeout: float = 10.0) -> None:
        self.socket = open_socket(NETLINK_ROUTE, netns, timeout)

    def __getattr__(self, name: str) -> object:
        place = _PLACES.get(name)
        if place is None:
            raise AttributeError(f"RTNetlink has no attribute {name!r}")
        module = __import__(f"{__package__}.{place[0]}", fromlist=place[1:])
        verbs = getattr(module, place[1])(self)
        setattr(self, name, verbs)
        return verbs

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *_PLACES})

    def index(self, dev: Dev) -> int:
        """Return the index of an interface given by name, alternative name, index or record (which are not
        looked up). Raise NetlinkError (ENODEV) if there is none of that name."""
        if isinstance(dev, int):
            from .values import check_number

            return check_number(dev, 1, 0x7FFFFFFF, "an interface index")
        from .link import Link

        return dev.index if isinstance(dev, Link) else self.links.get(dev).index

    def close(self) -> None:
        """Close the socket; a second time does nothing."""
        self.socket.close()
