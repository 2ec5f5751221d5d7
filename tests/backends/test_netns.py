"""Namespaces by throw-away threads: sockets opened there, namespaces made, and the caller still where it
was."""

from __future__ import annotations

import errno
import os
import signal
import socket
import struct
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from netlinkpy.uapi.sched import CLONE_NEWNET, CLONE_NEWUTS
from tests.backends.messages import namespaces

if TYPE_CHECKING:
    from netlinkpy.backends.interface import Backend

NETNS = Path("/run/netns")


def here() -> tuple[int, int]:
    """The network namespace of this thread."""
    status = os.stat("/proc/thread-self/ns/net")
    return status.st_dev, status.st_ino


def links_seen_by(sock: socket.socket) -> list[str]:
    """Names of the links in the namespace of a socket, asked index by index."""
    import fcntl

    names = []
    for index in range(1, 64):
        request = struct.pack("16si20x", b"", index)
        try:
            answer = fcntl.ioctl(sock, 0x8910, request)  # SIOCGIFNAME
        except OSError:
            continue
        names.append(answer[:16].rstrip(b"\0").decode())
    return names


def test_a_socket_is_opened_there_and_the_caller_stays(backend: Backend) -> None:
    before = here()
    with namespaces(backend, 1) as (there,):
        fd = backend.open_socket(there, socket.AF_INET, socket.SOCK_DGRAM, 0).detach()
        assert not os.get_inheritable(fd)
        with socket.socket(fileno=fd) as sock:
            # SIOCGSKNS (linux/sockios.h) gives the namespace of a socket.
            import fcntl

            owner = fcntl.ioctl(sock, 0x894C)
            assert os.stat(owner).st_ino == os.stat(there).st_ino
            os.close(owner)
            assert links_seen_by(sock) == ["lo"]
        opened = backend.open_socket(there, socket.AF_NETLINK, socket.SOCK_RAW, 0)
        assert opened.family == socket.AF_NETLINK
        opened.close()
    assert here() == before


@pytest.mark.parametrize(
    ("family", "kind", "code"),
    [(socket.AF_INET, 99, errno.EINVAL), (250, socket.SOCK_RAW, errno.EAFNOSUPPORT)],
)
def test_a_socket_that_cannot_be(backend: Backend, family: int, kind: int, code: int) -> None:
    with namespaces(backend, 1) as (there,), pytest.raises(OSError) as caught:
        backend.open_socket(there, family, kind, 0)
    assert caught.value.errno == code


def test_not_a_namespace(backend: Backend, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with file.open() as opened, pytest.raises(OSError) as caught:
        backend.open_socket(opened.fileno(), socket.AF_INET, socket.SOCK_DGRAM, 0)
    assert caught.value.errno == errno.EINVAL
    with pytest.raises(OSError) as caught:
        backend.open_socket(-1, socket.AF_INET, socket.SOCK_DGRAM, 0)
    assert caught.value.errno == errno.EBADF


def test_namespaces_are_made_each_its_own(backend: Backend) -> None:
    before = here()
    with namespaces(backend, 5) as fds:
        inodes = {os.fstat(fd).st_ino for fd in fds}
        assert len(inodes) == 5 and before[1] not in inodes
        assert not any(os.get_inheritable(fd) for fd in fds)
    assert here() == before
    assert backend.make_netns(0) == []
    for count in (-1, 65537):
        with pytest.raises(ValueError):
            backend.make_netns(count)


def test_all_namespaces_or_none(backend: Backend) -> None:
    import resource

    used = len(os.listdir("/proc/self/fd"))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 6, limits[1]))
    try:
        with pytest.raises(OSError) as caught:
            backend.make_netns(20)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert caught.value.errno == errno.EMFILE  # and the descriptors are counted after each test


@pytest.mark.usefixtures("untraced")
def test_a_signal_while_namespaces_are_made(backend: Backend) -> None:
    """What its handler raises leaves none open; the call has done its work by then."""

    class HandlerError(Exception):
        pass

    def handler(number: int, frame: object) -> None:
        raise HandlerError

    os.close(*backend.make_netns(1))  # what has to be imported is now
    used = len(os.listdir("/proc/self/fd"))
    before = signal.signal(signal.SIGALRM, handler)
    try:
        with pytest.raises(HandlerError):
            signal.setitimer(signal.ITIMER_REAL, 0.002)
            backend.make_netns(64)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(os.listdir("/proc/self/fd")) == used


def make_at(backend: Backend, paths: list[str | bytes]) -> list[int]:
    """The errno of each path."""
    outcomes = bytearray(b"\xff" * 4 * len(paths))
    backend.make_netns_at(paths, outcomes)
    return list(struct.unpack(f"={len(paths)}i", outcomes))


def test_namespaces_are_made_at_paths(backend: Backend) -> None:
    before = here()
    NETNS.mkdir()
    (NETNS / "taken").write_text("a file")
    paths: list[str | bytes] = [
        "/run/netns/a",
        "/run/netns/taken",
        b"/run/netns/b",
        "/run/nowhere/c",
        "/run/netns/a",
    ]
    assert make_at(backend, paths) == [0, errno.EEXIST, 0, errno.ENOENT, errno.EEXIST]
    try:
        assert sorted(path.name for path in NETNS.iterdir()) == ["a", "b", "taken"]
        inodes = {os.stat(NETNS / name).st_ino for name in "ab"}
        assert len(inodes) == 2 and before[1] not in inodes
        with (NETNS / "a").open("rb") as there:
            fd = backend.open_socket(there.fileno(), socket.AF_INET, socket.SOCK_DGRAM, 0).detach()
            with socket.socket(fileno=fd) as sock:
                assert links_seen_by(sock) == ["lo"]
        assert (NETNS / "taken").read_text() == "a file"
    finally:
        for name in "ab":
            backend.umount(f"/run/netns/{name}", 2)  # MNT_DETACH
            os.unlink(NETNS / name)
    assert here() == before
    assert make_at(backend, []) == []
    for length in (0, 7, 12):
        with pytest.raises(ValueError):
            backend.make_netns_at(["/run/netns/a", "/run/netns/b"], bytearray(length))
    assert os.listdir(NETNS) == ["taken"]


def test_a_failed_namespace_leaves_no_file(backend: Backend) -> None:
    """Where namespaces may not be made (no rights), the file is taken away again."""
    os.mkdir("/run/mine")
    os.chmod("/run/mine", 0o777)
    os.chmod("/run", 0o755)
    try:
        os.seteuid(65534)
    except OSError:
        pytest.skip("needs a second user id: this is a user namespace with one")
    try:
        errors = make_at(backend, ["/run/mine/a"])
        with pytest.raises(PermissionError):
            backend.make_netns(1)
    finally:
        os.seteuid(0)
    assert errors == [errno.EPERM]
    assert os.listdir("/run/mine") == []


def test_a_path_with_a_nul_is_refused(backend: Backend, tmp_path: Path) -> None:
    """C would end it there, and make a namespace at another path."""
    before = os.listdir(tmp_path)
    for path in (f"{tmp_path}/a\0b", os.fsencode(f"{tmp_path}/a\0b")):
        with pytest.raises(ValueError):
            make_at(backend, [f"{tmp_path}/c", path])
        with pytest.raises(ValueError):
            backend.mount(path, str(tmp_path), None, 0)
        with pytest.raises(ValueError):
            backend.mount("none", path, None, 0)
        with pytest.raises(ValueError):
            backend.umount(path, 0)
    assert os.listdir(tmp_path) == before


def test_thin_calls(backend: Backend) -> None:
    """setns and unshare move the calling thread, and only that one."""
    before = here()
    seen: list[tuple[int, int]] = []

    def elsewhere() -> None:
        with open("/proc/thread-self/ns/net", "rb") as home:
            backend.unshare(CLONE_NEWNET)
            seen.append(here())
            backend.setns(home.fileno(), CLONE_NEWNET)
            seen.append(here())
            with pytest.raises(OSError) as caught:
                backend.setns(home.fileno(), CLONE_NEWUTS)
            assert caught.value.errno == errno.EINVAL

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen[0] != before and seen[1] == before == here()
    with pytest.raises(OSError) as caught:
        backend.setns(-1, 0)
    assert caught.value.errno == errno.EBADF
    with pytest.raises(OSError) as caught:
        backend.unshare(1)
    assert caught.value.errno == errno.EINVAL


def test_mount_and_umount(backend: Backend, tmp_path: Path) -> None:
    target = str(tmp_path)
    backend.mount("none", target, "tmpfs", 0)
    (tmp_path / "there").touch()
    backend.umount(os.fsencode(target), 0)
    assert not list(tmp_path.iterdir())
    backend.mount(target, target, None, 0x1000)  # MS_BIND
    backend.umount(target, 2)
    with pytest.raises(OSError) as unmounted:
        backend.umount(target, 0)
    with pytest.raises(OSError) as unknown:
        backend.mount("none", target, "no-such-thing", 0)
    assert (unmounted.value.errno, unmounted.value.filename) == (errno.EINVAL, target)
    assert (unknown.value.errno, unknown.value.filename) == (errno.ENODEV, target)


def test_prctl(backend: Backend) -> None:
    """On the calling thread; what it gives, and what the kernel refuses."""
    set_name, get_securebits, capbset_read = 15, 27, 23  # linux/prctl.h
    assert backend.prctl(capbset_read, 0, 0, 0, 0) in (0, 1)
    assert backend.prctl(get_securebits, 0, 0, 0, 0) >= 0
    for option in (-1, capbset_read):
        with pytest.raises(OSError) as caught:
            backend.prctl(option, 10_000, 0, 0, 0)
        assert caught.value.errno == errno.EINVAL
    with pytest.raises(OverflowError):
        backend.prctl(set_name, -1, 0, 0, 0)


def capabilities() -> tuple[int, int, int]:
    """The effective, permitted and inheritable set of this thread."""
    with open("/proc/thread-self/status") as status:
        words = dict(line.split(":", 1) for line in status)
    return int(words["CapEff"], 16), int(words["CapPrm"], 16), int(words["CapInh"], 16)


def test_capset(backend: Backend) -> None:
    """A thread gives up capabilities, the upper half of the set too, and does not get them back."""
    kept = 1 | 1 << 13 | 1 << 38  # CAP_CHOWN, CAP_NET_RAW, CAP_PERFMON
    outcome: list[object] = []

    def elsewhere() -> None:
        _, permitted, _ = capabilities()
        wanted = permitted & kept
        backend.capset(wanted & ~1, wanted, wanted & 1)
        outcome.append(capabilities() == (wanted & ~1, wanted, wanted & 1))
        try:
            backend.capset(permitted, permitted, 0)
        except PermissionError as error:
            outcome.append(error.errno)

    before = capabilities()
    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert outcome == [True, errno.EPERM]
    assert capabilities() == before
    with pytest.raises(OverflowError):
        backend.capset(1 << 64, 0, 0)


def test_a_signal_that_comes_when_the_thread_has_just_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock is had, and the handler raises before that is known: nothing more is waited for."""
    import _thread

    from netlinkpy.backends.pure.netns import elsewhere

    class Late:
        """A lock after whose second acquire (the one that waits) a signal comes."""

        def __init__(self) -> None:
            self.lock = threading.Lock()
            self.acquired = 0

        def acquire(self, timeout: float = -1) -> bool:
            had = self.lock.acquire(timeout=timeout)
            self.acquired += had
            if had and self.acquired == 2:
                raise KeyboardInterrupt
            return had

        def release(self) -> None:
            self.lock.release()

    undone: list[int] = []
    monkeypatch.setattr(_thread, "allocate_lock", Late)
    with pytest.raises(KeyboardInterrupt):
        elsewhere(lambda: 7, undone.append)
    assert undone == [7]
