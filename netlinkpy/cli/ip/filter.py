"""Filter: the words that select links and addresses for `ip link show`, `ip address show` and `ip address
flush`."""

from __future__ import annotations

from ...uapi.if_ import IFF_UP
from ...uapi.if_addr import (
    IFA_F_DADFAILED,
    IFA_F_DEPRECATED,
    IFA_F_HOMEADDRESS,
    IFA_F_MANAGETEMPADDR,
    IFA_F_MCAUTOJOIN,
    IFA_F_NODAD,
    IFA_F_NOPREFIXROUTE,
    IFA_F_OPTIMISTIC,
    IFA_F_PERMANENT,
    IFA_F_SECONDARY,
    IFA_F_STABLE_PRIVACY,
    IFA_F_TENTATIVE,
)
from ..command_error import HelpError
from ..names import GROUPS, SCOPES
from .grammar import Words, c_number, garbage, matches, wrong
from .inet import Prefix, prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...wire.attributes import Values
    from ...wire.rtnetlink.typed_values import LinkValues
    from .session import Session


# linux/if_addr.h, in the order in which `ip` shows them; where "permanent" is missing it shows "dynamic"
FLAGS = {
    "secondary": IFA_F_SECONDARY,
    "nodad": IFA_F_NODAD,
    "optimistic": IFA_F_OPTIMISTIC,
    "dadfailed": IFA_F_DADFAILED,
    "home": IFA_F_HOMEADDRESS,
    "deprecated": IFA_F_DEPRECATED,
    "tentative": IFA_F_TENTATIVE,
    "permanent": IFA_F_PERMANENT,
    "mngtmpaddr": IFA_F_MANAGETEMPADDR,
    "noprefixroute": IFA_F_NOPREFIXROUTE,
    "autojoin": IFA_F_MCAUTOJOIN,
    "stable-privacy": IFA_F_STABLE_PRIVACY,
}
_OPPOSITES = {"dynamic": IFA_F_PERMANENT, "primary": IFA_F_SECONDARY}


class Filter:
    """What the words after show (or flush) ask for; None and 0: everything."""

    def __init__(self, session: Session, words: Words) -> None:
        self.family = session.options.family
        self.device: str | None = None
        self.up = False
        self.label: str | None = None
        self.group: int | None = None
        self.master: int | None = None  # 0: without a master
        self.kind: str | None = None
        self.scope: int | None = None
        self.flags = self.flag_mask = 0
        self.prefix: Prefix | None = None
        while words:
            self._read(session, words, words.next())

    def _read(self, session: Session, words: Words, word: str) -> None:
        flag = word.removeprefix("-")
        if word == "to":
            self._read_prefix(words.next())
        elif word == "scope":
            self._read_scope(words.next())
        elif word == "up":
            self.up = True
        elif flag in FLAGS or flag == "temporary" or word in _OPPOSITES or flag in _OPPOSITES:
            self._read_flag(word)
        elif word == "label":
            self.label = words.next()
        elif word == "group":
            self.group = read_group(words.next())
        elif word == "master":
            self.master = read_master(session, words.next())
        elif word == "vrf":
            self.master = read_vrf(session, words.next())
        elif word == "nomaster":
            self.master = 0
        elif word == "type":
            self.kind = words.next()
        else:
            if word == "dev":
                word = words.next()
            elif matches(word, "help"):
                raise HelpError()
            if self.device is not None:
                raise garbage("dev", word)
            self.device = word

    def _read_prefix(self, word: str) -> None:
        self.prefix = prefix(word, self.family)
        self.family = self.family or self.prefix.family

    def _read_scope(self, word: str) -> None:
        if word == "all":
            self.scope = None
            return
        self.scope = read_scope(word)
        if self.scope is None:
            raise wrong(word, 'invalid "scope"')

    def _read_flag(self, word: str) -> None:
        negative = word.startswith("-")
        name = word.removeprefix("-")
        bit = _OPPOSITES.get(name) or FLAGS["secondary" if name == "temporary" else name]
        self.flag_mask |= bit
        wanted = negative == (name in _OPPOSITES)
        self.flags = self.flags | bit if wanted else self.flags & ~bit

    # -- links
    # --------------------------------------------------------------------------------------------------------

    def request(self) -> LinkValues:
        """Return the attributes by which the kernel filters."""
        values: LinkValues = {}
        if self.master:
            values["master"] = self.master
        if self.kind is not None and not self.kind.endswith("_slave"):
            values["linkinfo"] = {"kind": self.kind}
        return values

    def takes_link(self, link: Values) -> bool:
        """Return whether a link is among those asked for, as far as the kernel can filter (an old one does
        not)."""
        if self.master is not None and link.get("master", 0) != self.master:
            return False
        if self.kind is None or self.kind.endswith("_slave"):
            return True
        return bool(link.get("linkinfo", {}).get("kind") == self.kind)

    def shows_link(self, link: Values) -> bool:
        """Return whether a link is to be shown."""
        if not self.takes_link(link):
            return False
        if self.up and not link["ifi_flags"] & IFF_UP:
            return False
        if self.kind is not None and self.kind.endswith("_slave"):
            slave_kind = link.get("linkinfo", {}).get("slave_kind")
            if slave_kind != self.kind.removesuffix("_slave"):
                return False
        return self.group is None or link.get("group", self.group) == self.group

    # -- addresses
    # ----------------------------------------------------------------------------------------------------

    def takes_address(self, values: Values, device: str) -> bool:
        """Return whether an address is among those asked for; `device` is the name of its link."""
        if self.family and values["ifa_family"] != self.family:
            return False
        if self.scope is not None and values["ifa_scope"] != self.scope:
            return False
        if (self.flags ^ flags_of(values)) & self.flag_mask:
            return False
        if self.prefix is not None and not self.prefix.covers(local_of(values)):
            return False
        return not self.label or like(values.get("label", device), self.label)


def flags_of(values: Values) -> int:
    """Return the IFA_F_ flags of an address: the attribute, which has room for all, or the member of the
    header."""
    flags: int = values["flags"] if "flags" in values else values["ifa_flags"]
    return flags


def local_of(values: Values) -> bytes:
    """Return the address itself: IPv6 has no IFA_LOCAL unless there is a peer."""
    local: bytes = values["local"] if "local" in values else values.get("address", b"")
    return local


def like(name: str, pattern: str) -> bool:
    """Return whether a name fits a shell pattern."""
    if not any(letter in pattern for letter in "*?["):
        return name == pattern
    from fnmatch import fnmatchcase

    return fnmatchcase(name, pattern)


def read_group(word: str) -> int:
    """Return a group by name or number."""
    group = GROUPS.number(word)
    if group is None:
        group = c_number(word)
    if group is None or not 0 <= group <= 0xFFFFFFFF:
        raise wrong(word, 'Invalid "group" value\n')
    return group


def read_scope(word: str) -> int | None:
    """Return a scope by name or number, None if it is none."""
    scope = SCOPES.number(word)
    if scope is None:
        scope = c_number(word)
    return scope if scope is not None and 0 <= scope <= 255 else None


def read_master(session: Session, word: str) -> int:
    """Return the index of a master."""
    link = session.find(word)
    if link is None:
        raise wrong(word, "Device does not exist\n")
    index: int = link["ifi_index"]
    return index


def read_vrf(session: Session, word: str, why: str = "Not a valid VRF name\n") -> int:
    """Return the index of a VRF."""
    link = session.find(word)
    if link is None or link.get("linkinfo", {}).get("kind") != "vrf":
        raise wrong(word, why)
    index: int = link["ifi_index"]
    return index
