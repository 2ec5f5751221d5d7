"""Route and Nexthop: the records of routes, read from the kernel's messages."""

from __future__ import annotations

from _socket import inet_ntop

from ..record import Record
from ..uapi.rtnetlink import RT_TABLE_DEFAULT, RT_TABLE_LOCAL, RT_TABLE_MAIN, RTM_NEWROUTE, RTNH_F_ONLINK
from ..wire.columns import Field, Plan, number
from ..wire.rtnetlink.route import ROUTE
from .kernel_record import KernelRecord
from .values import format_ip, packed_width

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins

    from ..wire.attributes import Values
    from ..wire.columns import Table
    from .values import IP, Dev

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
    """One way of a multipath route: gateway and/or interface; weight from 1 to 256; onlink: treat the gateway
    as on the link although no address there covers it."""

    gateway: IP | None = None
    dev: Dev | None = None
    weight: int = 1
    onlink: bool = False


class Route(KernelRecord):
    """A route as the kernel reports it (RTM_NEWROUTE).

    destination: "10.0.0.0/8" or "default"; gateway and source: empty if it has none; index: of the interface
    it leaves by, None for blackholes and multipath routes; type: as `ip route` names it; scope, protocol:
    RT_SCOPE_ and RTPROT_ numbers; body: the message."""

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
    body: bytes

    _message = ROUTE

    @property
    def nexthops(self) -> tuple[Nexthop, ...]:
        """The ways of a multipath route (dev: the index); empty for one with a single way."""
        return tuple(_nexthop(hop) for hop in self.attributes.get("multipath", ()))


def columns_of(family: int) -> Plan:
    """Return the columns of the routes of one family."""
    plan = _plans.get(family)
    if plan is None:
        width = packed_width(family)
        fields = {
            "destination": Field("dst", width),
            "gateway": Field("gateway", width),
            "source": Field("prefsrc", width),
            "prefix_length": number(ROUTE, "rtm_dst_len"),
            "index": number(ROUTE, "oif"),
            "metric": number(ROUTE, "priority"),
            "table": number(ROUTE, "table"),
            "type": number(ROUTE, "rtm_type"),
            "scope": number(ROUTE, "rtm_scope"),
            "protocol": number(ROUTE, "rtm_protocol"),
        }
        plan = _plans[family] = Plan(ROUTE, RTM_NEWROUTE, fields)
    return plan


_plans: dict[int, Plan] = {}

_NUMBERS = (
    "rtm_table",
    "rtm_protocol",
    "rtm_scope",
    "rtm_type",
    "rtm_flags",
    "rtm_dst_len",
    "oif",
    "priority",
    "table",
)
_OIF, _GATEWAY, _SOURCE, _VIA = (1 << bit for bit in (6, 9, 10, 12))


def plan(family: int) -> Plan:
    """Return the plan by which read() reads the routes of one family."""
    known = _record_plans.get(family)
    if known is None:
        width = packed_width(family)
        fields = {name: number(ROUTE, name) for name in _NUMBERS}
        fields.update(
            {name: Field(name, width) for name in ("gateway", "prefsrc", "dst")}, via=Field("via", 2)
        )
        known = _record_plans[family] = Plan(ROUTE, RTM_NEWROUTE, fields)
    return known


_record_plans: dict[int, Plan] = {}


def read(table: Table, family: int) -> builtins.list[Route]:
    """Return the routes of a table that was made with plan(family) and keep=True."""
    routes = []
    new, known_types = Route.from_row, dict(enumerate(TYPES))
    columns = [table.values(name) for name in (*_NUMBERS, "gateway", "prefsrc", "dst")]
    for (
        bits,
        body,
        short,
        protocol,
        scope,
        kind,
        flags,
        length,
        oif,
        metric,
        long,
        gateway,
        source,
        target,
    ) in zip(table.presence(), table.bodies, *columns, strict=True):
        if bits & _GATEWAY:
            via = inet_ntop(family, gateway)
        else:
            via = _gateway(ROUTE.parse(body)) if bits & _VIA else ""
        routes.append(
            new(
                (
                    family,
                    f"{inet_ntop(family, target)}/{length}" if length else "default",
                    via,
                    oif if bits & _OIF else None,
                    metric,
                    long or short,
                    known_types.get(kind) or str(kind),
                    scope,
                    protocol,
                    inet_ntop(family, source) if bits & _SOURCE else "",
                    flags,
                    body,
                )
            )
        )
    return routes


def _gateway(values: Values) -> str:
    return format_ip(values["gateway"] if "gateway" in values else values.get("via", b"")[2:])


def _nexthop(values: Values) -> Nexthop:
    return Nexthop(
        _gateway(values) or None,
        values["rtnh_ifindex"],
        values["rtnh_hops"] + 1,
        bool(values["rtnh_flags"] & RTNH_F_ONLINK),
    )
