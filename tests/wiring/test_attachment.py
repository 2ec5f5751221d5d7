"""Attachments: found again, through JSON, detached here or by another process; and detach."""

from __future__ import annotations

import copy
import errno
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import netlinkpy as nl
from netlinkpy.uapi.sched import CLONE_NEWUSER
from tests.support.links import links_of
from tests.support.namespaces import BareNamespace, Container, entered, inside, ping, unshare
from tests.support.refusals import unchanged
from tests.support.wiring_testbed import BRIDGE, GATEWAY, endpoint, endpoints, make_bridge

Containers = Callable[..., list[Container]]
Bare = Callable[[int], list[BareNamespace]]
ROOT = str(Path(__file__).parent.parent.parent)


def elsewhere(code: str, *arguments: str) -> str:
    """What Python code prints in another process, in our namespace."""
    line = f"import sys; sys.path.insert(0, {ROOT!r}); import netlinkpy as nl; {code}"
    done = subprocess.run([sys.executable, "-c", line, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# -- there and back ----------------------------------------------------------------------------------------


def test_json_and_back(host: nl.RTNetlink, container: Container) -> None:
    one = nl.attach(endpoint(container, ("172.17.42.99/16", "10.1.0.7/24"), ifname="ünï"))
    line = one.to_json()
    assert "\n" not in line and json.loads(line)["host_index"] == one.host_index
    back = nl.Attachment.from_json(line)
    assert back == one  # tuples again, not lists


def test_another_process_may_detach(host: nl.RTNetlink, container: Container) -> None:
    line = nl.attach(endpoint(container)).to_json()
    code = "print(nl.detach(nl.Attachment.from_json(sys.argv[1])))"
    assert elsewhere(code, line) == "True"
    assert sorted(links_of(container)) == ["lo"]
    assert elsewhere(code, line) == "False"


def test_another_process_may_detach_many(host: nl.RTNetlink, bare_namespaces: Bare) -> None:
    made = nl.attach_many(endpoints(bare_namespaces(30)))
    lines = [one.to_json() for one in made]
    code = "print(nl.detach_many(map(nl.Attachment.from_json, sys.argv[1:])))"
    assert elsewhere(code, *lines) == "30"
    assert not host.links.list(kind="veth")


def test_copies_are_equal(host: nl.RTNetlink, container: Container) -> None:
    one = nl.attach(endpoint(container))
    assert pickle.loads(pickle.dumps(one)) == one
    assert copy.deepcopy(one) == copy.copy(one) == one
    assert one.replace() == one and one.replace(port="learning") != one
    with pytest.raises(AttributeError):
        one.port = "up"  # type: ignore[misc]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "null",
        "7",
        "{}",
        '{"host_ifname": "A"}',
        '{"host_ifname": "A", "host_index": 7}',
    ],
)
def test_json_that_is_no_attachment(line: str) -> None:
    with pytest.raises(ValueError, match=r".{10}") as caught:
        nl.Attachment.from_json(line)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"host_index": "7"},
        {"host_index": True},
        {"host_index": 7.0},
        {"host_ifname": 7},
        {"host_ifname": None},
        {"addresses": "172.17.42.99/16"},
        {"gateways": 7},
        {"netns": 7},
        {"changed": 1},
    ],
    ids=str,
)
def test_json_with_a_value_of_another_type(wrong: dict[str, object]) -> None:
    good = nl.Attachment("", BRIDGE, "eth0", 2, "", (), (), "A", 7, "forwarding")
    assert nl.Attachment.from_json(good.to_json()) == good
    with pytest.raises(ValueError, match=next(iter(wrong))):
        nl.Attachment.from_json(json.dumps({**good.as_dict(), **wrong}))


def test_json_of_a_later_version(host: nl.RTNetlink, container: Container) -> None:
    one = nl.attach(endpoint(container))
    assert nl.Attachment.from_json(json.dumps({**one.as_dict(), "colour": "red"})) == one


# -- found -------------------------------------------------------------------------------------------------


def test_an_attachment_is_found_by_its_container(host: nl.RTNetlink, container: Container) -> None:
    one = nl.attach(endpoint(container, ("172.17.42.99/16", "10.1.0.7/24"), ifname="net0"))
    found = nl.Attachment.find(container.pid, "net0")
    assert found == one.replace(changed=False)
    assert nl.detach(found)


def test_what_is_no_attachment_is_not_found(host: nl.RTNetlink, containers: Containers) -> None:
    one, two = containers(2)
    with nl.RTNetlink(one.pid) as rt:
        rt.links.add("pair0", kind="veth", peer=nl.Peer("pair1", netns=two.pid))
        rt.links.add("near0", kind="veth", peer="near1")
        rt.links.add("br0", kind="bridge")
    for name, number in {"eth0": errno.ENODEV, "lo": errno.EINVAL, "pair0": errno.EINVAL, "br0": errno.EINVAL,
                         "near0": errno.EINVAL}.items():  # fmt: skip
        with pytest.raises(nl.NetlinkError) as caught:
            nl.Attachment.find(one.pid, name)
        assert caught.value.errno == number
        assert name in str(caught.value) and str(one.pid) in str(caught.value)
    with pytest.raises(FileNotFoundError):
        nl.Attachment.find("blue")


def test_a_found_one_may_be_by_hand(host: nl.RTNetlink, container: Container) -> None:
    """As the seed's document makes it."""
    host.links.add("A", kind="veth", peer=nl.Peer("eth0", netns=container.pid), master=BRIDGE, up=True)
    with nl.RTNetlink(container.pid) as rt:
        rt.links.set("eth0", up=True)
        rt.addresses.add("172.17.42.99/16", dev="eth0")
        rt.routes.add("default", gateway=GATEWAY)
    found = nl.Attachment.find(container.pid)
    assert (found.host_ifname, found.bridge, found.port) == ("A", BRIDGE, "forwarding")
    assert (found.addresses, found.gateways) == (("172.17.42.99/16",), (GATEWAY,))
    assert nl.detach(found)
    assert sorted(links_of(container)) == ["lo"]


# -- detach ------------------------------------------------------------------------------------------------


def test_detach_takes_both_ends_and_says_so(host: nl.RTNetlink, container: Container) -> None:
    one = nl.attach(endpoint(container))
    assert nl.detach(one) is True
    assert one.host_ifname not in links_of(None) and sorted(links_of(container)) == ["lo"]
    with unchanged(container):
        assert nl.detach(one) is False


def test_detach_leaves_what_bears_only_the_name_or_the_index(
    host: nl.RTNetlink, container: Container
) -> None:
    one = nl.attach(endpoint(container, host_ifname="A"))
    nl.detach(one)
    other = host.links.add("A", kind="bridge")
    with unchanged():
        assert not nl.detach(one)  # only the name
        assert not nl.detach(one.replace(host_index=other.index, host_ifname="B"))  # only the index
        bridge = one.replace(host_index=host.links.get(BRIDGE).index, host_ifname=BRIDGE)
        assert nl.detach_many([bridge]) == nl.detach_many([bridge] * 20) == 0  # and no host end at all
        assert nl.detach_many([one] * 20) == 0


def test_detach_leaves_the_containers_other_interfaces(host: nl.RTNetlink, container: Container) -> None:
    make_bridge(host, "br1", "10.1.0.1/24")
    first = nl.attach(endpoint(container))
    nl.attach(endpoint(container, "10.1.0.7/24", bridge="br1", ifname="eth1", gateways=()))
    nl.detach(first)
    assert sorted(links_of(container)) == ["eth1", "lo"]
    assert ping(container, "10.1.0.1") is not None


@pytest.mark.parametrize("count", [2, 8, 9, 70])
def test_detach_many_counts_those_that_were_there(
    host: nl.RTNetlink, bare_namespaces: Bare, count: int
) -> None:
    places = bare_namespaces(count)
    made = nl.attach_many(endpoints(places))
    nl.detach(made[0])
    assert nl.detach_many([*made, made[1]]) == count - 1  # also where one is given twice
    assert nl.detach_many(made) == 0
    assert not host.links.list(kind="veth")


def test_a_host_end_that_claims_other_addresses_now_is_left(host: nl.RTNetlink, container: Container) -> None:
    one = nl.attach(endpoint(container))
    host.links.set(one.host_index, up=False)
    host.links.set(one.host_index, name="mine", up=True)
    host.links.delete_altnames(one.host_index, host.links.get(one.host_index).altnames)
    with unchanged(container):
        assert not nl.detach(one)


def test_detaching_needs_the_right(host: nl.RTNetlink, container: Container) -> None:
    made = [nl.attach(endpoint(container))]

    def work() -> tuple[int | None, str]:
        unshare(CLONE_NEWUSER)
        try:
            nl.detach_many(made)
        except nl.NetlinkError as error:
            return error.errno, str(error)
        return 0, ""

    with unchanged(container):
        number, text = inside(None, work)
    assert number == errno.EPERM and "not permitted" in text


def test_a_container_is_detached_by_an_error_free_second_run(
    host: nl.RTNetlink, container: Container
) -> None:
    """The life of a container's wiring, ten times over."""
    for _ in range(10):
        one = nl.attach(endpoint(container))
        assert ping(container, GATEWAY) is not None
        assert nl.detach(one)
    with entered(container):
        assert sorted(os.listdir("/proc/thread-self/net/dev_snmp6")) == ["lo"]


# -- errors ------------------------------------------------------------------------------------------------


def test_an_attach_error_travels_between_processes(host: nl.RTNetlink) -> None:
    with pytest.raises(nl.AttachError) as caught:
        nl.attach_many([endpoint("blue", "172.17.1.1/16", mtu=1), endpoint("green", mtu=1)])
    error = caught.value
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is nl.AttachError and str(back) == str(error) and back.errno == error.errno
    assert (back.position, back.endpoint) == (0, error.endpoint)
    assert [one.position for one in back.failures] == [0, 1]


def test_a_strangers_name_does_not_hinder_detaching(host: nl.RTNetlink, bare_namespaces: Bare) -> None:
    """Anybody who may configure the host may give a link a name that looks like a claim."""
    made = nl.attach(endpoint(bare_namespaces(1)[0]))
    host.links.add_altnames(made.host_index, ["ip:x", "ip:"])
    host.links.set(made.host_index, name="renamed")
    assert nl.detach(made)
