"""Routes: the verbs of routes, one at a time and in bulk, `rt.routes`."""

from __future__ import annotations

import errno
from _socket import AF_INET, AF_INET6
from sys import byteorder

from ..record import Quietly
from ..uapi.netlink import NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE
from ..uapi.rtnetlink import (
    RT_SCOPE_HOST,
    RT_SCOPE_LINK,
    RT_SCOPE_NOWHERE,
    RT_SCOPE_UNIVERSE,
    RT_TABLE_COMPAT,
    RTM_DELROUTE,
    RTM_GETROUTE,
    RTM_NEWROUTE,
    RTN_BLACKHOLE,
    RTN_LOCAL,
    RTN_UNICAST,
    RTNH_F_ONLINK,
    RTPROT_BOOT,
)
from ..wire.columns import Table
from ..wire.errors import NetlinkError
from ..wire.rtnetlink.route import ROUTE
from . import bulk, zone
from .route import TABLES, TYPES, Nexthop, Route, columns_of, plan, read
from .values import (
    FAMILY_OF_LENGTH,
    check_family,
    check_number,
    format_ip,
    network,
    packed_width,
    parse_ip,
    parse_prefix,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from collections.abc import Iterable
    from typing import Any

    from ..wire.attributes import Values
    from ..wire.rtnetlink.typed_values import RouteValues
    from .bulk import RowError
    from .netlink import RTNetlink
    from .values import IP, Dev, IPPrefix


# What selects a route that is deleted by its record.
_SELECT = (
    "rtm_family",
    "rtm_dst_len",
    "rtm_src_len",
    "rtm_tos",
    "rtm_table",
    "rtm_type",
    "dst",
    "src",
    "oif",
    "gateway",
    "via",
    "priority",
    "table",
    "multipath",
    "nh_id",
)


class Routes:
    """The routes of one namespace: `rt.routes`."""

    def __init__(self, rt: RTNetlink) -> None:
        self._rt = rt
        self._socket = rt.socket

    def list(
        self, *, table: str | int | None = "main", family: int = 0, dev: Dev | None = None
    ) -> builtins.list[Route]:
        """Return the routes of a table (a number, "main", "local", "default"; None: of all), of one family,
        of one interface: the kernel filters."""
        routes: builtins.list[Route] = []
        with Quietly():
            for one in (check_family(family),) if family else (AF_INET, AF_INET6):
                routes += read(self._gather(table, one, dev, Table(plan(one), keep=True)), one)
        return routes if table is None else [route for route in routes if route.table == _table(table)]

    def find(self, destination: IPPrefix, *, table: str | int = "main", family: int = 0) -> Route | None:
        """Return the route to a destination ("10.0.0.0/8"; "default": IPv4's unless family says otherwise)
        with the lowest metric, None if there is none. It reads the whole table."""
        if destination == "default":
            family = family or AF_INET
        else:
            packed, length = parse_prefix(destination)
            family, destination = FAMILY_OF_LENGTH[len(packed)], f"{format_ip(packed)}/{length}"
            destination = destination if length else "default"
        fitting = [one for one in self.list(table=table, family=family) if one.destination == destination]
        return min(fitting, key=lambda route: route.metric, default=None)

    def add(
        self,
        destination: IPPrefix,
        *,
        gateway: IP | None = None,
        dev: Dev | None = None,
        metric: int | None = None,
        table: str | int = "main",
        type: str = "unicast",
        scope: int | None = None,
        protocol: int = RTPROT_BOOT,
        source: IP | None = None,
        onlink: bool = False,
        mtu: int | None = None,
        nexthops: Iterable[Nexthop] = (),
        replace: bool = False,
        family: int = 0,
    ) -> None:
        """Add a route: destination "10.0.0.0/8" or "default" (of `family`; by default the gateway's, a
        nexthop's or the source's, else IPv4).

        gateway: an address, also of the other family if the kernel knows RTA_VIA; dev: interface,
        unless a zone says it ("fe80::1%eth0"); metric: the smallest wins; scope: RT_SCOPE_ number, by
        default as `ip route` chooses; protocol: RTPROT_ number; source: preferred source address; onlink: see
        Nexthop; mtu: bytes; nexthops: several ways instead of gateway and dev; replace: replace an existing
        route, instead of EEXIST.

        Raise NetlinkError if it exists (EEXIST), no address covers the gateway (ENETUNREACH), or the kernel
        refuses for another reason."""
        ways = [self._on_its_link(hop) for hop in nexthops]
        gateway, dev = self._on_link(gateway, dev)
        source, dev = self._on_link(source, dev)
        told = gateway or next((hop.gateway for hop in ways if hop.gateway is not None), None)
        if not family and destination == "default" and told is not None:
            family = FAMILY_OF_LENGTH[len(parse_ip(told))]
        values = self._values(destination, gateway, dev, metric, table, type, scope, source, family)
        values["rtm_protocol"] = check_number(protocol, 0, 255, "protocol")
        if onlink:
            values["rtm_flags"] = RTNH_F_ONLINK
        if mtu is not None:
            values["metrics"] = {"mtu": check_number(mtu, 0, 0xFFFFFFFF, "mtu")}
        hops = [self._hop(hop, values["rtm_family"]) for hop in ways]
        if hops and (gateway is not None or dev is not None):
            raise TypeError("a route has either nexthops, or one gateway and interface")
        if hops and onlink:
            raise ValueError("onlink is said of each nexthop")
        if hops:
            values["multipath"] = hops
            values["rtm_scope"] = RT_SCOPE_UNIVERSE if scope is None else scope
        how = NLM_F_CREATE | (NLM_F_REPLACE if replace else NLM_F_EXCL)
        self._socket.request(ROUTE, RTM_NEWROUTE, how, values, verb=f"add route {destination}")

    def delete(
        self,
        destination: IPPrefix | Route,
        *,
        family: int = 0,
        gateway: IP | None = None,
        dev: Dev | None = None,
        metric: int | None = None,
        table: str | int = "main",
        type: str = "unicast",
    ) -> None:
        """Remove the route to a destination, or one of list() by its record; what else is given must match.
        family: of "default" (default: the gateway's, else IPv4). Raise NetlinkError (ESRCH) if there is
        none."""
        if isinstance(destination, Route):
            told = destination.attributes
            values: Values = {name: told[name] for name in _SELECT if name in told}
            values["rtm_scope"] = RT_SCOPE_NOWHERE
            destination = destination.destination
        else:
            gateway, dev = self._on_link(gateway, dev)
            nowhere = RT_SCOPE_NOWHERE
            values = {**self._values(destination, gateway, dev, metric, table, type, nowhere, None, family)}
        self._socket.request(ROUTE, RTM_DELROUTE, 0, values, verb=f"delete route {destination}")

    def add_many(self, destinations: Any, **columns: Any) -> builtins.list[RowError]:
        """Add many routes of one form, from columns (what a column may be: netlinkpy.rtnl.bulk).

        destinations; prefix_length (default: whole addresses); gateway; dev (an index for each row, or one
        name, index or Link for all); metric. One value for all: table, type, scope, protocol, family
        (AF_INET), on_error. See add() for their meaning.

        on_error="raise": after all rows were sent, raise BulkError, whose `failures` are the refused rows;
        "continue": return the refused rows. A batch is no transaction: the other rows are added in either
        case."""
        return self._many(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, "add", destinations, **columns)

    def replace_many(self, destinations: Any, **columns: Any) -> builtins.list[RowError]:
        """As add_many(), but replace existing ones."""
        return self._many(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, "replace", destinations, **columns)

    def delete_many(self, destinations: Any, **columns: Any) -> builtins.list[RowError]:
        """Remove many routes; columns as in add_many(). What is given besides the destination must match."""
        return self._many(RTM_DELROUTE, 0, "delete", destinations, **columns)

    def _many(
        self,
        message_type: int,
        flags: int,
        verb: str,
        destinations: Any,
        *,
        prefix_length: Any = None,
        gateway: Any = None,
        dev: Any = None,
        metric: Any = None,
        table: str | int = "main",
        type: str = "unicast",
        scope: int | None = None,
        protocol: int = RTPROT_BOOT,
        family: int = AF_INET,
        on_error: str = "raise",
    ) -> builtins.list[RowError]:
        width = packed_width(family)
        number, kind = _table(table), _type(type)
        deleting = message_type == RTM_DELROUTE
        if scope is None:
            scope = RT_SCOPE_NOWHERE if deleting else _scope(kind, None if gateway is None else b"")
        columns = [bulk.addresses("destinations", destinations, width)]
        values: Values = {
            "rtm_family": family,
            "rtm_dst_len": width * 8,
            "rtm_table": number if number < 256 else RT_TABLE_COMPAT,
            "rtm_protocol": 0 if deleting else check_number(protocol, 0, 255, "protocol"),
            "rtm_scope": check_number(scope, 0, 255, "scope"),
            "rtm_type": kind,
            "dst": bulk.slot(columns[0]),
            "table": number if number >= 256 else None,
        }
        if prefix_length is not None:
            columns.append(bulk.numbers("prefix_length", prefix_length, 1))
            values["rtm_dst_len"] = bulk.slot(columns[-1])
        if gateway is not None:
            columns.append(bulk.addresses("gateway", gateway, width))
            values["gateway"] = bulk.slot(columns[-1])
        if dev is not None:
            columns.append(bulk.interfaces(self._rt, dev))
            values["oif"] = bulk.slot(columns[-1])
        if metric is not None:
            columns.append(bulk.numbers("metric", metric, 4))
            values["priority"] = bulk.slot(columns[-1])
        return bulk.send(
            self._socket, ROUTE, message_type, flags, values, columns, f"{verb} routes", on_error
        )

    def columns(
        self, *, table: str | int | None = "main", family: int = AF_INET, dev: Dev | None = None
    ) -> dict[str, memoryview]:
        """Return the routes of one family as columns of plain buffers, which numpy wraps without a copy:
        destination, gateway, source (packed addresses, 4 or 16 bytes a row), prefix_length, index, metric,
        table, type, scope, protocol; and present: for each row a number whose bit i says that column i was
        there (the others are zero). Filters as in list()."""
        return self._gather(table, family, dev, Table(columns_of(family))).columns()

    def _gather(self, table: str | int | None, family: int, dev: Dev | None, gathered: Table) -> Table:
        values: RouteValues = {"rtm_family": family}
        if table is not None:
            values["table"] = _table(table)
        if dev is not None:
            values["oif"] = self._rt.index(dev)
        try:
            self._socket.gather(ROUTE, RTM_GETROUTE, values, gathered, verb="list routes")
        except NetlinkError as error:
            if error.errno != errno.ENOENT:  # a table exists from its first route on
                raise
        return gathered

    def _values(
        self,
        destination: IPPrefix,
        gateway: IP | None,
        dev: Dev | None,
        metric: int | None,
        table: str | int,
        type: str,
        scope: int | None,
        source: IP | None,
        family: int,
    ) -> RouteValues:
        via = None if gateway is None else parse_ip(gateway)
        preferred = None if source is None else parse_ip(source)
        if destination == "default":
            like = via or preferred or bytes(4)
            family, length, target = family or FAMILY_OF_LENGTH[len(like)], 0, None
            packed_width(family)  # which refuses others than IPv4 and IPv6
        else:
            target, length = parse_prefix(destination)
            if network(target, length) != target:
                raise ValueError(f"{destination} has bits set behind its prefix length")
            if family not in (0, FAMILY_OF_LENGTH[len(target)]):
                raise ValueError(f"{destination} is of another family")
            family = FAMILY_OF_LENGTH[len(target)]
        kind, number = _type(type), _table(table)
        if preferred is not None and FAMILY_OF_LENGTH[len(preferred)] != family:
            raise ValueError(f"{destination} and its source {source} are of two families")
        if family == AF_INET6 and scope not in (None, RT_SCOPE_NOWHERE):
            raise ValueError("IPv6 routes have no scope")
        values: RouteValues = {
            "rtm_family": family,
            "rtm_dst_len": length,
            "rtm_table": number if number < 256 else RT_TABLE_COMPAT,
            "rtm_scope": _scope(kind, via) if scope is None else check_number(scope, 0, 255, "scope"),
            "rtm_type": kind,
        }
        if target is not None and length:
            values["dst"] = target
        if number >= 256:
            values["table"] = number
        if via is not None:
            values.update(_via(via, family))
        if preferred is not None:
            values["prefsrc"] = preferred
        if metric is not None:
            values["priority"] = check_number(metric, 0, 0xFFFFFFFF, "metric")
        if dev is not None:
            values["oif"] = self._rt.index(dev)
        return values

    def _on_link(self, address: IP | None, dev: Dev | None) -> tuple[Any, Dev | None]:
        """Return an address without its zone, and the link that this or dev says."""
        return (None, dev) if address is None else zone.resolve(self._rt, address, dev)

    def _on_its_link(self, hop: Nexthop) -> Nexthop:
        gateway, dev = self._on_link(hop.gateway, hop.dev)
        return hop if gateway == hop.gateway else hop.replace(gateway=gateway, dev=dev)

    def _hop(self, hop: Nexthop, family: int) -> Values:
        values: Values = {
            "rtnh_hops": check_number(hop.weight, 1, 256, "weight") - 1,
            "rtnh_flags": RTNH_F_ONLINK if hop.onlink else 0,
            "rtnh_ifindex": 0 if hop.dev is None else self._rt.index(hop.dev),
        }
        if hop.gateway is not None:
            values.update(_via(parse_ip(hop.gateway), family))
        return values


def _via(gateway: bytes, family: int) -> RouteValues:
    """Return the attribute of a gateway: RTA_GATEWAY if it is of the route's family, else RTA_VIA (struct
    rtvia: u16 family, address)."""
    other = FAMILY_OF_LENGTH[len(gateway)]
    if other == family:
        return {"gateway": gateway}
    return {"via": other.to_bytes(2, byteorder) + gateway}


def _type(name: str) -> int:
    if name not in TYPES:
        raise ValueError(f"{name!r} is no type of route: {', '.join(TYPES[1:])}")
    return TYPES.index(name)


def _scope(kind: int, gateway: bytes | None) -> int:
    """Return the scope that `ip route` chooses if none is given."""
    if kind == RTN_LOCAL:
        return RT_SCOPE_HOST
    if kind == RTN_UNICAST and gateway is None:
        return RT_SCOPE_LINK
    return RT_SCOPE_UNIVERSE if kind in (RTN_UNICAST, *range(RTN_BLACKHOLE, len(TYPES))) else RT_SCOPE_LINK


def _table(table: str | int) -> int:
    if isinstance(table, str):
        if table not in TABLES:
            raise ValueError(f"{table!r} is no table: a number, or one of {', '.join(TABLES)}")
        return TABLES[table]
    return check_number(table, 1, 0xFFFFFFFF, "table")
