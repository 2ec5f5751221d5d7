"""The recipe: the steps that wire a container to a bridge, as data. docs/recipe.md says why.

The executor (executor.py) runs it: for one endpoint as one program, for many step by step. Nothing else sends
a message that wires a container."""

from __future__ import annotations

import errno
import os

from ..record import Record
from ..rtnl.values import FAMILY_OF_LENGTH, broadcast_of, format_ip
from ..uapi.if_ import IFF_UP, IFNAMSIZ
from ..uapi.if_addr import IFA_F_NODAD
from ..uapi.if_bridge import PORT_STATES
from ..uapi.if_link import IN6_ADDR_GEN_MODE_NONE
from ..uapi.ipv6 import DEVCONF_ACCEPT_RA
from ..uapi.netlink import NLM_F_CREATE, NLM_F_ECHO, NLM_F_EXCL, NLM_F_REQUEST
from ..uapi.rtnetlink import (
    RT_SCOPE_LINK,
    RT_SCOPE_UNIVERSE,
    RT_TABLE_MAIN,
    RTEXT_FILTER_SKIP_STATS,
    RTM_GETLINK,
    RTM_NEWADDR,
    RTM_NEWLINK,
    RTM_NEWLINKPROP,
    RTM_NEWROUTE,
    RTN_UNICAST,
    RTNH_F_ONLINK,
    RTPROT_BOOT,
)
from ..uapi.socket import AF_UNSPEC
from ..wire.attributes import Slot
from ..wire.columns import Field, Plan, number
from ..wire.rtnetlink.address import ADDRESS
from ..wire.rtnetlink.link import LINK
from ..wire.rtnetlink.route import ROUTE
from ..wire.template import Template
from .link_group import regrouping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from .bridge import Bridge
    from .endpoint import CheckedEndpoint
    from .row import Row
    from .shape import Shape

LOOPBACK_INDEX = 1  # the kernel makes lo first in every namespace (LOOPBACK_IFINDEX, net.h)
CLAIM_SIZE = 56  # bytes of "ip:4294967295:" and the longest IPv6 address, in fours

# Where a step is done: in the container, on the host for the host end, or on the host for the bridge.
INSIDE, HOST, BRIDGE = "inside", "host", "bridge"
# How a step on the host is done for many: messages for each row, one message for the whole staging group, or
# a dump.
ROWS, GROUP, DUMP = "rows", "group", "dump"

BY_INDEX = {"ifi_index": Slot("host_index", 4)}  # what selects a host end in a message: its index,
BY_GROUP = {"group": Slot("group", 4)}  # or the group of many


class Step(Record):
    """One step of the recipe: a datagram.

    where: INSIDE, HOST or BRIDGE; build: (shape, link) -> its messages, `link` being what selects the host
    end (BY_INDEX or BY_GROUP); verbs: what each message does, in words, for errors; many: how a step on the
    host is done for many rows; applies: whether an endpoint of this shape on this bridge needs it; keep: what
    is kept of the reply for later steps; note: called with (row, what was kept) when the step is done; ack:
    whether it ends with an ack or with the reply; tolerated: the errno that is no failure; hint: (verb,
    errno) -> our sentence if the kernel has none."""

    name: str
    where: str
    build: Callable[[Shape, dict[str, Any]], Template]
    verbs: Callable[[Row], Sequence[str]]
    many: str = ROWS
    applies: Callable[[Shape, Bridge], bool] = lambda shape, bridge: True
    keep: Callable[[Shape], Plan | None] = lambda shape: None
    note: Callable[[Row, tuple[int, ...]], None] | None = None
    ack: bool = True
    tolerated: int = 0
    hint: Callable[[str, int], str] = lambda verb, number: ""


class Barrier(Record):
    """A place between two steps. hooks: those run here, in this order, if they have work; if none has, one
    row's program runs on."""

    name: str
    hooks: tuple[str, ...]


def _ends(shape: Shape) -> Plan:
    """Return the plan of a veth end's index, of its peer's (IFLA_LINK), and of whether it heeds router
    advertisements."""
    fields = {"index": number(LINK, "ifi_index"), "host_index": number(LINK, "link")}
    if shape.has_ipv6:
        fields["accept_ra"] = Field(f"af_spec[{AF_UNSPEC}].inet6.conf", 4, "I", start=4 * DEVCONF_ACCEPT_RA)
    return Plan(LINK, RTM_NEWLINK, fields)


def _port_state() -> Plan:
    return Plan(LINK, RTM_NEWLINK, {"state": number(LINK, "linkinfo.slave_data[bridge].state")})


def _note_ends(row: Row, kept: tuple[int, ...]) -> None:
    if kept:
        row.index, row.host_index, *heeds = kept
        row.advertised = any(heeds)


def _note_port(row: Row, kept: tuple[int, ...]) -> None:
    row.port = PORT_STATES[kept[0]]


def _one(message: Any, type: int, values: dict[str, Any], flags: int = 0) -> Template:
    template = Template()
    template.add(message, type, NLM_F_REQUEST | flags, values)
    return template


def look_at(slot: str) -> Template:
    """Return a unicast look at the link in a slot, which completes a pending change of its carrier inside the
    call."""
    values = {"ifi_index": Slot(slot, 4), "ext_mask": RTEXT_FILTER_SKIP_STATS}
    return _one(LINK, RTM_GETLINK, values)


def _create(shape: Shape, link: dict[str, Any]) -> Template:
    """Create the pair: the container's end here, with its name and MAC, its peer in the host's namespace, in
    the call's staging group. A thread id selects the namespace that the thread is in (get_net_ns_by_pid(),
    net/core/net_namespace.c).

    Neither end is up (the kernel refuses IFF_UP in the peer, and ignores the peer's IFLA_MASTER)."""
    settings = {"num_tx_queues": shape.queues, "num_rx_queues": shape.queues, "mtu": shape.mtu}
    peer = {
        "ifname": Slot("host_ifname", IFNAMSIZ),
        "net_ns_pid": Slot("host_thread", 4),
        "group": Slot("group", 4),
        **settings,
    }
    values = {
        "ifname": Slot("ifname", IFNAMSIZ),
        "address": Slot("mac", 6),
        **settings,
        "linkinfo": {"kind": "veth", "data": {"peer": peer}},
    }
    return _one(LINK, RTM_NEWLINK, values, NLM_F_CREATE | NLM_F_EXCL | (NLM_F_ECHO if shape.echo else 0))


def find_by_name() -> Template:
    """Return a look at the container's end by the name in the slot `ifname`."""
    return _one(LINK, RTM_GETLINK, {"ifname": Slot("ifname", IFNAMSIZ), "ext_mask": RTEXT_FILTER_SKIP_STATS})


def _configure(shape: Shape, link: dict[str, Any]) -> Template:
    template = Template()
    flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL
    index = Slot("index", 4)
    # If the endpoint has no IPv6 address the kernel must not generate one. The mode may come with IFF_UP,
    # although the kernel applies that first: the host end is still down, so there is no carrier, and without
    # a carrier no address is generated. If the interface has no IPv6 the kernel refuses the mode
    # (EAFNOSUPPORT).
    plain = shape.has_ipv6 and 16 not in shape.families
    mode = {"inet6": {"addr_gen_mode": IN6_ADDR_GEN_MODE_NONE}} if plain else None
    up = {"ifi_index": index, "ifi_flags": IFF_UP, "ifi_change": IFF_UP, "af_spec": mode}
    template.add(LINK, RTM_NEWLINK, NLM_F_REQUEST, up)
    for place, (size, length) in enumerate(shape.addresses):
        slot = Slot(f"address{place}", size)
        values = {
            "ifa_family": FAMILY_OF_LENGTH[size],
            "ifa_prefixlen": length,
            "ifa_index": index,
            "local": slot,
            "address": slot,
            "broadcast": Slot(f"broadcast{place}", 4) if size == 4 and length <= 30 else None,
            "flags": IFA_F_NODAD if size == 16 else None,
        }
        template.add(ADDRESS, RTM_NEWADDR, flags, values)
    for place, (size, length, direct) in enumerate(shape.routes):
        gateway = None if direct else Slot(f"via{place}", size)
        template.add(
            ROUTE, RTM_NEWROUTE, flags, _route(size, length, Slot(f"route{place}", size), gateway, None)
        )
    for place, size in enumerate(shape.gateways):
        values = _route(size, 0, None, Slot(f"gateway{place}", size), shape.metric)
        values["rtm_flags"] = RTNH_F_ONLINK if shape.onlink else 0
        template.add(ROUTE, RTM_NEWROUTE, flags, values)
    return template


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


def _configure_verbs(row: Row) -> list[str]:
    wanted, ifname = row.wanted, row.wanted.ifname
    verbs = [f"bring up {ifname}"]
    verbs += [f"add address {text} to {ifname}" for text in wanted.address_texts]
    verbs += [
        f"add route {format_ip(packed)}/{length}{f' via {format_ip(via)}' if via else ''}"
        for packed, length, via in wanted.routes
    ]
    return verbs + [f"add default route via {text}" for text in wanted.gateway_texts]


def _configure_hint(verb: str, number: int) -> str:
    if number in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return "no address or route of the container covers the gateway (--onlink takes it for a neighbour)"
    if number != errno.EEXIST:
        return ""
    if "default route" in verb:
        return "the container has a default route already: give a metric, or no gateways (--no-gateway)"
    return "the container has it already"


def _create_hint(verb: str, number: int) -> str:
    if number == errno.EPERM:
        return "not permitted: this needs CAP_NET_ADMIN both in the container and on the host"
    return ""


def _claim(shape: Shape, link: dict[str, Any]) -> Template:
    """Claim every address as an alternative name of the host end: names are unique, so the kernel decides
    between two who want the same address at the same time, and it is free again when the link is gone."""
    template = Template()
    for place in range(len(shape.addresses)):
        values = {**link, "prop_list": {"alt_ifname": [Slot(f"claim{place}", CLAIM_SIZE)]}}
        template.add(LINK, RTM_NEWLINKPROP, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL, values)
    return template


def _pin(shape: Shape, link: dict[str, Any]) -> Template:
    """Set the bridge's MAC to the one it has. Otherwise it follows its lowest port: removing that port would
    cut off all others until their ARP caches forget, and the kernel searches all ports for the lowest each
    time one is added."""
    return _one(LINK, RTM_NEWLINK, {"ifi_index": Slot("bridge", 4), "address": Slot("bridge_mac", 6)})


def _no_ipv6(shape: Shape, link: dict[str, Any]) -> Template:
    """Keep the kernel from generating IPv6 addresses on the ports. This is a message of its own, sent
    first, because within one message the kernel applies IFF_UP and the master before the mode. A port without
    IPv6 (its MTU is below 1280) refuses the mode."""
    mode = {"inet6": {"addr_gen_mode": IN6_ADDR_GEN_MODE_NONE}}
    return _one(LINK, RTM_NEWLINK, {**link, "af_spec": mode})


def _enslave(shape: Shape, link: dict[str, Any]) -> Template:
    up = {"ifi_flags": IFF_UP, "ifi_change": IFF_UP, **link, "master": Slot("bridge", 4)}
    return _one(LINK, RTM_NEWLINK, up)


def _ready(shape: Shape, link: dict[str, Any]) -> Template:
    """Complete the carrier of the container's end, and bring up lo. (In the other order it takes longer: the
    kernel begins to complete the change by itself meanwhile.)"""
    template = look_at("index")
    lo = {"ifi_index": LOOPBACK_INDEX, "ifi_flags": IFF_UP, "ifi_change": IFF_UP}
    template.add(LINK, RTM_NEWLINK, NLM_F_REQUEST, lo)
    return template


RESERVED = Barrier(
    "reserved", hooks=("refuse_advertisements", "see_reserved")
)  # up to here a row may begin again
PROVED = Barrier("proved", hooks=("await_own", "announce", "see_parting"))  # the commit follows

RECIPE: tuple[Step | Barrier, ...] = (
    Step(
        "create",
        INSIDE,
        _create,
        lambda row: [f"create {row.wanted.ifname} and its host end {row.host_ifname}"],
        keep=lambda shape: _ends(shape) if shape.echo else None,
        note=_note_ends,
        hint=_create_hint,
    ),
    Step(  # before 6.2 the kernel does not echo a create
        "find",
        INSIDE,
        lambda shape, link: find_by_name(),
        lambda row: [f"find {row.wanted.ifname}"],
        applies=lambda shape, bridge: not shape.echo,
        keep=_ends,
        note=_note_ends,
        ack=False,
    ),
    Step("configure", INSIDE, _configure, _configure_verbs, hint=_configure_hint),
    Step(
        "claim",
        HOST,
        _claim,
        lambda row: [f"claim {text.partition('/')[0]}" for text in row.wanted.address_texts],
        applies=lambda shape, bridge: bool(shape.addresses),
    ),
    RESERVED,
    Step(
        "pin",
        BRIDGE,
        _pin,
        lambda row: [f"pin the MAC of bridge {row.wanted.bridge}"],
        applies=lambda shape, bridge: not bridge.settled,
        note=lambda row, kept: row.bridge.note_pinned(),
    ),
    Step(
        "no_ipv6",
        HOST,
        _no_ipv6,
        lambda row: [f"keep IPv6 off {row.host_ifname}"],
        many=GROUP,
        tolerated=errno.EAFNOSUPPORT,
    ),
    Step(
        "enslave",
        HOST,
        _enslave,
        lambda row: [f"make {row.host_ifname} a port of {row.wanted.bridge}"],
        many=GROUP,
    ),
    Step(
        "ready",
        INSIDE,
        _ready,
        lambda row: [f"make {row.wanted.ifname} ready", "bring up lo"],
    ),
    Step(
        "see",
        HOST,
        lambda shape, link: look_at("host_index"),
        lambda row: [f"look at the port {row.host_ifname}"],
        many=DUMP,
        keep=lambda shape: _port_state(),
        note=_note_port,
        ack=False,
    ),
    Step(  # its first live port gives it a carrier, before which it sends nothing
        "carrier",
        BRIDGE,
        lambda shape, link: look_at("bridge"),
        lambda row: [f"look at bridge {row.wanted.bridge}"],
        applies=lambda shape, bridge: not bridge.settled,
        ack=False,
    ),
    PROVED,
    Step(
        "commit",
        HOST,
        lambda shape, link: regrouping(0),
        lambda row: [f"finish {row.host_ifname}"],
    ),
)


def kernel_echoes() -> bool:
    """Return whether the kernel honours NLM_F_ECHO in RTM_NEWLINK, as it does since 6.2."""
    major, minor = os.uname().release.split(".")[:2]
    return (int(major), int("".join(filter(str.isdigit, minor[:3])) or 0)) >= (6, 2)


def slots_of(wanted: CheckedEndpoint) -> dict[str, bytes]:
    """Return the slots that the endpoint fills; those of the call and of the bridge are not among them."""
    values = {
        "ifname": wanted.ifname.encode("utf-8", "surrogateescape").ljust(IFNAMSIZ, b"\0"),
        "mac": wanted.mac,
    }
    for place, (packed, length) in enumerate(wanted.addresses):
        values[f"address{place}"] = packed
        broadcast = broadcast_of(packed, length)
        if broadcast is not None:
            values[f"broadcast{place}"] = broadcast
    for place, gateway in enumerate(wanted.gateways):
        values[f"gateway{place}"] = gateway
    for place, (packed, _, via) in enumerate(wanted.routes):
        values[f"route{place}"] = packed
        if via is not None:
            values[f"via{place}"] = via
    return values
