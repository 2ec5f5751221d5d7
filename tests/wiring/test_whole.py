"""An endpoint that stands alone goes through all phases in one visit, as far as that gets; the phases of many
do the rest."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest

import netlinkpy as nl
from netlinkpy import backends
from netlinkpy.rtnl.values import parse_mac, parse_prefix
from netlinkpy.transport.socket import Socket
from netlinkpy.transport.visit import visit
from netlinkpy.wire.program import Program
from netlinkpy.wiring import bridge as bridges
from netlinkpy.wiring.endpoint import mac_from_ipv4
from netlinkpy.wiring.executor import Executor
from netlinkpy.wiring.prepared import PREPARED
from tests.support.crash import replace_visit, visit_step_by_step
from tests.support.links import add_ipv6, addresses_of, links_of, routes_of
from tests.support.namespaces import Container, ping
from tests.support.refusals import unchanged
from tests.support.wiring_testbed import (
    ADDRESS,
    BRIDGE,
    GATEWAY,
    address_of,
    check,
    check_complete,
    endpoint,
    refused,
)

Containers = Callable[..., list[Container]]

SHAPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "two addresses": {"address": (f"{ADDRESS}/16", "172.17.42.98/16")},
    "both families": {"address": (f"{ADDRESS}/16", "2001:db8::99/64")},
    "IPv6 alone": {"address": "2001:db8::99/64", "mac": "02:42:00:00:00:09"},
    "a MAC that tells nothing": {"mac": "12:34:56:78:9a:bc"},
    "large, two queues": {"mtu": 9000, "queues": 2},
    "routes": {"routes": [("10.0.0.0/8", "172.17.42.7"), ("192.0.2.0/24", None)], "metric": 7},
    "no gateway": {"gateways": ()},
    "no address": {"address": ()},
}


def picture(container: Container) -> object:
    """All that an attach makes, but for what the kernel draws by lot."""
    ends = [links_of(None)["A"], links_of(container)["eth0"], links_of(container)["lo"]]
    return (
        [(end.up, end.operstate, end.mtu, end.group, end.master, sorted(end.altnames)) for end in ends],
        [(end.attributes["num_tx_queues"], end.attributes["num_rx_queues"]) for end in ends],
        addresses_of(container),
        routes_of(container),
        routes_of(container, 10),
        links_of(None)[BRIDGE].operstate,
    )


def tells(attachment: nl.Attachment) -> bool:
    """Whether each of its addresses brings its MAC."""
    mac = parse_mac(attachment.mac)
    return all(mac_from_ipv4(parse_prefix(text)[0][-4:]) == mac for text in attachment.addresses)


@pytest.mark.parametrize("shape", SHAPES)
def test_both_ways_make_the_same(
    host: nl.RTNetlink, container: Container, monkeypatch: pytest.MonkeyPatch, shape: str
) -> None:
    add_ipv6(host, "2001:db8::1/64", dev=BRIDGE)
    check_both_ways(host, endpoint(container, host_ifname="A", **SHAPES[shape]), container, monkeypatch)


def test_both_ways_make_the_same_small(
    host: nl.RTNetlink, container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An MTU below 1280, which takes a bridge's IPv6 addresses away: so it has none."""
    check_both_ways(host, endpoint(container, host_ifname="A", mtu=1000), container, monkeypatch)


def check_both_ways(
    host: nl.RTNetlink, wanted: nl.Endpoint, container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attach in one script, then by one step after the other: the same is made, and told."""
    nl.detach(nl.attach(wanted))  # a bridge that never had a port is in another state
    visits = counted(monkeypatch)
    alone = nl.attach(wanted)
    cut = 16 in [len(parse_prefix(text)[0]) for text in alone.addresses] or not tells(alone)
    assert visits == ["create", *["commit"] * cut]
    seen = picture(container)
    assert nl.attach(wanted) == alone.replace(changed=False)
    nl.detach(alone)
    host.links.set(BRIDGE, mtu=1500)
    visits.clear()
    monkeypatch.setattr(Executor, "_run_alone", lambda executor, *arguments: True)
    among = nl.attach(wanted)
    assert visits == ["create", "ready"]
    assert picture(container) == seen
    mac = alone.mac if alone.addresses else among.mac  # which is drawn by lot
    assert among == alone.replace(index=among.index, host_index=among.host_index, mac=mac)


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The first steps of the programs that are run from now on; those that look again and again, and the look
    at the bridge, are left out."""
    seen: list[str] = []

    def counting(program: Program, *arguments: Any, **named: Any) -> None:
        if program.names[0] not in ("look", "probe"):
            seen.append(program.names[0])
        visit(program, *arguments, **named)

    replace_visit(monkeypatch, counting)
    return seen


@pytest.mark.parametrize("step", ["enslave", "ready", "see"])
@pytest.mark.parametrize("number", [errno.ETIMEDOUT, errno.ENOBUFS])
def test_where_the_visit_ends_the_phases_go_on(
    host: nl.RTNetlink, container: Container, monkeypatch: pytest.MonkeyPatch, step: str, number: int
) -> None:
    """A step that failed is tried once more by itself, which then says what is wrong, or succeeds."""
    wanted = endpoint(container)
    ended = end_at(monkeypatch, step, number)
    attachment = nl.attach(wanted)
    assert ended == [step]
    assert attachment.changed and attachment.ready
    check_complete(host, [wanted])
    assert ping(container, GATEWAY) is not None


@pytest.mark.parametrize("step", ["create", "configure", "claim"])
def test_before_the_claims_are_made_an_answer_that_is_lost_ends_it(
    host: nl.RTNetlink, container: Container, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    ended = end_at(monkeypatch, step, errno.ETIMEDOUT)
    words = {"create": "create eth0", "configure": "bring up eth0", "claim": f"claim {ADDRESS}"}[step]
    with refused(errno.ETIMEDOUT, words, str(container.pid), among=[container]):
        nl.attach(endpoint(container))
    assert ended == [step]


def end_at(monkeypatch: pytest.MonkeyPatch, name: str, number: int) -> list[str]:
    """The first program that has a step of that name ends before it, as with an error. Gives the names of the
    steps at which it has ended."""
    ended: list[str] = []

    def ending(program: Program, *arguments: Any, **named: Any) -> None:
        if ended or name not in program.names:
            visit(program, *arguments, **named)
        else:
            ended.append(name)
            visit_step_by_step(program, *arguments, **named, fails={name: number})

    replace_visit(monkeypatch, ending)
    return ended


def test_a_claim_that_is_refused_in_the_visit_is_told(host: nl.RTNetlink, containers: Containers) -> None:
    """Of two addresses the second one: nothing stays, and the other's packets pass."""
    one, two = containers(2)
    nl.attach(endpoint(one))
    with pytest.raises(nl.AttachError) as caught:
        nl.attach(endpoint(two, ("172.17.42.98/16", f"{ADDRESS}/16")))
    check(caught.value, errno.EEXIST, ADDRESS, str(two.pid))
    assert sorted(links_of(two)) == ["lo"]
    check_complete(host, [endpoint(one)])
    assert ping(one, GATEWAY) is not None


@pytest.mark.parametrize("shape", ["plain", "both families", "a MAC that tells nothing"])
def test_what_interrupts_just_behind_the_visit_leaves_nothing(
    host: nl.RTNetlink, container: Container, monkeypatch: pytest.MonkeyPatch, shape: str
) -> None:
    """As the handler of a signal that came during the visit: all is made, and finished where nothing is to be
    announced, but nobody was told."""

    class StopError(Exception):
        pass

    add_ipv6(host, "2001:db8::1/64", dev=BRIDGE)
    wanted = endpoint(container, **SHAPES[shape])
    nl.detach(nl.attach(wanted))
    groups: list[int] = []

    def stop(program: Program, *arguments: Any, **named: Any) -> None:
        visit(program, *arguments, **named)
        groups.extend(link.group for link in host.links.list(kind="veth"))
        if "create" in program.names:
            raise StopError

    replace_visit(monkeypatch, stop)
    with unchanged(container), pytest.raises(StopError):
        nl.attach(wanted)
    assert len(groups) == 1 and (groups[0] == 0) == (shape == "plain")


# -- what is kept in mind of a bridge ----------------------------------------------------------------------


def test_the_mac_is_pinned_once(
    host: nl.RTNetlink, containers: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And again where the bridge is another, or has another MAC."""
    PREPARED.bridges.clear()
    pinned: list[bool] = []
    original = bridges.Bridge.__init__

    def look(bridge: Any, *arguments: Any) -> None:
        original(bridge, *arguments)
        pinned.append(bridge.settled)

    monkeypatch.setattr(bridges.Bridge, "__init__", look)
    places = containers(5)
    for number, one in enumerate(places[:3]):
        nl.attach(endpoint(one, address_of(number)))
        mac = host.links.get(BRIDGE).address
    assert pinned == [False, True, True]
    host.links.set(BRIDGE, address="02:42:11:22:33:44")
    nl.attach(endpoint(places[3], address_of(3)))
    assert not pinned[3] and mac != "02:42:11:22:33:44"
    index = host.links.get(BRIDGE).index
    host.links.delete(BRIDGE)
    for veth in host.links.list(kind="veth"):
        host.links.delete(veth.index)
    made = host.links.add(BRIDGE, kind="bridge", up=True)
    host.addresses.add(f"{GATEWAY}/16", dev=BRIDGE)
    assert made.index != index
    nl.attach(endpoint(places[4], address_of(4)))
    assert not pinned[4]
    assert ping(places[4], GATEWAY) is not None


def test_an_address_that_the_bridge_has_got_meanwhile_is_seen(
    host: nl.RTNetlink, containers: Containers
) -> None:
    """What was known of them is used only where the kernel says the same again."""
    one, two = containers(2)
    assert nl.attach(endpoint(one)).gateways == (GATEWAY,)
    host.addresses.add("10.9.0.1/24", dev=BRIDGE)
    assert nl.attach(endpoint(two, "10.9.0.7/24")).gateways == ("10.9.0.1",)
    assert ping(two, "10.9.0.1") is not None


def test_a_bridge_of_the_same_name_with_another_index(host: nl.RTNetlink, containers: Containers) -> None:
    one, two = containers(2)
    nl.attach(endpoint(one))
    host.links.delete(BRIDGE)
    host.links.add("other", kind="bridge", up=True)
    host.addresses.add("172.17.42.77/16", dev="other")
    host.links.add(BRIDGE, kind="bridge", up=True)
    host.addresses.add("172.17.42.66/16", dev=BRIDGE)
    assert nl.attach(endpoint(two)).gateways == ("172.17.42.66",)


# -- the socket that is opened meanwhile -------------------------------------------------------------------


def test_where_no_socket_can_be_opened_ahead_it_is_opened_later(
    host: nl.RTNetlink, container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(fd: int) -> Any:
        raise OSError(errno.EAGAIN, "no thread")

    monkeypatch.setattr(backends.load(), "open_ahead", none)
    assert nl.attach(endpoint(container)).ready


def test_what_was_opened_ahead_is_closed_when_the_bridge_is_missing(
    host: nl.RTNetlink, container: Container
) -> None:
    """Descriptors and threads are counted after each test."""
    for _ in range(20):
        with pytest.raises(nl.AttachError):
            nl.attach(endpoint(container, bridge="none"))


def test_the_socket_beside_is_read_empty_after_a_visit_that_failed(
    host: nl.RTNetlink, container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Late answers could pass for those to later questions."""
    taken: list[bool] = []
    original = Socket.take_back

    def take_back(socket: Socket, answered: bool) -> None:
        taken.append(answered)
        original(socket, answered)

    monkeypatch.setattr(Socket, "take_back", take_back)
    one = nl.attach(endpoint(container))
    assert taken == [True]
    nl.detach(one)
    end_at(monkeypatch, "enslave", errno.ETIMEDOUT)
    nl.attach(endpoint(container))
    assert False in taken
