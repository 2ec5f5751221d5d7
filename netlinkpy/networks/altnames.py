"""The alternative names that make a bridge a network.

They are the whole record of a network; nothing is kept elsewhere:

    net:NAME                        it is the network NAME (the bridge is called NAME too, if that fits)
    net:NAME:internal               and the other words of OPTION_WORDS: what it was made with
    net:NAME:announces              some address there had a MAC that does not follow from it
    net:NAME:range=ADDRESS-LENGTH   automatic addresses come from this part of the subnet (no slash in names)
    ip:IFINDEX:ADDRESS              the bridge's own claims (wiring/recipe.py): gateways, reserved ones

The subnets are those of the bridge's addresses that it claims."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

OPTION_WORDS = ("internal", "isolate", "no-masquerade")
ANNOUNCES = "announces"
_RANGE = "range="


def network_altname(name: str) -> str:
    """Return the alternative name that makes a bridge the network `name`."""
    return f"net:{name}"


def property_altnames(name: str, words: Iterable[str], ranges: Iterable[str] = ()) -> list[str]:
    """Return the alternative names that say more of a network: words, and address ranges."""
    return [f"net:{name}:{word}" for word in (*words, *(_RANGE + one.replace("/", "-") for one in ranges))]


def name_of(altnames: Iterable[str]) -> str:
    """Return the name of the network that a link with these alternative names is, "" if it is none."""
    for altname in altnames:
        scheme, _, name = altname.partition(":")
        if scheme == "net" and name and ":" not in name:
            return name
    return ""


def properties_of(name: str, altnames: Iterable[str]) -> tuple[set[str], list[str]]:
    """Return what alternative names say of the network `name`: the words, and the address ranges."""
    prefix = f"net:{name}:"
    words = {altname[len(prefix) :] for altname in altnames if altname.startswith(prefix)}
    return words, [word[len(_RANGE) :].replace("-", "/") for word in words if word.startswith(_RANGE)]
