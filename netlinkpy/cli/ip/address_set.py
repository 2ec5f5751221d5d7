"""`ip address add`, `change`, `replace`, `delete` and `flush`: words into address messages."""

from __future__ import annotations

from _socket import AF_INET, AF_INET6
from errno import EADDRNOTAVAIL, ENODEV

from ...rtnl.values import broadcast_of, check_lifetimes, network
from ...uapi.if_addr import IFA_F_MCAUTOJOIN, INFINITY_LIFE_TIME
from ...uapi.netlink import NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE
from ...uapi.rtnetlink import RT_SCOPE_HOST, RTM_DELADDR, RTM_NEWADDR
from ...wire.rtnetlink.address import ADDRESS
from ..command_error import CommandError, HelpError, complain
from .address_show import address_fields, addresses
from .filter import FLAGS, Filter, read_scope
from .flush import flush as flush_all
from .grammar import Words, duplicate, garbage, matches, number, wrong
from .inet import Prefix, address, prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...wire.attributes import Values
    from ...wire.rtnetlink.typed_values import AddressValues
    from .session import Session

SETTABLE = ("nodad", "home", "mngtmpaddr", "noprefixroute", "autojoin", "optimistic")


def add(session: Session, words: Words) -> None:
    """`ip address add ADDRESS dev DEVICE ...`."""
    _modify(session, words, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL)


def change(session: Session, words: Words) -> None:
    """`ip address change`: the lifetimes and flags of an existing address."""
    _modify(session, words, RTM_NEWADDR, NLM_F_REPLACE)


def replace(session: Session, words: Words) -> None:
    """`ip address replace`: change it, or add it."""
    _modify(session, words, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE)


def delete(session: Session, words: Words) -> None:
    """`ip address delete ADDRESS dev DEVICE`."""
    _modify(session, words, RTM_DELADDR, 0)


def _modify(session: Session, words: Words, type: int, flags: int) -> None:
    read = _AddressWords(session.options.family, words)
    values = read.values(session, deleting=type == RTM_DELADDR)
    verb = f"{'delete' if type == RTM_DELADDR else 'add'} address"
    session.socket.request(ADDRESS, type, flags, values, verb=verb)


class _AddressWords:
    """What the words say of one address."""

    def __init__(self, family: int, words: Words) -> None:
        self.family = family
        self.device: str | None = None
        self.local: Prefix | None = None
        self.peer: Prefix | None = None
        self.broadcast: str | bytes | None = None
        self.anycast: bytes | None = None
        self.label: str | None = None
        self.scope: int | None = None
        self.metric: int | None = None
        self.flags = 0
        self.valid: int | None = None
        self.preferred: int | None = None
        while words:
            self._read(words, words.next())

    def _read(self, words: Words, word: str) -> None:
        if word in ("peer", "remote"):
            word = words.next()
            if self.peer is not None:
                raise duplicate("peer", word)
            self.peer = self._prefix(word)
        elif matches(word, "broadcast") or word == "brd":
            word = words.next()
            if self.broadcast is not None:
                raise duplicate("broadcast", word)
            self.broadcast = word if word in ("+", "-") else self._address(word)
        elif word == "anycast":
            word = words.next()
            if self.anycast is not None:
                raise duplicate("anycast", word)
            self.anycast = self._address(word)
        elif word == "scope":
            word = words.next()
            self.scope = read_scope(word)
            if self.scope is None:
                raise wrong(word, "invalid scope value.")
        elif word == "dev":
            self.device = words.next()
        elif word == "label":
            self.label = words.next()
        elif matches(word, "metric") or matches(word, "priority") or matches(word, "preference"):
            self.metric = number(words.next(), '"metric" value is invalid\n')
        elif matches(word, "valid_lft"):
            if self.valid is not None:
                raise duplicate("valid_lft", word)
            self.valid = _lifetime(words.next(), "valid_lft value")
        elif matches(word, "preferred_lft"):
            if self.preferred is not None:
                raise duplicate("preferred_lft", word)
            self.preferred = _lifetime(words.next(), "preferred_lft value")
        elif word in SETTABLE:
            self.flags |= FLAGS[word]
        elif word in FLAGS:
            complain(f"Warning: {word} option is not mutable from userspace")
        else:
            self._read_local(words, word)

    def _read_local(self, words: Words, word: str) -> None:
        if word == "local":
            word = words.next()
        elif matches(word, "help"):
            raise HelpError()
        if self.local is not None:
            raise garbage("local", word)
        self.local = self._prefix(word)

    def _prefix(self, word: str) -> Prefix:
        found = prefix(word, self.family)
        self.family = self.family or found.family
        return found

    def _address(self, word: str) -> bytes:
        found = address(word, self.family)
        self.family = self.family or (AF_INET if len(found) == 4 else AF_INET6)
        return found

    def values(self, session: Session, *, deleting: bool) -> AddressValues:
        """Return the message."""
        if self.device is None:
            raise CommandError('Not enough information: "dev" argument is required.')
        length = self.peer.length if self.peer else self.local.length if self.local else 0
        values: AddressValues = {"ifa_family": self.family, "ifa_prefixlen": length}
        local = self.local.address if self.local else b""
        if local:
            values["local"] = local
        if self.peer is not None:
            values["address"] = self.peer.address
        elif self.local is not None and local:
            if deleting and self.family == AF_INET and not self.local.stated:
                whole = f"{'.'.join(map(str, local))}/32"
                complain(
                    "Warning: Executing wildcard deletion to stay compatible with old scripts.\n"
                    f"         Explicitly specify the prefix length ({whole}) to avoid this warning."
                )
            else:
                values["address"] = local
        if self.broadcast is not None and not (deleting and isinstance(self.broadcast, str)):
            broadcast = self._broadcast(self.peer.address if self.peer else local, length)
            if broadcast is not None:
                values["broadcast"] = broadcast
        if self.anycast is not None:
            values["anycast"] = self.anycast
        if self.label is not None:
            values["label"] = self.label
        if self.metric is not None:
            values["rt_priority"] = self.metric
        values["ifa_scope"] = self._scope(local, deleting)
        values["ifa_index"] = session.index(self.device)
        if self.valid is not None or self.preferred is not None:
            values["cacheinfo"] = self._lifetimes()
        if self.flags & IFA_F_MCAUTOJOIN and not _is_multicast(local):
            raise CommandError("autojoin needs multicast address")
        if self.flags > 0xFF:
            values["flags"] = self.flags
        else:
            values["ifa_flags"] = self.flags
        return values

    def _broadcast(self, address: bytes, length: int) -> bytes | None:
        if isinstance(self.broadcast, bytes):
            return self.broadcast
        if self.family != AF_INET:
            raise CommandError("Broadcast can be set only for IPv4 addresses")
        highest = broadcast_of(address, length)
        return highest if highest is None or self.broadcast == "+" else network(address, length)

    def _scope(self, local: bytes, deleting: bool) -> int:
        if self.scope is not None:
            return self.scope
        return RT_SCOPE_HOST if not deleting and self.family == AF_INET and local[:1] == b"\x7f" else 0

    def _lifetimes(self) -> dict[str, int]:
        valid = INFINITY_LIFE_TIME if self.valid is None else self.valid
        preferred = INFINITY_LIFE_TIME if self.preferred is None else self.preferred
        try:
            return check_lifetimes(valid, preferred)
        except ValueError as error:
            raise CommandError(str(error)) from None


def _lifetime(text: str, why: str) -> int:
    return INFINITY_LIFE_TIME if text == "forever" else number(text, why)


def _is_multicast(packed: bytes) -> bool:
    return packed[:1] == b"\xff" if len(packed) == 16 else 224 <= int.from_bytes(packed[:1], "big") < 240


def flush(session: Session, words: Words) -> None:
    """`ip address flush [dev DEVICE] [scope SCOPE] [to PREFIX] [FLAGS] [label PATTERN] [up]`."""
    if not words:
        raise CommandError("Flush requires arguments.")
    wanted = Filter(session, words)
    index = 0
    if wanted.device is not None:
        link = session.find(wanted.device)
        if link is None:
            raise CommandError(f'Device "{wanted.device}" does not exist.')
        index = link["ifi_index"]

    def find() -> list[Values]:
        found = addresses(session, wanted.family, index)
        return [values for values in found if _is_meant(session, wanted, values)]

    def show(values: Values) -> str:
        name = session.name(values["ifa_index"])
        return "".join([text for _, _, text in address_fields(session, values, name, headed=True)])

    def delete_one(values: Values) -> None:
        session.socket.request(ADDRESS, RTM_DELADDR, 0, values, verb="delete address")

    flush_all(session, "addresses", find, delete_one, show, (EADDRNOTAVAIL, ENODEV))


def _is_meant(session: Session, wanted: Filter, values: Values) -> bool:
    link = session.link(values["ifa_index"])
    if link is None:
        return False
    return wanted.takes_address(values, link.get("ifname", "")) and wanted.shows_link(link)
