"""Conntrack: the tracked flows of one network namespace, and how to end them (ctnetlink)."""

from __future__ import annotations

import errno

from ..record import Record
from ..rtnl.values import FAMILY_OF_LENGTH
from ..uapi.nfnetlink import NFNL_SUBSYS_CTNETLINK
from ..uapi.nfnetlink_conntrack import (
    CTA_FILTER_F_IP_SRC,
    IPCTNL_MSG_CT_DELETE,
    IPCTNL_MSG_CT_GET,
    IPCTNL_MSG_CT_GET_STATS,
)
from ..wire.errors import NetlinkError
from ..wire.netfilter.conntrack import FLOW, STATISTICS
from ..wire.netfilter.nfnetlink import message_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from typing import Any

    from ..transport.socket import Socket
    from ..wire.attributes import Values


class Flow(Record):
    """One tracked flow: who sent its first packet to whom, and who answers (other than `destination` if that
    is translated). Addresses as bytes; ports 0 if the protocol has none; status: IPS_ bits; attributes:
    the whole message by the kernel's names."""

    protocol: int
    source: bytes
    source_port: int
    destination: bytes
    destination_port: int
    reply_source: bytes
    reply_source_port: int
    status: int
    attributes: dict[Any, Any]

    @classmethod
    def from_values(cls, values: Values) -> Flow:
        """Return the record of a parsed flow message; what that should have and has not is 0 or empty."""
        original, reply = values.get("tuple_orig", {}), values.get("tuple_reply", {})
        proto = original.get("proto", {})
        source, destination = _addresses(original.get("ip", {}))
        return cls.from_row(
            (
                proto.get("num", 0),
                source,
                proto.get("src_port", 0),
                destination,
                proto.get("dst_port", 0),
                _addresses(reply.get("ip", {}))[0],
                reply.get("proto", {}).get("src_port", 0),
                values.get("status", 0),
                values,
            )
        )


class Conntrack:
    """The flows that can be reached through a NETLINK_NETFILTER socket: those of its namespace.

    The kernel keeps the flows of all namespaces in one hash table, and a dump walks all of it: some 10 ms at
    the default of 262 144 buckets, whatever is in them. Counting costs nothing."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket

    def count(self) -> int:
        """Return how many flows there are."""
        verb = "count the tracked flows"
        hint = "this kernel has no connection tracking by netlink (CONFIG_NF_CT_NETLINK)"
        type = _type(IPCTNL_MSG_CT_GET_STATS)
        (found,) = self._socket.request(STATISTICS, type, 0, {}, verb=verb, hint=hint)
        return int(found["entries"])

    def flows(self, *, answered_by: bytes = b"", holding: Collection[bytes] = ()) -> Iterator[Flow]:
        """Yield the flows; or only those that an address answers; or only those whose message holds one of
        some byte strings (which saves parsing the others).

        The kernel selects IPv4 addresses (from Linux 5.8), not IPv6 ones: there its filter lets through all
        but the address asked for (ctnetlink_filter_match_tuple() of Linux 6.18)."""
        values: Values = {}
        if answered_by:
            values = {"nfgen_family": FAMILY_OF_LENGTH[len(answered_by)]}
            if len(answered_by) == 4:
                values["tuple_reply"] = {"ip": {"v4_src": answered_by}}
                values["filter"] = {"reply_flags": CTA_FILTER_F_IP_SRC}
        verb = "list tracked flows"
        for reply in self._socket.dump_bodies(FLOW, _type(IPCTNL_MSG_CT_GET), values, verb=verb):
            if not holding or any(part in reply.body for part in holding):
                flow = Flow.from_values(FLOW.parse(reply.body))
                if answered_by in (b"", flow.reply_source):
                    yield flow

    def delete(self, flow: Flow) -> bool:
        """Forget one flow: its next packet is looked at anew. Return False if it was gone already."""
        told = flow.attributes
        values = {name: told.get(name) for name in ("nfgen_family", "tuple_orig", "zone", "id")}
        try:
            verb = "forget a tracked flow"
            self._socket.delete(FLOW, _type(IPCTNL_MSG_CT_DELETE), values, verb=verb, gone=errno.ENOENT)
        except NetlinkError as error:
            if error.errno != errno.ENOENT:
                raise
            return False
        return True

    def purge(
        self,
        match: Callable[[Flow], bool],
        *,
        answered_by: bytes = b"",
        holding: Collection[bytes] = (),
    ) -> int:
        """Forget the flows that match() takes, among those of flows(); return how many."""
        if not self.count():
            return 0
        doomed = [flow for flow in self.flows(answered_by=answered_by, holding=holding) if match(flow)]
        return sum(self.delete(flow) for flow in doomed)


def _type(message: int) -> int:
    return message_type(NFNL_SUBSYS_CTNETLINK, message)


def _addresses(ip: Values) -> tuple[bytes, bytes]:
    return ip.get("v4_src") or ip.get("v6_src", b""), ip.get("v4_dst") or ip.get("v6_dst", b"")
