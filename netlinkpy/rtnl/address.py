"""Addresses: the IP addresses of links: the record `Address`, and its verbs."""

from __future__ import annotations

import errno
from _socket import AF_INET, AF_INET6

from ..uapi.if_addr import IFA_F_NODAD, IFA_F_NOPREFIXROUTE, IFA_F_TENTATIVE, INFINITY_LIFE_TIME
from ..uapi.netlink import NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE
from ..uapi.rtnetlink import RTM_DELADDR, RTM_GETADDR, RTM_NEWADDR
from ..wire.columns import Field, Plan, Table, number
from ..wire.rtnetlink.address import ADDRESS
from . import bulk, zone
from .kernel_record import KernelRecord
from .values import (
    FAMILY_OF_LENGTH,
    broadcast_of,
    check_family,
    check_ifname,
    check_lifetimes,
    check_number,
    format_ip,
    name_of,
    packed_width,
    parse_ip,
    parse_prefix,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from typing import Any

    from ..wire.attributes import Values
    from ..wire.rtnetlink.typed_values import AddressValues
    from .bulk import RowError
    from .netlink import RTNetlink
    from .values import IP, Dev, IPPrefix


class Address(KernelRecord):
    """An address as the kernel reports it (RTM_NEWADDR).

    address: without its length; peer: the other end's on a point-to-point link, else empty; scope: 0 global,
    253 link, 254 host; valid and preferred: seconds left, None for ever; body: the message."""

    index: int
    family: int
    address: str
    prefix_length: int
    peer: str
    label: str
    broadcast: str
    scope: int
    flags: int
    valid: int | None
    preferred: int | None
    body: bytes

    _message = ADDRESS
    _lasting = slice(-3)  # valid and preferred run on

    @property
    def cidr(self) -> str:
        """The address with its prefix length, "172.17.42.1/16"."""
        return f"{self.address}/{self.prefix_length}"

    @property
    def tentative(self) -> bool:
        """True if duplicate address detection still runs (RFC 4862): the address is not used yet."""
        return bool(self.flags & IFA_F_TENTATIVE)

    @classmethod
    def from_body(cls, body: bytes) -> Address:
        """Return the record of one address message without its nlmsghdr."""
        values = ADDRESS.parse(body)
        get = values.get
        whole: bytes = get("address", b"")
        local: bytes = get("local", whole)  # IPv6 has no IFA_LOCAL unless there is a peer
        times = get("cacheinfo", {})
        return cls.from_row(
            (
                values["ifa_index"],
                values["ifa_family"],
                format_ip(local),
                values["ifa_prefixlen"],
                format_ip(whole) if whole != local else "",
                get("label", ""),
                format_ip(get("broadcast", b"")),
                values["ifa_scope"],
                get("flags", values["ifa_flags"]),
                _seconds(times.get("ifa_valid", INFINITY_LIFE_TIME)),
                _seconds(times.get("ifa_prefered", INFINITY_LIFE_TIME)),
                body,
            )
        )


class Addresses:
    """The addresses of one namespace: `rt.addresses`."""

    def __init__(self, rt: RTNetlink) -> None:
        self._rt = rt
        self._socket = rt.socket

    def list(self, *, dev: Dev | None = None, family: int = 0) -> builtins.list[Address]:
        """Return all addresses, or those of one link, or of one family (socket.AF_INET, AF_INET6): the kernel
        filters."""
        values: AddressValues = {"ifa_family": check_family(family)}
        if dev is not None:
            values["ifa_index"] = self._rt.index(dev)
        replies = self._socket.dump_bodies(ADDRESS, RTM_GETADDR, values, verb="list addresses")
        return [Address.from_body(reply.body) for reply in replies]

    def find(self, address: IPPrefix, *, dev: Dev | None = None) -> Address | None:
        """Return an address ("10.0.0.1", or "10.0.0.1/16" if the length matters) of a link, or of any; None
        if there is none."""
        address, dev = zone.resolve(self._rt, address, dev)
        packed, length = parse_prefix(address)
        stated = "/" in str(address)
        for found in self.list(dev=dev, family=FAMILY_OF_LENGTH[len(packed)]):
            if found.address == format_ip(packed) and (not stated or found.prefix_length == length):
                return found
        return None

    def add(
        self,
        address: IPPrefix,
        *,
        dev: Dev | None = None,
        peer: IPPrefix | None = None,
        label: str | None = None,
        broadcast: IP | None = None,
        scope: int = 0,
        nodad: bool = False,
        prefix_route: bool = True,
        valid: int | None = None,
        preferred: int | None = None,
        metric: int | None = None,
        replace: bool = False,
    ) -> None:
        """Add an address to a link ("172.17.42.1/16"); dev may be left to a zone ("fe80::1%eth0/64").

        broadcast: an address, or "+" for the highest of the net (one of one or two addresses has none);
        nodad: IPv6 without duplicate address detection, usable at once (RFC 4862); prefix_route: let the
        kernel add the route of the net; valid and preferred: lifetimes in seconds, None for ever; metric: of
        the net's route; replace: change the lifetimes and flags of an existing one, instead of EEXIST."""
        address, dev = zone.require(self._rt, address, dev)
        values = self._values(address, dev, peer)
        packed, family = values["local"], values["ifa_family"]
        values["ifa_scope"] = check_number(scope, 0, 255, "scope")
        if family != AF_INET and (broadcast is not None or label is not None or scope):
            raise ValueError("only IPv4 has broadcast addresses, labels, and a scope that can be chosen")
        if broadcast == "+":
            highest = broadcast_of(values["address"], values["ifa_prefixlen"])
            if highest is not None:
                values["broadcast"] = highest
        elif broadcast is not None:
            values["broadcast"] = parse_ip(broadcast)
            if len(values["broadcast"]) != len(packed):
                raise ValueError(f"{broadcast} is no IPv4 address")
        if label is not None:
            values["label"] = check_ifname(label.replace(":", "_")) and label
        flags = _flags(family, nodad, prefix_route)
        if flags:
            values["flags"] = flags
        if metric is not None:
            values["rt_priority"] = check_number(metric, 0, INFINITY_LIFE_TIME, "metric")
        if valid is not None or preferred is not None:
            values["cacheinfo"] = _lifetimes(valid, preferred)
        how = NLM_F_CREATE | (NLM_F_REPLACE if replace else NLM_F_EXCL)
        verb = f"add address {address} to {name_of(dev)}"
        self._socket.request(ADDRESS, RTM_NEWADDR, how, values, verb=verb)

    def delete(
        self, address: IPPrefix | Address, *, dev: Dev | None = None, peer: IPPrefix | None = None
    ) -> None:
        """Delete an address of a link, or one of list() by its record alone. Raise NetlinkError
        (EADDRNOTAVAIL) if the link does not have it."""
        if isinstance(address, Address):
            told = address.attributes
            kept = ("ifa_family", "ifa_prefixlen", "ifa_index", "local", "address", "label")
            values: Values = {name: told[name] for name in kept if name in told}
            dev, address = address.index, address.cidr
        else:
            plain, dev = zone.require(self._rt, address, dev)
            values = {**self._values(plain, dev, peer)}
        verb = f"delete address {address} of {name_of(dev)}"
        self._socket.delete(ADDRESS, RTM_DELADDR, values, verb=verb, gone=errno.EADDRNOTAVAIL)

    def add_many(self, addresses: Any, **columns: Any) -> builtins.list[RowError]:
        """Add many addresses to links, from columns (what a column may be: netlinkpy.rtnl.bulk): addresses,
        prefix_length (default: whole addresses), dev (an index for each row, or one name, index or Link for
        all). One value for all: scope, nodad, prefix_route, family (AF_INET), on_error (as in
        routes.add_many())."""
        return self._many(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, "add", addresses, **columns)

    def replace_many(self, addresses: Any, **columns: Any) -> builtins.list[RowError]:
        """As add_many(), but change existing ones."""
        return self._many(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, "replace", addresses, **columns)

    def delete_many(self, addresses: Any, **columns: Any) -> builtins.list[RowError]:
        """Delete many addresses: addresses, prefix_length and dev as in add_many()."""
        return self._many(RTM_DELADDR, 0, "delete", addresses, **columns)

    def _many(
        self,
        message_type: int,
        flags: int,
        verb: str,
        addresses: Any,
        *,
        dev: Any,
        prefix_length: Any = None,
        scope: int = 0,
        nodad: bool = False,
        prefix_route: bool = True,
        family: int = AF_INET,
        on_error: str = "raise",
    ) -> builtins.list[RowError]:
        width = packed_width(family)
        columns = [
            bulk.addresses("addresses", addresses, width),
            bulk.interfaces(self._rt, dev),
            bulk.numbers("prefix_length", width * 8 if prefix_length is None else prefix_length, 1),
        ]
        values: Values = {
            "ifa_family": family,
            "ifa_prefixlen": bulk.slot(columns[2]),
            "ifa_scope": check_number(scope, 0, 255, "scope"),
            "ifa_index": bulk.slot(columns[1]),
            "local": bulk.slot(columns[0]),
            "address": bulk.slot(columns[0]),
        }
        how = _flags(family, nodad, prefix_route)
        if how:
            values["flags"] = how
        return bulk.send(
            self._socket, ADDRESS, message_type, flags, values, columns, f"{verb} addresses", on_error
        )

    def columns(self, *, dev: Dev | None = None, family: int = AF_INET) -> dict[str, memoryview]:
        """Return the addresses of one family as columns of plain buffers, which numpy wraps without a copy:
        address and local (the same but on point-to-point links; IPv6 has no local without a peer; 4 or 16
        bytes a row), prefix_length, index, scope, flags; and present: for each row a number whose bit i says
        that column i was there."""
        width = packed_width(family)
        fields = {
            "address": Field("address", width),
            "local": Field("local", width),
            "prefix_length": number(ADDRESS, "ifa_prefixlen"),
            "index": number(ADDRESS, "ifa_index"),
            "scope": number(ADDRESS, "ifa_scope"),
            "flags": number(ADDRESS, "flags"),
        }
        table = Table(Plan(ADDRESS, RTM_NEWADDR, fields))
        values: AddressValues = {"ifa_family": family}
        if dev is not None:
            values["ifa_index"] = self._rt.index(dev)
        self._socket.gather(ADDRESS, RTM_GETADDR, values, table, verb="list addresses")
        return table.columns()

    def _values(self, address: IPPrefix, dev: Dev, peer: IPPrefix | None) -> AddressValues:
        packed, length = parse_prefix(address)
        other = packed
        if peer is not None:
            peer, dev = zone.require(self._rt, peer, dev)
            other, length = parse_prefix(peer)
            if len(other) != len(packed):
                raise ValueError(f"{address} and its peer {peer} are of two families")
        return {
            "ifa_family": FAMILY_OF_LENGTH[len(packed)],
            "ifa_prefixlen": length,
            "ifa_index": self._rt.index(dev),
            "local": packed,
            "address": other,
        }


def _flags(family: int, nodad: bool, prefix_route: bool) -> int:
    if nodad and family != AF_INET6:
        raise ValueError("nodad is for IPv6: IPv4 has no duplicate address detection in the kernel")
    return (IFA_F_NODAD if nodad else 0) | (0 if prefix_route else IFA_F_NOPREFIXROUTE)


def _lifetimes(valid: int | None, preferred: int | None) -> dict[str, int]:
    longest = INFINITY_LIFE_TIME if valid is None else check_number(valid, 1, INFINITY_LIFE_TIME, "valid")
    use = longest if preferred is None else check_number(preferred, 0, INFINITY_LIFE_TIME, "preferred")
    return check_lifetimes(longest, use)


def _seconds(time: int) -> int | None:
    return None if time == INFINITY_LIFE_TIME else time
