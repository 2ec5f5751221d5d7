"""The fields of a route message, as iproute2 shows them."""

from __future__ import annotations

from _socket import AF_INET, AF_INET6
from sys import byteorder

from ...rtnl.values import format_ip
from ...uapi.rtnetlink import RT_TABLE_MAIN, RTM_F_CLONED, RTN_UNICAST, RTPROT_BOOT
from ..names import DSFIELDS, FAMILIES, PROTOCOLS, REALMS, ROUTE_TYPES, SCOPES, TABLES
from ..output import mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ...wire.attributes import Values
    from ..output import Field
    from .session import Session

BITS = {AF_INET: 32, AF_INET6: 128}

FLAGS = (  # RTNH_F_ and RTM_F_ of linux/rtnetlink.h, in the order in which `ip` shows them
    (0x1, "dead"), (0x4, "onlink"), (0x2, "pervasive"), (0x8, "offload"), (0x40, "trap"), (0x100, "notify"),
    (0x10, "linkdown"), (0x20, "unresolved"), (0x4000, "rt_offload"), (0x8000, "rt_trap"),
    (0x20000000, "rt_offload_failed"),
)  # fmt: skip
CACHE_FLAGS = (  # RTCF_ of linux/in_route.h
    (0x80000000, "local"), (0x40000000, "reject"), (0x20000000, "mc"), (0x10000000, "brd"),
    (0x08000000, "dst-nat"), (0x00800000, "src-nat"), (0x00400000, "masq"), (0x00020000, "dst-direct"),
    (0x04000000, "src-direct"), (0x00040000, "redirected"), (0x01000000, "redirect"),
    (0x00200000, "fastroute"), (0x00010000, "notify"), (0x00080000, "tproxy"),
)  # fmt: skip
METRICS = (
    "mtu", "window", "rtt", "rttvar", "ssthresh", "cwnd", "advmss", "reordering", "hoplimit", "initcwnd",
    "features", "rto_min", "initrwnd", "quickack", "cc_algo", "fastopen_no_cookie",
)  # fmt: skip
LOCK_BITS = {name: 1 << bit for bit, name in enumerate(METRICS, 2)}  # RTAX_LOCK: 1 << RTAX_
FRACTIONS = {"rtt": 8, "rttvar": 4, "rto_min": 1}  # times, stored in parts of a millisecond
PREFERENCES = {0: "medium", 1: "high", 3: "low"}  # ICMPV6_ROUTER_PREF_, RFC 4191
ENCAPSULATIONS = {
    1: "mpls",
    2: "ip",
    3: "ila",
    4: "ip6",
    5: "seg6",
    6: "bpf",
    7: "seg6local",
    8: "rpl",
    9: "ioam6",
    10: "xfrm",
}


def route_fields(session: Session, route: Values, hidden: frozenset[str] = frozenset()) -> Iterator[Field]:
    """Yield the fields of one route. hidden: those asked for, which are not repeated ("dev", "table", "via"
    ...)."""
    get = route.get
    numeric = session.options.numeric
    family: int = route["rtm_family"]
    colour = FAMILIES.get(family, "")
    cloned = route["rtm_flags"] & RTM_F_CLONED
    if route["rtm_type"] != RTN_UNICAST:
        kind = type_name(route["rtm_type"], numeric)
        yield "type", kind, f"{kind} "
    target = _prefix(get("dst"), route["rtm_dst_len"], family) or "default"
    yield "dst", target, session.paint(colour, f"{target} ")
    source = _prefix(get("src"), route["rtm_src_len"], family)
    if source:
        yield "from", source, f"from {session.paint(colour, source)} "
    if "encap_type" in route:
        name = ENCAPSULATIONS.get(route["encap_type"], str(route["encap_type"]))
        yield "encap", name, f" encap {name} "
    if route["rtm_tos"] and "tos" not in hidden:
        tos = dsfield(route["rtm_tos"], numeric)
        yield "tos", tos, f"tos {tos} "
    if "nh_id" in route:
        yield "nhid", route["nh_id"], f"nhid {route['nh_id']} "
    if "via" not in hidden:
        yield from _gateway_fields(session, route, colour)
    if "oif" in route and "dev" not in hidden:
        device = session.name(route["oif"])
        yield "dev", device, f"dev {session.paint('ifname', f'{device} ')}"
    if not cloned:
        yield from _place_fields(route, hidden, numeric)
    if "prefsrc" in route and "src" not in hidden:
        address = format_ip(route["prefsrc"])
        yield "prefsrc", address, f"src {session.paint(colour, f'{address} ')}"
    if "priority" in route and "metric" not in hidden:
        yield "metric", route["priority"], f"metric {route['priority']} "
    flags = flag_names(route["rtm_flags"])
    yield "flags", flags, "".join([f"{flag} " for flag in flags])
    if "mark" in route:
        mark = route["mark"]
        text = f"0x{mark:x}" if mark >= 16 else str(mark)
        yield "mark", text if mark >= 16 else mark, f"mark {text} "
    if get("flow") and "realms" not in hidden:
        yield _flow_field(route["flow"])
    if "uid" in route:
        yield "uid", route["uid"], f"uid {route['uid']} "
    if family == AF_INET and cloned:
        names = [name for bit, name in CACHE_FLAGS if route["rtm_flags"] & ~0xFFFF & bit]
        yield "cache", names, f"{session.newline}    cache {'<' + ','.join(names) + '> ' if names else ''}"
    if family == AF_INET and cloned:
        yield from _cache_fields(get("cacheinfo", {}))
    if "metrics" in route:
        yield _metrics_field(route["metrics"])
    if "iif" in route and "iif" not in hidden:
        device = session.name(route["iif"])
        yield "iif", device, f"iif {session.paint('ifname', f'{device} ')}"
    if family == AF_INET6:
        yield from _cache_fields(get("cacheinfo", {}))
    if "pref" in route:
        preference = PREFERENCES.get(route["pref"], str(route["pref"]))
        yield "pref", preference, f"pref {preference}"
    if "ttl_propagate" in route:
        on = bool(route["ttl_propagate"])
        yield (
            "ttl-propogate",
            "enabled" if on else "disabled",
            f"ttl-propagate {'enabled' if on else 'disabled'}",
        )
    if "multipath" in route:
        hops = [list(_hop_fields(session, hop, colour)) for hop in route["multipath"]]
        text = "".join([text for fields in hops for _, _, text in fields])
        yield "nexthops", [mapping(fields) for fields in hops], text
    yield None, None, "\n"


def type_name(number: int, numeric: bool) -> str:
    """Return a type of route by name."""
    return str(number) if numeric or number >= len(ROUTE_TYPES) else ROUTE_TYPES[number]


def _prefix(packed: bytes | None, length: int, family: int) -> str:
    """Return a destination or source; empty if it covers everything."""
    if packed is not None:
        text = format_ip(packed)
        return text if length == BITS.get(family, len(packed) * 8) else f"{text}/{length}"
    return f"0/{length}" if length else ""


def dsfield(number: int, numeric: bool) -> str:
    """Return a type of service: its name, or two hexadecimal digits."""
    name = DSFIELDS.name(number)
    return f"0x{number:02x}" if numeric or name == str(number) else name


def _gateway_fields(session: Session, values: Values, colour: str) -> Iterator[Field]:
    if "gateway" in values:
        gateway = format_ip(values["gateway"])
        yield "gateway", gateway, f"via {session.paint(colour, f'{gateway} ')}"
    if "via" in values:  # struct rtvia: a gateway of another family
        family = int.from_bytes(values["via"][:2], byteorder)
        name, host = FAMILIES.get(family, str(family)), format_ip(values["via"][2:])
        yield "via", {"family": name, "host": host}, f"via {name} {session.paint(name, f'{host} ')}"


def _place_fields(route: Values, hidden: frozenset[str], numeric: bool) -> Iterator[Field]:
    table: int = route["table"] if "table" in route else route["rtm_table"]
    if table != RT_TABLE_MAIN and "table" not in hidden:
        name = str(table) if numeric else TABLES.name(table)
        yield "table", name, f"table {name} "
    protocol = route["rtm_protocol"]
    if protocol != RTPROT_BOOT and "proto" not in hidden:
        name = str(protocol) if numeric else PROTOCOLS.name(protocol)
        yield "protocol", name, f"proto {name} "
    if route["rtm_scope"] and "scope" not in hidden:
        name = str(route["rtm_scope"]) if numeric else SCOPES.name(route["rtm_scope"])
        yield "scope", name, f"scope {name} "


def flag_names(flags: int) -> list[str]:
    """Return the flags of a route or nexthop by name."""
    return [name for bit, name in FLAGS if flags & bit]


def _flow_field(flow: int) -> Field:
    origin, to = flow >> 16, REALMS.name(flow & 0xFFFF)
    if origin:
        return "flow", {"from": REALMS.name(origin), "to": to}, f"realms {REALMS.name(origin)}/{to} "
    return "flow", {"to": to}, f"realm {to} "


def _cache_fields(info: dict[str, int]) -> Iterator[Field]:
    if info.get("expires"):
        seconds = int(info["expires"] / 100)  # USER_HZ, toward zero
        yield "expires", seconds, f"expires {seconds}sec "
    if info.get("error"):
        error = info["error"] - (1 << 32 if info["error"] >> 31 else 0)
        yield "error", error, f"error {error} "


def _metrics_field(metrics: Values) -> Field:
    locked = metrics.get("lock", 0)
    values: dict[str, Any] = {}
    text = ""
    for name in METRICS:
        if name not in metrics:
            continue
        value = metrics[name]
        lock = "lock " if locked & LOCK_BITS[name] else ""
        shown = "congctl" if name == "cc_algo" else name
        if name == "features":
            if value & 1:  # RTAX_FEATURE_ECN
                values["ecn"] = None
            rest = f"{value & ~1:#x} " if value & ~1 else ""
            text += f"features {lock}{'ecn ' if value & 1 else ''}{rest}"
        elif name in FRACTIONS:
            value //= FRACTIONS[name]
            values[name] = value
            text += f"{shown} {lock}{f'{value / 1000:g}s' if value >= 1000 else f'{value}ms'} "
        else:
            if name == "hoplimit" and value == 0xFFFFFFFF:
                value = 0
            values["congestion" if name == "cc_algo" else name] = value
            text += f"{shown} {lock}{value} "
    return "metrics", [values], text


def _hop_fields(session: Session, hop: Values, colour: str) -> Iterator[Field]:
    yield None, None, f"{session.newline}\tnexthop "
    if "encap_type" in hop:
        name = ENCAPSULATIONS.get(hop["encap_type"], str(hop["encap_type"]))
        yield "encap", name, f" encap {name} "
    yield from _gateway_fields(session, hop, colour)
    if hop.get("flow"):
        yield _flow_field(hop["flow"])
    device = session.name(hop["rtnh_ifindex"])
    yield "dev", device, f"dev {session.paint('ifname', f'{device} ')}"
    weight = hop["rtnh_hops"] + 1
    yield "weight", weight, f"weight {weight} "
    flags = flag_names(hop["rtnh_flags"])
    yield "flags", flags, "".join([f"{flag} " for flag in flags])
