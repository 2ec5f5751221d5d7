"""The words that every kind of picture uses for what it shows."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..nat.records import Port
    from .model import End, HostContainer, HostNetwork, HostPort, Interface

HIDDEN = "a namespace out of sight"
UNWIRED = "not wired to this host"
ASTRAY = "published, but no container has the address"

_CALLERS = {"run": "netlinkpy run", "docker": "docker", "podman": "podman", "netns": "named namespace"}


def printable(text: str) -> str:
    """Return text that others chose (names, commands) without what moves a cursor or ends a line."""
    return "".join([letter if letter.isprintable() else "\ufffd" for letter in text])


def clipped(text: str, room: int) -> str:
    """Return text of at most so many letters."""
    return text if len(text) <= room else f"{text[: room - 1]}…"


def title(container: HostContainer, room: int = 40) -> str:
    """Return what a container is called."""
    return clipped(printable(container.title), room)


def about(container: HostContainer, room: int = 60) -> str:
    """Return who calls it so, and its first process: "docker, pid 2778: nginx -g daemon off;"."""
    caller = _CALLERS.get(container.by)
    process = f"pid {container.pid}: {container.command}" if container.pid else "no process"
    return clipped(printable(f"{caller}, {process}" if caller else process), room)


def heading(network: HostNetwork) -> str:
    """Return what a network is: "network backend (bridge br-1a2b3c)", "bridge docker0"."""
    name, own = printable(network.name), _named(network.interface)
    if "network" not in network.traits:
        return own
    return f"network {name}" if network.name == network.interface.name else f"network {name} ({own})"


def kind(port: HostPort) -> str:
    """Return what an interface of the host is: "hardware", "vlan on eth0"."""
    return (printable(port.interface.kind) or "hardware") + _on(port)


def interface(port: HostPort) -> str:
    """Return an interface of the host by kind and name: "interface eth0", "vlan eth0.7 on eth0"."""
    return _named(port.interface) + _on(port)


def _named(interface: Interface) -> str:
    return f"{printable(interface.kind) or 'interface'} {printable(interface.name)}"


def _on(port: HostPort) -> str:
    return f" on {printable(port.peer)}" if port.peer else ""


def facts(interface: Interface) -> list[str]:
    """Return its addresses and default routes."""
    return [*interface.addresses, *map(gateway, interface.gateways)]


def gateway(address: str) -> str:
    """Return a default route, by its gateway."""
    return f"via {address}" if address else "default route"


def traits(network: HostNetwork) -> list[str]:
    """Return what a network was made with, and what is wrong with it."""
    made = [trait for trait in network.traits if trait != "network"]
    return made if network.interface.up else [*made, "down"]


def troubles(port: HostPort) -> list[str]:
    """Return why no packet passes an interface of the host, as far as can be seen."""
    if not port.interface.up:
        return ["down"]
    return [port.state] if port.state not in ("", "forwarding") else []


def end_troubles(end: End) -> list[str]:
    """Return what is wrong with a container's end."""
    found = [] if end.interface.up else ["down"]
    return found if end.interface.addresses else [*found, "no address"]


def leads(published: Port, whole: bool) -> str:
    """Return a published port: "8080/tcp → 80"; whole: with the address that it leads to."""
    address = f"[{published.address}]" if ":" in published.address else published.address
    return f"{published} → {address}:{published.target}" if whole else f"{published} → {published.target}"
