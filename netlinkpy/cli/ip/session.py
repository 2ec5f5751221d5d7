"""Session: one run of `ip`: its options, its socket, and the links known so far."""

from __future__ import annotations

from errno import ENODEV

from ...uapi.if_ import IFNAMSIZ
from ...uapi.rtnetlink import RTEXT_FILTER_SKIP_STATS, RTM_GETLINK
from ...wire.errors import NetlinkError
from ...wire.rtnetlink.link import LINK
from ..command_error import CommandError
from ..output import Output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...netns.handle import Netns
    from ...transport.socket import Socket
    from ...wire.attributes import Values

_COLOURS = {
    "ifname": 36,
    "mac": 33,
    "inet": 35,
    "inet6": 34,
    "up": 32,
    "down": 31,
}  # ECMA-48 foreground colours


class GlobalOptions:
    """The options before the object: `ip OPTIONS link ...`."""

    def __init__(self) -> None:
        self.family = 0
        self.json = self.pretty = self.brief = self.oneline = self.numeric = False
        self.force = self.all = self.resolve = False
        self.loops = 10  # how often a flush begins again while entries keep coming; 0: for ever
        self.details = self.statistics = 0
        self.colour = "never"
        self.batch: str | None = None


class Session:
    """The state that all commands of a run share."""

    def __init__(self, options: GlobalOptions) -> None:
        self.options = options
        self.netns: Netns | None = None  # where -n leads
        self._socket: Socket | None = None
        self._links: dict[int, Values] = {}
        self._namespace_names: dict[int, str] | None = None
        self._dark = False
        self._paint = self._colours_wanted()

    # -- the kernel
    # ---------------------------------------------------------------------------------------------------

    @property
    def socket(self) -> Socket:
        """The rtnetlink socket, opened in the namespace of -n when first used."""
        if self._socket is None:
            from ...transport.socket import Socket

            self._socket = Socket() if self.netns is None else Socket(netns_fd=self.netns.fileno())
        return self._socket

    def forget(self) -> None:
        """Forget the links known so far: the next command of a batch asks the kernel again."""
        self._links.clear()
        self._namespace_names = None

    def close(self) -> None:
        """Close the socket and the namespace."""
        if self._socket is not None:
            self._socket.close()
        if self.netns is not None:
            self.netns.close()

    def remember(self, links: list[Values]) -> None:
        """Keep the links of a dump, so that names of masters and peers need no further request."""
        for link in links:
            self._links.setdefault(link["ifi_index"], link)

    def link(self, index: int) -> Values | None:
        """Return the link of an index, None if there is none."""
        if index not in self._links:
            found = self._ask({"ifi_index": index})
            if found is None:
                return None
            self._links[index] = found
        return self._links[index]

    def find(self, name: str) -> Values | None:
        """Return the link of a name or alternative name, None if there is none."""
        for link in self._links.values():
            if link.get("ifname") == name or name in link.get("prop_list", {}).get("alt_ifname", ()):
                return link
        length = len(name.encode("utf-8", "surrogateescape"))
        if not 0 < length < 128:
            return None
        found = self._ask({"ifname" if length < IFNAMSIZ else "alt_ifname": name})
        if found is not None:
            self._links[found["ifi_index"]] = found
        return found

    def _ask(self, values: Values) -> Values | None:
        try:
            found = self.socket.request(
                LINK, RTM_GETLINK, 0, {**values, "ext_mask": RTEXT_FILTER_SKIP_STATS}, verb="find link"
            )
        except NetlinkError as error:
            if error.errno != ENODEV:
                raise
            return None
        return found[0] if found else None

    def index(self, name: str) -> int:
        """Return the index of a device that is to be changed."""
        link = self.find(name)
        if link is None:
            raise CommandError(f'Cannot find device "{name}"')
        number: int = link["ifi_index"]
        return number

    def name(self, index: int) -> str:
        """Return the name of a link, "if7" if it cannot be seen from here."""
        link = self.link(index)
        return link.get("ifname", "") if link is not None else f"if{index}"

    def flags(self, index: int) -> int | None:
        """Return the IFF_ flags of a link, None if it cannot be seen from here."""
        link = self.link(index)
        return None if link is None else link["ifi_flags"]

    def namespace_name(self, nsid: int) -> str | None:
        """Return the name in /run/netns of the namespace that this one knows by an id."""
        if self._namespace_names is None:
            from .netns import names_by_id

            self._namespace_names = names_by_id(self)
        return self._namespace_names.get(nsid)

    # -- the output
    # ---------------------------------------------------------------------------------------------------

    def output(self) -> Output:
        """Return a new list of records for standard output."""
        return Output(json=self.options.json, pretty=self.options.pretty, colours=self._paint)

    @property
    def newline(self) -> str:
        """What ends a line inside a record."""
        return "\\" if self.options.oneline else "\n"

    def paint(self, what: str, text: str) -> str:
        """Return text in the colour of its kind ("ifname", "mac", "inet", "inet6", "up", "down"), if colours
        are on."""
        if not self._paint or what not in _COLOURS:
            return text
        return f"\033[{'1;' if self._dark else ''}{_COLOURS[what]}m{text}\033[0m"

    def _colours_wanted(self) -> bool:
        wanted = self.options.colour
        if wanted == "never" or self.options.json:
            return False
        from os import environ, isatty

        background = environ.get("COLORFGBG", "").rpartition(";")[2]
        self._dark = background in ("0", "1", "2", "3", "4", "5", "6", "8")
        return wanted == "always" or isatty(1)
