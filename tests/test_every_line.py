"""An exception at any line of a verb leaves all as it was, or the verb's work complete: descriptors, threads,
names, links, addresses, routes, the packet filter. Then the same call succeeds.

By default a sample of the lines, others each time; with NETLINKPY_LONG=1 every line."""

from __future__ import annotations

import gc
import os
import random
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest

import netlinkpy as nl
from netlinkpy import backends
from netlinkpy.netns import named
from netlinkpy.wiring.prepared import PREPARED
from tests.support.every_line import (
    Interruption,
    difference,
    eventually_same,
    possessed,
    raise_at,
    settled,
    state,
)
from tests.support.namespaces import BareNamespace, Namespace
from tests.support.wiring_testbed import BRIDGE, GATEWAY, check_complete, endpoint, endpoints, make_bridge

LONG = bool(os.environ.get("NETLINKPY_LONG"))
SAMPLE = 25  # lines of each case, where not every one is tried
SUBNET = "172.30.0.0/16"
GATEWAY6 = "fd00:17::1"


class Case:
    """A verb. do() is tried; undo() takes its complete work back; both may be repeated. Where it takes away
    what is there, undo() makes it anew, and `before` differs from one time to the next."""

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

    def do(self) -> Any:
        return nl.Network.create("web", subnets=SUBNET, aux_addresses="172.30.0.9")

    def undo(self) -> None:
        nl.Network.get("web").remove()

    def check_complete(self) -> None:
        from netlinkpy.nat import Nat

        network = nl.Network.get("web")
        assert [one.subnet for one in network.subnets] == [SUBNET]
        assert network.subnets[0].aux_addresses == ("172.30.0.9",)
        link = self.host.links.get("web")
        assert link.up and link.group == 0
        with Nat() as nat:
            assert [one.bridge for one in nat.networks()] == ["web"]


class Remove(Create):
    """Network.remove()"""

    def __init__(self, host: nl.RTNetlink, containers: list[BareNamespace]) -> None:
        super().__init__(host, containers)
        self.undo()

    def do(self) -> Any:
        self.network.remove()

    def undo(self) -> None:
        self.network: nl.Network = Create.do(self)

    def check_complete(self) -> None:
        from netlinkpy.nat import Nat

        assert self.host.links.find("web") is None
        with Nat() as nat:
            assert not nat.networks()


class Connect(Case):
    """Network.connect()"""

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

    names = ("a", "b", "c")

    def do(self) -> Any:
        nl.netns.create_many(self.names)

    def undo(self) -> None:
        nl.netns.delete_many(self.names)

    def check_complete(self) -> None:
        assert nl.netns.list() == list(self.names)
        for name in self.names:
            with nl.RTNetlink(name) as rt:
                assert [link.name for link in rt.links.list()] == ["lo"]


class Bind(Case):
    """netns.bind()"""

    def do(self) -> Any:
        nl.netns.bind("own", os.getpid())

    def undo(self) -> None:
        nl.netns.delete("own")

    def check_complete(self) -> None:
        assert nl.netns.list() == ["own"]
        with nl.netns.Netns.open("own") as named, nl.netns.Netns.current() as own:
            assert named.identity == own.identity


class Ask(Case):
    """RTNetlink, of the caller's namespace."""

    def where(self) -> str | None:
        return None

    def do(self) -> Any:
        rt = nl.RTNetlink(self.where())
        link = rt.links.get("lo")
        rt.close()
        return link

    def undo(self) -> None:
        pass


class AskInside(Ask):
    """RTNetlink, of another namespace."""

    def where(self) -> str | None:
        return self.containers[0].path


CASES = [
    Attach,
    AttachAnew,
    AttachIPv6,
    AttachAnnounced,
    AttachMany,
    Detach,
    DetachMany,
    Create,
    Remove,
    Connect,
    CreateNamespaces,
    Bind,
    Ask,
    AskInside,
]


@pytest.fixture(params=["cffi", "native", "python"])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    try:
        monkeypatch.setattr(backends, "_chosen", backends.get(request.param))
    except ImportError as error:
        if os.environ.get("NETLINKPY_REQUIRE") == "all":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))
    return str(request.param)


@pytest.fixture
def host(backend: str, loopback: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[nl.RTNetlink]:
    """The test's own namespace, which forwards already (create() would turn that on, and it stays)."""
    for setting in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        with open(f"/proc/sys/net/{setting}", "w") as file:
            file.write("1")
    monkeypatch.setattr(named, "_AT_A_TIME", 2)  # so that create_many() calls the shim twice
    with nl.RTNetlink() as rt:
        yield rt
    gc.unfreeze()  # see settled()


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)
def test_an_exception_at_any_line(
    kind: type[Case], host: nl.RTNetlink, bare_namespaces: Callable[[int], list[BareNamespace]]
) -> None:
    case = kind(host, bare_namespaces(3))
    case.do()  # modules are loaded, `lo` is up, the bridge's MAC is pinned, a namespace has its id
    case.undo()
    lines = raise_at(case.do, 0).lines
    case.undo()
    assert lines > 20
    held = settled()
    failures: list[str] = []
    step = 1 if LONG else max(lines // SAMPLE, 1)
    first = random.randrange(step) + 1
    tried = raised = 0
    for at in range(first, lines + 1, step):
        tried += 1
        reached, said = _try(case, at, held)
        raised += reached
        if said:
            failures.append(said)
    assert not failures, f"{len(failures)} of {tried}:\n" + "\n".join(failures[:9])
    assert raised > tried // 2  # a line in the middle of a wait is not always reached


def _try(case: Case, at: int, held: set[str]) -> tuple[bool, str]:
    """Raise at a line; return whether it was reached, and what is wrong then, "" if nothing is."""
    before = state(case.places)
    outcome = raise_at(case.do, at)
    where = f"line event {at}, {outcome.where or 'not reached'}"
    wrong = [f"raised {outcome.error}"] if outcome.error else []
    has = eventually_same(held, possessed)
    if has != held:
        wrong.append(f"left {sorted(has - held)}, lost {sorted(held - has)}")
        held.clear()
        held.update(has)
    now = state(case.places)
    if now != before:
        try:
            case.check_complete()
        except (AssertionError, OSError, Interruption) as error:
            now = eventually_same(before, lambda: state(case.places))
            if now != before:
                wrong.append(f"neither before nor complete: {difference(before, now)[:600]} {error!r:.300}")
        else:
            case.undo()
    try:
        case.do()
        case.undo()
    except Exception as error:
        wrong.append(f"then {error!r}")
    return bool(outcome.where), f"{where}: {'; '.join(wrong)}" if wrong else ""
