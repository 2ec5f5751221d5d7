"""veth: `peer` is followed by the words of a whole link."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ....wire.attributes import Values
    from ..grammar import Words
    from ..link_words import LinkWords
    from ..session import Session


def _read_peer(session: Session, words: Words, data: Values) -> LinkWords:
    from ..link_words import LinkWords

    peer = LinkWords(session, words, creating=True, peer=True)
    data["peer"] = peer.values
    return peer


WORDS = {"peer": _read_peer}
