"""Handles: opened by name, path, process, descriptor or handle; and what is none of these."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

import netlinkpy as nl
from netlinkpy.uapi.sched import CLONE_NEWUSER
from tests.support.namespaces import BareNamespace, Container, inside, mount, unshare


def inode(path: str) -> int:
    return os.stat(path).st_ino


def test_every_way_to_the_same_namespace(container: Container) -> None:
    nl.netns.bind("blue", container.pid)
    with open(container.path) as file:
        targets: list[Any] = [
            container.pid,
            container.path,
            "blue",
            "/run/netns/blue",
            f"/proc/self/fd/{file.fileno()}",
        ]
        handles = [nl.Netns.open(target) for target in targets]
        handles += [nl.Netns.from_fd(file.fileno()), nl.Netns.open(handles[0])]
    assert {handle.identity for handle in handles} == {handles[0].identity}
    assert handles[0].identity[1] == inode(container.path)
    assert len({handle.fileno() for handle in handles}) == len(handles)
    for handle in handles:
        assert not os.get_inheritable(handle.fileno())
        handle.close()


def test_labels_say_what_was_asked(container: Container) -> None:
    nl.netns.bind("blue", container.pid)
    for target, label in (
        (container.pid, f"process {container.pid}"),
        ("blue", "namespace blue"),
        (container.path, f"namespace {container.path}"),
    ):
        with nl.Netns.open(target) as handle:
            assert handle.label == label
            assert repr(handle) == f"<Netns {label}>"
            with nl.Netns.open(handle) as again:
                assert again.label == label
        assert repr(handle) == f"<Netns {label}, closed>"


class Entry:
    """A path, of bytes, as os.scandir(b"...") finds it."""

    def __init__(self, path: str) -> None:
        self._path = os.fsencode(path)

    def __fspath__(self) -> bytes:
        return self._path


def test_a_path_object_is_a_path_wherever_a_namespace_is_named(
    container: Container, monkeypatch: pytest.MonkeyPatch, fresh_namespace: None
) -> None:
    nl.netns.bind("blue", container.pid)
    path = Path(container.path)
    targets: list[Any] = [path, Entry(container.path)]
    for target in targets:
        with nl.Netns.open(target) as handle, nl.Netns.open(container.pid) as same:
            assert handle.identity == same.identity and handle.label == f"namespace {container.path}"
    assert os.getpid() not in nl.netns.pids(path)
    assert nl.netns.call(path, lambda: os.readlink("/proc/thread-self/ns/net")) == os.readlink(path)
    with nl.RTNetlink() as host, nl.RTNetlink(path) as inside:
        host.links.add("br0", kind="bridge", up=True)
        host.links.add("v0", kind="veth", peer=nl.Peer("v1", netns=path))
        host.links.add("v2", kind="veth", peer="v3")
        host.links.set("v3", netns=path)
        assert host.nsids.get(path) is not None
        assert {"v1", "v3"} <= {link.name for link in inside.links.list()}
        made = nl.attach(nl.Endpoint(path, "br0", "10.0.0.2/24"))
        assert made.netns == f"namespace {container.path}" == nl.Attachment.find(path).netns
        nl.detach(made)
        missing = path.with_name("gone")
        with pytest.raises(nl.AttachError, match=f"there is no namespace {missing}"):
            nl.attach(nl.Endpoint(missing, "br0", "10.0.0.2/24"))
    monkeypatch.chdir("/run/netns")
    with nl.Netns.open(Path("blue")) as handle:  # here, not in /run/netns
        assert handle.label == "namespace blue"
    monkeypatch.chdir("/")
    with pytest.raises(FileNotFoundError):
        nl.Netns.open(Path("blue"))


def test_a_name_is_looked_at_before_a_process(container: Container) -> None:
    """A str is never a process id: Docker's document names namespaces by theirs."""
    nl.netns.create(str(container.pid))
    with nl.Netns.open(str(container.pid)) as named, nl.Netns.open(container.pid) as process:
        assert named.identity != process.identity


def test_a_handle_outlives_the_process(container: Container) -> None:
    with nl.Netns.open(container.pid) as handle:
        container.kill()
        with nl.RTNetlink(handle) as rt:
            assert rt.links.get("lo").index == 1


def test_from_fd_leaves_the_descriptor_alone() -> None:
    bare = BareNamespace()
    with nl.Netns.from_fd(bare.fd) as handle:
        assert handle.fileno() != bare.fd
    os.fstat(bare.fd)
    bare.close()


def test_current_is_the_calling_threads() -> None:
    with nl.Netns.current() as handle:
        assert handle.identity[1] == inode("/proc/thread-self/ns/net")


def test_closing_twice_and_using_it_then(container: Container) -> None:
    handle = nl.Netns.open(container.pid)
    handle.close()
    handle.close()
    for use in (
        handle.fileno,
        lambda: handle.identity,
        lambda: nl.Netns.open(handle),
        lambda: nl.RTNetlink(handle),
    ):
        with pytest.raises(ValueError, match=f"process {container.pid} is closed"):
            use()


@pytest.mark.parametrize(
    ("target", "kind", "number", "word"),
    [
        ("blue", FileNotFoundError, errno.ENOENT, "blue"),
        ("/nowhere/at/all", FileNotFoundError, errno.ENOENT, "/nowhere/at/all"),
        (1999999999, ProcessLookupError, errno.ESRCH, "1999999999"),
        ("/proc/self/ns/uts", OSError, errno.EINVAL, "not a network namespace"),
        ("/proc/self/ns/user", OSError, errno.EINVAL, "not a network namespace"),
        ("/etc/passwd", OSError, errno.EINVAL, "not a network namespace"),
        ("/dev/null", OSError, errno.EINVAL, "not a network namespace"),
        ("/", OSError, errno.EINVAL, "not a network namespace"),
        ("/etc/passwd/x", OSError, errno.ENOTDIR, "/etc/passwd/x"),
        ("/" + "x" * 5000, OSError, errno.ENAMETOOLONG, "too long"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_no_namespace(target: str | int, kind: type[OSError], number: int, word: str) -> None:
    for ask in (nl.Netns.open, nl.RTNetlink, nl.netns.pids, lambda target: nl.netns.run(target, ["true"])):
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(kind, match=word[:40]) as caught:
            ask(target)
        assert caught.value.errno == number and "\n" not in str(caught.value)
        assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("target", [None, 1.5, True, b"blue", ["blue"], object()], ids=repr)
def test_what_names_no_namespace(target: Any) -> None:
    with pytest.raises(TypeError, match="namespace"):
        nl.Netns.open(target)


@pytest.mark.parametrize("pid", [0, -1, 1 << 31, 1 << 80])
def test_what_is_no_process_id(pid: int) -> None:
    with pytest.raises(ValueError, match=str(pid)):
        nl.Netns.open(pid)


def test_descriptors_that_are_none() -> None:
    with open("/dev/null") as file, pytest.raises(OSError, match="not a network namespace"):
        nl.Netns.from_fd(file.fileno())
    with pytest.raises(OSError, match=r".{5}") as caught:
        nl.Netns.from_fd(9999)
    assert caught.value.errno == errno.EBADF


def test_a_process_that_may_not_be_looked_at(container: Container) -> None:
    def work() -> tuple[int | None, str]:
        unshare(CLONE_NEWUSER)
        try:
            nl.Netns.open(container.pid)
        except PermissionError as error:
            return error.errno, str(error)
        return None, ""

    number, text = inside(None, work)
    assert number == errno.EACCES and f"process {container.pid}" in text


def test_a_dangling_link_is_said_to_dangle(container: Container) -> None:
    os.mkdir("/run/netns")
    os.symlink(container.path, "/run/netns/2778")
    container.kill()
    with pytest.raises(FileNotFoundError, match=r"2778.*dangles"):
        nl.Netns.open("2778")


def test_without_proc_it_says_so() -> None:
    def work() -> str:
        unshare(0x00020000)  # CLONE_NEWNS (linux/sched.h)
        mount("tmpfs", "/proc", "tmpfs")
        with pytest.raises(FileNotFoundError) as caught:
            nl.Netns.current()
        with pytest.raises(FileNotFoundError, match="cannot open process 1: is /proc mounted"):
            nl.Netns.open(1)
        return str(caught.value.strerror)

    assert inside(None, work) == "cannot open the caller's namespace: is /proc mounted?"
