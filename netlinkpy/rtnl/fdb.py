"""Forwarding entries of bridges: which port a hardware address is behind: `ForwardingEntry`, and its
verbs."""

from __future__ import annotations

import errno

from ..uapi.neighbour import NTF_MASTER, NTF_SELF, NUD_NOARP, NUD_PERMANENT
from ..uapi.netlink import NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE
from ..uapi.rtnetlink import RTM_DELNEIGH, RTM_GETNEIGH, RTM_NEWNEIGH
from ..uapi.socket import AF_BRIDGE
from ..wire.columns import Field, Plan, Table, number
from ..wire.errors import NetlinkError
from ..wire.rtnetlink.neighbour import NEIGHBOUR
from . import bulk
from .kernel_record import KernelRecord
from .values import format_mac, name_of, parse_mac

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from typing import Any

    from ..wire.rtnetlink.typed_values import NeighbourValues
    from .bulk import RowError
    from .netlink import RTNetlink
    from .values import Dev

STATES = {
    "permanent": NUD_PERMANENT,
    "static": NUD_NOARP,
    "dynamic": 0x2,
}  # as `bridge fdb` names them; NUD_REACHABLE


class ForwardingEntry(KernelRecord):
    """A forwarding entry as the kernel reports it (RTM_NEWNEIGH of family AF_BRIDGE).

    index: the port; bridge: the bridge's index, None for an entry of the port's own; state: NUD_ bits
    (permanent: an address of the bridge itself); body: the message."""

    mac: str
    index: int
    bridge: int | None
    state: int
    flags: int
    body: bytes

    _message = NEIGHBOUR

    @classmethod
    def from_body(cls, body: bytes) -> ForwardingEntry:
        """Return the record of one message without its nlmsghdr."""
        values = NEIGHBOUR.parse(body)
        mac = format_mac(values.get("lladdr", b""))
        return cls(
            mac, values["ndm_ifindex"], values.get("master"), values["ndm_state"], values["ndm_flags"], body
        )


class ForwardingEntries:
    """The forwarding entries of one namespace's bridges: `rt.fdb`."""

    def __init__(self, rt: RTNetlink) -> None:
        self._rt = rt
        self._socket = rt.socket

    def list(self, *, bridge: Dev | None = None) -> builtins.list[ForwardingEntry]:
        """Return all entries, or those of one bridge: the kernel filters."""
        values = self._filter(bridge)
        replies = self._socket.dump_bodies(NEIGHBOUR, RTM_GETNEIGH, values, verb="list forwarding entries")
        return [ForwardingEntry.from_body(reply.body) for reply in replies]

    def find(self, mac: str, *, bridge: Dev) -> ForwardingEntry | None:
        """Return the port of a bridge that a hardware address is behind, None if it is not known (Linux 5.0
        and later)."""
        values = {**self._filter(bridge), "lladdr": parse_mac(mac)}
        try:
            body = self._socket.get_body(NEIGHBOUR, RTM_GETNEIGH, values, verb=f"find forwarding entry {mac}")
        except NetlinkError as error:
            if error.errno != errno.ENOENT:
                raise
            return None
        return ForwardingEntry.from_body(body)

    def add(self, mac: str, *, dev: Dev, state: str = "static", replace: bool = False) -> None:
        """Add an entry: a hardware address is behind a port of a bridge. Raise NetlinkError (EEXIST) if the
        address is known, unless replace."""
        how = NLM_F_CREATE | (NLM_F_REPLACE if replace else NLM_F_EXCL)
        values = {**self._values(state), "ndm_ifindex": self._rt.index(dev), "lladdr": parse_mac(mac)}
        verb = f"add forwarding entry {mac} to {name_of(dev)}"
        self._socket.request(NEIGHBOUR, RTM_NEWNEIGH, how, values, verb=verb)

    def delete(self, mac: str | ForwardingEntry, *, dev: Dev | None = None) -> None:
        """Delete an address behind a port, or one of list() by its record alone. Raise NetlinkError (ENOENT)
        if it is not known."""
        if isinstance(mac, ForwardingEntry):
            told = mac.attributes
            kept = ("ndm_family", "ndm_ifindex", "ndm_state", "ndm_flags", "lladdr", "vlan", "dst")
            values: NeighbourValues = {name: told[name] for name in kept if name in told}  # type: ignore[assignment]
            dev = mac.index
            mac = mac.mac
        elif dev is None:
            raise TypeError("delete() needs dev, unless it is given a record")
        else:
            values = {**self._values("static"), "ndm_ifindex": self._rt.index(dev), "lladdr": parse_mac(mac)}
        verb = f"delete forwarding entry {mac} of {name_of(dev)}"
        self._socket.delete(NEIGHBOUR, RTM_DELNEIGH, values, verb=verb, gone=errno.ENOENT)

    def add_many(
        self, macs: Any, *, dev: Any, state: str = "static", on_error: str = "raise"
    ) -> builtins.list[RowError]:
        """Add many entries, from columns (what a column may be: netlinkpy.rtnl.bulk): macs, dev (an index for
        each row, or one name, index or Link for all); state and on_error (as in routes.add_many()) are one
        value for all."""
        return self._many(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, "add", macs, dev, state, on_error)

    def replace_many(
        self, macs: Any, *, dev: Any, state: str = "static", on_error: str = "raise"
    ) -> builtins.list[RowError]:
        """As add_many(), but change existing ones."""
        return self._many(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, "replace", macs, dev, state, on_error)

    def delete_many(self, macs: Any, *, dev: Any, on_error: str = "raise") -> builtins.list[RowError]:
        """Delete many entries: macs and dev as in add_many()."""
        return self._many(RTM_DELNEIGH, 0, "delete", macs, dev, "static", on_error)

    def columns(self, *, bridge: Dev | None = None) -> dict[str, memoryview]:
        """Return forwarding entries as columns of plain buffers, which numpy wraps without a copy: mac (6
        bytes a row), index, bridge, state, flags; and present: for each row a number whose bit i says that
        column i was there."""
        fields = {
            "mac": Field("lladdr", 6),
            "index": number(NEIGHBOUR, "ndm_ifindex"),
            "bridge": number(NEIGHBOUR, "master"),
            "state": number(NEIGHBOUR, "ndm_state"),
            "flags": number(NEIGHBOUR, "ndm_flags"),
        }
        table = Table(Plan(NEIGHBOUR, RTM_NEWNEIGH, fields))
        self._socket.gather(
            NEIGHBOUR, RTM_GETNEIGH, self._filter(bridge), table, verb="list forwarding entries"
        )
        return table.columns()

    def _filter(self, bridge: Dev | None) -> NeighbourValues:
        values: NeighbourValues = {"ndm_family": AF_BRIDGE}
        if bridge is not None:
            values["master"] = self._rt.index(bridge)
        return values

    def _many(
        self, message_type: int, flags: int, verb: str, macs: Any, dev: Any, state: str, on_error: str
    ) -> builtins.list[RowError]:
        columns = [
            bulk.macs("macs", macs),
            bulk.interfaces(self._rt, dev),
        ]
        values = {
            **self._values(state),
            "ndm_ifindex": bulk.slot(columns[1]),
            "lladdr": bulk.slot(columns[0]),
        }
        what = f"{verb} forwarding entries"
        return bulk.send(self._socket, NEIGHBOUR, message_type, flags, values, columns, what, on_error)

    def _values(self, state: str) -> NeighbourValues:
        if state not in STATES:
            raise ValueError(f"{state!r} is no state of a forwarding entry: {', '.join(STATES)}")
        how = NTF_SELF if state == "permanent" else NTF_MASTER
        return {"ndm_family": AF_BRIDGE, "ndm_state": STATES[state], "ndm_flags": how}
