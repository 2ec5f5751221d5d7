"""`ip address show`: links with their addresses, as iproute2 shows them."""

from __future__ import annotations

from ...rtnl.values import format_ip
from ...uapi.if_addr import IFA_F_PERMANENT, INFINITY_LIFE_TIME
from ...uapi.rtnetlink import RTM_GETADDR
from ...uapi.socket import AF_INET6, AF_PACKET
from ...wire.rtnetlink.address import ADDRESS
from ..names import FAMILIES, SCOPES
from ..output import mapping
from .filter import FLAGS, Filter, flags_of, local_of
from .link_show import fetch, link_fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...wire.attributes import Values
    from ..output import Field
    from .grammar import Words
    from .session import Session


def show(session: Session, words: Words) -> None:
    """`ip address show [DEVICE] [scope SCOPE] [to PREFIX] [FLAGS] [label PATTERN] [up] ...`."""
    wanted = Filter(session, words)
    if wanted.family not in (0, 2, AF_INET6, AF_PACKET):
        session.output().close()
        return
    links = fetch(session, wanted, session.options.family)
    by_link: dict[int, list[Values]] = {}
    if wanted.family != AF_PACKET:
        index = links[0]["ifi_index"] if wanted.device is not None and links else 0
        for values in addresses(session, wanted.family, index):
            by_link.setdefault(values["ifa_index"], []).append(values)
    options = session.options
    headed = wanted.family == AF_PACKET or (not wanted.label and (options.brief or not options.oneline))
    out = session.output()
    for link in links:
        found = by_link.get(link["ifi_index"], [])
        if wanted.family != AF_PACKET and not _is_asked_for(wanted, link, found):
            continue
        if headed and (wanted.label or not wanted.shows_link(link)):
            if out.json:
                out.record(())  # iproute2 opens the object before it looks
            continue
        fields: list[Field] = []
        if headed:
            fields += link_fields(session, link, alone=False, family=wanted.family)
        if wanted.family != AF_PACKET:
            fields.append(_addresses_field(session, wanted, link, found))
        if options.brief and wanted.family != AF_PACKET:
            fields.append((None, None, "\n"))
        out.record(fields)
    out.close()


def addresses(session: Session, family: int, index: int) -> list[Values]:
    """Return the addresses of a family (0: all), of one link or (0) of all."""
    values = {"ifa_family": family, "ifa_index": index}
    return session.socket.dump(ADDRESS, RTM_GETADDR, values, verb="list addresses")


def _is_asked_for(wanted: Filter, link: Values, found: list[Values]) -> bool:
    """Return whether a link is shown at all: it has an address that is asked for, or it has none and no
    family is asked for."""
    name = link.get("ifname", "")
    if any(wanted.takes_address(values, name) for values in found):
        return True
    return not found and not wanted.family


def _addresses_field(session: Session, wanted: Filter, link: Values, found: list[Values]) -> Field:
    name = link.get("ifname", "")
    taken = [
        list(address_fields(session, values, name)) if wanted.takes_address(values, name) else []
        for values in found
    ]
    return (
        "addr_info",
        [mapping(fields) for fields in taken],
        "".join([text for fields in taken for _, _, text in fields]),
    )


def address_fields(session: Session, values: Values, device: str, *, headed: bool = False) -> Iterator[Field]:
    """Yield the fields of one address. headed: with the link in front, as in a list without lines for
    links."""
    options = session.options
    family = FAMILIES.get(values["ifa_family"], f"family {values['ifa_family']}")
    if not options.brief:
        index = values["ifa_index"]
        if options.oneline or headed:
            yield "index", index, f"{index}: "
            yield "dev", device, device
        yield "family", family, f"    {family} "
    local = local_of(values)
    whole: bytes = values.get("address", local)
    yield "local", format_ip(local), session.paint(family, format_ip(local))
    if whole != local:
        yield "address", format_ip(whole), f" peer {session.paint(family, format_ip(whole))}"
    yield "prefixlen", values["ifa_prefixlen"], f"/{values['ifa_prefixlen']} "
    if "rt_priority" in values:
        yield "metric", values["rt_priority"], f"metric {values['rt_priority']} "
    if options.brief:
        return
    if "broadcast" in values:
        broadcast = format_ip(values["broadcast"])
        yield "broadcast", broadcast, f"brd {session.paint(family, f'{broadcast} ')}"
    if "anycast" in values:
        anycast = format_ip(values["anycast"])
        yield "anycast", anycast, f"any {session.paint(family, f'{anycast} ')}"
    scope = str(values["ifa_scope"]) if options.numeric else SCOPES.name(values["ifa_scope"])
    yield "scope", scope, f"scope {scope} "
    yield from _flag_fields(values)
    if "label" in values:
        yield "label", values["label"], values["label"]
    if "cacheinfo" in values:
        times = values["cacheinfo"]
        yield (
            "valid_life_time",
            times["ifa_valid"],
            f"{session.newline}       valid_lft {_seconds(times['ifa_valid'])} ",
        )
        yield "preferred_life_time", times["ifa_prefered"], f"preferred_lft {_seconds(times['ifa_prefered'])}"
    yield None, None, "\n"


def _flag_fields(values: Values) -> Iterator[Field]:
    flags = flags_of(values)
    for name, bit in FLAGS.items():
        if bit == IFA_F_PERMANENT:
            if not flags & bit:
                yield "dynamic", True, "dynamic "
        elif flags & bit:
            shown = "temporary" if name == "secondary" and values["ifa_family"] == AF_INET6 else name
            yield shown, True, f"{shown} "
        flags &= ~bit
    if flags:
        yield "ifa_flags", f"{flags:02x}", f"flags {flags:02x} "


def _seconds(time: int) -> str:
    return "forever" if time == INFINITY_LIFE_TIME else f"{time}sec"
