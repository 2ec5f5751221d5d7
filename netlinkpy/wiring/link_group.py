"""StagingGroup: the link group that holds the links of one call until they are finished.

A group belongs to one call: its number is the port id that the call's socket is bound to, so the kernel
proves it private, and it is free again when the process dies. A link in such a group is unfinished or
about to be removed; all links of the group can be removed at the price of one wait."""

from __future__ import annotations

import errno
import os
from sys import byteorder
from time import monotonic

from ..closing import Closing
from ..rollback import Rollback
from ..transport.socket import Socket
from ..uapi.netlink import NLM_F_ACK, NLM_F_REQUEST
from ..uapi.rtnetlink import RTEXT_FILTER_SKIP_STATS, RTM_DELLINK, RTM_GETLINK, RTM_NEWLINK
from ..wire.attributes import Slot
from ..wire.errors import NetlinkError
from ..wire.rtnetlink.link import LINK
from ..wire.template import Template
from ..wire.transaction import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol, Self

    class Made(Protocol):
        """A pair that a call makes."""

        def known_host_index(self) -> int: ...


_OURS, _RANDOM = 0x40000000, 0x3FFFFFFF  # 2^30 port ids, and so groups, are ours: too many to bind all


class StagingGroup(Closing):
    """A socket in the caller's namespace, and the link group that its port id stands for.

    Note its roll_back() in a Rollback before something is put into the group."""

    __slots__ = ("_borrowed", "_made", "number", "socket")

    def __init__(self, *, timeout: float = 10.0) -> None:
        """Bind a fresh number whose group is empty. timeout: seconds for each request through its socket."""
        self._made: list[int | Made] = []
        self._borrowed: list[int] = []
        deadline = monotonic() + timeout
        self._bind(timeout)
        try:
            while not self._is_empty():
                self.close()
                if monotonic() > deadline:
                    raise _none_is_free()
                self._bind(timeout)
        except BaseException:
            self.close()
            raise

    @classmethod
    def unproved(cls, *, timeout: float = 10.0) -> Self:
        """Return a group with a fresh number, which may have members of a dead call: the caller finds out
        (probing())."""
        group = cls._unbound()
        group._bind(timeout)
        return group

    @classmethod
    def of_dead(cls, number: int, *, timeout: float = 10.0) -> Self | None:
        """Return a group with what a dead call left in its group; None if the call is alive. Its number is
        the dead call's, or a fresh one: whose number a stranger has bound is dead too."""
        group = cls._unbound()
        if group._take(number, timeout):
            return group
        from ..sockets.port_ids import is_strangers

        if not is_strangers(number, timeout=timeout):
            return None
        group = cls(timeout=timeout)
        try:
            group._adopt(number)
        except BaseException:
            group.close()
            raise
        return group

    def _adopt(self, number: int) -> None:
        """Put all members of another group into this one."""
        asked = {"ext_mask": RTEXT_FILTER_SKIP_STATS}
        links = self.socket.dump(LINK, RTM_GETLINK, asked, verb="list a group of links")
        members = [link["ifi_index"] for link in links if link.get("group") == number]
        regroup(self.socket, members, self.number)

    @classmethod
    def _unbound(cls) -> Self:
        group = cls.__new__(cls)
        group._made = []
        group._borrowed = []
        return group

    def _bind(self, timeout: float) -> None:
        deadline = 0.0
        while not self._take(_OURS | int.from_bytes(os.urandom(4), "big") & _RANDOM, timeout):
            deadline = deadline or monotonic() + timeout
            if monotonic() > deadline:
                raise _none_is_free()

    def _take(self, number: int, timeout: float) -> bool:
        """Bind a number; return False if somebody has it, who is alive then."""
        try:
            self.socket, self.number = Socket(port=number, timeout=timeout), number
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
        return True

    def _is_empty(self) -> bool:
        values = {"group": self.number, "address": NO_ADDRESS}
        verb = "make links on the host"
        (members,) = self.socket.ask([Request(verb, LINK, RTM_NEWLINK, NLM_F_ACK, values)])
        if members.error is not None and members.error.errno != errno.EINVAL:
            raise members.error
        return members.error is None

    def hold(self, made: Made) -> None:
        """Note that a pair is about to be made in this group, and perhaps taken out of it by the same
        visit."""
        self._made.append(made)

    def release(self, indices: Iterable[int]) -> list[tuple[int, int]]:
        """Take finished links out of the group; return (index, errno) for each that the kernel refused."""
        order = list(indices)
        self._made += order
        return regroup(self.socket, order, 0)

    def borrow(self, indices: Iterable[int]) -> list[tuple[int, int]]:
        """Put finished links into the group in order to remove them; return (index, errno) for each that the
        kernel refused."""
        order = list(indices)
        self._borrowed += order
        return regroup(self.socket, order, self.number)

    def delete_members(self) -> None:
        """Remove all links of the group, at the price of one wait."""
        try:
            verb, members = "delete a group of links", {"group": self.number}
            self.socket.delete(LINK, RTM_DELLINK, members, verb=verb, gone=errno.ENODEV)
        except NetlinkError as error:
            if error.errno != errno.ENODEV:  # it has no members
                raise

    def roll_back(self) -> None:
        """Take borrowed links out of the group, and remove the links that were made, also those that have
        left it already. A group that is closed is left by all: then another one serves."""
        loose = {one if isinstance(one, int) else one.known_host_index() for one in self._made} - {0}
        if self.socket.fileno() < 0:
            remove(loose)
            return
        regroup(self.socket, self._borrowed, 0)
        self._borrowed = []
        self.delete_members()
        if len(regroup(self.socket, loose, self.number)) < len(loose):
            self.delete_members()

    def close(self) -> None:
        """Close the socket, which frees the number; a second time does nothing."""
        self.socket.close()


def is_staging(group: int) -> bool:
    """Return whether a link group is a staging group, so that its members are not finished."""
    return group & ~_RANDOM == _OURS


def _none_is_free() -> OSError:
    return OSError(errno.EADDRINUSE, "no port id is free, or no link group empty: somebody has them all")


def regroup(socket: Socket, indices: Iterable[int], group: int) -> list[tuple[int, int]]:
    """Put links into a group (0: the default group); return (index, errno) for each that the kernel
    refused."""
    order = list(indices)
    if not order:
        return []
    column = b"".join([index.to_bytes(4, byteorder) for index in order])
    number = group.to_bytes(4, byteorder)
    out = _REGROUP.stamp({"host_index": column}, len(order), {"group": number}, sequence=1)
    failures = socket.exchange(out, len(order), verb="group links")
    return [(order[failure.row], failure.errno) for failure in failures]


def remove(indices: Iterable[int]) -> int:
    """Remove links of the caller's namespace by index, all at the price of one wait. Return how many were
    there."""
    order = list(indices)
    if not order:
        return 0
    with StagingGroup() as group, Rollback() as rollback, rollback:
        rollback.before(group.roll_back)
        gone = group.borrow(order)
        group.delete_members()
    return len(order) - len(gone)


def regrouping(group: Slot | int) -> Template:
    """Return the template of the message that puts the link in the slot `host_index` into a group."""
    template = Template()
    values = {"ifi_index": Slot("host_index", 4), "group": group}
    template.add(LINK, RTM_NEWLINK, NLM_F_REQUEST, values)
    return template


def probing() -> Template:
    """Return the template of the message that proves the group in the slot `group` empty; EINVAL if it has
    members.

    A hardware address of one byte is invalid for every member, and without members nothing checks it."""
    template = Template()
    values = {"group": Slot("group", 4), "address": NO_ADDRESS}
    template.add(LINK, RTM_NEWLINK, NLM_F_REQUEST, values)
    return template


NO_ADDRESS = b"\0"
_REGROUP = regrouping(Slot("group", 4))
