"""open_ahead and opened: a socket for a visit, opened while other things are done."""

from __future__ import annotations

import errno
import gc
import os
import socket
import struct
import threading
from typing import TYPE_CHECKING

import pytest

from tests.backends.messages import SECOND, get_link, namespaces

if TYPE_CHECKING:
    from netlinkpy.backends.interface import Backend


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_a_visit_talks_through_it(backend: Backend) -> None:
    with namespaces(backend, 1) as (netns,):
        before = descriptors()
        fd = backend.opened(backend.open_ahead(netns))
        assert descriptors() == before + 1 and not os.get_inheritable(fd)
        ask = get_link(1, index=1)
        script = backend.compile_script([(len(ask), False, None, ())])
        visited = backend.visit(
            script, bytearray(ask), struct.pack("=i", -1), bytearray(struct.pack("=i", fd)), -1, SECOND
        )
        assert visited == [(0, 1, -1, b"", ())]
        os.close(fd)


def test_it_is_inside(backend: Backend) -> None:
    """A link that is made through it is not in the caller's namespace."""
    with namespaces(backend, 1) as (netns,):
        fd = backend.opened(backend.open_ahead(netns))
        with socket.socket(fileno=fd) as sock:
            sock.send(get_link(1, name="lo"))
            sock.recv(8192)
            sock.send(get_link(2, index=99))
            code = struct.unpack_from("=i", sock.recv(8192), 16)[0]
        assert code == -errno.ENODEV


def test_many_at_once(backend: Backend) -> None:
    with namespaces(backend, 8) as fds:
        begun = [backend.open_ahead(netns) for netns in fds]
        opened = [backend.opened(ahead) for ahead in begun]
        assert len(set(opened)) == 8
        for fd in opened:
            os.close(fd)


@pytest.mark.parametrize("which", ["closed", "no namespace"])
def test_what_cannot_be_opened_is_told_at_the_end(backend: Backend, which: str) -> None:
    with open(os.devnull, "rb") as file:
        ahead = backend.open_ahead(-1 if which == "closed" else file.fileno())
        with pytest.raises(OSError) as caught:
            backend.opened(ahead)
    assert caught.value.errno == (errno.EBADF if which == "closed" else errno.EINVAL)


def test_it_is_given_once(backend: Backend) -> None:
    with namespaces(backend, 1) as (netns,):
        ahead = backend.open_ahead(netns)
        os.close(backend.opened(ahead))
        with pytest.raises(ValueError):
            backend.opened(ahead)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_nobody_asks_for_is_closed(backend: Backend) -> None:
    """The pure twin's is a Python socket, of which Python says so."""
    with namespaces(backend, 1) as (netns,):
        before = descriptors()
        for _ in range(10):
            backend.open_ahead(netns)
        gc.collect()
        assert descriptors() == before


def test_threads_may_open_at_the_same_time(backend: Backend) -> None:
    with namespaces(backend, 1) as (netns,):
        before = descriptors()

        def work() -> None:
            for _ in range(50):
                os.close(backend.opened(backend.open_ahead(netns)))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert descriptors() == before
