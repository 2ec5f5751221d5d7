"""The words of a route (`10.0.0.0/8 via 172.17.42.1 dev eth0 metric 5 ...`), into a route message."""

from __future__ import annotations

from _socket import AF_INET
from sys import byteorder

from ...rtnl.values import FAMILY_OF_LENGTH
from ...uapi.rtnetlink import (
    RT_SCOPE_HOST,
    RT_SCOPE_LINK,
    RT_SCOPE_NOWHERE,
    RT_SCOPE_UNIVERSE,
    RT_TABLE_LOCAL,
    RT_TABLE_MAIN,
    RTN_ANYCAST,
    RTN_BROADCAST,
    RTN_LOCAL,
    RTN_MULTICAST,
    RTN_NAT,
    RTN_UNICAST,
    RTN_UNSPEC,
    RTNH_F_ONLINK,
    RTPROT_BOOT,
)
from ..command_error import CommandError, HelpError
from ..names import DSFIELDS, FAMILIES, PROTOCOLS, REALMS, SCOPES, TABLES
from .filter import read_vrf
from .grammar import U32, Words, c_number, garbage, matches, not_built, number, wrong
from .inet import Prefix, address, prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...wire.attributes import Values
    from .session import Session

TYPES = (  # (name, how much of it must be written: all, or any beginning)
    ("local", True, 2), ("nat", True, 10), ("broadcast", False, 3), ("brd", False, 3), ("anycast", False, 4),
    ("multicast", False, 5), ("prohibit", False, 8), ("unreachable", False, 7), ("blackhole", False, 6),
    ("xresolve", False, 11), ("unicast", False, 1), ("throw", False, 9),
)  # fmt: skip
FAMILY_WORDS = {name: number for number, name in FAMILIES.items()}

# word -> (attribute of RTA_METRICS, may be shortened, factor for times or 0)
METRIC_WORDS = {
    "mtu": ("mtu", False),
    "hoplimit": ("hoplimit", True),
    "advmss": ("advmss", True),
    "reordering": ("reordering", True),
    "window": ("window", True),
    "cwnd": ("cwnd", True),
    "initcwnd": ("initcwnd", True),
    "initrwnd": ("initrwnd", True),
    "ssthresh": ("ssthresh", True),
    "quickack": ("quickack", True),
    "fastopen_no_cookie": ("fastopen_no_cookie", True),
}
TIME_WORDS = {"rtt": 8, "rttvar": 4, "rto_min": 1}  # parts of a millisecond that the kernel counts in
LOCKS = {  # RTAX_LOCK bits: 1 << RTAX_
    "mtu": 1 << 2, "window": 1 << 3, "rtt": 1 << 4, "rttvar": 1 << 5, "ssthresh": 1 << 6, "cwnd": 1 << 7,
    "advmss": 1 << 8, "reordering": 1 << 9, "hoplimit": 1 << 10, "rto_min": 1 << 13, "cc_algo": 1 << 16,
}  # fmt: skip
LOCKABLE = ("mtu", "hoplimit", "advmss", "reordering", "window", "cwnd", "ssthresh", "rtt", "rttvar")


def read_type(word: str) -> int | None:
    """Return a type of route by name or number, None if it is none."""
    for name, whole, kind in TYPES:
        if word == name or (not whole and matches(word, name)):
            return kind
    kind_ = c_number(word)
    return kind_ if kind_ is not None and 0 <= kind_ <= 255 else None


def read_protocol(word: str) -> int | None:
    """Return a routing protocol by name or number, None if it is none."""
    found = PROTOCOLS.number(word)
    if found is None:
        found = c_number(word)
    return found if found is not None and 0 <= found <= 255 else None


def read_scope_word(word: str) -> int | None:
    """Return a scope by name or number, None if it is none."""
    found = SCOPES.number(word)
    if found is None:
        found = c_number(word)
    return found if found is not None and 0 <= found <= 255 else None


def read_dsfield(word: str, why: str) -> int:
    """Return a type of service: a name of rt_dsfield, or a number, which is hexadecimal."""
    found = DSFIELDS.number(word)
    return found if found is not None else number(word, why, 255, base=16)


def read_realms(word: str) -> int:
    """Return REALM or FROM/TO packed for the kernel, or that number itself."""
    whole = c_number(word)
    if whole is not None and 0 <= whole <= U32:
        return whole
    origin, slash, to = word.rpartition("/")
    return (_realm(origin) << 16 if slash else 0) | _realm(to)


def _realm(word: str) -> int:
    found = REALMS.number(word)
    return found if found is not None else number(word, '"realm" value is invalid\n', 0xFFFF)


def _milliseconds(text: str) -> tuple[int, bool] | None:
    """Return a time (1.5s, 200ms or a bare number) and whether it had a unit, None if the text is none."""
    unit = next(
        (unit for unit in ("msecs", "msec", "ms", "secs", "sec", "s") if text.lower().endswith(unit)), ""
    )
    figure = text[: len(text) - len(unit)]
    try:
        value = float(figure) if "." in figure else c_number(figure)
    except ValueError:
        return None
    if value is None or value < 0:
        return None
    if unit.startswith("s"):
        value *= 1000
    return int(value) + (value > int(value)), bool(unit)


class RouteWords:
    """One route as the words describe it; values(): its message."""

    def __init__(self, session: Session, words: Words) -> None:
        self._session = session
        self.family = session.options.family
        self.target: Prefix | None = None
        self.attributes: Values = {}
        self.metrics: Values = {}
        self.header: Values = {}
        self.flags = self.lock = 0
        self.table: int | None = None
        self.protocol: int | None = None
        self.scope: int | None = None
        self.type: int | None = None
        self.hops: list[Values] | None = None
        self._device: str | None = None
        while words and self.hops is None:
            self._read(words, words.next())
        if self.target is None:
            raise HelpError()
        if self._device is not None:
            self.attributes["oif"] = session.index(self._device)
        if self.hops is not None:
            self.hops = self._read_hops(words)

    def _read(self, words: Words, word: str) -> None:
        if word == "src":
            packed = address(words.next(), self.family)
            self._of_family(packed)
            self.attributes["prefsrc"] = packed
        elif word == "as":
            raise not_built("as (stateless NAT)")
        elif word == "via":
            if "gateway" in self.attributes or "via" in self.attributes:
                raise wrong(word, "use nexthop syntax to specify multiple via\n")
            self.attributes.update(self._gateway(words))
        elif word == "from":
            source = prefix(words.next(), self.family)
            self.family = self.family or source.family
            if source.address:
                self.attributes["src"] = source.address
            self.header["rtm_src_len"] = source.length
        elif word == "tos" or matches(word, "dsfield"):
            self.header["rtm_tos"] = read_dsfield(words.next(), '"tos" value is invalid\n')
        elif word == "expires":
            self.attributes["expires"] = number(words.next(), '"expires" value is invalid\n')
        elif matches(word, "metric") or matches(word, "priority") or word == "preference":
            self.attributes["priority"] = number(words.next(), '"metric" value is invalid\n')
        elif word == "scope":
            word = words.next()
            self.scope = read_scope_word(word)
            if self.scope is None:
                raise wrong(word, 'invalid "scope" value\n')
        elif not self._read_metric(words, word):
            self._read_more(words, word)

    def _read_metric(self, words: Words, word: str) -> bool:
        for name, (attribute, short) in METRIC_WORDS.items():
            if word == name or (short and matches(word, name)):
                self._read_lock(words, attribute)
                self.metrics[attribute] = _metric(words.next(), name)
                return True
        for name, parts in TIME_WORDS.items():
            if word == name or (name != "rtt" and matches(word, name)):
                self._read_lock(words, name)
                text = words.next()
                time = _milliseconds(text)
                if time is None:
                    raise wrong(text, f'"{name}" value is invalid\n')
                self.metrics[name] = time[0] * parts if time[1] or name == "rto_min" else time[0]
                if name == "rto_min":
                    self.lock |= LOCKS[name]
                return True
        if matches(word, "features"):
            self._read_features(words)
            return True
        if word == "congctl":
            if words.take("lock"):
                self.lock |= LOCKS["cc_algo"]
            self.metrics["cc_algo"] = words.next()
            return True
        return False

    def _read_lock(self, words: Words, name: str) -> None:
        if name in LOCKABLE and words.take("lock"):
            self.lock |= LOCKS[name]

    def _read_features(self, words: Words) -> None:
        bits = 0
        while words.take("ecn"):
            bits |= 1  # RTAX_FEATURE_ECN
        if not bits:
            raise wrong(words.next(), '"features" value not valid\n')
        self.metrics["features"] = bits

    def _read_more(self, words: Words, word: str) -> None:
        if matches(word, "realms"):
            self.attributes["flow"] = read_realms(words.next())
        elif word == "onlink":
            self.flags |= RTNH_F_ONLINK
        elif word == "nexthop":
            self.hops = []  # they are read last, when the family is known
        elif word == "nhid":
            self.attributes["nh_id"] = number(words.next(), '"id" value is invalid\n')
        elif matches(word, "protocol"):
            word = words.next()
            self.protocol = read_protocol(word)
            if self.protocol is None:
                raise wrong(word, '"protocol" value is invalid\n')
        elif matches(word, "table"):
            self.table = _read_table(words.next())
        elif matches(word, "vrf"):
            read_vrf(self._session, words.next(), "Invalid VRF\n")
            raise not_built("routes in a VRF by its name (its table does)")
        elif word in ("dev", "oif"):
            self._device = words.next()
        elif word in ("encap", "ttl-propagate"):
            raise not_built(word)
        elif matches(word, "pref"):
            word = words.next()
            self.attributes["pref"] = _preference(word)
        else:
            self._read_target(words, word)

    def _read_target(self, words: Words, word: str) -> None:
        if word == "to":
            word = words.next()
        kind = None if word[:1].isdigit() or ":" in word else read_type(word)
        if kind is not None and self.target is None:
            self.type = kind
            word = words.next()
        if matches(word, "help"):
            raise HelpError()
        if self.target is not None:
            raise garbage("to", word)
        self.target = prefix(word, self.family)
        self.family = self.family or self.target.family

    def _of_family(self, packed: bytes) -> None:
        self.family = self.family or FAMILY_OF_LENGTH[len(packed)]

    def _gateway(self, words: Words) -> Values:
        family = FAMILY_WORDS.get(words.peek())
        if family is not None:
            words.next()
        packed = address(words.next(), family or self.family)
        self._of_family(packed)
        other = FAMILY_OF_LENGTH[len(packed)]
        if other == self.family:
            return {"gateway": packed}
        return {"via": other.to_bytes(2, byteorder) + packed}  # struct rtvia

    def _read_hops(self, words: Words) -> list[Values]:
        hops: list[Values] = []
        while True:
            if not words:
                raise CommandError('Error: unexpected end of line after "nexthop"', 255, final=True)
            hops.append(self._read_hop(words))
            if not words:
                return hops
            word = words.next()
            if word != "nexthop":
                why = f'Error: "nexthop" or end of line is expected instead of "{word}"'
                raise CommandError(why, 255, final=True)

    def _read_hop(self, words: Words) -> Values:
        hop: Values = {"rtnh_flags": 0, "rtnh_hops": 0, "rtnh_ifindex": 0}
        while words:
            word = words.peek()
            if word == "via":
                words.next()
                hop.update(self._gateway(words))
            elif word == "dev":
                words.next()
                device = words.next()
                link = self._session.find(device)
                if link is None:
                    raise CommandError(
                        f'Cannot find device "{device}"\nError: cannot parse nexthop', 255, final=True
                    )
                hop["rtnh_ifindex"] = link["ifi_index"]
            elif word == "weight":
                words.next()
                hop["rtnh_hops"] = number(words.next(), '"weight" is invalid\n', 256, low=1) - 1
            elif word == "onlink":
                words.next()
                hop["rtnh_flags"] |= RTNH_F_ONLINK
            elif matches(word, "realms"):
                words.next()
                hop["flow"] = read_realms(words.next())
            elif word in ("encap", "as"):
                raise not_built(word)
            else:
                break
        return hop

    def values(self, *, deleting: bool) -> Values:
        """Return the message. deleting: what is not given matches anything."""
        target = self.target
        table = self.table
        type = self.type if self.type is not None else RTN_UNSPEC if deleting else RTN_UNICAST
        if table is None:
            local = type in (RTN_LOCAL, RTN_BROADCAST, RTN_NAT, RTN_ANYCAST)
            table = RT_TABLE_LOCAL if local else RT_TABLE_MAIN
        protocol = self.protocol if self.protocol is not None else 0 if deleting else RTPROT_BOOT
        values: Values = {
            "rtm_family": self.family or AF_INET,
            "rtm_dst_len": target.length if target else 0,
            "rtm_table": table if table < 256 else 0,
            "rtm_protocol": protocol,
            "rtm_scope": self.scope if self.scope is not None else self._default_scope(type, deleting),
            "rtm_type": type,
            "rtm_flags": self.flags,
            **self.header,
        }
        if target is not None and target.address:
            values["dst"] = target.address
        values.update(self.attributes)
        if table >= 256:
            values["table"] = table
        if self.metrics or self.lock:
            values["metrics"] = {**({"lock": self.lock} if self.lock else {}), **self.metrics}
        if self.hops is not None:
            values["multipath"] = self.hops
        return values

    def _default_scope(self, type: int, deleting: bool) -> int:
        if self.family not in (0, AF_INET):
            return RT_SCOPE_UNIVERSE
        if type in (RTN_LOCAL, RTN_NAT):
            return RT_SCOPE_HOST
        if type in (RTN_BROADCAST, RTN_MULTICAST, RTN_ANYCAST):
            return RT_SCOPE_LINK
        if type in (RTN_UNICAST, RTN_UNSPEC):
            if deleting:
                return RT_SCOPE_NOWHERE
            ways = self.hops is not None or any(
                name in self.attributes for name in ("gateway", "via", "nh_id")
            )
            return RT_SCOPE_UNIVERSE if ways else RT_SCOPE_LINK
        return RT_SCOPE_UNIVERSE


def _metric(word: str, name: str) -> int:
    if name in ("quickack", "fastopen_no_cookie"):
        return number(word, f'"{name}" value should be 0 or 1\n', 1)
    if name == "hoplimit":
        return number(word, f'"{name}" value is invalid\n', 255)
    return number(word, f'"{name}" value is invalid\n')


def _read_table(word: str) -> int:
    table = TABLES.number(word)
    return table if table is not None else number(word, '"table" value is invalid\n')


def _preference(word: str) -> int:
    named = {"low": 3, "medium": 0, "high": 1}.get(word)  # ICMPV6_ROUTER_PREF_, RFC 4191
    return named if named is not None else number(word, '"pref" value is invalid\n', 255)
