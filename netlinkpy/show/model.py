"""What a picture shows: the records of a host, its networks, ports and containers."""

from __future__ import annotations

from ..record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..nat.records import Port


class Interface(Record):
    """An interface, on the host or in a container.

    kind: "veth", "bridge" ..., empty for hardware; addresses: with prefix length, not the link-local ones;
    gateways: of the default routes that leave by it, an empty text for a route without one."""

    index: int
    name: str
    kind: str
    up: bool
    mac: str
    mtu: int
    addresses: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()


class HostContainer(Record):
    """A network namespace other than the host's.

    title: what people call it; by: who calls it so: "run" (netlinkpy's own), "docker", "podman", "netns" (a
    name in /run/netns) or "process" (nobody does: the title is the command of its first process); namespace:
    the inode that identifies it; names: all those in /run/netns; pid, command: of its first process, 0 and
    empty if it has none."""

    title: str
    by: str
    namespace: int
    names: tuple[str, ...] = ()
    pid: int = 0
    command: str = ""


class End(Record):
    """The container's end of a wire, and the published ports that lead to it."""

    container: HostContainer
    interface: Interface
    published: tuple[Port, ...] = ()


class HostPort(Record):
    """An interface of the host that things are wired to: a port of a network, or one that stands by itself.

    state: of a bridge's port: "forwarding", or why nothing passes yet; claims: the addresses that are taken
    by its name (see wiring/recipe.py); peer: the interface of the host that it is the other end of, or stands
    on; ends: in containers; hidden: its other end is in a namespace that no process and no name shows us."""

    interface: Interface
    state: str = ""
    claims: tuple[str, ...] = ()
    peer: str = ""
    ends: tuple[End, ...] = ()
    hidden: bool = False


class HostNetwork(Record):
    """An interface that has ports: a bridge, or another that others are enslaved to.

    name: as netlinkpy's network, else the interface's own; traits: "network" if netlinkpy made it, and
    what it was made with ("internal", "isolate", "no-masquerade")."""

    name: str
    interface: Interface
    traits: tuple[str, ...]
    ports: tuple[HostPort, ...]


class Host(Record):
    """The namespace of the caller, and all that is wired to it.

    links: the interfaces that are no network's, without lo; unwired: containers without a wire to here;
    astray: published ports that lead to no container that is seen."""

    name: str
    networks: tuple[HostNetwork, ...] = ()
    links: tuple[HostPort, ...] = ()
    unwired: tuple[HostContainer, ...] = ()
    astray: tuple[Port, ...] = ()
