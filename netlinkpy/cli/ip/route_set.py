"""`ip route add`, `append`, `prepend`, `change`, `replace`, `test` and `delete`."""

from __future__ import annotations

from ...uapi.netlink import NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE
from ...uapi.rtnetlink import RTM_DELROUTE, RTM_NEWROUTE
from ...wire.rtnetlink.route import ROUTE
from .route_words import RouteWords

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .grammar import Words
    from .session import Session


def add(session: Session, words: Words) -> None:
    """`ip route add ROUTE`."""
    _modify(session, words, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL)


def append(session: Session, words: Words) -> None:
    """`ip route append ROUTE`: after the existing ones."""
    _modify(session, words, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND)


def prepend(session: Session, words: Words) -> None:
    """`ip route prepend ROUTE`: before the existing ones."""
    _modify(session, words, RTM_NEWROUTE, NLM_F_CREATE)


def change(session: Session, words: Words) -> None:
    """`ip route change ROUTE`: change an existing one."""
    _modify(session, words, RTM_NEWROUTE, NLM_F_REPLACE)


def replace(session: Session, words: Words) -> None:
    """`ip route replace ROUTE`: change it, or add it."""
    _modify(session, words, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE)


def test(session: Session, words: Words) -> None:
    """`ip route test ROUTE`: ask whether it could be added."""
    _modify(session, words, RTM_NEWROUTE, NLM_F_EXCL)


def delete(session: Session, words: Words) -> None:
    """`ip route delete ROUTE`: what is not given matches anything."""
    _modify(session, words, RTM_DELROUTE, 0)


def _modify(session: Session, words: Words, type: int, flags: int) -> None:
    read = RouteWords(session, words)
    values = read.values(deleting=type == RTM_DELROUTE)
    verb = "delete route" if type == RTM_DELROUTE else "add route"
    session.socket.request(ROUTE, type, flags, values, verb=verb)
