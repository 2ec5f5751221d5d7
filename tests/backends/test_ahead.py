"""open_ahead: a socket for a visit, opened while other things are done, and its owner."""

from __future__ import annotations

import errno
import gc
import os
import socket
import struct
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from netlinkpy.netns import Netns
from netlinkpy.netns.processes import call
from tests.backends.messages import get_link, namespaces
from tests.backends.programs import ask, descriptors, ints, visit

if TYPE_CHECKING:
    from netlinkpy.backends.interface import Ahead, Backend


def netns_call(fd: int, function: Callable[[], str]) -> str:
    """Return what a function returns inside a namespace."""
    with Netns.from_fd(fd) as handle:
        return call(handle, function)


def take(ahead: Ahead) -> int:
    """The descriptor, which is the caller's to close."""
    ahead.wait()
    (fd,) = struct.unpack("=i", ahead.sockets)
    ahead.sockets[:] = ints(-1)
    return int(fd)


def test_a_visit_talks_through_it(backend: Backend) -> None:
    with namespaces(backend, 1) as (netns,):
        before = descriptors()
        ahead = backend.open_ahead(netns)
        ahead.wait()
        (fd,) = struct.unpack("=i", ahead.sockets)
        hush, _ = struct.unpack("=ii", ahead.hush.numbers)
        assert descriptors() == before + 1 + (hush >= 0)
        assert not os.get_inheritable(fd) and (hush < 0 or not os.get_inheritable(hush))
        assert visit(backend, ints(-1), [ask()], sockets=ahead.sockets) == [(0, 1, -1, b"", (1,))]
        ahead.close()
        assert descriptors() == before


@pytest.mark.skipif(not os.path.exists("/proc/net/if_inet6"), reason="needs IPv6")
def test_the_namespace_is_hushed_meanwhile(backend: Backend) -> None:
    """Of router advertisements."""
    with namespaces(backend, 1) as (netns,):

        def accepts() -> str:
            def read() -> str:
                with open("/proc/sys/net/ipv6/conf/default/accept_ra") as file:
                    return file.read().strip()

            return netns_call(netns, read)

        assert accepts() == "1"
        ahead = backend.open_ahead(netns)
        ahead.wait()
        assert accepts() == "0"
        ahead.hush.close()
        ahead.hush.close()
        assert accepts() == "1"
        before = descriptors()
        visit(backend, ints(netns), [ask()], hush=True)
        assert accepts() == "1" and descriptors() == before


def test_it_is_inside(backend: Backend) -> None:
    """A link that is made through it is not in the caller's namespace."""
    with namespaces(backend, 1) as (netns,):
        fd = take(backend.open_ahead(netns))
        with socket.socket(fileno=fd) as sock:
            sock.send(get_link(1, name="lo"))
            sock.recv(8192)
            sock.send(get_link(2, index=99))
            code = struct.unpack_from("=i", sock.recv(8192), 16)[0]
        assert code == -errno.ENODEV


def test_many_at_once(backend: Backend) -> None:
    with namespaces(backend, 8) as fds:
        begun = [backend.open_ahead(netns) for netns in fds]
        opened = [take(ahead) for ahead in begun]
        assert len(set(opened)) == 8
        for fd in opened:
            os.close(fd)


@pytest.mark.parametrize("which", ["closed", "no namespace"])
def test_what_cannot_be_opened_is_told_at_the_end(backend: Backend, which: str) -> None:
    with open(os.devnull, "rb") as file:
        ahead = backend.open_ahead(-1 if which == "closed" else file.fileno())
        with pytest.raises(OSError) as caught:
            ahead.wait()
    assert caught.value.errno == (errno.EBADF if which == "closed" else errno.EINVAL)


def test_it_is_given_once(backend: Backend) -> None:
    with namespaces(backend, 1) as (netns,):
        ahead = backend.open_ahead(netns)
        os.close(take(ahead))
        with pytest.raises(ValueError):
            ahead.wait()


def test_what_nobody_takes_is_closed(backend: Backend) -> None:
    """By close(), a second time too, whether it was waited for or not; or with its owner."""
    with namespaces(backend, 1) as (netns,):
        before = descriptors()
        for waited in (False, True):
            ahead = backend.open_ahead(netns)
            if waited:
                ahead.wait()
            ahead.close()
            assert descriptors() == before and ahead.sockets == ints(-1)
            ahead.close()
        for _ in range(10):
            backend.open_ahead(netns)
        gc.collect()
        assert descriptors() == before


def test_threads_may_open_at_the_same_time(backend: Backend) -> None:
    with namespaces(backend, 1) as (netns,):
        before = descriptors()

        def work() -> None:
            for _ in range(50):
                os.close(take(backend.open_ahead(netns)))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert descriptors() == before
