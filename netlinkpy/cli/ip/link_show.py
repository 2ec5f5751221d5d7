"""`ip link show`: links as iproute2 shows them."""

from __future__ import annotations

from ...rtnl.values import format_ip
from ...uapi.if_ import IFF_POINTOPOINT, IFF_RUNNING, IFF_UP
from ...uapi.rtnetlink import RTEXT_FILTER_SKIP_STATS, RTM_GETLINK
from ...uapi.socket import AF_INET6, AF_PACKET
from ...wire.rtnetlink.link import LINK
from ..command_error import CommandError
from ..names import GROUPS, HARDWARE, IPV4_HARDWARE, IPV6_HARDWARE, LINK_FLAGS, LINKMODES, OPERSTATES
from .filter import Filter
from .kind import kind_fields
from .link_words import ADDRESS_MODES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...wire.attributes import Values
    from ...wire.rtnetlink.typed_values import LinkValues
    from ..output import Field
    from .grammar import Words
    from .session import Session


def show(session: Session, words: Words) -> None:
    """`ip link show [DEVICE] [up] [master DEV] [type TYPE] [group GROUP] ...`."""
    wanted = Filter(session, words)
    links = fetch(session, wanted, AF_PACKET)
    out = session.output()
    for link in links:
        if wanted.shows_link(link) and not wanted.label:  # only addresses have labels
            out.record(link_fields(session, link, alone=True))
        elif out.json:
            out.record(())  # iproute2 opens the object before it looks
    out.close()


def fetch(session: Session, wanted: Filter, family: int) -> list[Values]:
    """Return the links that a filter selects: one, or a dump that the kernel has filtered."""
    if wanted.device is not None:
        found = get(session, wanted.device, family)
        if found is None:
            raise CommandError(f'Device "{wanted.device}" does not exist.')
        session.remember([found])
        return [found]
    values: LinkValues = {"ifi_family": family}
    filtered = family in (0, AF_PACKET)
    if filtered:
        values.update(wanted.request())
    if family != AF_INET6:  # the IPv6 part of the kernel dumps links by itself, and takes no attributes
        values["ext_mask"] = RTEXT_FILTER_SKIP_STATS
    links = session.socket.dump(LINK, RTM_GETLINK, values, verb="list links")
    if family != AF_INET6:
        session.remember(links)
    return [link for link in links if wanted.takes_link(link)] if filtered else links


def get(session: Session, device: str, family: int) -> Values | None:
    """Return one link with what the kernel reports for a family, None if there is none."""
    link = session.find(device)
    if link is None or family in (0, AF_PACKET):
        return link
    values = {"ifi_family": family, "ifi_index": link["ifi_index"], "ext_mask": RTEXT_FILTER_SKIP_STATS}
    found: list[Values] = session.socket.request(LINK, RTM_GETLINK, 0, values, verb=f"find link {device}")
    return found[0] if found else None


def link_fields(session: Session, link: Values, *, alone: bool, family: int = 0) -> Iterator[Field]:
    """Yield the fields of one link. alone: its addresses do not follow (`ip link`); family: with IPv4 or IPv6
    no hardware address is shown."""
    if session.options.brief:
        yield from _brief_fields(session, link, alone=alone or family == AF_PACKET)
        return
    get = link.get
    newline = session.newline
    numeric = session.options.numeric
    yield "ifindex", link["ifi_index"], f"{link['ifi_index']}: "
    name, below, key, lower_down = _name(session, link)
    if key:
        yield key, below, ""
    yield "ifname", get("ifname", ""), session.paint("ifname", f"{name}: ")
    flags = flag_names(link, lower_down)
    yield "flags", flags, f"<{','.join(flags)}> "
    if "mtu" in link:
        yield "mtu", link["mtu"], f"mtu {link['mtu']} "
    if "qdisc" in link:
        yield "qdisc", link["qdisc"], f"qdisc {link['qdisc']} "
    if "master" in link:
        master = session.name(link["master"])
        yield "master", master, f"master {master} "
    if "operstate" in link:
        state = _operstate(link)
        yield "operstate", state, f"state {session.paint(state.lower(), f'{state} ')}"
    if alone and "linkmode" in link:
        mode = LINKMODES[link["linkmode"]] if link["linkmode"] < len(LINKMODES) else str(link["linkmode"])
        yield "linkmode", mode, f"mode {mode} "
    if "group" in link:
        group = str(link["group"]) if numeric else GROUPS.name(link["group"])
        yield "group", group, f"group {group} "
    length = get("txqlen") if "txqlen" in link else (session.link(link["ifi_index"]) or {}).get("txqlen")
    if length:
        length -= (length & 0x80000000) << 1  # iproute2 reads it as a signed number
        yield "txqlen", length, f"qlen {length}"
    details = session.options.details > 0
    if family in (0, AF_PACKET) or details:
        yield from _hardware_fields(session, link)
    yield from _proto_down_fields(link)
    if details:
        yield from _detail_fields(session, link, alone=alone)
    if (alone or details) and "ifalias" in link:
        yield "ifalias", link["ifalias"], f"{newline}    alias {link['ifalias']}"
    altnames = get("prop_list", {}).get("alt_ifname")
    if altnames:
        yield "altnames", altnames, "".join([f"{newline}    altname {altname}" for altname in altnames])
    yield None, None, "\n"


def _brief_fields(session: Session, link: Values, *, alone: bool) -> Iterator[Field]:
    name, below, key, lower_down = _name(session, link)
    if key:
        yield key, below, ""
    yield "ifname", link.get("ifname", ""), session.paint("ifname", f"{name:<16} ")
    if "operstate" in link:
        state = _operstate(link)
        yield "operstate", state, session.paint(state.lower(), f"{state:<14} ")
    if not alone:
        return
    if "address" in link:
        address = hardware_address(link["address"], link["ifi_type"])
        yield "address", address, session.paint("mac", f"{address} ")
    flags = flag_names(link, lower_down)
    yield "flags", flags, f"<{','.join(flags)}> "
    yield None, None, "\n"


def _name(session: Session, link: Values) -> tuple[str, str | int | None, str, bool]:
    """Return a link's name with what it stands on ("eth0@if7"), that alone, its JSON key, and whether that is
    known to be down."""
    name = link.get("ifname", "")
    if "link" not in link:
        return name, None, "", False
    below = link["link"]
    if not below:
        return f"{name}@NONE", None, "link", False
    if "link_netnsid" in link:
        return f"{name}@if{below}", below, "link_index", False
    lower = session.name(below)
    flags = session.flags(below)
    return f"{name}@{lower}", lower, "link", flags is not None and not flags & IFF_UP


def flag_names(link: Values, lower_down: bool) -> list[str]:
    """Return the IFF_ flags by name, with NO-CARRIER first and M-DOWN last, which are no flags but
    conclusions."""
    flags = link["ifi_flags"]
    names = ["NO-CARRIER"] if flags & IFF_UP and not flags & IFF_RUNNING else []
    flags &= ~IFF_RUNNING
    for bit, name in LINK_FLAGS:
        if flags & bit:
            names.append(name)
            flags &= ~bit
    if flags:
        names.append(f"{flags:x}")
    if lower_down:
        names.append("M-DOWN")
    return names


def _operstate(link: Values) -> str:
    state: int = link["operstate"]
    return OPERSTATES[state] if state < len(OPERSTATES) else f"{state:#x}"


def _hardware_fields(session: Session, link: Values) -> Iterator[Field]:
    kind = link["ifi_type"]
    name = f"[{kind}]" if session.options.numeric else HARDWARE.get(kind, f"[{kind}]")
    yield "link_type", name, f"{session.newline}    link/{name} "
    if "address" in link:
        address = hardware_address(link["address"], kind)
        yield "address", address, session.paint("mac", address)
    if "broadcast" in link:
        broadcast = hardware_address(link["broadcast"], kind)
        point = bool(link["ifi_flags"] & IFF_POINTOPOINT)
        if point:
            yield "link_pointtopoint", True, ""
        yield "broadcast", broadcast, f" {'peer' if point else 'brd'} {session.paint('mac', broadcast)}"
    if "link_netnsid" in link:
        nsid = link["link_netnsid"]
        if nsid < 0:
            yield "link_netnsid", None, " link-netnsid unknown"
        elif session.options.json:
            yield "link_netnsid", nsid, ""
        else:
            known = session.namespace_name(nsid)
            yield None, nsid, f" link-netns {known}" if known else f" link-netnsid {nsid}"


def _proto_down_fields(link: Values) -> Iterator[Field]:
    if not link.get("proto_down"):
        return
    yield "proto_down", True, " protodown on "
    # IFLA_PROTO_DOWN_REASON is a nest: 1 the mask, 2 the bits that are set (linux/if_link.h)
    from ...wire.attributes import Attributes
    from ...wire.codecs import U32

    bits = Attributes(value=(2, U32)).parse(link.get("proto_down_reason", b""), {}).get("value", 0)
    reasons = [str(bit) for bit in range(32) if bits >> bit & 1]
    if reasons:
        yield "proto_down_reason", reasons, f"protodown_reason <{','.join(reasons)}>"


DETAILS = (  # attribute, key, word; what follows the kind
    ("num_tx_queues", "num_tx_queues", "numtxqueues"),
    ("num_rx_queues", "num_rx_queues", "numrxqueues"),
    ("gso_max_size", "gso_max_size", "gso_max_size"),
    ("gso_max_segs", "gso_max_segs", "gso_max_segs"),
    ("tso_max_size", "tso_max_size", "tso_max_size"),
    ("tso_max_segs", "tso_max_segs", "tso_max_segs"),
    ("gro_max_size", "gro_max_size", "gro_max_size"),
    ("phys_port_name", "phys_port_name", "portname"),
    ("phys_port_id", "phys_port_id", "portid"),
    ("phys_switch_id", "phys_switch_id", "switchid"),
    ("parent_dev_bus_name", "parentbus", "parentbus"),
    ("parent_dev_name", "parentdev", "parentdev"),
)


def _detail_fields(session: Session, link: Values, *, alone: bool) -> Iterator[Field]:
    """Yield the fields that -d adds."""
    for name, text in (
        ("promiscuity", " promiscuity {} "),
        ("allmulti", " allmulti {} "),
        ("min_mtu", "minmtu {} "),
        ("max_mtu", "maxmtu {} "),
    ):
        if name in link:
            yield name, link[name], text.format(link[name])
    if "linkinfo" in link:
        yield from kind_fields(session, link["linkinfo"])
    spec = link.get("af_spec", {})
    mode = spec.get("inet6", {}).get("addr_gen_mode") if alone and isinstance(spec, dict) else None
    if mode is not None:
        name = ADDRESS_MODES[mode] if mode < len(ADDRESS_MODES) else f"{mode:#04x}"
        yield "inet6_addr_gen_mode", name, f"addrgenmode {name} "
    for name, key, word in DETAILS:
        if name in link:
            value = link[name].hex() if isinstance(link[name], bytes) else link[name]
            yield key, value, f"{word} {value} "


def hardware_address(packed: bytes, kind: int) -> str:
    """Return a hardware address as text; those of tunnels are IP addresses."""
    if (len(packed) == 4 and kind in IPV4_HARDWARE) or (len(packed) == 16 and kind in IPV6_HARDWARE):
        return format_ip(packed)
    return packed.hex(":")
