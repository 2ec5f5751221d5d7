"""The host's side of a bulk attach: one bridge, and the private group in which its new ports are born.

A group belongs to one call: its number is the port id that the call's socket is bound to, so the kernel
proves it private, and it is free again when the process dies. A link in such a group is one whose making is
not finished."""

from __future__ import annotations

import errno
import os
from sys import byteorder

from ..transport.socket import Socket
from ..uapi.if_ import IFF_RUNNING, IFF_UP
from ..uapi.if_bridge import BR_STATE_FORWARDING
from ..uapi.if_link import IFLA_ALT_IFNAME, IN6_ADDR_GEN_MODE_NONE
from ..uapi.netlink import NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST
from ..uapi.rtnetlink import RTEXT_FILTER_SKIP_STATS, RTM_DELLINK, RTM_GETADDR, RTM_GETLINK, RTM_NEWLINK
from ..uapi.socket import AF_BRIDGE
from ..wire.attributes import Slot
from ..wire.columns import Field, Plan, Table, number, pick
from ..wire.errors import DumpInterruptedError, NetlinkError
from ..wire.extack import decode
from ..wire.rtnetlink.address import ADDRESS
from ..wire.rtnetlink.link import LINK
from ..wire.template import Template
from ..wire.transaction import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from ..wire.transaction import Answer

_MARK = 0x4E4C0000  # "NL": the high half of the port ids, and so of the groups, that are ours
# What bridges were the last time: their indices, and the MACs that were pinned. It saves asking twice and
# pinning again; nothing of it is taken for true unless the kernel says the same now.
_known: dict[str, tuple[int, bytes]] = {}
_KNOWN = 64  # bridges at most

_LOOK_ONE_BY_ONE = 8  # up to so many ports are looked at one by one rather than in a dump of all

_IFA_FAMILY = 0  # its place in ifaddrmsg (linux/if_addr.h)

# How an alternative name `net:NAME` (networks/network.py) lies in a message: its type, then the text.
_NETWORK = IFLA_ALT_IFNAME.to_bytes(2, byteorder) + b"net:"

PORT_STATES = ("disabled", "listening", "learning", "forwarding", "blocking")  # linux/if_bridge.h


class PrivateGroup:
    """A socket in the caller's namespace, and the link group of its own that its port id stands for.

    answers: to the requests that went along with the making."""

    __slots__ = ("answers", "number", "socket")

    def __init__(
        self, number: int | None = None, *, timeout: float = 10.0, asked: Sequence[Request] = ()
    ) -> None:
        """A fresh empty group; or the one of that number, which a dead call left (OSError EADDRINUSE: its
        maker lives). timeout: seconds for each request through its socket; asked: other requests
        (Socket.ask()) that go along with the question whether a fresh group is empty."""
        self.answers: list[Answer] = []
        if number is not None:
            self.socket, self.number = Socket(port=number, timeout=timeout), number
            return
        while True:
            self.number = _MARK | int.from_bytes(os.urandom(2), "big")
            try:
                self.socket = Socket(port=self.number, timeout=timeout)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                continue
            empty = False
            try:
                empty = self._is_empty(asked)
            finally:
                if not empty:
                    self.socket.close()
            if empty:
                return

    def _is_empty(self, asked: Sequence[Request]) -> bool:
        """An address of one byte is invalid for every member (EINVAL), and nobody's business without
        members."""
        values = {"group": self.number, "address": b"\0"}
        probe = Request("make links on the host", LINK, RTM_NEWLINK, NLM_F_ACK, values)
        members, *self.answers = self.socket.ask([probe, *asked])
        if members.error is not None and members.error.errno != errno.EINVAL:
            raise members.error
        return members.error is None

    def take(self, indices: Iterable[int]) -> list[tuple[int, int]]:
        """Put links into this group; gives (index, errno) for each that the kernel refused."""
        return regroup(self.socket, indices, self.number)

    def delete_members(self) -> None:
        """Remove all links of the group, at the price of one wait."""
        try:
            self.socket.request(LINK, RTM_DELLINK, 0, {"group": self.number}, verb="delete a group of links")
        except NetlinkError as error:
            if error.errno != errno.ENODEV:  # it has no members
                raise

    def close(self) -> None:
        """Give the number back."""
        self.socket.close()


def is_private(group: int) -> bool:
    """Whether a link group is one of ours: its members are not finished."""
    return group & 0xFFFF0000 == _MARK


def regroup(socket: Socket, indices: Iterable[int], group: int) -> list[tuple[int, int]]:
    """Put links into a group (0: finished, in no one's); gives (index, errno) for each that the kernel
    refused."""
    order = list(indices)
    if not order:
        return []
    column = b"".join([index.to_bytes(4, byteorder) for index in order])
    out = _REGROUP.stamp(
        {"host_index": column}, len(order), {"group": group.to_bytes(4, byteorder)}, sequence=1
    )
    return [(order[row], number) for row, number, _ in socket.exchange(out, len(order), verb="group links")]


def remove(indices: list[int]) -> int:
    """Remove links of the caller's namespace by index, all at the price of one wait; gives how many were
    there."""
    if not indices:
        return 0
    group = PrivateGroup()
    try:
        gone = group.take(indices)
        group.delete_members()
    finally:
        group.close()
    return len(indices) - len(gone)


class Bridge:
    """One bridge of the caller's namespace, as it is at the beginning of a call, and the call's group for its
    new ports.

    index; up: whether it is; settled: its MAC is pinned (a bridge of that index had the same, and we pinned
    it), and it has a carrier; is_network: whether it is one that networks/ made."""

    __slots__ = (
        "_addresses",
        "_mac",
        "_runs",
        "_told",
        "group",
        "index",
        "is_network",
        "name",
        "settled",
        "up",
    )

    def __init__(self, name: str, timeout: float) -> None:
        """timeout: seconds for each request. NetlinkError (ENODEV) where there is no such link, (EINVAL)
        where it is no bridge."""
        self.name = name
        self._addresses: dict[int, list[tuple[bytes, int]]] = {}
        asked = [Request(f"find bridge {name}", LINK, RTM_GETLINK, 0, _by(ifname=name))]
        index, pinned = _known.get(name, (0, b""))
        if index:
            asked.append(self._addresses_of(index))
        self.group = PrivateGroup(timeout=timeout, asked=asked)
        try:
            found, *addresses = self.group.answers
            self._read(found.get()[0].body)
            if index == self.index and not addresses[0].interrupted:
                self._told = addresses[0].get()
            else:
                asked_again = self._addresses_of(self.index)
                self._told = self.group.socket.dump_bodies(
                    asked_again.message, asked_again.type, asked_again.values, verb=asked_again.verb
                )
        except BaseException:
            self.group.close()
            raise
        self.settled = self._runs and self._mac == pinned and self.index == index

    def is_pinned(self) -> None:
        """Keep in mind that its MAC was pinned."""
        if len(_known) >= _KNOWN:
            _known.clear()
        _known[self.name] = self.index, self._mac

    def addresses(self, family: int) -> list[tuple[bytes, int]]:
        """Its addresses of a family: bytes and prefix length."""
        if family not in self._addresses:
            told = [ADDRESS.parse(one.body) for one in self._told if one.body[_IFA_FAMILY] == family]
            self._addresses[family] = [
                (one.get("local") or one["address"], one["ifa_prefixlen"]) for one in told
            ]
        return self._addresses[family]

    def _addresses_of(self, index: int) -> Request:
        verb = f"list the addresses of bridge {self.name}"
        return Request(verb, ADDRESS, RTM_GETADDR, NLM_F_DUMP, {"ifa_index": index})

    def _read(self, body: bytes) -> None:
        self.index, flags, self._mac, kind = pick(_facts(), body)
        kind = (kind or b"").rstrip(b"\0").decode()
        if kind != "bridge":
            text = f"{self.name} is {_a(kind)}, not a bridge"
            raise NetlinkError(errno.EINVAL, f"find bridge {self.name}", text=text)
        self.up = bool(flags & IFF_UP)
        self._runs = bool(flags & IFF_RUNNING)
        self.is_network = _NETWORK in body

    @property
    def slots(self) -> dict[str, bytes]:
        """What goes into the slots of messages for its new ports."""
        return {
            "bridge": self.index.to_bytes(4, byteorder),
            "bridge_mac": self._mac,
            "group": self.group.number.to_bytes(4, byteorder),
        }

    def count_ports(self) -> int:
        """How many ports it has now; about so many where others come and go all the time (in the end the
        kernel counts)."""
        asked = {"master": self.index, "ext_mask": RTEXT_FILTER_SKIP_STATS}
        verb = f"list the ports of {self.name}"
        try:
            return len(self.group.socket.dump_bodies(LINK, RTM_GETLINK, asked, verb=verb))
        except DumpInterruptedError as error:
            return len(error.partial)

    def enslave_group(self) -> None:
        """Make all links of the group ports of the bridge, and up: three messages, whatever their number.

        The bridge's MAC is pinned first. Else it is its lowest port's, so that taking that port away would
        cut off all others until their ARP caches forget; and the kernel looks at every port for the lowest
        each time one comes."""
        verb = f"make ports of bridge {self.name}"
        messages = _ENSLAVE.stamp(self.slots, 1)
        for _, error, tlvs in self.group.socket.exchange(messages, len(_ENSLAVE.messages), verb=verb):
            # EAFNOSUPPORT is a port without IPv6: its MTU is below 1280, or the kernel has none.
            if error != errno.EAFNOSUPPORT:
                raise NetlinkError(error, verb, text=decode(tlvs).sentence)
        self.is_pinned()

    def enslave(self, index: int) -> NetlinkError | None:
        """Make one link a port, and up; gives the error where the kernel refuses."""
        port = {"ifi_index": index, "ifi_flags": IFF_UP, "ifi_change": IFF_UP, "master": self.index}
        try:
            self.group.socket.request(LINK, RTM_NEWLINK, 0, port, verb=f"make a port of bridge {self.name}")
        except NetlinkError as error:
            return error
        return None

    def port_states(self, indices: list[int]) -> dict[int, str]:
        """The state of ports, by link index ("forwarding" ...; those that are ports no more are left out). A
        look at a port by its index completes a pending change of its carrier inside the call, which a dump
        does not: so each that does not forward yet in the dump is looked at. So is the bridge: its first live
        port gives it a carrier, before which it sends nothing."""
        states: dict[int, int] = {}
        if len(indices) > _LOOK_ONE_BY_ONE:
            states = self._dump_port_states()
        late = [index for index in indices if states.get(index) != BR_STATE_FORWARDING]
        for start in range(0, len(late), _LOOK_ONE_BY_ONE):
            states.update(self._look_at_ports(late[start : start + _LOOK_ONE_BY_ONE]))
        if indices and not late:
            self._look_at_ports([])
        return {index: PORT_STATES[states[index]] for index in indices if states[index] >= 0}

    def _look_at_ports(self, indices: list[int]) -> dict[int, int]:
        """The states of a few ports, -1 for one that is none; the bridge is looked at too."""
        verb = f"look at the ports of {self.name}"
        asked = [
            Request(verb, LINK, RTM_GETLINK, 0, _by(ifi_index=index)) for index in (*indices, self.index)
        ]
        states = {}
        for index, answer in zip(indices, self.group.socket.ask(asked), strict=False):
            if answer.error is not None and answer.error.errno == errno.ENODEV:
                states[index] = -1
            else:
                (state,) = pick(port_facts(), answer.get()[0].body)
                states[index] = -1 if state is None else int(state)
        return states

    def is_gone(self) -> bool:
        """Whether it was removed meanwhile."""
        try:
            self.group.socket.get_body(
                LINK, RTM_GETLINK, _by(ifi_index=self.index), verb=f"look at bridge {self.name}"
            )
        except NetlinkError as error:
            if error.errno != errno.ENODEV:
                raise
            return True
        return False

    def _dump_port_states(self) -> dict[int, int]:
        table = Table(_dump_facts())
        asked = {"ifi_family": AF_BRIDGE}
        self.group.socket.gather(LINK, RTM_GETLINK, asked, table, verb=f"look at the ports of {self.name}")
        return dict(zip(table.values("index"), table.values("state"), strict=True))

    def close(self) -> None:
        """Give the group's number back."""
        self.group.close()


def enslaving(port: dict[str, Slot], *, pin: bool = True, ipv6: bool = True) -> Template:
    """Pin the bridge's MAC; no IPv6 addresses on the ports; make them ports, and up. port: names one port
    (ifi_index), or the group of many. (Of one message the kernel takes up and master first, and then the
    mode: so that goes before, by itself. Where a port has no IPv6 the kernel refuses it.)"""
    template = Template()
    if pin:
        values = {"ifi_index": Slot("bridge", 4), "address": Slot("bridge_mac", 6)}
        template.add(LINK, RTM_NEWLINK, NLM_F_REQUEST, values)
    if ipv6:
        mode = {**port, "af_spec": {"inet6": {"addr_gen_mode": IN6_ADDR_GEN_MODE_NONE}}}
        template.add(LINK, RTM_NEWLINK, NLM_F_REQUEST, mode)
    up = {"ifi_flags": IFF_UP, "ifi_change": IFF_UP, **port, "master": Slot("bridge", 4)}
    template.add(LINK, RTM_NEWLINK, NLM_F_REQUEST, up)
    return template


def regrouping(group: Slot | int) -> Template:
    """Put the link in the slot host_index into a group."""
    template = Template()
    values = {"ifi_index": Slot("host_index", 4), "group": group}
    template.add(LINK, RTM_NEWLINK, NLM_F_REQUEST, values)
    return template


def looking(slots: Iterable[str]) -> Template:
    """Look at the links in these slots, by which a pending change of their carrier is completed."""
    template = Template()
    for slot in slots:
        template.add(LINK, RTM_GETLINK, NLM_F_REQUEST, _by(ifi_index=Slot(slot, 4)))
    return template


_REGROUP = regrouping(Slot("group", 4))
_ENSLAVE = enslaving({"group": Slot("group", 4)})


def _facts() -> Plan:
    """What is to be known of a bridge."""
    if "bridge" not in _plans:
        fields = {
            "index": number(LINK, "ifi_index"),
            "flags": number(LINK, "ifi_flags"),
            "address": Field("address", 6),
            "kind": Field("linkinfo.kind", 16),
        }
        _plans["bridge"] = Plan(LINK, RTM_NEWLINK, fields)
    return _plans["bridge"]


def port_facts() -> Plan:
    """What is to be known of a port."""
    if "port" not in _plans:
        state = number(LINK, "linkinfo.slave_data[bridge].state")
        _plans["port"] = Plan(LINK, RTM_NEWLINK, {"state": state})
    return _plans["port"]


def _dump_facts() -> Plan:
    """What is to be known of all ports at once: a dump of AF_BRIDGE has it in another place."""
    if "dump" not in _plans:
        fields = {"index": number(LINK, "ifi_index"), "state": number(LINK, f"protinfo[{AF_BRIDGE}].state")}
        _plans["dump"] = Plan(LINK, RTM_NEWLINK, fields)
    return _plans["dump"]


_plans: dict[str, Plan] = {}


def _by(**named: Any) -> dict[str, Any]:
    """What a GET of a link says: which one, and that its counters are not wanted."""
    return {**named, "ext_mask": RTEXT_FILTER_SKIP_STATS}


def _a(kind: str | None) -> str:
    return f"a {kind}" if kind else "hardware or lo"
