"""Bad input to attach(): each one clear sentence and an errno, and nothing changes on host or container."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

import pytest

import netlinkpy as nl
from netlinkpy.transport.visit import visit
from netlinkpy.uapi.sched import CLONE_NEWNET, CLONE_NEWUSER
from netlinkpy.wire.program import Program
from tests.support.crash import replace_visit, visit_step_by_step
from tests.support.links import add_ipv6, addresses_of, links_of
from tests.support.namespaces import BareNamespace, Container, inside, map_root, unshare
from tests.support.refusals import unchanged
from tests.support.wiring_testbed import ADDRESS, BRIDGE, GATEWAY, endpoint, make_bridge, refused

Containers = Callable[..., list[Container]]
MAX_PORTS = 1023


# -- values ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"address": "172.17.42.999/16"}, ["172.17.42.999"]),
        ({"address": "172.17.42/16"}, ["172.17.42"]),
        ({"address": "172.17.42.99"}, ["172.17.42.99", "prefix length"]),
        ({"address": "172.17.42.99/"}, ["172.17.42.99/", "prefix length"]),
        ({"address": "172.17.42.99/33"}, ["172.17.42.99/33", "32"]),
        ({"address": "172.17.42.99/-1"}, ["172.17.42.99/-1"]),
        ({"address": "172.17.42.99/1 6"}, ["172.17.42.99/1 6"]),
        ({"address": "172.17.42.99/٣"}, ["prefix length"]),
        ({"address": "fd00::g/64"}, ["fd00::g"]),
        ({"address": "fd00::1/129", "gateways": ()}, ["fd00::1/129", "128"]),
        ({"address": "fe80::1%eth0/64"}, ["fe80::1%eth0"]),
        ({"address": ""}, ["''"]),
        ({"address": "host.example/16"}, ["host.example"]),
        ({"address": "172.17.0.0/16"}, ["172.17.0.0/16"]),
        ({"address": "172.17.255.255/16"}, ["172.17.255.255/16"]),
        ({"address": "0.0.0.0/16"}, ["0.0.0.0/16"]),
        ({"address": "127.0.0.2/8"}, ["127.0.0.2/8"]),
        ({"address": "224.0.0.9/16"}, ["224.0.0.9/16"]),
        ({"address": "255.255.255.255/32"}, ["255.255.255.255/32"]),
        ({"address": "ff02::1/64"}, ["ff02::1/64"]),
        ({"address": "::/64"}, ["::/64"]),
        ({"address": "::1/128"}, ["::1/128"]),
        ({"address": f"{GATEWAY}/16"}, [GATEWAY]),
        ({"address": "10.1.0.7/24"}, ["10.1.0.7/24", BRIDGE, GATEWAY]),
        ({"gateways": "172.17.42.300"}, ["172.17.42.300"]),
        ({"gateways": f"{GATEWAY}/16"}, [f"{GATEWAY}/16"]),
        ({"gateways": ADDRESS}, [ADDRESS]),
        ({"gateways": (GATEWAY, "172.17.42.2")}, ["gateway", "family"]),
        ({"gateways": "default"}, ["default"]),
        ({"routes": [("10.1.0.1/16", GATEWAY)]}, ["10.1.0.1/16"]),
        ({"routes": [("10.1.0.0/16", "fd00::1")]}, ["10.1.0.0/16", "fd00::1"]),
        ({"routes": [("nowhere", None)]}, ["nowhere"]),
        ({"mac": "01:00:5e:00:00:01"}, ["01:00:5e:00:00:01", "multicast"]),
        ({"mac": "ff:ff:ff:ff:ff:ff"}, ["ff:ff:ff:ff:ff:ff", "multicast"]),
        ({"mac": "00:00:00:00:00:00"}, ["00:00:00:00:00:00", "zero"]),
        ({"mac": "02:42:ac:11:2a"}, ["02:42:ac:11:2a"]),
        ({"mac": "02:42:ac:11:2a:63:00"}, ["02:42:ac:11:2a:63:00"]),
        ({"mac": "02:42:ac:11:2a:gg"}, ["02:42:ac:11:2a:gg"]),
        ({"mac": "02:42:ac:11:2a:-1"}, ["02:42:ac:11:2a:-1"]),
        ({"mac": "02:42:ac:11:2a: 1"}, ["02:42:ac:11:2a: 1"]),
        ({"mac": "0242ac112a63"}, ["0242ac112a63"]),
        ({"mac": "any"}, ["any"]),
        ({"mac": ""}, ["''"]),
        ({"mtu": 67}, ["mtu", "67", "68"]),
        ({"mtu": 65536}, ["mtu", "65536", "65535"]),
        ({"mtu": -1}, ["mtu", "-1"]),
        ({"address": "fd00::7/64", "mtu": 1279, "gateways": ()}, ["1279", "1280", "IPv6"]),
        ({"metric": 0}, ["metric", "0"]),
        ({"metric": 1 << 32}, ["metric", "4294967296"]),
        ({"queues": 0}, ["queues", "0"]),
        ({"queues": 5000}, ["queues", "5000"]),
        ({"bridge": ""}, ["''"]),
        ({"bridge": "br/0"}, ["br/0"]),
        ({"bridge": "x" * 128}, ["x" * 20, "127"]),
        ({"address": (f"{ADDRESS}/16", f"{ADDRESS}/16")}, [ADDRESS]),
        ({"address": (f"{ADDRESS}/16", f"{ADDRESS}/24")}, [ADDRESS]),
    ],
    ids=str,
)
def test_a_value_that_cannot_be(
    host: nl.RTNetlink, container: Container, more: dict[str, Any], words: list[str]
) -> None:
    with refused(errno.EINVAL, str(container.pid), *words, among=[container]):
        nl.attach(endpoint(container, **more))


@pytest.mark.parametrize("field", ["ifname", "host_ifname"])
@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a/b",
        "../x",
        "a b",
        "a\tb",
        "a\n",
        "a:b",
        "a\0b",
        "sixteen-letters-",
        "ÄÄÄÄÄÄÄÄ",  # sixteen bytes
        "à",  # its second byte, 0xa0, is a blank to the kernel
        "eth%d",  # the kernel would make another name of it
        "%",
        "x" * 256,
        "\ud800",
    ],
    ids=ascii,
)
def test_a_name_that_cannot_be(host: nl.RTNetlink, container: Container, field: str, name: str) -> None:
    with refused(errno.EINVAL, str(container.pid), "name", among=[container]):
        nl.attach(endpoint(container, **{field: name}))


@pytest.mark.parametrize(
    "more",
    [
        {"mtu": "1500"},
        {"mtu": 1500.0},
        {"mtu": True},
        {"metric": "1"},
        {"queues": None},
        {"ifname": 7},
        {"host_ifname": b"A"},
        {"bridge": None},
        {"address": 7},
        {"address": (7,)},
        {"gateways": 7},
        {"mac": 7},
        {"routes": [7]},
        {"routes": ["10.0.0.0/8"]},
        {"netns": None},
        {"netns": 1.5},
        {"netns": True},
    ],
    ids=str,
)
def test_a_value_of_another_type(host: nl.RTNetlink, container: Container, more: dict[str, Any]) -> None:
    values = {
        "netns": container.pid,
        "bridge": BRIDGE,
        "addresses": more.pop("address", f"{ADDRESS}/16"),
        **more,
    }
    with unchanged(container), pytest.raises((TypeError, nl.AttachError)) as caught:
        nl.attach(nl.Endpoint(**values))
    text = str(caught.value)
    assert len(text) > 10 and "\n" not in text and "object has no attribute" not in text


def test_an_endpoint_needs_its_fields(host: nl.RTNetlink) -> None:
    with pytest.raises(TypeError, match="netns"):
        nl.Endpoint()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="colour"):
        nl.Endpoint(netns=1, bridge=BRIDGE, colour="red")  # type: ignore[call-arg]


# -- places ------------------------------------------------------------------------------------------------


def test_there_is_no_such_bridge(host: nl.RTNetlink, container: Container) -> None:
    with refused(errno.ENODEV, "br9", str(container.pid), among=[container]):
        nl.attach(endpoint(container, bridge="br9"))


def test_it_is_not_a_bridge(host: nl.RTNetlink, container: Container) -> None:
    host.links.add("v0", kind="veth", peer="v1")
    with refused(errno.EINVAL, "v0", "veth", "not a bridge", str(container.pid), among=[container]):
        nl.attach(endpoint(container, bridge="v0"))
    with refused(errno.EINVAL, "lo", "not a bridge", among=[container]):
        nl.attach(endpoint(container, bridge="lo"))


def test_the_process_is_gone(host: nl.RTNetlink, containers: Containers) -> None:
    one = containers(1)[0]
    wanted = endpoint(one)
    pid = one.pid
    one.kill()
    with refused(errno.ESRCH, str(pid)):
        nl.attach(wanted)


@pytest.mark.parametrize("pid", [0, -1, 1 << 31, 1 << 70])
def test_a_number_that_is_no_process_id(host: nl.RTNetlink, pid: int) -> None:
    with refused(errno.EINVAL, str(pid), "process"):
        nl.attach(endpoint(pid))


def test_there_is_no_such_namespace(host: nl.RTNetlink) -> None:
    with refused(errno.ENOENT, "blue"):
        nl.attach(endpoint("blue"))


@pytest.mark.parametrize("name", ["", "..", ".", "x" * 256, "a\0b"])
def test_a_name_that_is_no_namespaces(host: nl.RTNetlink, name: str) -> None:
    with refused(errno.EINVAL, "namespace"):
        nl.attach(endpoint(name))


def test_a_link_that_dangles(host: nl.RTNetlink) -> None:
    os.mkdir("/run/netns")
    os.symlink("/proc/1999999999/ns/net", "/run/netns/2778")
    with refused(errno.ENOENT, "2778", "gone"):
        nl.attach(endpoint("2778"))


@pytest.mark.parametrize("path", ["/proc/self/ns/uts", "/etc/passwd", "/dev/null", "/proc"])
def test_it_is_not_a_network_namespace(host: nl.RTNetlink, path: str) -> None:
    with refused(errno.EINVAL, path, "not a network namespace"):
        nl.attach(endpoint(path))


def test_a_handle_that_was_closed(host: nl.RTNetlink, container: Container) -> None:
    handle = nl.Netns.open(container.pid)
    handle.close()
    with refused(errno.EINVAL, str(container.pid), "closed", among=[container]):
        nl.attach(endpoint(handle))


def test_the_hosts_own_namespace(host: nl.RTNetlink) -> None:
    nl.netns.bind("own", os.getpid())
    with nl.Netns.current() as handle:
        for target in (os.getpid(), "/proc/self/ns/net", "/proc/thread-self/ns/net", "own", handle):
            with refused(errno.EINVAL, "host", "own"):
                nl.attach(endpoint(target))


@pytest.mark.parametrize(
    ("routes", "number", "step"),
    [
        ([("10.0.0.0/8", None)] * 2, errno.EEXIST, "add route 10.0.0.0/8 in"),
        (
            [("10.0.0.0/8", None), ("10.0.0.0/8", GATEWAY)],
            errno.EEXIST,
            f"add route 10.0.0.0/8 via {GATEWAY}",
        ),
        ([("172.17.0.0/16", None)], errno.EEXIST, "add route 172.17.0.0/16"),
    ],
    ids=str,
)
def test_a_step_that_the_kernel_refuses_is_named(
    host: nl.RTNetlink, container: Container, routes: list[tuple[str, str | None]], number: int, step: str
) -> None:
    with refused(number, step, str(container.pid), among=[container]):
        nl.attach(endpoint(container, routes=routes))


def test_the_kernels_own_text_and_attribute_are_told(host: nl.RTNetlink, container: Container) -> None:
    """IPv6 is off in the container: the kernel has a sentence for that."""
    add_ipv6(host, "fd00:17::1/64", dev=BRIDGE)

    def turn_off() -> None:
        with open("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w") as file:
            file.write("1")

    inside(container, turn_off)
    with refused(errno.EACCES, "fd00:17::99/64", "IPv6 is disabled", str(container.pid), among=[container]):
        nl.attach(endpoint(container, "fd00:17::99/64"))


# -- no room -----------------------------------------------------------------------------------------------


def fill(host: nl.RTNetlink, ports: int) -> None:
    """Makes so many ports of docker0."""
    index = host.links.get(BRIDGE).index
    for number in range(0, ports, 2):
        link = host.links.add(f"p{number}", kind="veth", peer=f"p{number + 1}", master=index)
        assert link.peer is not None
        if number + 1 < ports:
            host.links.set(link.peer, master=index)


def test_a_full_bridge(host: nl.RTNetlink, containers: Containers) -> None:
    one, two = containers(2)
    fill(host, MAX_PORTS - 1)
    kept = nl.attach(endpoint(one))
    with refused(errno.EXFULL, BRIDGE, "1023", str(two.pid), among=[one, two]):
        nl.attach(endpoint(two, "172.17.42.98/16"))
    assert not nl.attach(endpoint(one)).changed  # what is there needs no room
    assert nl.detach(kept)
    nl.attach(endpoint(two, "172.17.42.98/16"))


# -- no right ----------------------------------------------------------------------------------------------


def refusal(wanted: nl.Endpoint) -> tuple[int | None, str]:
    """The errno and the text with which attach() fails."""
    try:
        nl.attach(wanted)
    except nl.AttachError as error:
        return error.errno, str(error)
    return 0, ""


def without_rights(wanted: nl.Endpoint) -> tuple[int | None, str]:
    """The same in a process that has no capability over any of our namespaces."""

    def work() -> tuple[int | None, str]:
        unshare(CLONE_NEWUSER)
        return refusal(wanted)

    return inside(None, work)


def test_without_permission(host: nl.RTNetlink, container: Container) -> None:
    with unchanged(container):
        number, text = without_rights(endpoint(container))
    assert number == errno.EPERM
    assert "not permitted" in text and "CAP_NET_ADMIN" in text and str(container.pid) in text


def in_a_user_namespace(wanted: nl.Endpoint) -> tuple[int | None, str]:
    """The same in a user and a network namespace of its own, with a bridge docker0."""

    def work() -> tuple[int | None, str]:
        uid, gid = os.geteuid(), os.getegid()
        unshare(CLONE_NEWUSER | CLONE_NEWNET)
        map_root(uid, gid)
        with nl.RTNetlink() as rt:
            make_bridge(rt, BRIDGE, f"{GATEWAY}/16")
        return refusal(wanted)

    return inside(None, work)


def test_a_user_namespace_may_not_look_at_our_process(host: nl.RTNetlink, container: Container) -> None:
    with unchanged(container):
        number, text = in_a_user_namespace(endpoint(container))
    assert number == errno.EACCES
    assert "not permitted" in text and f"process {container.pid}" in text


def test_a_user_namespace_may_not_enter_our_namespace(
    host: nl.RTNetlink, bare_namespaces: Callable[[int], list[BareNamespace]]
) -> None:
    """It has the descriptor; setns() is refused."""
    bare = bare_namespaces(1)[0]
    with nl.Netns.from_fd(bare.fd) as handle, unchanged(bare):
        number, text = in_a_user_namespace(endpoint(handle))
        label = handle.label
    assert number == errno.EPERM
    assert "not permitted to enter" in text and label in text


def test_a_small_mtu_does_not_take_the_bridges_ipv6_away(host: nl.RTNetlink, container: Container) -> None:
    add_ipv6(host, "2001:db8::1/64", dev=BRIDGE)
    with refused(errno.EINVAL, "1279", "2001:db8::1/64", BRIDGE, "1280", among=[container]):
        nl.attach(endpoint(container, mtu=1279))
    assert nl.attach(endpoint(container, mtu=1280)).ready
    assert "2001:db8::1/64" in addresses_of(None, BRIDGE)


# -- no answer ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ETIMEDOUT, "did not answer in time"),
        (errno.EBADMSG, "malformed"),
        (errno.ENOBUFS, "lost"),
    ],
)
def test_an_answer_that_is_lost_or_spoilt(
    host: nl.RTNetlink, container: Container, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    """The kernel has made the pair, but nobody hears of it: it is removed all the same."""
    seen: list[set[str]] = []

    def deaf(program: Program, *arguments: Any, results: bytearray, **named: Any) -> None:
        if "create" not in program.names:
            visit(program, *arguments, results=results, **named)
            return
        visit_step_by_step(program, *arguments, results=results, **named, fails={"configure": number})
        seen.append(set(links_of(container)))
        program._result.pack_into(results, 0, number, 0, -1, 0, b"", *[0] * len(program.values))

    replace_visit(monkeypatch, deaf)
    with refused(number, "eth0", words, str(container.pid), among=[container]):
        nl.attach(endpoint(container))
    assert seen == [{"lo", "eth0"}]
    monkeypatch.undo()
    assert nl.attach(endpoint(container)).changed


@pytest.mark.parametrize(
    ("more", "number", "words"),
    [
        ({"gateways": "10.1.0.1"}, errno.ENETUNREACH, ["default route via 10.1.0.1", "invalid gateway"]),
        ({"gateways": "fd00::1"}, errno.EHOSTUNREACH, ["default route via fd00::1", "--onlink"]),
        ({"address": (), "gateways": GATEWAY}, errno.ENETUNREACH, [GATEWAY]),
        ({"routes": [("10.1.0.0/16", "10.1.0.1")]}, errno.ENETUNREACH, ["route 10.1.0.0/16 via 10.1.0.1"]),
    ],
    ids=str,
)
def test_a_gateway_that_nothing_covers(
    host: nl.RTNetlink, container: Container, more: dict[str, Any], number: int, words: list[str]
) -> None:
    with refused(number, str(container.pid), *words, among=[container]):
        nl.attach(endpoint(container, **more))
