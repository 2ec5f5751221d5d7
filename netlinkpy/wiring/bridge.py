"""Bridge: a bridge of the caller's namespace as it is at the beginning of a call, and the call's staging
group for its new ports."""

from __future__ import annotations

import errno
import os
from struct import Struct
from sys import byteorder

from ..record import Record
from ..transport.socket import Socket
from ..transport.visit import visit
from ..uapi.if_ import IFF_RUNNING, IFF_UP, IFNAMSIZ
from ..uapi.if_bridge import BR_STATE_FORWARDING
from ..uapi.netlink import NLM_F_DUMP, NLM_F_REQUEST
from ..uapi.rtnetlink import RTEXT_FILTER_SKIP_STATS, RTM_GETADDR, RTM_GETLINK, RTM_NEWLINK
from ..uapi.socket import AF_BRIDGE
from ..wire.attributes import Slot
from ..wire.columns import Field, Plan, Table, number, pick
from ..wire.errors import DumpInterruptedError, NetlinkError
from ..wire.extack import decode
from ..wire.program import Program, ProgramStep, digest
from ..wire.rtnetlink.address import ADDRESS
from ..wire.rtnetlink.link import LINK
from ..wire.template import Template
from ..wire.transaction import Request
from .link_group import StagingGroup, probing
from .prepared import PREPARED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..wire.program import Outcome

_LOOK_ONE_BY_ONE = 8  # up to this many ports are looked at one by one rather than in a dump of all
_FD = Struct("=i")
_NO_NAMESPACE = _FD.pack(-1)


class KnownBridge(Record):
    """A bridge as it was in the last call: netns: (device, inode) of its namespace; index, mac; digest: of
    the messages that listed its addresses, and when each was made; pinned: whether we pinned the MAC."""

    netns: tuple[int, int]
    index: int
    mac: bytes
    digest: int
    addresses: tuple[tuple[bytes, int], ...]
    pinned: bool = False


class Bridge:
    """A bridge as it is at the beginning of a call.

    index, mac, up; addresses: (address, prefix length) of each, of both families; has_altnames: whether it
    has alternative names; group: the call's staging group; settled: whether its MAC is pinned (it is the
    bridge whose MAC we pinned) and it has a carrier; slots: its values in templates."""

    __slots__ = (
        "_known",
        "addresses",
        "group",
        "has_altnames",
        "index",
        "mac",
        "name",
        "settled",
        "slots",
        "up",
    )

    def __init__(self, name: str, timeout: float, netns: tuple[int, int]) -> None:
        """timeout: seconds for each request; netns: (device, inode) of the caller's namespace. Raise
        NetlinkError if there is no such link (ENODEV) or it is no bridge (EINVAL)."""
        if len(os.fsencode(name)) >= IFNAMSIZ:
            name = self._name_of(name, timeout)
        self.name = name
        known = PREPARED.bridges.get(name)
        self.group, (self.index, flags, mac, kind, names_length, told) = self._look(timeout)
        try:
            if kind != _BRIDGE:
                self._refuse_kind(self.group)
            self.mac = mac.to_bytes(8, byteorder)[:6]
            self.up = bool(flags & IFF_UP)
            says = netns, self.index, self.mac, told
            if known is None or says != (known.netns, known.index, known.mac, known.digest):
                known = KnownBridge(netns, self.index, self.mac, *self._read_addresses())
                PREPARED.keep_bridge(name, known)
        except BaseException:
            self.group.close()
            raise
        self._known = known
        self.addresses = known.addresses
        self.has_altnames = bool(names_length)
        self.settled: bool = known.pinned and bool(flags & IFF_RUNNING)
        self.slots = {
            "bridge": self.index.to_bytes(4, byteorder),
            "bridge_mac": self.mac,
            "group": self.group.number.to_bytes(4, byteorder),
        }

    def _name_of(self, altname: str, timeout: float) -> str:
        """Return the name of the link that has an alternative name which is too long for a name."""
        verb = f"find bridge {altname}"
        with Socket(timeout=timeout) as sock:
            asked = {"alt_ifname": altname, "ext_mask": RTEXT_FILTER_SKIP_STATS}
            return str(sock.get(LINK, RTM_GETLINK, asked, verb=verb)["ifname"])

    def _look(self, timeout: float) -> tuple[StagingGroup, tuple[int, ...]]:
        """Return a staging group that has no members and what the kernel reports of the bridge, both in one
        visit."""
        program = PREPARED.look or _look_program()
        name = self.name.encode("utf-8", "surrogateescape").ljust(IFNAMSIZ, b"\0")
        while True:
            group = StagingGroup.unproved(timeout=timeout)
            try:
                results = program.room(1)
                slots = {"name": name, "group": group.number.to_bytes(4, byteorder)}
                sockets = bytearray(_FD.pack(group.socket.fileno()))
                datagrams = program.stamp(slots, 1)
                visit(program, datagrams, _NO_NAMESPACE, timeout, sockets=sockets, results=results)
                outcome = program.outcome(results, 0)
                if not outcome.errno:
                    return group, outcome.values
                if outcome.step or outcome.errno != errno.EINVAL:  # not a group with members
                    self._refuse(outcome, group)
            except BaseException:
                group.close()
                raise
            group.close()

    def _refuse(self, outcome: Outcome, group: StagingGroup) -> None:
        """Raise the NetlinkError that says why the bridge cannot be looked at."""
        verbs = (
            "make links on the host",
            f"find bridge {self.name}",
            f"list the addresses of bridge {self.name}",
        )
        raise NetlinkError(outcome.errno, verbs[max(outcome.step, 0)], text=decode(outcome.tlvs).sentence)

    def _refuse_kind(self, group: StagingGroup) -> None:
        """Raise the NetlinkError that says what the link is instead of a bridge."""
        verb = f"find bridge {self.name}"
        asked = {"ifname": self.name, "ext_mask": RTEXT_FILTER_SKIP_STATS}
        body = group.socket.get_body(LINK, RTM_GETLINK, asked, verb=verb)
        (told,) = pick(Plan(LINK, RTM_NEWLINK, {"kind": Field("linkinfo.kind", 16)}), body)
        kind = (told or b"").rstrip(b"\0").decode()
        what = f"a {kind}" if kind else "hardware or lo"
        raise NetlinkError(errno.EINVAL, verb, text=f"{self.name} is {what}, not a bridge")

    def _read_addresses(self) -> tuple[int, tuple[tuple[bytes, int], ...]]:
        """Return the digest of the messages that list its addresses, and the addresses."""
        verb = f"list the addresses of bridge {self.name}"
        replies = self.group.socket.dump_bodies(ADDRESS, RTM_GETADDR, {"ifa_index": self.index}, verb=verb)
        told = [ADDRESS.parse(one.body) for one in replies]
        addresses = tuple([(one.get("local") or one["address"], one["ifa_prefixlen"]) for one in told])
        return digest([one.body for one in replies]), addresses

    def altnames(self) -> tuple[str, ...]:
        """Return its alternative names."""
        verb = f"find bridge {self.name}"
        link = self.group.socket.get(LINK, RTM_GETLINK, _by_index(self.index), verb=verb)
        return tuple(link.get("prop_list", {}).get("alt_ifname", ()))

    def note_pinned(self) -> None:
        """Remember that its MAC was pinned. A bridge without addresses cannot be distinguished from one made
        in its place: the kernel says only of addresses when they were made."""
        if self.addresses and not self._known.pinned:
            self._known = self._known.replace(pinned=True)
            PREPARED.keep_bridge(self.name, self._known)

    def count_ports(self) -> int:
        """Return how many ports it has now; approximately if ports come and go all the time (the kernel has
        the last word)."""
        asked = {"master": self.index, "ext_mask": RTEXT_FILTER_SKIP_STATS}
        verb = f"list the ports of {self.name}"
        try:
            return len(self.group.socket.dump_bodies(LINK, RTM_GETLINK, asked, verb=verb))
        except DumpInterruptedError as error:
            return len(error.partial)

    def port_states(self, indices: list[int]) -> dict[int, int]:
        """Return the states of ports (BR_STATE_) by link index, without those that are no longer ports.

        A unicast look at a port completes a pending change of its carrier inside the call, which a dump does
        not: so each port that does not forward yet in the dump is looked at."""
        states: dict[int, int] = {}
        if len(indices) > _LOOK_ONE_BY_ONE:
            states = self._dump_port_states()
        late = [index for index in indices if states.get(index) != BR_STATE_FORWARDING]
        for start in range(0, len(late), _LOOK_ONE_BY_ONE):
            states.update(self._look_at_ports(late[start : start + _LOOK_ONE_BY_ONE]))
        return {index: states[index] for index in indices if states[index] >= 0}

    def _look_at_ports(self, indices: list[int]) -> dict[int, int]:
        """Return the states of a few ports, -1 for a link that is no port."""
        verb = f"look at the ports of {self.name}"
        plan = Plan(LINK, RTM_NEWLINK, {"state": number(LINK, "linkinfo.slave_data[bridge].state")})
        states = {}
        asked = [Request(verb, LINK, RTM_GETLINK, 0, _by_index(index)) for index in indices]
        for index, answer in zip(indices, self.group.socket.ask(asked), strict=True):
            if answer.error is not None and answer.error.errno == errno.ENODEV:
                states[index] = -1
            else:
                (state,) = pick(plan, answer.get()[0].body)
                states[index] = -1 if state is None else int(state)
        return states

    def _dump_port_states(self) -> dict[int, int]:
        """Return the states of all ports by one dump: of AF_BRIDGE, which has them in another attribute."""
        fields = {"index": number(LINK, "ifi_index"), "state": number(LINK, f"protinfo[{AF_BRIDGE}].state")}
        table = Table(Plan(LINK, RTM_NEWLINK, fields))
        asked = {"ifi_family": AF_BRIDGE}
        self.group.socket.gather(LINK, RTM_GETLINK, asked, table, verb=f"look at the ports of {self.name}")
        return dict(zip(table.values("index"), table.values("state"), strict=True))

    def is_gone(self) -> bool:
        """Return whether the bridge has been removed since the call began."""
        try:
            verb = f"look at bridge {self.name}"
            self.group.socket.get_body(LINK, RTM_GETLINK, _by_index(self.index), verb=verb)
        except NetlinkError as error:
            if error.errno != errno.ENODEV:
                raise
            return True
        return False


_BRIDGE = int.from_bytes(b"bridge\0\0", byteorder)  # IFLA_INFO_KIND as a program keeps it


def _look_program() -> Program:
    """Return the program that proves the group in the slot `group` empty and reads the bridge in the slot
    `name`."""
    if PREPARED.look is None:
        facts = {
            "bridge": number(LINK, "ifi_index"),
            "flags": number(LINK, "ifi_flags"),
            "mac": Field("address", 8),  # six bytes, and two zeros
            "kind": Field("linkinfo.kind", 8),
            "names": Field("prop_list", 2, length=True),
        }
        find, addresses = Template(), Template()
        named = {"ifname": Slot("name", IFNAMSIZ), "ext_mask": RTEXT_FILTER_SKIP_STATS}
        find.add(LINK, RTM_GETLINK, NLM_F_REQUEST, named)
        of_bridge = {"ifa_index": Slot("bridge", 4)}
        addresses.add(ADDRESS, RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, of_bridge)
        plan = Plan(LINK, RTM_NEWLINK, facts)
        PREPARED.look = Program(
            [
                ProgramStep("probe", probing()),
                # Hardware has no kind, and most links have no alternative names.
                ProgramStep("find", find, ack=False, plan=plan, tolerated=errno.ENODATA),
                ProgramStep("addresses", addresses, ack=False, digest="addresses"),
            ]
        )
    return PREPARED.look


def _by_index(index: int) -> dict[str, Any]:
    return {"ifi_index": index, "ext_mask": RTEXT_FILTER_SKIP_STATS}
