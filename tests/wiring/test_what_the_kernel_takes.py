"""What the kernel takes is not refused: gateways behind a route or on-link, 240.0.0.0/4, and the broadcast
address that Docker sets."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest

import netlinkpy as nl
from netlinkpy.cli import main
from tests.support.namespaces import Container
from tests.support.refusals import unchanged

Containers = Callable[..., list[Container]]


def defaults(where: Container) -> list[tuple[str, str]]:
    with nl.RTNetlink(where.pid) as there:
        return [(one.destination, one.gateway) for one in there.routes.list() if one.gateway]


@pytest.mark.parametrize("count", [1, 2])
def test_a_gateway_behind_a_route(host: nl.RTNetlink, containers: Containers, count: int) -> None:
    there = containers(count)
    nl.attach_many(
        nl.Endpoint(
            one.pid,
            "docker0",
            f"198.51.100.{number + 7}/32",
            gateways="203.0.113.1",
            routes=[("203.0.113.1/32", None)],
        )
        for number, one in enumerate(there)
    )
    assert [defaults(one) for one in there] == [[("default", "203.0.113.1")]] * count


@pytest.mark.parametrize(
    ("address", "gateway"), [("10.1.0.2/16", "169.254.1.1"), ("fd00::2/64", "2001:db8::1")]
)
def test_a_gateway_on_link(host: nl.RTNetlink, container: Container, address: str, gateway: str) -> None:
    wanted = nl.Endpoint(container.pid, "docker0", address, gateways=gateway, onlink=True)
    assert nl.attach(wanted).gateways == (gateway,) and defaults(container) == [("default", gateway)]
    assert not nl.attach(wanted).changed


@pytest.mark.parametrize("gateway", ["169.254.1.1", "10.99.0.1"])
def test_a_gateway_that_nothing_covers_is_the_kernels_to_refuse(
    host: nl.RTNetlink, container: Container, gateway: str
) -> None:
    with unchanged(container), pytest.raises(nl.AttachError) as caught:
        nl.attach(nl.Endpoint(container.pid, "docker0", "10.1.0.2/16", gateways=gateway))
    assert caught.value.errno == errno.ENETUNREACH and gateway in str(caught.value)


def test_class_e(host: nl.RTNetlink, container: Container) -> None:
    nl.attach(nl.Endpoint(container.pid, "docker0", "240.1.0.2/16", gateways=()))
    network = nl.Network.create("future", subnets="241.0.0.0/16")
    assert network.subnets[0].gateway == "241.0.0.1"


@pytest.mark.parametrize(
    ("cidr", "broadcast"), [("10.1.0.2/16", "10.1.255.255"), ("10.1.0.2/31", ""), ("10.1.0.2/32", "")]
)
def test_the_broadcast_address(host: nl.RTNetlink, container: Container, cidr: str, broadcast: str) -> None:
    nl.attach(nl.Endpoint(container.pid, "docker0", cidr, gateways=()))
    with nl.RTNetlink(container.pid) as there:
        (found,) = there.addresses.list(dev="eth0", family=2)
    assert found.broadcast == broadcast


def test_the_command(
    host: nl.RTNetlink,
    container: Container,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    words = ["attach", str(container.pid), "--bridge", "docker0", "--ip", "10.1.0.2/16"]
    words += ["--default-gateway", "169.254.1.1", "--onlink"]
    monkeypatch.setattr("netlinkpy.cli.attach.interrupt_on_terminate", lambda: None)
    monkeypatch.setattr("sys.argv", ["netlinkpy", *words])
    assert main() == 0
    assert defaults(container) == [("default", "169.254.1.1")]


@pytest.mark.parametrize("name", ["an alternative name of the bridge".replace(" ", "-"), "short"])
@pytest.mark.parametrize("count", [1, 2])
def test_a_bridge_by_its_alternative_name(
    host: nl.RTNetlink, containers: Containers, name: str, count: int
) -> None:
    host.links.add_altnames("docker0", [name])
    made = nl.attach_many(
        nl.Endpoint(one.pid, name, f"172.17.42.{number + 9}/16")
        for number, one in enumerate(containers(count))
    )
    assert len(host.links.list(master="docker0")) == count
    assert nl.detach_many(made) == count


@pytest.mark.parametrize("count", [1, 9])
def test_a_host_end_that_was_renamed_is_detached(
    host: nl.RTNetlink, containers: Containers, count: int
) -> None:
    made = nl.attach_many(
        nl.Endpoint(one.pid, "docker0", f"172.17.42.{number + 9}/16")
        for number, one in enumerate(containers(count))
    )
    for number, one in enumerate(made):
        host.links.set(one.host_index, name=f"renamed{number}")
    assert nl.detach_many(made) == count and host.links.list(master="docker0") == []
    stranger = host.links.add("other", kind="veth", peer=nl.Peer("peer"))
    assert not nl.detach(made[0].replace(host_index=stranger.index))


def test_nine_host_names_that_are_no_utf8(host: nl.RTNetlink, containers: Containers) -> None:
    made = nl.attach_many(
        nl.Endpoint(one.pid, "docker0", f"172.17.42.{number + 9}/16", host_ifname=f"v\udcff{number}")
        for number, one in enumerate(containers(9))
    )
    assert nl.detach_many(made) == 9


@pytest.mark.parametrize("family", [1, 7, 99, -1])
def test_a_family_that_is_none_is_refused(host: nl.RTNetlink, family: int) -> None:
    for verb in (host.addresses.list, host.routes.list, host.neighbours.list, host.rules.list):
        with pytest.raises(ValueError, match="family is AF_INET"):
            verb(family=family)


def test_true_words_for_another_kind(host: nl.RTNetlink) -> None:
    host.links.add("v0", kind="veth", peer=nl.Peer("v1"))
    with pytest.raises(TypeError, match="a veth has no option 'stp_state'"):
        host.links.set("v0", stp_state=1)
    with pytest.raises(TypeError, match="link lo has no kind, and so none of the options stp_state"):
        host.links.set("lo", stp_state=1)
    for dev, words in (("v0", "it is a veth, no bridge"), ("lo", "it is hardware or lo, no bridge")):
        with pytest.raises(nl.NetlinkError, match=words) as caught:
            host.links.set(dev, kind="bridge", stp_state=1)
        assert caught.value.errno == errno.EOPNOTSUPP
