"""Neighbours: which hardware address an IP address has (ARP, NDP): the record `Neighbour`, and its verbs."""

from __future__ import annotations

import errno
from _socket import AF_INET

from ..uapi.neighbour import NUD_PERMANENT
from ..uapi.netlink import NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE
from ..uapi.rtnetlink import RTM_DELNEIGH, RTM_GETNEIGH, RTM_NEWNEIGH
from ..wire.columns import Field, Plan, Table, number
from ..wire.errors import NetlinkError
from ..wire.rtnetlink.neighbour import NEIGHBOUR
from . import bulk, zone
from .kernel_record import KernelRecord
from .values import (
    FAMILY_OF_LENGTH,
    check_family,
    check_number,
    format_ip,
    format_mac,
    name_of,
    packed_width,
    parse_ip,
    parse_mac,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from typing import Any

    from ..wire.attributes import Values
    from ..wire.rtnetlink.typed_values import NeighbourValues
    from .bulk import RowError
    from .netlink import RTNetlink
    from .values import IP, Dev


class Neighbour(KernelRecord):
    """A neighbour as the kernel reports it (RTM_NEWNEIGH).

    address: the IP address; mac: empty until it is known; state: NUD_ bits of linux/neighbour.h; body: the
    message."""

    index: int
    family: int
    address: str
    mac: str
    state: int
    flags: int
    body: bytes

    _message = NEIGHBOUR

    @classmethod
    def from_body(cls, body: bytes) -> Neighbour:
        """Return the record of one neighbour message without its nlmsghdr."""
        values = NEIGHBOUR.parse(body)
        return cls.from_row(
            (
                values["ndm_ifindex"],
                values["ndm_family"],
                format_ip(values.get("dst", b"")),
                format_mac(values.get("lladdr", b"")),
                values["ndm_state"],
                values["ndm_flags"],
                body,
            )
        )


class Neighbours:
    """The neighbours of one namespace: `rt.neighbours`. The kernel's table has 1024 entries for all
    namespaces together (gc_thresh3); permanent ones do not count."""

    def __init__(self, rt: RTNetlink) -> None:
        self._rt = rt
        self._socket = rt.socket

    def list(self, *, dev: Dev | None = None, family: int = 0) -> builtins.list[Neighbour]:
        """Return all neighbours, or those of one link, or of one family: the kernel filters."""
        values: NeighbourValues = {"ndm_family": check_family(family)}
        if dev is not None:
            values["ifindex"] = self._rt.index(dev)
        replies = self._socket.dump_bodies(NEIGHBOUR, RTM_GETNEIGH, values, verb="list neighbours")
        return [Neighbour.from_body(reply.body) for reply in replies]

    def find(self, address: IP, *, dev: Dev | None = None) -> Neighbour | None:
        """Return the neighbour of an IP address on a link, None if it is not known (Linux 5.0 and later).
        dev: the link, unless a zone says it ("fe80::1%eth0"): so in add() and delete()."""
        address, dev = zone.require(self._rt, address, dev)
        values = self._values(address, dev)
        try:
            body = self._socket.get_body(NEIGHBOUR, RTM_GETNEIGH, values, verb=f"find neighbour {address}")
        except NetlinkError as error:
            if error.errno != errno.ENOENT:
                raise
            return None
        return Neighbour.from_body(body)

    def add(
        self,
        address: IP,
        *,
        mac: str,
        dev: Dev | None = None,
        state: int = NUD_PERMANENT,
        replace: bool = False,
    ) -> None:
        """Add the hardware address that an IP address has on a link. Raise NetlinkError (EEXIST) if one is
        known, unless replace."""
        address, dev = zone.require(self._rt, address, dev)
        values = {
            **self._values(address, dev),
            "ndm_state": check_number(state, 0, 0xFFFF, "state"),
            "lladdr": parse_mac(mac),
        }
        how = NLM_F_CREATE | (NLM_F_REPLACE if replace else NLM_F_EXCL)
        verb = f"add neighbour {address} to {name_of(dev)}"
        self._socket.request(NEIGHBOUR, RTM_NEWNEIGH, how, values, verb=verb)

    def delete(self, address: IP | Neighbour, *, dev: Dev | None = None) -> None:
        """Delete a neighbour of a link, or one of list() by its record alone. Raise NetlinkError (ENOENT) if
        it is not known."""
        if isinstance(address, Neighbour):
            dev = address.index
            address = address.address
        plain, on = zone.require(self._rt, address, dev)
        verb = f"delete neighbour {plain} of {name_of(on)}"
        values = self._values(plain, on)
        self._socket.delete(NEIGHBOUR, RTM_DELNEIGH, values, verb=verb, gone=errno.ENOENT)

    def add_many(self, addresses: Any, **columns: Any) -> builtins.list[RowError]:
        """Add many neighbours, from columns (what a column may be: netlinkpy.rtnl.bulk): addresses, mac, dev
        (an index for each row, or one name, index or Link for all). One value for all: state (NUD_PERMANENT),
        family (AF_INET), on_error (as in routes.add_many())."""
        return self._many(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, "add", addresses, **columns)

    def replace_many(self, addresses: Any, **columns: Any) -> builtins.list[RowError]:
        """As add_many(), but change existing ones."""
        return self._many(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, "replace", addresses, **columns)

    def delete_many(self, addresses: Any, *, dev: Any, **columns: Any) -> builtins.list[RowError]:
        """Delete many neighbours: addresses and dev as in add_many()."""
        return self._many(RTM_DELNEIGH, 0, "delete", addresses, dev=dev, mac=None, state=0, **columns)

    def _many(
        self,
        message_type: int,
        flags: int,
        verb: str,
        addresses: Any,
        *,
        mac: Any,
        dev: Any,
        state: int = NUD_PERMANENT,
        family: int = AF_INET,
        on_error: str = "raise",
    ) -> builtins.list[RowError]:
        columns = [
            bulk.addresses("addresses", addresses, packed_width(family)),
            bulk.interfaces(self._rt, dev),
        ]
        values: Values = {
            "ndm_family": family,
            "ndm_ifindex": bulk.slot(columns[1]),
            "ndm_state": check_number(state, 0, 0xFFFF, "state"),
            "dst": bulk.slot(columns[0]),
        }
        if mac is not None:
            columns.append(bulk.macs("mac", mac))
            values["lladdr"] = bulk.slot(columns[2])
        return bulk.send(
            self._socket, NEIGHBOUR, message_type, flags, values, columns, f"{verb} neighbours", on_error
        )

    def columns(self, *, dev: Dev | None = None, family: int = AF_INET) -> dict[str, memoryview]:
        """Return the neighbours of one family as columns of plain buffers, which numpy wraps without a copy:
        address (4 or 16 bytes a row), mac (6 bytes a row), index, state, flags; and present: for each row a
        number whose bit i says that column i was there."""
        fields = {
            "address": Field("dst", packed_width(family)),
            "mac": Field("lladdr", 6),
            "index": number(NEIGHBOUR, "ndm_ifindex"),
            "state": number(NEIGHBOUR, "ndm_state"),
            "flags": number(NEIGHBOUR, "ndm_flags"),
        }
        table = Table(Plan(NEIGHBOUR, RTM_NEWNEIGH, fields))
        values: NeighbourValues = {"ndm_family": family}
        if dev is not None:
            values["ifindex"] = self._rt.index(dev)
        self._socket.gather(NEIGHBOUR, RTM_GETNEIGH, values, table, verb="list neighbours")
        return table.columns()

    def _values(self, address: IP, dev: Dev) -> NeighbourValues:
        packed = parse_ip(address)
        return {
            "ndm_family": FAMILY_OF_LENGTH[len(packed)],
            "ndm_ifindex": self._rt.index(dev),
            "dst": packed,
        }
