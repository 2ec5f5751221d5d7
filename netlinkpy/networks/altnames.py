"""The alternative names that make a bridge a network.

They are the whole record of what a network was made as; nothing is kept elsewhere:

    net:NAME                         it is the network NAME (the bridge is called NAME too, if that fits)
    net:NAME:internal                and the other words of OPTION_WORDS: what it was made with
    net:NAME:announces               some address there had a MAC that does not follow from it
    net:NAME:gateway=ADDRESS-LENGTH  an address of the bridge, and with it a subnet (no slash in names)
    net:NAME:range=ADDRESS-LENGTH    automatic addresses come from this part of the subnet
    net:NAME:mac=MAC                 the bridge's
    ip:IFINDEX:ADDRESS               the bridge's own claims (wiring/recipe.py): gateways, reserved ones

What the bridge and the packet filter are now is another matter: audit.py compares."""

from __future__ import annotations

from ..record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

OPTION_WORDS = ("internal", "isolate", "no-masquerade", "mcast-snooping")
ANNOUNCES = "announces"
_GATEWAY, _RANGE, _MAC = "gateway=", "range=", "mac="


class MadeAs(Record):
    """What the names of a bridge say: words: of OPTION_WORDS and ANNOUNCES; gateways, ranges:
    "172.30.0.1/16"; mac: the bridge's."""

    name: str
    words: frozenset[str] = frozenset()
    gateways: tuple[str, ...] = ()
    ranges: tuple[str, ...] = ()
    mac: str = ""

    @classmethod
    def read(cls, altnames: Iterable[str]) -> MadeAs | None:
        """Return what alternative names say, None if they make no network."""
        there = list(altnames)
        name = name_of(there)
        if not name:
            return None
        prefix = f"net:{name}:"
        words = [one[len(prefix) :] for one in there if one.startswith(prefix)]
        nets = {
            what: tuple(word[len(what) :].replace("-", "/") for word in words if word.startswith(what))
            for what in (_GATEWAY, _RANGE)
        }
        return cls(
            name,
            words=frozenset(word for word in words if "=" not in word),
            gateways=nets[_GATEWAY],
            ranges=nets[_RANGE],
            mac=next((word[len(_MAC) :] for word in words if word.startswith(_MAC)), ""),
        )

    def altnames(self) -> list[str]:
        """Return the names that say this, the one that makes it a network first."""
        nets = [(_GATEWAY, text) for text in self.gateways] + [(_RANGE, text) for text in self.ranges]
        words = [*sorted(self.words), *(what + text.replace("/", "-") for what, text in nets)]
        said = [*words, _MAC + self.mac] if self.mac else words
        return [network_altname(self.name), *(word_altname(self.name, word) for word in said)]


def network_altname(name: str) -> str:
    """Return the alternative name that makes a bridge the network `name`."""
    return f"net:{name}"


def word_altname(name: str, word: str) -> str:
    """Return the alternative name that says one word of a network."""
    return f"net:{name}:{word}"


def name_of(altnames: Iterable[str]) -> str:
    """Return the name of the network that a link with these alternative names is, "" if it is none."""
    for altname in altnames:
        scheme, _, name = altname.partition(":")
        if scheme == "net" and name and ":" not in name:
            return name
    return ""
