"""Templates: the messages that wire one container from inside, packed once for every shape of endpoint.

The recipe (docs/recipe.md says why): a first datagram creates the pair, nothing else; only when it succeeded,
a second names the index it returned and brings up, addresses and routes. A third, when the host ends are up,
raises lo and makes ready."""

from __future__ import annotations

import os

from ..rtnl.values import FAMILY_OF_LENGTH, format_ip
from ..uapi.if_ import IFF_UP, IFNAMSIZ
from ..uapi.if_addr import IFA_F_NODAD
from ..uapi.if_link import IN6_ADDR_GEN_MODE_NONE
from ..uapi.netlink import NLM_F_CREATE, NLM_F_ECHO, NLM_F_EXCL, NLM_F_REQUEST
from ..uapi.rtnetlink import (
    RT_SCOPE_LINK,
    RT_SCOPE_UNIVERSE,
    RT_TABLE_MAIN,
    RTEXT_FILTER_SKIP_STATS,
    RTM_GETLINK,
    RTM_NEWADDR,
    RTM_NEWLINK,
    RTM_NEWROUTE,
    RTN_UNICAST,
    RTPROT_BOOT,
)
from ..wire.attributes import Slot
from ..wire.columns import Plan, number
from ..wire.program import Program, Step
from ..wire.rtnetlink.address import ADDRESS
from ..wire.rtnetlink.link import LINK
from ..wire.rtnetlink.route import ROUTE
from ..wire.template import Template
from .bridge import enslaving, looking, port_facts, regrouping
from .claims import claiming
from .endpoint import IPV6_MIN_MTU

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .endpoint import Wanted

LOOPBACK_INDEX = 1  # the kernel makes lo first in every namespace (LOOPBACK_IFINDEX, net.h)
_KEPT = 64  # shapes kept packed
_NO_IPV6 = {"inet6": {"addr_gen_mode": IN6_ADDR_GEN_MODE_NONE}}


class Shape:
    """The programs for endpoints that differ only in names and addresses. Their slots: ifname, mac,
    host_ifname, host_netns, group, address0.., gateway0.., route0.., via0..; index and host_index where those
    of the two ends go.

    make: create the pair and configure the container's end; ready: make ready and raise lo; find: look for
    the container's end."""

    __slots__ = ("_host", "_make", "_ready", "_whole", "find", "make", "ready")

    def __init__(self, wanted: Wanted, echo: bool) -> None:
        find, ends = _find(), _ends()
        self._make = [
            Step("create", _create(wanted, echo), plan=ends if echo else None),
            *([] if echo else [Step("find", find, ack=False, plan=ends)]),
            Step("configure", _configure(wanted)),
        ]
        self._ready = Step("ready", _ready())
        self.make = Program(self._make)
        self.find = Program([Step("find", find, ack=False)])
        self.ready = Program([self._ready])
        self._host = len(wanted.addresses), _has_ipv6(wanted.mtu)
        self._whole: dict[tuple[bool, bool], Program] = {}

    def whole(self, settled: bool, finish: bool) -> Program:
        """For one that stands alone: make, then what is done on the host, with ready in between (further
        slots: claim0.., bridge, bridge_mac). settled: the bridge needs nothing (Bridge.settled); finish: take
        the host end out of its group in the end."""
        if (settled, finish) not in self._whole:
            addresses, ipv6 = self._host
            port = {"ifi_index": Slot("host_index", 4)}
            claims = claiming([f"claim{place}" for place in range(addresses)])
            looked_at = looking(["host_index"] if settled else ["host_index", "bridge"])
            self._whole[settled, finish] = Program(
                [
                    *self._make,
                    *([Step("claim", claims, beside=True)] if addresses else []),
                    Step("enslave", enslaving(port, pin=not settled, ipv6=ipv6), beside=True),
                    self._ready,
                    Step("see", looked_at, ack=False, plan=port_facts(), beside=True),
                    *([Step("finish", regrouping(0), beside=True)] if finish else []),
                ]
            )
        return self._whole[settled, finish]


_shapes: dict[Any, Shape] = {}


def shape_of(wanted: Wanted) -> Shape:
    """The shape of an endpoint, packed anew only for one not met before."""
    if wanted.shape is None:
        wanted.shape = _shape(wanted, kernel_echoes())
    return wanted.shape


def _shape(wanted: Wanted, echo: bool) -> Shape:
    key = (
        echo,
        wanted.mtu,
        wanted.metric,
        wanted.queues,
        tuple([(len(packed), length) for packed, length in wanted.addresses]),
        tuple([len(gateway) for gateway in wanted.gateways or ()]),
        tuple([(len(packed), length, via is None) for packed, length, via in wanted.routes]),
    )
    shape = _shapes.get(key)
    if shape is None:
        if len(_shapes) >= _KEPT:
            _shapes.clear()
        shape = _shapes[key] = Shape(wanted, echo)
    return shape


def kernel_echoes() -> bool:
    """Whether the kernel answers NLM_F_ECHO on RTM_NEWLINK: since 6.2."""
    release = os.uname().release
    if release not in _echoes:
        major, minor = release.split(".")[:2]
        _echoes[release] = (int(major), int("".join(filter(str.isdigit, minor[:3])) or 0)) >= (6, 2)
    return _echoes[release]


_echoes: dict[str, bool] = {}


def values_of(wanted: Wanted) -> dict[str, bytes]:
    """What goes into the slots for one endpoint (but for group and host_netns, which are the call's)."""
    values = {
        "ifname": os.fsencode(wanted.ifname).ljust(IFNAMSIZ, b"\0"),
        "host_ifname": os.fsencode(wanted.host_ifname).ljust(IFNAMSIZ, b"\0"),
        "mac": wanted.mac,
    }
    for place, (packed, _) in enumerate(wanted.addresses):
        values[f"address{place}"] = packed
    for place, gateway in enumerate(wanted.gateways or ()):
        values[f"gateway{place}"] = gateway
    for place, (packed, _, via) in enumerate(wanted.routes):
        values[f"route{place}"] = packed
        if via is not None:
            values[f"via{place}"] = via
    return values


def step_names(wanted: Wanted) -> dict[str, list[str]]:
    """What each message of a datagram does, in words, for errors."""
    ifname = wanted.ifname
    configure = [f"bring up {ifname}"]
    configure += [
        f"add address {format_ip(packed)}/{length} to {ifname}" for packed, length in wanted.addresses
    ]
    configure += [
        f"add route {format_ip(packed)}/{length}{f' via {format_ip(via)}' if via else ''}"
        for packed, length, via in wanted.routes
    ]
    configure += [f"add default route via {format_ip(gateway)}" for gateway in wanted.gateways or ()]
    return {
        "create": [f"create {ifname} and its host end {wanted.host_ifname}"],
        "find": [f"find {ifname}"],
        "configure": configure,
        "claim": [f"claim {format_ip(packed)}" for packed, _ in wanted.addresses],
        "ready": [f"make {ifname} ready", "bring up lo"],
    }


def _ends() -> Plan:
    """Of a veth's end: its index, and that of the other (IFLA_LINK)."""
    return Plan(LINK, RTM_NEWLINK, {"index": number(LINK, "ifi_index"), "host_index": number(LINK, "link")})


def _create(wanted: Wanted, echo: bool) -> Template:
    """The pair: the main end born here with its name and MAC, its peer in the host's namespace, in the call's
    own group.

    Neither end is up (the kernel refuses IFF_UP in the peer, and the peer's IFLA_MASTER it ignores)."""
    settings = {"num_tx_queues": wanted.queues, "num_rx_queues": wanted.queues, "mtu": wanted.mtu}
    peer = {
        "ifname": Slot("host_ifname", IFNAMSIZ),
        "net_ns_fd": Slot("host_netns", 4),
        "group": Slot("group", 4),
        **settings,
    }
    template = Template()
    flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | (NLM_F_ECHO if echo else 0)
    values = {
        "ifname": Slot("ifname", IFNAMSIZ),
        "address": Slot("mac", 6),
        **settings,
        "linkinfo": {"kind": "veth", "data": {"peer": peer}},
    }
    template.add(LINK, RTM_NEWLINK, flags, values)
    return template


def _find() -> Template:
    """The container's end by name: before 6.2 the kernel does not echo a create."""
    template = Template()
    values = {"ifname": Slot("ifname", IFNAMSIZ), "ext_mask": RTEXT_FILTER_SKIP_STATS}
    template.add(LINK, RTM_GETLINK, NLM_F_REQUEST, values)
    return template


def _configure(wanted: Wanted) -> Template:
    template = Template()
    flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL
    # Without IPv6 addresses of ours the kernel shall make none. The mode may come with IFF_UP, which the
    # kernel applies
    # first: the host end is down still, so there is no carrier, and without carrier no address is made.
    # Where the interface has no IPv6 anyway the kernel refuses the mode (EAFNOSUPPORT).
    six = any(len(packed) == 16 for packed, _ in wanted.addresses) or not _has_ipv6(wanted.mtu)
    index = Slot("index", 4)
    up = {"ifi_index": index, "ifi_flags": IFF_UP, "ifi_change": IFF_UP, "af_spec": None if six else _NO_IPV6}
    template.add(LINK, RTM_NEWLINK, NLM_F_REQUEST, up)
    for place, (packed, length) in enumerate(wanted.addresses):
        slot = Slot(f"address{place}", len(packed))
        values = {
            "ifa_family": FAMILY_OF_LENGTH[len(packed)],
            "ifa_prefixlen": length,
            "ifa_index": index,
            "local": slot,
            "address": slot,
            "flags": IFA_F_NODAD if len(packed) == 16 else None,
        }
        template.add(ADDRESS, RTM_NEWADDR, flags, values)
    for place, (packed, length, via) in enumerate(wanted.routes):
        gateway = None if via is None else Slot(f"via{place}", len(packed))
        values = _route(len(packed), length, Slot(f"route{place}", len(packed)), gateway, None)
        template.add(ROUTE, RTM_NEWROUTE, flags, values)
    for place, address in enumerate(wanted.gateways or ()):
        values = _route(len(address), 0, None, Slot(f"gateway{place}", len(address)), wanted.metric)
        template.add(ROUTE, RTM_NEWROUTE, flags, values)
    return template


def _has_ipv6(mtu: int | None) -> bool:
    """Whether an interface of this MTU gets IPv6: not below 1280 bytes, and not where the kernel was started
    without it."""
    return (mtu is None or mtu >= IPV6_MIN_MTU) and os.path.exists("/proc/net/if_inet6")


def _route(
    size: int, length: int, destination: Slot | None, gateway: Slot | None, metric: int | None
) -> dict[str, Any]:
    return {
        "rtm_family": FAMILY_OF_LENGTH[size],
        "rtm_dst_len": length,
        "rtm_table": RT_TABLE_MAIN,
        "rtm_protocol": RTPROT_BOOT,
        "rtm_scope": RT_SCOPE_UNIVERSE if gateway is not None else RT_SCOPE_LINK,
        "rtm_type": RTN_UNICAST,
        "dst": destination if length else None,
        "gateway": gateway,
        "priority": metric,
        "oif": Slot("index", 4),
    }


def _ready() -> Template:
    """A unicast look at the container's end, which completes its carrier change inside the call; and lo up.
    (The other way round the kernel takes longer: it has its own mind to complete the change meanwhile.)"""
    template = Template()
    look = {"ifi_index": Slot("index", 4), "ext_mask": RTEXT_FILTER_SKIP_STATS}
    template.add(LINK, RTM_GETLINK, NLM_F_REQUEST, look)
    lo = {"ifi_index": LOOPBACK_INDEX, "ifi_flags": IFF_UP, "ifi_change": IFF_UP}
    template.add(LINK, RTM_NEWLINK, NLM_F_REQUEST, lo)
    return template
