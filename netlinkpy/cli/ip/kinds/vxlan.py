"""vxlan: addresses of two families, words in place of numbers, much that is shown only if it is set."""

from __future__ import annotations

from ....rtnl.values import format_ip
from ...command_error import CommandError, complain
from ..grammar import number, wrong
from ..inet import EVERYTHING, address
from ..route_words import read_dsfield

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ....wire.attributes import Values
    from ....wire.rtnetlink.kind import Option
    from ...output import Field
    from ..grammar import Words
    from ..kind import Reader
    from ..session import Session

GPE_PORT = 4790  # the default; IANA's for VXLAN-GPE


def _read_address(name: str, word: str, *, multicast: bool) -> Reader:
    def read(session: Session, words: Words, data: Values) -> None:
        text = words.next()
        packed = bytes(4) if text in EVERYTHING else address(text)
        if _is_multicast(packed) != multicast or not any(packed):
            raise wrong(text, f"invalid {word} address")
        data[name if len(packed) == 4 else f"{name}6"] = packed

    return read


def _is_multicast(packed: bytes) -> bool:
    return packed[0] >> 4 == 0xE if len(packed) == 4 else packed[0] == 0xFF


def _read_ttl(session: Session, words: Words, data: Values) -> None:
    text = words.next()
    if text == "inherit":
        data["ttl_inherit"] = 1
    else:
        data["ttl"] = 0 if text == "auto" else number(text, "invalid TTL", 255)


def _read_tos(session: Session, words: Words, data: Values) -> None:
    text = words.next()
    data["tos"] = 1 if text == "inherit" else read_dsfield(text, "bad TOS value")


def _read_ageing(session: Session, words: Words, data: Values) -> None:
    text = words.next()
    data["ageing"] = 0 if text == "none" else number(text, "ageing timer")


def _read_limit(session: Session, words: Words, data: Values) -> None:
    text = words.next()
    data["limit"] = 0 if text == "unlimited" else number(text, "max addresses")


def _read_ports(session: Session, words: Words, data: Values) -> None:
    low = number(words.next(), "min port", 0xFFFF)
    data["port_range"] = {"low": low, "high": number(words.next(), "max port", 0xFFFF)}


WORDS = {
    "group": _read_address("group", "group", multicast=True),
    "remote": _read_address("group", "remote", multicast=False),
    "local": _read_address("local", "local", multicast=False),
    "ttl": _read_ttl,
    "hoplimit": _read_ttl,
    "tos": _read_tos,
    "dsfield": _read_tos,
    "ageing": _read_ageing,
    "maxaddress": _read_limit,
    "port": _read_ports,
    "srcport": _read_ports,
}


def complete(data: Values, creating: bool) -> None:
    """Check what must or must not be given together, and add what iproute2 sends by default."""
    external = data.get("collect_metadata", 0)
    if external and "id" in data:
        raise CommandError("vxlan: both 'external' and vni cannot be specified")
    if not external and "id" not in data and creating:
        raise CommandError("vxlan: missing virtual network identifier")
    if data.get("vnifilter") and not external:
        raise CommandError("vxlan: vnifilter is valid only when 'external' is set")
    group = data.get("group", data.get("group6"))
    if group is not None and _is_multicast(group) and "link" not in data:
        raise CommandError("vxlan: 'group' requires 'dev' to be specified")
    if "port" not in data and "gpe" in data:
        data["port"] = GPE_PORT
    elif "port" not in data and creating:
        complain(
            "vxlan: destination port not specified\n"
            "Will use Linux kernel default (non-standard value)\n"
            "Use 'dstport 4789' to get the IANA assigned value\n"
            "Use 'dstport 0' to get default and quiet this message"
        )
    elif data.get("port") == 0:
        del data["port"]
    if creating:
        data.setdefault("learning", int(not external))


# -- shown
# --------------------------------------------------------------------------------------------------------


def _show_group(session: Session, option: Option, data: Values) -> Iterator[Field]:
    packed = data[option.name]
    if any(packed):
        word = "group" if _is_multicast(packed) else "remote"
        yield option.name.replace("group", word), format_ip(packed), f"{word} {format_ip(packed)} "


def _show_local(session: Session, option: Option, data: Values) -> Iterator[Field]:
    packed = data[option.name]
    if any(packed):
        yield option.name, format_ip(packed), f"local {format_ip(packed)} "


def _show_link(session: Session, option: Option, data: Values) -> Iterator[Field]:
    if data["link"]:
        yield "link", session.name(data["link"]), f"dev {session.name(data['link'])} "


def _show_ports(session: Session, option: Option, data: Values) -> Iterator[Field]:
    ports = data["port_range"]
    yield "port_range", ports, f"srcport {ports['low']} {ports['high']} "


def _show_learning(session: Session, option: Option, data: Values) -> Iterator[Field]:
    yield "learning", bool(data["learning"]), "" if data["learning"] else "nolearning "


def _show_set(session: Session, option: Option, data: Values) -> Iterator[Field]:
    """Yield the field of a switch, only if it is on."""
    if data[option.name]:
        yield option.key, True, f"{option.word} "


def _show_filter(session: Session, option: Option, data: Values) -> Iterator[Field]:
    if data["vnifilter"]:
        yield "vnifilter", True, "vnifilter"  # no blank after it, in iproute2 6.1


def _show_tos(session: Session, option: Option, data: Values) -> Iterator[Field]:
    if data["tos"]:
        yield "tos", f"{data['tos']:#x}", "tos inherit " if data["tos"] == 1 else f"tos {data['tos']:#x} "


def _show_inherited(session: Session, option: Option, data: Values) -> Iterator[Field]:
    if data["ttl_inherit"]:
        yield None, None, "ttl inherit "


def _show_ttl(session: Session, option: Option, data: Values) -> Iterator[Field]:
    if not data.get("ttl_inherit"):
        yield "ttl", data["ttl"], f"ttl {data['ttl'] or 'auto'} "


def _show_df(session: Session, option: Option, data: Values) -> Iterator[Field]:
    known = option.words or {}
    name = next((name for name, value in known.items() if value == data["df"]), "unknown")
    yield "df", name, f"df {name} " if data["df"] else ""


def _show_label(session: Session, option: Option, data: Values) -> Iterator[Field]:
    if data["label"]:
        yield "label", f"{data['label']:#x}", f"flowlabel {data['label']:#x} "


def _show_ageing(session: Session, option: Option, data: Values) -> Iterator[Field]:
    yield "ageing", data["ageing"], f"ageing {data['ageing'] or 'none'} "


def _show_limit(session: Session, option: Option, data: Values) -> Iterator[Field]:
    if data["limit"]:
        yield "limit", data["limit"], f"maxaddr {data['limit']} "


SHOWN = {
    "collect_metadata": _show_set,
    "vnifilter": _show_filter,
    "group": _show_group,
    "group6": _show_group,
    "local": _show_local,
    "local6": _show_local,
    "link": _show_link,
    "port_range": _show_ports,
    "learning": _show_learning,
    "proxy": _show_set,
    "rsc": _show_set,
    "l2miss": _show_set,
    "l3miss": _show_set,
    "tos": _show_tos,
    "ttl_inherit": _show_inherited,
    "ttl": _show_ttl,
    "df": _show_df,
    "label": _show_label,
    "ageing": _show_ageing,
    "limit": _show_limit,
    "remcsum_tx": _show_set,
    "remcsum_rx": _show_set,
    "gbp": _show_set,
    "gpe": _show_set,
}
