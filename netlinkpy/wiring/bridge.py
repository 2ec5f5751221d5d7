"""The host's side of a bulk attach: one bridge, and the private group in which its new ports are born.

A group belongs to one call: its number is the port id that the call's socket is bound to, so the kernel
proves it private, and it is free again when the process dies. A link in such a group is one whose making is
not finished."""

from __future__ import annotations

import errno
import os
from sys import byteorder

from ..transport.socket import Socket
from ..wire.attributes import Slot
from ..wire.conversation import NLM_F_REQUEST
from ..wire.errors import DumpInterruptedError, NetlinkError
from ..wire.extack import decode
from ..wire.rtnetlink.address import ADDRESS, RTM_GETADDR
from ..wire.rtnetlink.bridge import BR_STATE_FORWARDING
from ..wire.rtnetlink.link import (
    AF_BRIDGE,
    IFF_UP,
    IFLA_ALT_IFNAME,
    IN6_ADDR_GEN_MODE_NONE,
    LINK,
    RTEXT_FILTER_SKIP_STATS,
    RTM_DELLINK,
    RTM_GETLINK,
    RTM_NEWLINK,
)
from ..wire.table import Field, Plan, Table, number, pick
from ..wire.template import Template

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


_MARK = 0x4E4C0000  # "NL": the high half of the port ids, and so of the groups, that are ours
_LOOK_ONE_BY_ONE = 8  # up to so many ports are looked at one by one rather than in a dump of all

# How an alternative name `net:NAME` (networks/network.py) lies in a message: its type, then the text.
_NETWORK = IFLA_ALT_IFNAME.to_bytes(2, byteorder) + b"net:"

PORT_STATES = ("disabled", "listening", "learning", "forwarding", "blocking")  # linux/if_bridge.h


class PrivateGroup:
    """A socket in the caller's namespace, and the link group of its own that its port id stands for."""

    __slots__ = ("number", "socket")

    def __init__(self, number: int | None = None, *, timeout: float = 10.0) -> None:
        """A fresh empty group; or the one of that number, which a dead call left (OSError EADDRINUSE: its
        maker lives). timeout: seconds for each request through its socket."""
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
                empty = self._is_empty()
            finally:
                if not empty:
                    self.socket.close()
            if empty:
                return

    def _is_empty(self) -> bool:
        """An address of one byte is invalid for every member (EINVAL), and nobody's business without
        members."""
        values = {"group": self.number, "address": b"\0"}
        try:
            self.socket.request(LINK, RTM_NEWLINK, 0, values, verb="make links on the host")
        except NetlinkError as error:
            if error.errno != errno.EINVAL:
                raise
            return False
        return True

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
    out = _REGROUP.stamp({"index": column}, len(order), {"group": group.to_bytes(4, byteorder)}, sequence=1)
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

    index; up: whether it is; addresses: (bytes, prefix length); is_network: whether it is one that
    networks/ made."""

    __slots__ = ("_mac", "addresses", "group", "index", "is_network", "name", "up")

    def __init__(self, name: str, timeout: float) -> None:
        """timeout: seconds for each request. NetlinkError (ENODEV) where there is no such link, (EINVAL)
        where it is no bridge."""
        self.name = name
        self.group = PrivateGroup(timeout=timeout)
        try:
            self._look()
        except BaseException:
            self.group.close()
            raise

    def _look(self) -> None:
        verb = f"find bridge {self.name}"
        socket = self.group.socket
        asked = {"ifname": self.name, "ext_mask": RTEXT_FILTER_SKIP_STATS}
        body = socket.get_body(LINK, RTM_GETLINK, asked, verb=verb)
        self.index, flags, self._mac, kind = pick(_facts(), body)
        kind = (kind or b"").rstrip(b"\0").decode()
        if kind != "bridge":
            raise NetlinkError(errno.EINVAL, verb, text=f"{self.name} is {_a(kind)}, not a bridge")
        self.up = bool(flags & IFF_UP)
        self.is_network = _NETWORK in body
        asked = {"ifa_index": self.index}
        found = socket.dump(ADDRESS, RTM_GETADDR, asked, verb=f"list the addresses of bridge {self.name}")
        self.addresses = [(entry.get("local") or entry["address"], entry["ifa_prefixlen"]) for entry in found]

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
        values = {
            "bridge": self.index.to_bytes(4, byteorder),
            "mac": self._mac,
            "group": self.group.number.to_bytes(4, byteorder),
        }
        verb = f"make ports of bridge {self.name}"
        messages = _ENSLAVE.stamp({}, 1, values)
        for _, error, tlvs in self.group.socket.exchange(messages, len(_ENSLAVE.messages), verb=verb):
            # EAFNOSUPPORT is a port without IPv6: its MTU is below 1280, or the kernel has none.
            if error != errno.EAFNOSUPPORT:
                raise NetlinkError(error, verb, text=decode(tlvs).sentence)

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
        asked = [
            {"ifi_index": index, "ext_mask": RTEXT_FILTER_SKIP_STATS} for index in (*indices, self.index)
        ]
        verb = f"look at the ports of {self.name}"
        answers = self.group.socket.ask([(LINK, RTM_GETLINK, 0, values) for values in asked], verb=verb)
        states = {}
        for index, answer in zip(indices, answers, strict=False):
            if not isinstance(answer, NetlinkError):
                (state,) = pick(_port_facts(), answer)
                states[index] = -1 if state is None else int(state)
            elif answer.errno == errno.ENODEV:
                states[index] = -1
            else:
                raise answer
        return states

    def is_gone(self) -> bool:
        """Whether it was removed meanwhile."""
        asked = {"ifi_index": self.index, "ext_mask": RTEXT_FILTER_SKIP_STATS}
        try:
            self.group.socket.get_body(LINK, RTM_GETLINK, asked, verb=f"look at bridge {self.name}")
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


_REGROUP = Template()
_REGROUP.add(LINK, RTM_NEWLINK, NLM_F_REQUEST, {"ifi_index": Slot("index", 4), "group": Slot("group", 4)})

# Pin the bridge's MAC; no IPv6 addresses on the ports; make them ports, and up. (Of one message the kernel
# takes up and
# master first, and then the mode: so that goes before, by itself.)
_ENSLAVE = Template()
_ENSLAVE.add(LINK, RTM_NEWLINK, NLM_F_REQUEST, {"ifi_index": Slot("bridge", 4), "address": Slot("mac", 6)})
_ENSLAVE.add(
    LINK,
    RTM_NEWLINK,
    NLM_F_REQUEST,
    {"group": Slot("group", 4), "af_spec": {"inet6": {"addr_gen_mode": IN6_ADDR_GEN_MODE_NONE}}},
)
_ENSLAVE.add(
    LINK,
    RTM_NEWLINK,
    NLM_F_REQUEST,
    {"ifi_flags": IFF_UP, "ifi_change": IFF_UP, "group": Slot("group", 4), "master": Slot("bridge", 4)},
)


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


def _port_facts() -> Plan:
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


def _a(kind: str | None) -> str:
    return f"a {kind}" if kind else "hardware or lo"
