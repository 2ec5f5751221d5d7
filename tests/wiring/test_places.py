"""Where attach() finds the container and the host, and what it does on older kernels."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import pytest

import netlinkpy as nl
from netlinkpy.wiring.prepared import PREPARED
from netlinkpy.wiring.recipe import kernel_echoes
from tests.support.links import links_of
from tests.support.namespaces import BareNamespace, Container, ping, setns
from tests.support.refusals import unchanged
from tests.support.wiring_testbed import GATEWAY, address_of, endpoint, make_bridge

Containers = Callable[..., list[Container]]


def test_every_way_to_name_the_container(host: nl.RTNetlink, containers: Containers) -> None:
    by_pid, by_path, by_handle, by_fd = containers(4)
    nl.netns.create("blue")
    path = "/run/netns/blue"
    targets: list[tuple[object, Container | str]] = [
        (by_pid.pid, by_pid),
        (by_path.path, by_path),
        ("blue", path),
    ]
    with (
        nl.Netns.open(by_handle.pid) as handle,
        open(by_fd.path) as file,
        nl.Netns.from_fd(file.fileno()) as own,
    ):
        targets += [(handle, by_handle), (own, by_fd)]
        for number, (target, place) in enumerate(targets):
            nl.attach(endpoint(target, address_of(number)))  # type: ignore[arg-type]
            assert ping(place, GATEWAY) is not None


def test_a_name_of_digits_is_a_name(host: nl.RTNetlink, container: Container) -> None:
    nl.netns.bind("2778", container.pid)
    assert nl.attach(endpoint("2778")).netns == "namespace 2778"
    assert ping(container, GATEWAY) is not None


def test_the_host_may_be_any_namespace(
    host: nl.RTNetlink, container: Container, bare_namespaces: Callable[[int], list[BareNamespace]]
) -> None:
    """The bridge is looked for where the calling thread is, and the container's end comes from there."""
    other = bare_namespaces(1)[0]
    done: list[object] = []

    def work() -> None:
        setns(other.fd)
        with nl.RTNetlink() as rt:
            make_bridge(rt, "br9", "10.9.0.1/24")
        done.append(nl.attach(endpoint(container, "10.9.0.7/24", bridge="br9")))

    with unchanged():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert isinstance(done[0], nl.Attachment)
    assert ping(container, "10.9.0.1") is not None
    assert ping(other, "10.9.0.7") is not None


def test_the_calling_thread_stays_where_it_is(host: nl.RTNetlink, container: Container) -> None:
    with nl.Netns.current() as before:
        nl.attach(endpoint(container))
        with nl.Netns.current() as after:
            assert before.identity == after.identity


def test_a_rootless_container_may_be_wired_by_its_parent(host: nl.RTNetlink, containers: Containers) -> None:
    rootless = containers(1, user=True)[0]
    nl.attach(endpoint(rootless))
    assert ping(rootless, GATEWAY) is not None


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """release("5.15.0") makes this the kernel's release."""
    uname = os.uname()

    def say(release: str) -> None:
        monkeypatch.setattr(os, "uname", lambda: os.uname_result((*uname[:2], release, *uname[3:])))
        monkeypatch.setattr(PREPARED, "echoes", None)

    return say


def test_without_the_kernels_echo_the_index_is_looked_up(
    host: nl.RTNetlink, containers: Containers, release: Callable[[str], None]
) -> None:
    """Before 6.2 a create is not echoed."""
    release("5.15.0-91-generic")
    for number, one in enumerate(containers(2)):
        made = nl.attach(endpoint(one, address_of(number)))
        assert made.index == links_of(one)["eth0"].index
        assert host.links.get(made.host_index).name == made.host_ifname
        assert ping(one, GATEWAY) is not None
        again = nl.attach(endpoint(one, address_of(number)))
        assert again == made.replace(changed=False)


@pytest.mark.parametrize(
    ("name", "echoes"),
    [
        *((name, True) for name in ("6.18.44-x", "6.2.0", "6.2-rc1", "6.12+", "7.0")),
        *((name, False) for name in ("6.1.99", "5.15.0-91-generic", "4.19")),
    ],
)
def test_which_kernels_echo(release: Callable[[str], None], name: str, echoes: bool) -> None:
    release(name)
    assert kernel_echoes() is echoes
