"""Network: the facade: a network of this host, with its verbs."""

from __future__ import annotations

from ..os_error import during
from ..rtnl.netlink import RTNetlink
from .lookup import find_network, list_networks
from .network_record import NetworkRecord

# The verbs are imported where they are called: they bring nat/ and all of wiring/, and a look needs neither.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from collections.abc import Iterable
    from typing import Unpack

    from ..netns.handle import Target
    from ..rtnl.values import IP, IPPrefix
    from ..wiring.attachment import Attachment
    from .connection import ConnectionOptions
    from .members import Member


class Network(NetworkRecord):
    """A network of this host.

    bridge, index, mac, mtu: the bridge's; subnets: at most one of each family; internal: nothing passes to or
    from the outside, and containers get no default route; isolate: nothing passes to or from other networks;
    masquerade: what leaves has the host's address; mcast_snooping: the bridge's; announces: containers that
    connect announce their addresses, since some address had a MAC that does not follow from it; notes:
    sentences of create() on what else it changed on the host and what blocks the network, empty otherwise."""

    @classmethod
    def _of(cls, record: NetworkRecord) -> Network:
        return cls(**record.as_dict())

    @classmethod
    def create(
        cls,
        name: str,
        *,
        subnets: IPPrefix | Iterable[IPPrefix] = (),
        gateways: IP | Iterable[IP] = (),
        ip_ranges: IPPrefix | Iterable[IPPrefix] = (),
        aux_addresses: IP | Iterable[IP] = (),
        ipv6: bool = False,
        mtu: int | None = None,
        internal: bool = False,
        isolate: bool = False,
        masquerade: bool = True,
        mcast_snooping: bool = False,
        bridge: str | None = None,
        forward_all: bool = False,
    ) -> Network:
        """Make a network, whole or not at all. An existing one of that name, even an identical one, is an
        error, as it is for docker.

        subnets: one IPv4 and one IPv6 subnet at most, "172.30.0.0/16"; none: the first free one of docker's
        pools (172.17.0.0/16 and on, then 192.168.0.0/20 and on). ipv6: if no IPv6 subnet is given, a random
        one of RFC 4193 as well. gateways: the bridge's own addresses in them (default: the first of each).
        ip_ranges: parts of the subnets from which automatic addresses are taken. aux_addresses: reserved
        ones. mtu: in bytes, of the bridge and of what is connected (None: 1500). internal, isolate,
        masquerade, mcast_snooping: see Network. bridge: its name (default: the network's own if an interface
        may have it, else its beginning and a checksum). forward_all: make the host a router between all its
        links, for good, and not only for its networks and the links of its default routes.

        Raise ValueError if a value is invalid or does not fit the others, NetlinkError if the name or the
        bridge's is taken (EEXIST), a subnet overlaps another network's or an interface's
        (EADDRINUSE), another process is making the network (EBUSY), or the kernel refuses; then nothing is
        left. What a killed call left is removed first."""
        from .creating import create
        from .spec import NetworkSpec

        spec = NetworkSpec(
            name,
            subnets=subnets,
            gateways=gateways,
            ip_ranges=ip_ranges,
            aux_addresses=aux_addresses,
            ipv6=ipv6,
            mtu=mtu,
            internal=internal,
            isolate=isolate,
            masquerade=masquerade,
            mcast_snooping=mcast_snooping,
            bridge=bridge,
            forward_all=forward_all,
        )
        return cls._of(create(spec))

    @classmethod
    def get(cls, name: str) -> Network:
        """Return the network of that name. Raise NetlinkError (ENOENT) if there is none."""
        with RTNetlink() as host:
            return cls._of(find_network(host, name))

    @classmethod
    def list(cls) -> builtins.list[Network]:
        """Return the networks of this host by name, except those that are being made or removed."""
        with RTNetlink() as host:
            return [cls._of(one) for one in list_networks(host)]

    @classmethod
    def restore(cls) -> builtins.list[str]:
        """Put back what other programs took from the packet filter and from forwarding for the networks of
        this host, and their published ports; return it in sentences. Bridges are left as they are: see
        reload()."""
        from ..nat import Nat
        from .reconcile import put_all_back

        with during("restore networks"), RTNetlink() as host, Nat() as nat:
            return put_all_back(host, nat)

    @classmethod
    def prune(cls) -> builtins.list[str]:
        """Remove every network that no container is connected to: see `networks.removing.prune`."""
        from .removing import prune

        return prune()

    def remove(self) -> None:
        """Remove this network. Raise NetlinkError if containers are connected (EBUSY) or it is gone
        (ENOENT)."""
        from .removing import remove

        remove(self)

    def connect(self, netns: Target, **options: Unpack[ConnectionOptions]) -> Attachment:
        """Connect a container: see `networks.connecting.connect`."""
        from .connecting import connect

        return connect(self, netns, **options)

    def disconnect(self, netns: Target) -> builtins.list[Attachment]:
        """Disconnect a container: see `networks.connecting.disconnect`."""
        from .connecting import disconnect

        return disconnect(self, netns)

    def differences(self) -> builtins.list[str]:
        """Return, in sentences, what of this network and its published ports is not as it was made, because
        others changed it since; none if all is. Raise NetlinkError if it is gone (ENOENT)."""
        from ..nat import Nat
        from .audit import Audit

        with during(f"audit network {self.name}"), RTNetlink() as host, Nat() as nat:
            return [str(one) for one in Audit(host, nat).of(find_network(host, self.name))]

    def reload(self) -> builtins.list[str]:
        """Make this network again what it was made as, published ports included: see
        `networks.reconcile.reload`. Return what was put back, and what still blocks it: see blocks()."""
        from ..nat import Nat
        from .blocks import blocks
        from .reconcile import reload

        with during(f"reload network {self.name}"), RTNetlink() as host, Nat() as nat:
            notes = reload(host, nat, self.name)
            try:
                return notes + blocks(nat, find_network(host, self.name))
            except OSError as error:  # all is put back
                return [*notes, f"what other firewalls block was not looked at: {error}"]

    def blocks(self) -> builtins.list[str]:
        """Return, in sentences, which chains of other firewalls drop packets of this network now, with what
        would help; none if none does. Raise NetlinkError if it is gone (ENOENT)."""
        from ..nat import Nat
        from .blocks import blocks

        with during(f"look for what blocks network {self.name}"), RTNetlink() as host, Nat() as nat:
            return blocks(nat, find_network(host, self.name))

    def members(self) -> builtins.list[Member]:
        """Return the containers that are connected: see `networks.members.members`."""
        from .members import members

        return members(self)


def default() -> Network:
    """Return the network `bridge`; make it with an automatic subnet if it does not exist."""
    from .creating import ensure_default

    return Network._of(ensure_default())
