"""`ip route get`: which route the kernel would take."""

from __future__ import annotations

from _socket import AF_INET

from ...uapi.rtnetlink import RTM_F_FIB_MATCH, RTM_F_LOOKUP_TABLE, RTM_GETROUTE
from ...wire.rtnetlink.route import ROUTE
from ..command_error import CommandError, HelpError, complain
from ..names import IP_PROTOCOLS
from .grammar import Words, matches, not_built, number
from .inet import prefix
from .route_fields import route_fields
from .route_words import read_dsfield

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...wire.attributes import Values
    from .session import Session


def get(session: Session, words: Words) -> None:
    """`ip route get ADDRESS [from ADDRESS iif DEVICE] [oif DEVICE] [mark NUMBER] [uid NUMBER] ...`."""
    values = _request(session, words)
    found = session.socket.request(ROUTE, RTM_GETROUTE, 0, values, verb="find route")
    out = session.output()
    for route in found:
        out.record(route_fields(session, route))
    out.close()


def _request(session: Session, words: Words) -> Values:
    values: Values = {"rtm_family": session.options.family, "rtm_flags": 0}
    while words:
        word = words.next()
        if word == "tos" or matches(word, "dsfield"):
            values["rtm_tos"] = read_dsfield(words.next(), "TOS value is invalid\n")
        elif matches(word, "from"):
            source = prefix(words.peek() and words.next(), values["rtm_family"])
            values["rtm_family"] = values["rtm_family"] or source.family
            if source.address:
                values["src"] = source.address
            values["rtm_src_len"] = source.length
        elif matches(word, "iif"):
            values["iif"] = session.index(words.next())
        elif matches(word, "mark"):
            values["mark"] = number(words.next(), "invalid mark value")
        elif matches(word, "oif") or word == "dev":
            values["oif"] = session.index(words.next())
        elif matches(word, "uid"):
            values["uid"] = number(words.next(), "invalid UID\n")
        elif matches(word, "fibmatch"):
            values["rtm_flags"] = RTM_F_FIB_MATCH
        elif word in ("vrf", "connected", "notify"):
            raise not_built(f"route get with {word}")
        elif word in ("ipproto", "sport", "dport"):
            values.update(_selector(word, words.next()))
        else:
            if word == "to":
                word = words.next()
            elif matches(word, "help"):
                raise HelpError()
            target = prefix(word, values["rtm_family"])
            values["rtm_family"] = values["rtm_family"] or target.family
            bits = len(target.address) * 8
            if target.stated and target.length != bits and target.address:
                complain(
                    f"Warning: /{target.length} as prefix is invalid, only /{bits} (or none) is supported."
                )
            if target.address:
                values["dst"] = target.address
            values["rtm_dst_len"] = bits
            values["target"] = True
    if not values.pop("target", False):
        raise CommandError("need at least a destination address")
    if "src" in values:
        values["rtm_src_len"] = len(values["src"]) * 8
    values["rtm_family"] = values["rtm_family"] or AF_INET
    if values["rtm_family"] == AF_INET:  # IPv6 reports the table anyway, and refuses the flag
        values["rtm_flags"] |= RTM_F_LOOKUP_TABLE
    return values


def _selector(word: str, value: str) -> Values:
    if word == "ipproto":
        known = {name: number for number, name in IP_PROTOCOLS.items()}.get(value)
        return {"ip_proto": known if known is not None else number(value, 'Invalid "ipproto" value\n', 255)}
    return {word: number(value, f"invalid {word}\n", 0xFFFF)}
