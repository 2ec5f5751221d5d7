"""The picture as a graph in graphviz's language, which `dot -Tpdf` and the like lay out."""

from __future__ import annotations

from . import cards as content
from . import wording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .model import Host, HostContainer, HostPort


def draw(host: Host) -> str:
    """Return the graph, undirected: networks and single interfaces, joined to containers by their ports."""
    lines = [
        f"graph {_quoted(host.name)} {{",
        f"  label={_quoted(f'{host.name}: {content.summary(host)}')}",
        "  rankdir=LR",
        '  node [shape=box, fontname="monospace", fontsize=10]',
        '  edge [fontname="monospace", fontsize=8]',
    ]
    for network in host.networks:
        told = [wording.heading(network), *wording.facts(network.interface), *wording.traits(network)]
        lines.append(f"  {_link(network.interface.index)} [label={_quoted(*told)}, style=bold]")
        for port in network.ports:
            lines += _port(port, network.interface.index)
    for port in host.links:
        lines.append(_interface(port))
        lines += _ends(port, port.interface.index)
    lines += [_container(one) for one in _containers(host).values()]
    for number, published in enumerate(host.astray):
        lines.append(
            f"  astray{number} [label={_quoted(wording.leads(published, whole=True), wording.ASTRAY)}]"
        )
    return "\n".join([*lines, "}\n"])


def _port(port: HostPort, network: int) -> list[str]:
    """Return what hangs on a network by a port; a port without a container stands for itself."""
    if port.ends:
        return _ends(port, network)
    return [_interface(port), f"  {_link(network)} -- {_link(port.interface.index)}"]


def _ends(port: HostPort, link: int) -> list[str]:
    lines = []
    for end in port.ends:
        told = [f"{port.interface.name} - {end.interface.name}", *wording.facts(end.interface)]
        told += [*wording.troubles(port), *wording.end_troubles(end)]
        told += [wording.leads(one, whole=False) for one in end.published]
        lines.append(f"  {_link(link)} -- {_node(end.container)} [label={_quoted(*told)}]")
    return lines


def _interface(port: HostPort) -> str:
    told = [wording.interface(port), *wording.facts(port.interface), *wording.troubles(port)]
    if port.hidden:
        told.append(wording.HIDDEN)
    return f"  {_link(port.interface.index)} [label={_quoted(*told)}]"


def _container(container: HostContainer) -> str:
    told = (wording.title(container), wording.about(container))
    return f"  {_node(container)} [label={_quoted(*told)}, style=rounded]"


def _containers(host: Host) -> dict[int, HostContainer]:
    """Return every container once, even if it has several wires."""
    wired = (end.container for port in content.ports(host) for end in port.ends)
    return {container.namespace: container for container in (*wired, *host.unwired)}


def _link(index: int) -> str:
    return f"link{index}"


def _node(container: HostContainer) -> str:
    return f"netns{container.namespace}"


def _quoted(*lines: str) -> str:
    """Return a label of several lines."""
    escaped = [wording.printable(line).replace("\\", "\\\\").replace('"', '\\"') for line in lines]
    return '"' + "\\n".join(escaped) + '"'
