"""Nftables: the nf_tables of one network namespace: what is there, and transactions that change it whole or
not at all."""

from __future__ import annotations

import errno
import os
from time import monotonic, sleep

from ..closing import Closing
from ..netns.sockets import open_socket
from ..uapi.netfilter import NFPROTO_UNSPEC
from ..uapi.netlink import NETLINK_NETFILTER, NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE
from ..uapi.nf_tables import (
    NFT_MSG_DELRULE,
    NFT_MSG_DELSETELEM,
    NFT_MSG_DELTABLE,
    NFT_MSG_GETCHAIN,
    NFT_MSG_GETGEN,
    NFT_MSG_GETRULE,
    NFT_MSG_GETSET,
    NFT_MSG_GETSETELEM,
    NFT_MSG_GETTABLE,
    NFT_MSG_NEWCHAIN,
    NFT_MSG_NEWRULE,
    NFT_MSG_NEWSET,
    NFT_MSG_NEWSETELEM,
    NFT_MSG_NEWTABLE,
)
from ..uapi.nfnetlink import NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END, NFNL_SUBSYS_NFTABLES
from ..wire.errors import DumpInterruptedError, NetlinkError
from ..wire.netfilter.elements import LONGEST_LIST, SET_ELEMENTS, Element
from ..wire.netfilter.nfnetlink import BATCH, message_type
from ..wire.netfilter.tables import CHAIN, GENERATION, RULE, SET, TABLE
from ..wire.transaction import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from typing import TypeVar

    from ..netns.handle import Target
    from ..wire.attributes import Values
    from ..wire.message import Message

    T = TypeVar("T")
    Change = Request  # a message of a transaction

_PAUSE = 0.002  # seconds, at most, before a transaction that another one overtook is tried again

_MEANINGS = {  # what an errno without text means here
    errno.ENOENT: "there is no such table, chain, set or element",
    errno.EEXIST: "it exists already, in another form",
    errno.EBUSY: "it is in use, or there with another value",
    errno.ERESTART: "other transactions came in between each time it was tried",
    errno.EOPNOTSUPP: "this kernel does not support it (nf_tables, or a part of it)",
    errno.EMSGSIZE: "the transaction is larger than this process may send at once",
}


class Nftables(Closing):
    """The tables of one network namespace.

    netns: None is the caller's; else as for RTNetlink. timeout: seconds for each verb. Families are NFPROTO_
    numbers (linux/netfilter.h). Every verb raises NetlinkError if the kernel refuses. Close it, or use
    `with`."""

    def __init__(self, netns: Target | None = None, *, timeout: float = 10.0) -> None:
        self.socket = open_socket(NETLINK_NETFILTER, netns, timeout)

    def close(self) -> None:
        """Close the socket; a second time does nothing."""
        self.socket.close()

    # -- what is there ---------------------------------------------------------------------------------

    def generation(self) -> int:
        """Return the number of the tables' present generation: every transaction of anybody in this namespace
        increments it."""
        verb = "ask for the generation of the tables"
        (found,) = self.socket.request(GENERATION, _type(NFT_MSG_GETGEN), 0, {}, verb=verb)
        return int(found["id"])

    def tables(self, family: int = NFPROTO_UNSPEC) -> list[Values]:
        """Return all tables, or those of a family."""
        return self._dump(TABLE, NFT_MSG_GETTABLE, {"nfgen_family": family}, "list tables")

    def chains(self, family: int = NFPROTO_UNSPEC) -> list[Values]:
        """Return all chains, or those of a family; base chains with `hook`."""
        return self._dump(CHAIN, NFT_MSG_GETCHAIN, {"nfgen_family": family}, "list chains")

    def holds(
        self, family: int, table: str, uses: Mapping[str, int], elements: Mapping[str, Iterable[Element]] = {}
    ) -> bool:
        """Return whether a table has chains that are used just so often (their rules, and the rules that lead
        to them), and sets with these elements, or intervals that begin with them. All is asked at once."""
        verb = f"look at table {table}"
        head = {"nfgen_family": family, "table": table}
        wanted: list[int | Element] = []
        asked = []
        for name, count in uses.items():
            wanted.append(count)
            asked.append(Request(verb, CHAIN, _type(NFT_MSG_GETCHAIN), 0, {**head, "name": name}))
        for name, some in elements.items():
            for element in some:
                wanted.append(element)
                values = {**head, "set": name, "elements": [element.replace(userdata=b"")]}
                asked.append(Request(verb, SET_ELEMENTS, _type(NFT_MSG_GETSETELEM), 0, values))
        for one, answer in zip(wanted, self.socket.ask(asked), strict=True):
            if answer.error is not None:
                if answer.error.errno == errno.ENOENT:
                    return False
                raise explained(answer.error)
            (there,) = answer.parsed()
            if one not in ((there.get("use"),) if isinstance(one, int) else there.get("elements", ())):
                return False
        return True

    def rules(self, family: int, table: str, chain: str | None = None) -> list[Values]:
        """Return the rules of a table, chain by chain, or of one chain, in order; none if it is not there."""
        values = {"nfgen_family": family, "table": table, "chain": chain}
        where = f"table {table}" if chain is None else f"chain {chain} in table {table}"
        return self._dump(RULE, NFT_MSG_GETRULE, values, f"list the rules of {where}")

    def set(self, family: int, table: str, set: str) -> Values:
        """Return what a set or map is. Raise NetlinkError (ENOENT) if there is no such set."""
        values = {"nfgen_family": family, "table": table, "name": set}
        verb = f"look at set {set} in table {table}"
        (found,) = self.socket.request(SET, _type(NFT_MSG_GETSET), 0, values, verb=verb)
        return found

    def elements(self, family: int, table: str, set: str, holding: Collection[bytes] = ()) -> list[Element]:
        """Return the elements of a set or map, in no order. holding: only those that come in one message with
        one of some byte strings: parsing is what costs. Raise NetlinkError (ENOENT) if there is no such
        set."""
        values = {"nfgen_family": family, "table": table, "set": set}
        verb = f"list the elements of {set} in table {table}"
        found: list[Element] = []
        for body in self._bodies(SET_ELEMENTS, NFT_MSG_GETSETELEM, values, verb):
            if not holding or any(part in body for part in holding):
                found += SET_ELEMENTS.parse(body).get("elements", [])
        return found

    def _dump(self, message: Message, type: int, values: Values, verb: str) -> list[Values]:
        return [message.parse(body) for body in self._bodies(message, type, values, verb)]

    def _bodies(self, message: Message, type: int, values: Values, verb: str) -> list[bytes]:
        """Return the bodies of a dump, begun again until no transaction came in between, or time is up."""
        for _ in _tries(self.socket.timeout):
            try:
                return [
                    reply.body for reply in self.socket.dump_bodies(message, _type(type), values, verb=verb)
                ]
            except DumpInterruptedError as error:
                interrupted = error
            except NetlinkError as error:
                raise explained(error) from None
        raise interrupted

    # -- transactions ----------------------------------------------------------------------------------

    def commit(self, changes: Iterable[Change], *, generation: int | None = None, verb: str) -> None:
        """Do all changes at once, or none: one transaction.

        generation: refuse (ERESTART) if the tables are of another by now. verb: what this does, for
        errors."""
        batch = {"res_id": NFNL_SUBSYS_NFTABLES}
        todo = list(changes)
        if not todo:
            return
        # Asked of the last change, since before Linux 6.10 the end of a batch is not acked.
        todo[-1] = todo[-1].replace(flags=todo[-1].flags | NLM_F_ACK)
        begin = Request("", BATCH, NFNL_MSG_BATCH_BEGIN, 0, {**batch, "genid": generation})
        end = Request("", BATCH, NFNL_MSG_BATCH_END, 0, batch)
        try:
            self.socket.batch([begin, *todo, end], verb=verb)
        except NetlinkError as error:
            raise explained(error) from None

    def update(self, plan: Callable[[], Iterable[Change]], *, verb: str) -> None:
        """Do one transaction that depends on what is there: plan() reads and returns the changes. It is asked
        again, until time is up, if another transaction came between its reading and the commit."""
        for _ in _tries(self.socket.timeout):
            generation = self.generation()
            changes = list(plan())
            if not changes and generation == self.generation():
                return
            try:
                if changes:
                    self.commit(changes, generation=generation, verb=verb)
                    return
            except NetlinkError as error:
                if error.errno != errno.ERESTART:
                    raise
        raise explained(NetlinkError(errno.ERESTART, verb, where=self.socket.where))

    def consistent(self, read: Callable[[], T], *, verb: str) -> T:
        """Return what read() returns, all of it of one generation."""
        for _ in _tries(self.socket.timeout):
            generation = self.generation()
            found = read()
            if generation == self.generation():
                return found
        raise DumpInterruptedError(errno.EINTR, verb, where=self.socket.where)


def explained(error: NetlinkError) -> NetlinkError:
    """Return the error, with netfilter's sentence if the kernel gave none."""
    hint = _MEANINGS.get(error.errno or 0)
    if hint is None or error.text:
        return error
    return type(error)(error.errno or 0, error.verb, where=error.where, path=error.path, hint=hint)


def _type(message: int) -> int:
    return message_type(NFNL_SUBSYS_NFTABLES, message)


def _tries(seconds: float) -> Iterator[int]:
    """Count tries until time is up, with pauses of random length so that rivals part."""
    deadline = monotonic() + seconds
    count = 0
    while not count or monotonic() < deadline:
        if count:
            sleep(_PAUSE * os.urandom(1)[0] / 255)
        yield count
        count += 1


# -- changes, in the forms nft gives them ------------------------------------------------------------------


def new_table(family: int, table: str) -> Change:
    """Make a table; nothing if it is there."""
    return Request("", TABLE, _type(NFT_MSG_NEWTABLE), 0, {"nfgen_family": family, "name": table, "flags": 0})


def delete_table(family: int, table: str) -> Change:
    """Delete a table and all in it."""
    return Request("", TABLE, _type(NFT_MSG_DELTABLE), 0, {"nfgen_family": family, "name": table})


def new_chain(family: int, table: str, chain: str, base: tuple[str, int, int] | None = None) -> Change:
    """Make a chain; nothing if it is there just so. base: (type, hook, priority) of a base
    chain, whose policy is to accept."""
    values: Values = {"nfgen_family": family, "table": table, "name": chain}
    if base is not None:
        kind, hook, priority = base
        values |= {"type": kind, "policy": 1, "hook": {"hooknum": hook, "priority": priority}}
    return Request("", CHAIN, _type(NFT_MSG_NEWCHAIN), NLM_F_CREATE, values)


def flush_chain(family: int, table: str, chain: str) -> Change:
    """Delete the rules of a chain."""
    return Request(
        "", RULE, _type(NFT_MSG_DELRULE), 0, {"nfgen_family": family, "table": table, "chain": chain}
    )


def add_rule(family: int, table: str, chain: str, expressions: Iterable[Values]) -> Change:
    """Add a rule at the end of a chain."""
    values = {
        "nfgen_family": family,
        "table": table,
        "chain": chain,
        "expressions": {"elem": list(expressions)},
    }
    return Request("", RULE, _type(NFT_MSG_NEWRULE), NLM_F_CREATE | NLM_F_APPEND, values)


def new_set(
    family: int, table: str, set: str, number: int, userdata: bytes | None = None, **what: int
) -> Change:
    """Make a set or map; nothing if it is there just so. number: of the set within the
    transaction; userdata: what nft wants to know of it; what: further attributes of SET."""
    values = {"nfgen_family": family, "table": table, "name": set, **what, "id": number, "userdata": userdata}
    return Request("", SET, _type(NFT_MSG_NEWSET), NLM_F_CREATE, values)


def add_elements(family: int, table: str, set: str, elements: Iterable[Element]) -> Iterator[Change]:
    """Add elements; nothing for those that are there with the same data (EBUSY: with other data)."""
    return _element_changes(NFT_MSG_NEWSETELEM, NLM_F_CREATE, family, table, set, elements)


def delete_elements(family: int, table: str, set: str, elements: Iterable[Element]) -> Iterator[Change]:
    """Delete elements by their keys, whatever their data (ENOENT if one is not there)."""
    keys = (
        Element.from_row((element.key, b"", element.flags, b"", element.end, None)) for element in elements
    )
    return _element_changes(NFT_MSG_DELSETELEM, 0, family, table, set, keys)


def _element_changes(
    type: int, flags: int, family: int, table: str, set: str, elements: Iterable[Element]
) -> Iterator[Change]:
    """Yield as few messages as hold them: one holds 64 KiB."""
    part: list[Element] = []
    room = LONGEST_LIST
    head = {"nfgen_family": family, "table": table, "set": set}
    for element in elements:
        room -= element.size
        if room < 0:
            yield Request("", SET_ELEMENTS, _type(type), flags, {**head, "elements": part})
            part, room = [], LONGEST_LIST - element.size
        part.append(element)
    if part:
        yield Request("", SET_ELEMENTS, _type(type), flags, {**head, "elements": part})
