"""`ip link add`, `set`, `change`, `replace`, `delete` and `property`: words into link messages."""

from __future__ import annotations

from errno import EEXIST

from ...uapi.netlink import NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE
from ...uapi.rtnetlink import RTM_DELLINK, RTM_DELLINKPROP, RTM_NEWLINK, RTM_NEWLINKPROP
from ...wire.errors import NetlinkError
from ...wire.rtnetlink.link import LINK
from ..command_error import CommandError, HelpError
from .grammar import Words, check_altname, garbage, matches
from .link_words import LinkWords

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...wire.attributes import Values
    from ...wire.rtnetlink.typed_values import LinkValues
    from .session import Session


def add(session: Session, words: Words) -> None:
    """`ip link add [link DEV] [name] NAME ... type TYPE [ARGS]`."""
    _modify(session, words, NLM_F_CREATE | NLM_F_EXCL)


def replace(session: Session, words: Words) -> None:
    """`ip link replace`: change it, or make it if it does not exist."""
    _modify(session, words, NLM_F_CREATE | NLM_F_REPLACE)


def change(session: Session, words: Words) -> None:
    """`ip link set` and `ip link change`."""
    _modify(session, words, 0)


def delete(session: Session, words: Words) -> None:
    """`ip link delete { DEVICE | group GROUP } [type TYPE]`."""
    _modify(session, words, 0, RTM_DELLINK)


def _modify(session: Session, words: Words, flags: int, type: int = RTM_NEWLINK) -> None:
    read = LinkWords(session, words, creating=bool(flags & NLM_F_CREATE), deleting=type == RTM_DELLINK)
    values = read.values
    try:
        session.socket.request(LINK, type, flags, values, verb=read.verb)
    except NetlinkError as error:
        if error.errno != EEXIST or error.text:
            raise
        raise NetlinkError(EEXIST, read.verb, path=error.path, hint=_holder(session, values)) from None
    finally:
        read.close()


def _holder(session: Session, values: Values) -> str:
    """Return what "File exists", to which the kernel adds nothing, means: ask who has the names."""
    peer = values.get("linkinfo", {}).get("data", {}).get("peer", {})
    session.forget()
    for name in (values.get("ifname"), None if "net_ns_fd" in peer else peer.get("ifname")):
        link = session.find(name) if name else None
        if link is not None:
            kind = link.get("linkinfo", {}).get("kind", "no kind")
            return f"the name {name} is taken by link {link['ifi_index']} ({kind})"
    return "the name of its peer, or the index, is taken"


def change_properties(session: Session, words: Words) -> None:
    """`ip link property { add | del } dev DEVICE [ altname NAME ... ]`."""
    if not words:
        raise HelpError()
    word = words.next()
    if matches(word, "add"):
        type, flags = RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND
    elif matches(word, "delete"):
        type, flags = RTM_DELLINKPROP, 0
    elif matches(word, "help"):
        raise HelpError()
    else:
        raise CommandError("Operator required", 255, final=True)
    device: str | None = None
    names: list[str] = []
    while words:
        word = words.next()
        if word == "altname":
            names.append(check_altname(words.next(), "altname"))
            continue
        if word == "dev":
            word = words.next()
        elif matches(word, "help"):
            raise HelpError()
        if device is not None:
            raise garbage("dev", word)
        device = word
    if device is None:
        raise CommandError('Not enough information: "dev" argument is required.', 255, final=True)
    values: LinkValues = {"ifi_index": session.index(device)}
    values["prop_list"] = {"alt_ifname": names}
    session.socket.request(LINK, type, flags, values, verb=f"change names of link {device}")
