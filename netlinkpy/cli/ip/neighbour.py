"""`ip neigh`: which hardware address an IP address has on a link."""

from __future__ import annotations

from errno import ENODEV, ENOENT

from ...rtnl.values import FAMILY_OF_LENGTH, format_ip
from ...uapi.neighbour import (
    NTF_EXT_LEARNED,
    NTF_OFFLOADED,
    NTF_PROXY,
    NTF_ROUTER,
    NTF_USE,
    NUD_DELAY,
    NUD_FAILED,
    NUD_INCOMPLETE,
    NUD_NOARP,
    NUD_PERMANENT,
    NUD_PROBE,
    NUD_REACHABLE,
    NUD_STALE,
)
from ...uapi.netlink import NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE
from ...uapi.rtnetlink import RTM_DELNEIGH, RTM_GETNEIGH, RTM_NEWNEIGH
from ...wire.rtnetlink.neighbour import NEIGHBOUR
from ..command_error import CommandError, HelpError
from ..names import FAMILIES, PROTOCOLS
from .filter import read_master, read_vrf
from .flush import flush as flush_all
from .grammar import Words, c_number, garbage, matches, wrong
from .inet import Prefix, address, lladdr, prefix
from .link_show import hardware_address
from .route_words import read_protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...wire.attributes import Values
    from ...wire.rtnetlink.typed_values import NeighbourValues
    from ..output import Field
    from .session import Session

STATES = {
    "incomplete": NUD_INCOMPLETE,
    "reachable": NUD_REACHABLE,
    "stale": NUD_STALE,
    "delay": NUD_DELAY,
    "probe": NUD_PROBE,
    "failed": NUD_FAILED,
    "noarp": NUD_NOARP,
    "permanent": NUD_PERMANENT,
}
NONE = 0x100  # in a filter: entries without any state
FLAGS = {"router": NTF_ROUTER, "use": NTF_USE, "extern_learn": NTF_EXT_LEARNED}
SHOWN = (
    (NTF_ROUTER, "router"),
    (NTF_PROXY, "proxy"),
    (NTF_EXT_LEARNED, "extern_learn"),
    (NTF_OFFLOADED, "offload"),
)


class _Filter:
    """What the words after show or flush ask for."""

    def __init__(self, session: Session, words: Words, states: int) -> None:
        self.family = session.options.family
        self.states: int | None = None
        self.index = self.master = 0
        self.to: Prefix | None = None
        self.proxy = self.unused = self.without_master = False
        self.device: str | None = None
        while words:
            self._read(session, words, words.next())
        if self.states is None:
            self.states = states
        if self.device is not None:
            self.index = session.index(self.device)

    def _read(self, session: Session, words: Words, word: str) -> None:
        if word == "dev":
            self.device = words.next()
        elif word == "master":
            self.master = read_master(session, words.next())
        elif word == "vrf":
            self.master = read_vrf(session, words.next())
        elif word == "nomaster":
            self.without_master = True
        elif word == "unused":
            self.unused = True
        elif word == "nud":
            word = words.next()
            self.states = (self.states or 0) | (0xFFFF if word == "all" else _state(word) or NONE)
        elif word == "proxy":
            self.proxy = True
        elif word == "all":
            return
        else:
            if word == "to":
                word = words.next()
            elif matches(word, "help"):
                raise HelpError()
            self.to = prefix(word, self.family)
            self.family = self.family or self.to.family

    def fetch(self, session: Session) -> list[Values]:
        """Return the neighbours asked for."""
        values: NeighbourValues = {"ndm_family": self.family, "ndm_flags": NTF_PROXY if self.proxy else 0}
        if self.index:
            values["ifindex"] = self.index
        if self.master:
            values["master"] = self.master
        found = session.socket.dump(NEIGHBOUR, RTM_GETNEIGH, values, verb="list neighbours")
        return [neighbour for neighbour in found if self._takes(session, neighbour)]

    def _takes(self, session: Session, values: Values) -> bool:
        state, states = values["ndm_state"], self.states or 0
        if values["ndm_family"] not in (2, 10) or (self.index and values["ndm_ifindex"] != self.index):
            return False
        if not values["ndm_flags"] & (NTF_PROXY | NTF_EXT_LEARNED) and not (state or NONE) & states:
            return False
        if self.to is not None and not self.to.covers(values.get("dst", b"")):
            return False
        if self.without_master and "master" in (session.link(values["ndm_ifindex"]) or {}):
            return False
        return not (self.unused and values.get("cacheinfo", {}).get("refcnt"))


def show(session: Session, words: Words) -> None:
    """`ip neigh show [ proxy ] [ to PREFIX ] [ dev DEVICE ] [ nud STATE ] ...`."""
    wanted = _Filter(session, words, 0xFF & ~NUD_NOARP)
    out = session.output()
    for neighbour in wanted.fetch(session):
        out.record(_fields(session, neighbour, with_device=not wanted.index))
    out.close()


def flush(session: Session, words: Words) -> None:
    """`ip neigh flush ...`: as show, but permanent ones stay unless their state is asked for."""
    if not words:
        raise CommandError("Flush requires arguments.")
    wanted = _Filter(session, words, 0xFFFF & ~(NUD_NOARP | NUD_PERMANENT))

    def delete_one(values: Values) -> None:
        names = ("ndm_family", "ndm_ifindex", "ndm_flags", "dst")
        which = {name: values[name] for name in names if name in values}
        session.socket.request(NEIGHBOUR, RTM_DELNEIGH, 0, which, verb="delete neighbour")

    def text(values: Values) -> str:
        return "".join([text for _, _, text in _fields(session, values, with_device=True)])

    flush_all(session, "entries", lambda: wanted.fetch(session), delete_one, text, (ENOENT, ENODEV))


def _fields(session: Session, values: Values, *, with_device: bool) -> Iterator[Field]:
    brief = session.options.brief
    family = FAMILIES.get(values["ndm_family"], "")
    destination, device = format_ip(values.get("dst", b"")), session.name(values["ndm_ifindex"])
    yield "dst", destination, session.paint(family, f"{destination:<39} " if brief else f"{destination} ")
    if with_device or brief:
        name = session.paint("ifname", f"{device:<16} " if brief else f"{device} ")
        yield "dev", device, name if brief else f"dev {name}"
    if "lladdr" in values:
        link = session.link(values["ndm_ifindex"]) or {}
        lladdr = hardware_address(values["lladdr"], link.get("ifi_type", 1))
        yield (
            "lladdr",
            lladdr,
            session.paint("mac", lladdr) if brief else f"lladdr {session.paint('mac', f'{lladdr} ')}",
        )
    if not brief:
        for bit, flag in SHOWN:
            if values["ndm_flags"] & bit:
                yield flag, None, f"{flag} "
        states = [name.upper() for name, bit in STATES.items() if values["ndm_state"] & bit]
        if states:
            yield "state", states, "".join([f"{state} " for state in states])
        if "protocol" in values:
            numeric = session.options.numeric
            protocol = str(values["protocol"]) if numeric else PROTOCOLS.name(values["protocol"])
            yield "protocol", protocol, f"proto {protocol} "
    yield None, None, "\n"


def add(session: Session, words: Words) -> None:
    """`ip neigh add ADDRESS lladdr MAC dev DEVICE [ nud STATE ] ...`."""
    _modify(session, words, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL)


def change(session: Session, words: Words) -> None:
    """`ip neigh change`: change an existing one."""
    _modify(session, words, RTM_NEWNEIGH, NLM_F_REPLACE)


def replace(session: Session, words: Words) -> None:
    """`ip neigh replace`: change it, or add it."""
    _modify(session, words, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE)


def delete(session: Session, words: Words) -> None:
    """`ip neigh delete ADDRESS dev DEVICE`."""
    _modify(session, words, RTM_DELNEIGH, 0)


def _modify(session: Session, words: Words, type: int, flags: int) -> None:
    values: NeighbourValues = {"ndm_state": NUD_PERMANENT, "ndm_flags": 0}
    target: bytes | None = None
    device: str | None = None
    while words:
        word = words.next()
        if matches(word, "lladdr"):
            word = words.next()
            values["lladdr"] = b"" if word == "null" else lladdr(word)
        elif word == "nud":
            values["ndm_state"] = _state(words.next())
        elif word == "proxy":
            target = _target(session, words.next(), target)
            values["ndm_flags"] |= NTF_PROXY
        elif word in FLAGS:
            values["ndm_flags"] |= FLAGS[word]
        elif word == "dev":
            device = words.next()
        elif matches(word, "protocol"):
            word = words.next()
            protocol = read_protocol(word)
            if protocol is None:
                raise wrong(word, '"protocol" value is invalid\n')
            values["protocol"] = protocol
        else:
            if word == "to":
                word = words.next()
            elif matches(word, "help"):
                raise HelpError()
            target = _target(session, word, target)
    if target is None or device is None:
        raise CommandError("Device and destination are required arguments.", 255, final=True)
    values["ndm_family"] = FAMILY_OF_LENGTH[len(target)]
    values["dst"] = target
    values["ndm_ifindex"] = session.index(device)
    session.socket.request(NEIGHBOUR, type, flags, values, verb="change neighbour")


def _target(session: Session, word: str, before: bytes | None) -> bytes:
    if before is not None:
        raise garbage("to", word)
    return address(word, session.options.family)


def _state(word: str) -> int:
    """Return a state by (abbreviated) name or number; none is 0."""
    for name, bit in {**STATES, "none": 0}.items():
        if matches(word, name):
            return bit
    number = c_number(word)
    if number is None or not 0 <= number < 0x100:
        raise wrong(word, "nud state is bad")
    return number
