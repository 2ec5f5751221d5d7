"""`ip route show` and `flush`: the routes that the words select."""

from __future__ import annotations

from _socket import AF_INET, AF_INET6
from errno import ENOENT, ESRCH

from ...uapi.rtnetlink import RT_TABLE_MAIN, RTM_DELROUTE, RTM_F_CLONED, RTM_GETROUTE
from ...wire.errors import NetlinkError
from ...wire.rtnetlink.route import ROUTE
from ..command_error import CommandError, HelpError
from ..names import TABLES
from ..output import write
from .filter import read_vrf
from .flush import flush as flush_all
from .grammar import Words, c_number, matches, number, wrong
from .inet import Prefix, prefix
from .route_fields import BITS, route_fields
from .route_words import read_dsfield, read_protocol, read_realms, read_scope_word, read_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ...wire.attributes import Values
    from .session import Session


class RouteFilter:
    """What the words after `ip route show` or `flush` ask for; None: everything."""

    def __init__(self, session: Session, words: Words) -> None:
        self._session = session
        self.family = session.options.family
        self.table: int | None = RT_TABLE_MAIN
        self.cached = False
        self.values: Values = {}  # members and attributes that must be equal
        self.root: Prefix | None = None  # within which the destination lies
        self.match: Prefix | None = None  # which the destination covers
        self.source_root: Prefix | None = None
        self.source_match: Prefix | None = None
        self.via: Prefix | None = None
        self.preferred: Prefix | None = None
        self.hidden: set[str] = set()
        self._devices: dict[str, str] = {}
        table_said = False
        while words:
            word = words.next()
            if matches(word, "table"):
                table_said = True
                self._read_table(words.next())
            else:
                self._read(words, word)
        for name, device in self._devices.items():
            self._equal(name, session.index(device), "iif" if name == "iif" else "dev")
        if self.table is not None:
            self.family = self.family or AF_INET
            if table_said:
                self.hidden.add("table")

    def _equal(self, name: str, value: int, hide: str) -> None:
        self.values[name] = value
        self.hidden.add(hide)

    def _read(self, words: Words, word: str) -> None:
        if matches(word, "vrf"):
            self.table = self._vrf_table(words.next())
            self.hidden.add("table")
        elif word in ("cached", "cache") or matches(word, "cloned"):
            self.cached = True
        elif word == "tos" or matches(word, "dsfield"):
            self._equal("rtm_tos", read_dsfield(words.next(), "TOS value is invalid\n"), "tos")
        elif matches(word, "metric") or matches(word, "priority") or word == "preference":
            self._equal("priority", number(words.next(), '"metric" value is invalid\n'), "metric")
        elif matches(word, "protocol"):
            self._read_named("rtm_protocol", "proto", words.next(), read_protocol, 'invalid "protocol"\n')
        elif matches(word, "scope"):
            self._read_named("rtm_scope", "scope", words.next(), read_scope_word, 'invalid "scope"\n')
        elif matches(word, "type"):
            word = words.next()
            kind = read_type(word)
            if kind is None:
                raise wrong(word, "node type value is invalid\n")
            self.values["rtm_type"] = kind
        elif word in ("dev", "oif", "iif"):
            self._devices["iif" if word == "iif" else "oif"] = words.next()
        elif word == "mark":
            self.values["mark"] = number(words.next(), "Mark value is invalid\n")
        elif matches(word, "via"):
            self.via = prefix(words.next(), self.family)
            if self.via.length == len(self.via.address) * 8:
                self.hidden.add("via")
        elif word == "src":
            self.preferred = prefix(words.next(), self.family)
            self.hidden.add("src")
        elif matches(word, "realms"):
            self._equal("flow", read_realms(words.next()), "realms")
        elif matches(word, "from"):
            self.source_root, self.source_match = self._read_prefixes(words, words.next())
        else:
            if matches(word, "to"):
                word = words.next()
            self.root, self.match = self._read_prefixes(words, word)

    def _read_table(self, word: str) -> None:
        if word == "all":
            self.table = None
        elif word == "cache":
            self.cached = True
        else:
            self.table = TABLES.number(word)
            if self.table is None:
                self.table = c_number(word)
            if self.table is None or not 0 <= self.table <= 0xFFFFFFFF:
                raise wrong(word, "table id value is invalid\n")
            self.table = self.table or None

    def _vrf_table(self, word: str) -> int:
        index = read_vrf(self._session, word, "Invalid VRF\n")
        data = (self._session.link(index) or {}).get("linkinfo", {}).get("data", b"")
        from ...wire.attributes import Attributes
        from ...wire.codecs import U32

        table: int = Attributes(table=(1, U32)).parse(data, {})["table"]  # IFLA_VRF_TABLE
        return table

    def _read_named(
        self, name: str, hide: str, word: str, read: Callable[[str], int | None], why: str
    ) -> None:
        if word == "all":
            return
        value = read(word)
        if value is None:
            raise wrong(word, why)
        self._equal(name, value, hide)

    def _read_prefixes(self, words: Words, word: str) -> tuple[Prefix | None, Prefix | None]:
        """Return (root, match): a bare prefix is both; "all" is no limit."""
        which = next((name for name in ("root", "match", "exact") if matches(word, name)), "")
        if which:
            word = words.next()
        elif matches(word, "help"):
            raise HelpError()
        if word in ("all", "any") and not self.family:
            return None, None
        found = prefix(word, self.family)
        return None if which == "match" else found, None if which == "root" else found

    def takes(self, route: Values) -> bool:
        """Return whether a route is among those asked for."""
        get = route.get
        family = route["rtm_family"]
        if family not in BITS or (self.family and family != self.family):
            return False
        if bool(route["rtm_flags"] & RTM_F_CLONED) != self.cached:
            return False
        if self.table is not None and not self.cached and get("table", route["rtm_table"]) != self.table:
            return False
        for name, value in self.values.items():
            if get(name, 0) != value:
                return False
        zero = bytes(BITS[family] // 8)
        if not _within(self.root, self.match, family, get("dst", zero), route["rtm_dst_len"]):
            return False
        if not _within(self.source_root, self.source_match, family, get("src", zero), route["rtm_src_len"]):
            return False
        # a missing attribute is all zeros to iproute2: `via 0.0.0.0` finds the routes without a gateway
        if self.via is not None and not self.via.covers(get("gateway", zero)):
            return False
        return self.preferred is None or self.preferred.covers(get("prefsrc", zero))

    def fetch(self) -> list[Values]:
        """Return the routes asked for."""
        values: Values = {"rtm_family": self.family}
        for name in ("rtm_protocol", "rtm_type", "oif"):  # what the kernel can filter by
            if name in self.values:
                values[name] = self.values[name]
        if self.cached:
            values["rtm_flags"] = RTM_F_CLONED
        elif self.table is not None:
            values["table"] = self.table
        found = self._session.socket.dump(ROUTE, RTM_GETROUTE, values, verb="list routes")
        return [route for route in found if self.takes(route)]


def _within(root: Prefix | None, match: Prefix | None, family: int, address: bytes, length: int) -> bool:
    if root is not None:
        if root.family and root.family != family:
            return False
        if length < root.length or not root.covers(address):
            return False
    if match is not None:
        if match.family and match.family != family:
            return False
        if length > match.length or (
            length and not Prefix(family, address, length, stated=True).covers(match.address)
        ):
            return False
    return True


def show(session: Session, words: Words) -> None:
    """`ip route show [PREFIX] [table TABLE] [dev DEVICE] [proto PROTOCOL] ...`."""
    wanted = RouteFilter(session, words)
    out = session.output()
    if not wanted.family or wanted.family in BITS:
        hidden = frozenset(wanted.hidden)
        for route in _fetch(wanted, "Dump terminated"):
            out.record(route_fields(session, route, hidden))
    out.close()


def _fetch(wanted: RouteFilter, last_words: str) -> list[Values]:
    try:
        return wanted.fetch()
    except NetlinkError as error:
        why = f"Error: {error.text.rstrip('.')}." if error.text else f"RTNETLINK answers: {_strerror(error)}"
        raise CommandError(f"{why}\n{last_words}", 2) from None


def _strerror(error: NetlinkError) -> str:
    from os import strerror

    return strerror(error.errno or 0)


def flush(session: Session, words: Words) -> None:
    """`ip route flush SELECTOR`: delete what show would show."""
    if not words:
        raise CommandError('"ip route flush" requires arguments.')
    wanted = RouteFilter(session, words)
    if wanted.cached and wanted.family != AF_INET6:
        _flush_cache(session)
        if session.options.statistics:
            write("*** IPv4 routing cache is flushed.\n")
        if wanted.family == AF_INET:
            return
    hidden = frozenset(wanted.hidden)

    def find() -> list[Values]:
        return _fetch(wanted, "Flush terminated")

    def text(route: Values) -> str:
        return "".join([text for _, _, text in route_fields(session, route, hidden)])

    def delete(route: Values) -> None:
        session.socket.request(ROUTE, RTM_DELROUTE, 0, route, verb="delete route")

    flush_all(session, "entries", find, delete, text, (ESRCH, ENOENT))


def _flush_cache(session: Session) -> None:
    """Make the kernel forget exceptions (learned MTUs, redirects). IPv4 has no cache to dump."""

    def forget() -> None:
        with open("/proc/sys/net/ipv4/route/flush", "w") as file:
            file.write("-1")

    if session.netns is None:
        forget()
    else:
        from ...netns.processes import call

        call(session.netns, forget)
