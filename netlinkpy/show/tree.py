"""The picture as a tree of lines, for a terminal."""

from __future__ import annotations

from ..record import Record
from . import wording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..nat.records import Port
    from .model import End, Host, HostNetwork, HostPort

_WIDEST = 44  # letters that a column is padded to at most: longer cells run over
_PUBLISHED = 8  # published ports of one container that are told

#: What the tree is drawn with, and what stands for it on a terminal without these letters.
_ASCII = str.maketrans({"├": "|", "└": "`", "│": "|", "─": "-", "→": "->", "…": "...", "\ufffd": "?"})


class _Node(Record):
    """One line, in columns, and the nodes below it."""

    columns: tuple[str, ...]
    below: tuple[_Node, ...] = ()


def draw(host: Host, *, ascii: bool = False) -> str:
    """Return the whole tree, with a newline at its end; ascii: with letters that every terminal has."""
    nodes = [*map(_network, host.networks), *map(_link, host.links)]
    if host.unwired:
        below = [_Node((wording.title(one), wording.about(one))) for one in host.unwired]
        nodes.append(_Node((wording.UNWIRED,), tuple(below)))
    if host.astray:
        nodes.append(_Node((wording.ASTRAY,), _published(host.astray)))
    lines = [wording.printable(host.name), *_lines(nodes, "")]
    text = "".join([line.rstrip() + "\n" for line in lines])
    return text.translate(_ASCII) if ascii else text


def _network(network: HostNetwork) -> _Node:
    told = [*wording.facts(network.interface), *wording.traits(network)]
    below = [_port(port) for port in network.ports] or [_Node(("no ports",))]
    return _Node((wording.heading(network), "  ".join(told)), tuple(below))


def _link(port: HostPort) -> _Node:
    """Return the node of an interface that stands by itself."""
    node = _port(port)
    if port.ends or port.hidden:
        return node.replace(columns=(wording.interface(port), *node.columns[1:]))
    return _Node((wording.interface(port), *node.columns[2:]))


def _port(port: HostPort) -> _Node:
    name, troubles = wording.printable(port.interface.name), wording.troubles(port)
    if len(port.ends) == 1 and not wording.facts(port.interface):
        end = _end(port.ends[0], [f"port {trouble}" for trouble in troubles])
        return end.replace(columns=(name, f"─── {end.columns[0]}", *end.columns[1:]))
    told = [*wording.facts(port.interface), *troubles]
    if port.ends:
        return _Node((name, "  ".join(told)), tuple(_end(end, []) for end in port.ends))
    return _Node((name, f"─── {wording.HIDDEN}" if port.hidden else wording.kind(port), "  ".join(told)))


def _end(end: End, troubles: list[str]) -> _Node:
    told = [*wording.facts(end.interface), *wording.end_troubles(end), *troubles]
    where = f"{wording.printable(end.interface.name)} in {wording.title(end.container)}"
    return _Node(
        (where, "  ".join(told), wording.about(end.container)), _published(end.published, whole=False)
    )


def _published(ports: Sequence[Port], whole: bool = True) -> tuple[_Node, ...]:
    nodes = [_Node((wording.leads(one, whole),)) for one in ports[:_PUBLISHED]]
    if len(ports) > _PUBLISHED:
        nodes.append(_Node((f"… and {len(ports) - _PUBLISHED} more",)))
    return tuple(nodes)


def _lines(nodes: Sequence[_Node], before: str) -> Iterator[str]:
    """Yield the lines of nodes side by side, with aligned columns, and of all below them."""
    widths = _widths(nodes)
    for position, node in enumerate(nodes):
        last = position == len(nodes) - 1
        cells = [cell.ljust(width) for cell, width in zip(node.columns, widths, strict=False)]
        yield f"{before}{'└── ' if last else '├── '}{'  '.join(cells)}"
        yield from _lines(node.below, f"{before}{'    ' if last else '│   '}")


def _widths(nodes: Sequence[_Node]) -> list[int]:
    """Return the width of each column; the last cell of a line needs none."""
    widths = [0] * max((len(node.columns) for node in nodes), default=0)
    for node in nodes:
        for at, cell in enumerate(node.columns[:-1]):
            widths[at] = max(widths[at], min(len(cell), _WIDEST))
    return widths
