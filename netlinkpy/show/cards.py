"""What a drawing says of a host, before it is laid out: sections with a heading, and cards for what is wired
to each."""

from __future__ import annotations

from ..record import Record
from . import wording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .model import End, Host, HostContainer, HostNetwork, HostPort, Interface

_ADDRESSES = 4  # of one interface that are shown; the tooltip has all
_PUBLISHED = 4  # published ports of one container that are shown


class Card(Record):
    """One box: what is at the other end of a port.

    tag: who calls it so; process: its first one; lines: addresses and routes; published: ports; wire: the
    name of the host's end; troubles: why nothing passes; whole: all of it, for a tooltip; outside: whether it
    is no container."""

    title: str
    tag: str = ""
    process: str = ""
    lines: tuple[str, ...] = ()
    published: tuple[str, ...] = ()
    wire: str = ""
    troubles: tuple[str, ...] = ()
    whole: str = ""
    outside: bool = False


class Section(Record):
    """A heading with cards below it: a network, or an interface that stands by itself. marks: what it was
    made with, and what is wrong with it."""

    title: str
    facts: tuple[str, ...]
    marks: tuple[str, ...]
    cards: tuple[Card, ...]


def summary(host: Host) -> str:
    """Return the host in one line of numbers."""
    ends = [end for port in ports(host) for end in port.ends]
    containers = len({end.container.namespace for end in ends})
    published = sum(len(end.published) for end in ends) + len(host.astray)
    counts = ((len(host.networks), "network"), (containers, "container"), (published, "published port"))
    return ", ".join(f"{count} {what}{'' if count == 1 else 's'}" for count, what in counts)


def sections(host: Host) -> list[Section]:
    """Return the networks, and the interfaces that things are wired to without one."""
    alone = [port for port in host.links if _is_wired(port)]
    return [*map(_network, host.networks), *map(_link, alone)]


def loose(host: Host) -> list[HostPort]:
    """Return the host's interfaces that nothing is wired to: its ways to the outside, and others."""
    return [port for port in host.links if not _is_wired(port)]


def ports(host: Host) -> list[HostPort]:
    """Return all ports, of networks and by themselves."""
    return [*(port for network in host.networks for port in network.ports), *host.links]


def tag(container: HostContainer) -> str:
    """Return who calls it so, in a word."""
    return "" if container.by == "process" else container.by


def process(container: HostContainer) -> str:
    """Return its first process."""
    return wording.printable(f"{container.pid} {container.command}") if container.pid else "no process"


def _is_wired(port: HostPort) -> bool:
    return bool(port.ends) or port.hidden


def _network(network: HostNetwork) -> Section:
    cards = [card for port in network.ports for card in _cards(port)]
    facts = tuple(wording.facts(network.interface))
    return Section(wording.heading(network), facts, tuple(wording.traits(network)), tuple(cards))


def _link(port: HostPort) -> Section:
    facts, marks = tuple(wording.facts(port.interface)), tuple(wording.troubles(port))
    return Section(wording.interface(port), facts, marks, tuple(_cards(port)))


def _cards(port: HostPort) -> list[Card]:
    name, troubles = wording.printable(port.interface.name), tuple(wording.troubles(port))
    if port.ends:
        return [_end(end, name, troubles) for end in port.ends]
    if port.hidden:
        return [Card(wording.HIDDEN, wire=name, troubles=troubles, outside=True)]
    lines = tuple(wording.facts(port.interface))
    whole = _whole(port.interface)
    return [Card(name, process=wording.kind(port), lines=lines, troubles=troubles, whole=whole, outside=True)]


def _end(end: End, wire: str, troubles: tuple[str, ...]) -> Card:
    container, interface = end.container, end.interface
    leads = [wording.leads(one, whole=False) for one in end.published]
    shown = leads[:_PUBLISHED] + ([f"and {len(leads) - _PUBLISHED} more"] if len(leads) > _PUBLISHED else [])
    whole = [wording.about(container, 1000), _whole(interface), *leads, f"wired by {wire}"]
    return Card(
        title=wording.title(container),
        tag=tag(container),
        process=process(container),
        lines=_addresses(interface),
        published=tuple(shown),
        wire=wire,
        troubles=(*wording.end_troubles(end), *troubles),
        whole="\n".join(whole),
    )


def _addresses(interface: Interface) -> tuple[str, ...]:
    name, facts = wording.printable(interface.name), wording.facts(interface)
    more = [f"and {len(facts) - _ADDRESSES} more"] if len(facts) > _ADDRESSES else []
    first, *rest = [*facts[:_ADDRESSES], *more] or [""]
    return (f"{name} {first}".strip(), *(f"{'':{len(name)}} {fact}" for fact in rest))


def _whole(interface: Interface) -> str:
    facts = ", ".join(wording.facts(interface))
    return (
        f"{wording.printable(interface.name)}: {facts or 'no address'}, {interface.mac}, MTU {interface.mtu}"
    )
