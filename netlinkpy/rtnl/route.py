"""Routes. Records `Route` and `Nexthop`, and the verbs to add, list and remove them."""

from __future__ import annotations

from ..record import Record
from ..wire.conversation import NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE
from ..wire.rtnetlink.route import (
    ROUTE,
    RT_SCOPE_HOST,
    RT_SCOPE_LINK,
    RT_SCOPE_NOWHERE,
    RT_SCOPE_UNIVERSE,
    RT_TABLE_COMPAT,
    RT_TABLE_DEFAULT,
    RT_TABLE_LOCAL,
    RT_TABLE_MAIN,
    RTM_DELROUTE,
    RTM_GETROUTE,
    RTM_NEWROUTE,
    RTN_BLACKHOLE,
    RTN_LOCAL,
    RTN_UNICAST,
    RTNH_F_ONLINK,
    RTPROT_BOOT,
)
from .values import BITS, FAMILY_OF_LENGTH, check_number, format_ip, network, parse_ip, parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from collections.abc import Iterable
    from typing import Any

    from ..wire.attributes import Values
    from .netlink import RTNetlink

TABLES = {"main": RT_TABLE_MAIN, "local": RT_TABLE_LOCAL, "default": RT_TABLE_DEFAULT}
TYPES = (
    "unspec",
    "unicast",
    "local",
    "broadcast",
    "anycast",
    "multicast",
    "blackhole",
    "unreachable",
    "prohibit",
    "throw",
)


class Nexthop(Record):
    """One way of a multipath route: gateway and/or interface; weight from 1 to 256; onlink: the gateway is
    taken to be on the link though no address there covers it."""

    gateway: str | None = None
    dev: str | int | None = None
    weight: int = 1
    onlink: bool = False


class Route(Record):
    """What the kernel tells of a route (RTM_NEWROUTE).

    destination: "10.0.0.0/8" or "default"; gateway and source: empty without; index: of the interface it
    leaves by, None for blackholes and multipath routes, whose ways are in nexthops (dev: the index); type: as
    `ip route` names it; scope and protocol: RT_SCOPE_ and RTPROT_ numbers; attributes: the whole message by
    the kernel's names."""

    family: int
    destination: str
    gateway: str
    index: int | None
    metric: int
    table: int
    type: str
    scope: int
    protocol: int
    source: str
    flags: int
    nexthops: tuple[Nexthop, ...]
    attributes: dict[Any, Any]

    @classmethod
    def from_values(cls, values: Values) -> Route:
        """The record of a parsed route message."""
        get = values.get
        family, length = values["rtm_family"], values["rtm_dst_len"]
        destination = get("dst", bytes(BITS.get(family, 0) // 8))
        kind = values["rtm_type"]
        return cls.from_row(
            (
                family,
                f"{format_ip(destination)}/{length}" if length else "default",
                _gateway(values),
                get("oif"),
                get("priority", 0),
                get("table", values["rtm_table"]),
                TYPES[kind] if kind < len(TYPES) else str(kind),
                values["rtm_scope"],
                values["rtm_protocol"],
                format_ip(get("prefsrc", b"")),
                values["rtm_flags"],
                tuple(_nexthop(hop) for hop in get("multipath", ())),
                values,
            )
        )


class Routes:
    """The routes of one namespace: `rt.routes`."""

    def __init__(self, rt: RTNetlink) -> None:
        self._rt = rt
        self._socket = rt.socket

    def list(
        self, *, table: str | int | None = "main", family: int = 0, dev: str | int | None = None
    ) -> builtins.list[Route]:
        """The routes of a table (a number, "main", "local", "default"; None: of all), of one family, of one
        interface: the kernel filters."""
        values: Values = {"rtm_family": family}
        if table is not None:
            values["table"] = _table(table)
        if dev is not None:
            values["oif"] = self._rt.index(dev)
        found = self._socket.dump(ROUTE, RTM_GETROUTE, values, verb="list routes")
        return [
            Route.from_values(route) for route in found if table is None or _in_table(route, values["table"])
        ]

    def add(
        self,
        destination: str,
        *,
        gateway: str | None = None,
        dev: str | int | None = None,
        metric: int | None = None,
        table: str | int = "main",
        type: str = "unicast",
        scope: int | None = None,
        protocol: int = RTPROT_BOOT,
        source: str | None = None,
        onlink: bool = False,
        mtu: int | None = None,
        nexthops: Iterable[Nexthop] = (),
        replace: bool = False,
    ) -> None:
        """Add a route: destination "10.0.0.0/8" or "default" (the family is then the gateway's or source's,
        else IPv4).

        gateway: an address, of the other family too where the kernel knows RTA_VIA; dev: interface; metric:
        the smaller wins; scope: RT_SCOPE_ number, by default as `ip route` chooses; protocol: RTPROT_ number;
        source: preferred source address; onlink: see Nexthop; mtu: bytes; nexthops: several ways instead of
        gateway and dev; replace: instead of EEXIST.

        NetlinkError: EEXIST it is there; ENETUNREACH no address covers the gateway ..."""
        values = self._values(destination, gateway, dev, metric, table, type, scope, source)
        values["rtm_protocol"] = check_number(protocol, 0, 255, "protocol")
        if onlink:
            values["rtm_flags"] = RTNH_F_ONLINK
        if mtu is not None:
            values["metrics"] = {"mtu": check_number(mtu, 0, 0xFFFFFFFF, "mtu")}
        hops = [self._hop(hop, values["rtm_family"]) for hop in nexthops]
        if hops and (gateway is not None or dev is not None):
            raise TypeError("a route has either nexthops, or one gateway and interface")
        if hops:
            values["multipath"] = hops
            values["rtm_scope"] = RT_SCOPE_UNIVERSE if scope is None else scope
        how = NLM_F_CREATE | (NLM_F_REPLACE if replace else NLM_F_EXCL)
        self._socket.request(ROUTE, RTM_NEWROUTE, how, values, verb=f"add route {destination}")

    def delete(
        self,
        destination: str,
        *,
        gateway: str | None = None,
        dev: str | int | None = None,
        metric: int | None = None,
        table: str | int = "main",
        type: str = "unicast",
    ) -> None:
        """Remove the route to a destination; what is given besides must match. NetlinkError (ESRCH) where
        there is none."""
        values = self._values(destination, gateway, dev, metric, table, type, RT_SCOPE_NOWHERE, None)
        self._socket.request(ROUTE, RTM_DELROUTE, 0, values, verb=f"delete route {destination}")

    def _values(
        self,
        destination: str,
        gateway: str | None,
        dev: str | int | None,
        metric: int | None,
        table: str | int,
        type: str,
        scope: int | None,
        source: str | None,
    ) -> Values:
        via = None if gateway is None else parse_ip(gateway)
        preferred = None if source is None else parse_ip(source)
        if destination == "default":
            like = via or preferred or bytes(4)
            family, length, target = FAMILY_OF_LENGTH[len(like)], 0, None
        else:
            target, length = parse_prefix(destination)
            if network(target, length) != target:
                raise ValueError(f"{destination} has bits set behind its prefix length")
            family = FAMILY_OF_LENGTH[len(target)]
        if type not in TYPES:
            raise ValueError(f"{type!r} is no type of route: {', '.join(TYPES[1:])}")
        kind = TYPES.index(type)
        number = _table(table)
        values: Values = {
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

    def _hop(self, hop: Nexthop, family: int) -> Values:
        values: Values = {
            "rtnh_hops": check_number(hop.weight, 1, 256, "weight") - 1,
            "rtnh_flags": RTNH_F_ONLINK if hop.onlink else 0,
            "rtnh_ifindex": 0 if hop.dev is None else self._rt.index(hop.dev),
        }
        if hop.gateway is not None:
            values.update(_via(parse_ip(hop.gateway), family))
        return values


def _via(gateway: bytes, family: int) -> Values:
    """A gateway of the route's own family is RTA_GATEWAY, one of another is RTA_VIA (struct rtvia: u16
    family, address)."""
    other = FAMILY_OF_LENGTH[len(gateway)]
    if other == family:
        return {"gateway": gateway}
    return {"via": other.to_bytes(2, _byteorder()) + gateway}


def _gateway(values: Values) -> str:
    return format_ip(values["gateway"] if "gateway" in values else values.get("via", b"")[2:])


def _byteorder() -> Any:
    from sys import byteorder

    return byteorder


def _nexthop(values: Values) -> Nexthop:
    return Nexthop(
        _gateway(values) or None,
        values["rtnh_ifindex"],
        values["rtnh_hops"] + 1,
        bool(values["rtnh_flags"] & RTNH_F_ONLINK),
    )


def _scope(kind: int, gateway: bytes | None) -> int:
    """The scope that `ip route` chooses where none is given."""
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


def _in_table(route: Values, table: int) -> bool:
    return bool(route.get("table", route["rtm_table"]) == table)
