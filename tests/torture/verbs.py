"""The verbs that the campaigns try, each with what takes its work back and the check that it is whole."""

from __future__ import annotations

import os
from typing import Any, ClassVar

import netlinkpy as nl
from netlinkpy.nat import Nat, Port
from netlinkpy.wiring.prepared import PREPARED
from tests.support.namespaces import BareNamespace, Namespace
from tests.support.wiring_testbed import BRIDGE, GATEWAY, check_complete, endpoint, endpoints, make_bridge

SUBNET = "172.30.0.0/16"
GATEWAY6 = "fd00:17::1"


class Case:
    """A verb. do() is tried; undo() takes its complete work back; both may be repeated. takes_away: undo()
    makes anew what do() takes away, so that only the state after do() is the same each time. goes_on: a child
    process of the caller goes on after do()."""

    takes_away = goes_on = False
    #: What every error must say: the verb and its object, a regular expression.
    says: ClassVar[str] = ""

    def __init__(self, host: nl.RTNetlink, containers: list[BareNamespace]) -> None:
        self.host = host
        self.containers = containers
        self.places: list[Namespace] = []

    def do(self) -> Any:
        raise NotImplementedError

    def undo(self) -> None:
        raise NotImplementedError

    def check_complete(self) -> None:
        """Fail unless all the work is done."""
        raise NotImplementedError


class Attach(Case):
    """attach(), of one container."""

    says = r"^attach |in namespace /proc/|containers"

    more: ClassVar[dict[str, Any]] = {}
    cold = False

    def __init__(self, host: nl.RTNetlink, containers: list[BareNamespace]) -> None:
        super().__init__(host, containers)
        make_bridge(host, BRIDGE, f"{GATEWAY}/16", f"{GATEWAY6}/64")
        self.wanted = [endpoint(containers[0], **self.more)]
        self.places = list(containers[:1])

    def do(self) -> Any:
        if self.cold:
            PREPARED.__init__()  # type: ignore[misc]
        return nl.attach(self.wanted[0])

    def undo(self) -> None:
        nl.detach_many([nl.Attachment.find(one.netns) for one in self.wanted])

    def check_complete(self) -> None:
        check_complete(self.host, self.wanted)


class AttachAnew(Attach):
    """As the first time: nothing is prepared."""

    cold = True


class AttachIPv6(Attach):
    more: ClassVar = {"address": ("172.17.42.99/16", "fd00:17::99/64")}


class AttachAnnounced(Attach):
    more: ClassVar = {"mac": "12:34:56:78:9a:bc"}


class AttachMany(Attach):
    def __init__(self, host: nl.RTNetlink, containers: list[BareNamespace]) -> None:
        super().__init__(host, containers)
        self.wanted = endpoints(containers)
        self.places = list(containers)

    def do(self) -> Any:
        return nl.attach_many(self.wanted)


class Detach(Attach):
    """detach()"""

    says = "^detach "

    takes_away = True

    def __init__(self, host: nl.RTNetlink, containers: list[BareNamespace]) -> None:
        super().__init__(host, containers)
        self.made: list[nl.Attachment] = []
        self.undo()

    def do(self) -> Any:
        assert nl.detach(self.made[0])

    def undo(self) -> None:
        self.made = nl.attach_many(self.wanted)

    def check_complete(self) -> None:
        check_complete(self.host, [])


class DetachMany(Detach):
    def __init__(self, host: nl.RTNetlink, containers: list[BareNamespace]) -> None:
        Attach.__init__(self, host, containers)
        self.wanted = endpoints(containers)
        self.places = list(containers)
        self.undo()

    def do(self) -> Any:
        assert nl.detach_many(self.made) == len(self.made)


class Create(Case):
    """Network.create()"""

    says = "^create network web: "

    def do(self) -> Any:
        return nl.Network.create("web", subnets=SUBNET, aux_addresses="172.30.0.9")

    def undo(self) -> None:
        nl.Network.get("web").remove()

    def check_complete(self) -> None:
        network = nl.Network.get("web")
        assert [one.subnet for one in network.subnets] == [SUBNET]
        assert network.subnets[0].aux_addresses == ("172.30.0.9",)
        link = self.host.links.get("web")
        assert link.up and link.group == 0
        with Nat() as nat:
            assert [one.bridge for one in nat.networks()] == ["web"]


class Remove(Create):
    """Network.remove()"""

    says = "^remove network web: "

    takes_away = True

    def __init__(self, host: nl.RTNetlink, containers: list[BareNamespace]) -> None:
        super().__init__(host, containers)
        self.undo()

    def do(self) -> Any:
        self.network.remove()

    def undo(self) -> None:
        self.network: nl.Network = Create.do(self)

    def check_complete(self) -> None:
        assert self.host.links.find("web") is None
        with Nat() as nat:
            assert not nat.networks()


class Connect(Case):
    """Network.connect()"""

    says = "^connect .* to network web: |^attach namespace /proc/|in namespace /proc/"

    def __init__(self, host: nl.RTNetlink, containers: list[BareNamespace]) -> None:
        super().__init__(host, containers)
        self.network = nl.Network.create("web", subnets=SUBNET)
        self.places = list(containers[:1])

    def do(self) -> Any:
        return self.network.connect(self.containers[0].path)

    def undo(self) -> None:
        self.network.disconnect(self.containers[0].path)

    def check_complete(self) -> None:
        (address,) = nl.Attachment.find(self.containers[0].path).addresses  # any that is free
        check_complete(self.host, [endpoint(self.containers[0], address, bridge="web")])


class CreateNamespaces(Case):
    """netns.create_many()"""

    says = "namespace [abc]|/run/netns"

    names = ("a", "b", "c")

    def do(self) -> Any:
        nl.netns.create_many(self.names, exist_ok=True)

    def undo(self) -> None:
        nl.netns.delete_many(self.names)

    def check_complete(self) -> None:
        assert nl.netns.list() == list(self.names)
        for name in self.names:
            with nl.RTNetlink(name) as rt:
                assert [link.name for link in rt.links.list()] == ["lo"]


class Bind(Case):
    """netns.bind()"""

    says = r"namespace own|/run/netns|process \d+|the caller's namespace"

    def do(self) -> Any:
        nl.netns.bind("own", os.getpid(), exist_ok=True)

    def undo(self) -> None:
        nl.netns.delete("own")

    def check_complete(self) -> None:
        assert nl.netns.list() == ["own"]
        with nl.netns.Netns.open("own") as named, nl.netns.Netns.current() as own:
            assert named.identity == own.identity


class Ask(Case):
    """RTNetlink, of the caller's namespace."""

    says = "netlink socket|link lo|namespace"

    def where(self) -> str | None:
        return None

    def do(self) -> Any:
        rt = nl.RTNetlink(self.where())
        link = rt.links.get("lo")
        rt.close()
        return link

    def undo(self) -> None:
        pass

    def check_complete(self) -> None:
        """Nothing is made."""


class AskInside(Ask):
    """RTNetlink, of another namespace."""

    def where(self) -> str | None:
        return self.containers[0].path


class CreateInternal(Create):
    """Network.create(), of an internal one of both IP versions."""

    def do(self) -> Any:
        return nl.Network.create("web", subnets=(SUBNET, "fd00:30::/64"), internal=True)

    def check_complete(self) -> None:
        network = nl.Network.get("web")
        assert [one.subnet for one in network.subnets] == [SUBNET, "fd00:30::/64"]
        assert network.internal and not network.differences()


class RemoveInternal(Remove):
    def undo(self) -> None:
        self.network = nl.Network.create("web", subnets=(SUBNET, "fd00:30::/64"), internal=True)


class ConnectMany(Connect):
    """networks.connect_many()"""

    def __init__(self, host: nl.RTNetlink, containers: list[BareNamespace]) -> None:
        super().__init__(host, containers)
        self.places = list(containers)

    def do(self) -> Any:
        return nl.networks.connect_many("web", [one.path for one in self.containers])

    def undo(self) -> None:
        for one in self.containers:
            self.network.disconnect(one.path)

    def check_complete(self) -> None:
        wanted = []
        for one in self.containers:
            (address,) = nl.Attachment.find(one.path).addresses
            wanted.append(endpoint(one, address, bridge="web"))
        check_complete(self.host, wanted)


class Disconnect(Connect):
    """Network.disconnect()"""

    says = "^disconnect .* from network web: "

    takes_away = True

    def __init__(self, host: nl.RTNetlink, containers: list[BareNamespace]) -> None:
        super().__init__(host, containers)
        self.undo()

    def do(self) -> Any:
        self.network.disconnect(self.containers[0].path)

    def undo(self) -> None:
        self.network.connect(self.containers[0].path, ip="172.30.0.9")

    def check_complete(self) -> None:
        check_complete(self.host, [])


class Publish(Connect):
    """Nat.publish(), of two ports."""

    says = "^publish 2 ports: |netlink socket"

    ports = (Port("tcp", 8080, "172.30.0.9", 80), Port("udp", 53, "172.30.0.9", 53, host="172.30.0.1"))

    def __init__(self, host: nl.RTNetlink, containers: list[BareNamespace]) -> None:
        super().__init__(host, containers)
        self.network.connect(self.containers[0].path, ip="172.30.0.9")

    def do(self) -> Any:
        with Nat() as nat:
            return nat.publish(self.ports)

    def undo(self) -> None:
        with Nat() as nat:
            nat.unpublish(self.ports)

    def check_complete(self) -> None:
        with Nat() as nat:
            assert set(nat.ports()) == set(self.ports) == set(nat.named_ports())


class Unpublish(Publish):
    """Nat.unpublish()"""

    says = "^unpublish ports: |netlink socket"

    def __init__(self, host: nl.RTNetlink, containers: list[BareNamespace]) -> None:
        super().__init__(host, containers)
        self.undo()

    def do(self) -> Any:
        return Publish.undo(self)

    def undo(self) -> None:
        Publish.do(self)

    def check_complete(self) -> None:
        with Nat() as nat:
            assert not nat.ports() and not nat.named_ports()


class Reload(Publish):
    """Network.reload(), after a firewall was loaded that flushed all others."""

    says = "^reload network web: "

    def __init__(self, host: nl.RTNetlink, containers: list[BareNamespace]) -> None:
        super().__init__(host, containers)
        Publish.do(self)
        self.undo()

    def do(self) -> Any:
        return self.network.reload()

    def undo(self) -> None:
        flush_ruleset()

    def check_complete(self) -> None:
        assert not self.network.differences()
        super().check_complete()


def flush_ruleset() -> None:
    """`nft flush ruleset`"""
    with Nat() as nat:
        nat.remove()


#: What a program calls.
VERBS: list[type[Case]] = [
    Attach,
    AttachAnew,
    AttachIPv6,
    AttachAnnounced,
    AttachMany,
    Detach,
    DetachMany,
    Create,
    Remove,
    CreateInternal,
    RemoveInternal,
    Connect,
    ConnectMany,
    Disconnect,
    Publish,
    Unpublish,
    Reload,
    CreateNamespaces,
    Bind,
    Ask,
    AskInside,
]
