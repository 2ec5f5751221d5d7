"""Named namespaces: create, list, bind, delete, prune; their names checked, all or nothing in bulk."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import netlinkpy as nl
from netlinkpy.backends.interface import Backend
from netlinkpy.netns import named
from netlinkpy.uapi.sched import CLONE_NEWNS, CLONE_NEWUSER
from tests.support.forked import fork
from tests.support.namespaces import MS_BIND, Container, inside, map_root, mount, unshare

RUN = "/run/netns"
Containers = Callable[..., list[Container]]

BAD_NAMES = ["", ".", "..", "a\0b", "x" * 256, "ä" * 128]
PATHS = ["/", "../x", "a/b", "/run/netns/blue"]  # which may be opened by that, but not made


def each(names: list[str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", names, ids=lambda name: ascii(name)[:20])


def identity(path: str) -> int:
    return os.stat(path).st_ino


def state() -> dict[str, int]:
    """Every file in /run/netns, with the inode that it leads to."""
    if not os.path.isdir(RUN):
        return {}
    return {name: os.lstat(f"{RUN}/{name}").st_ino for name in os.listdir(RUN)}


def mounts() -> list[str]:
    with open("/proc/self/mountinfo") as file:
        return [line for line in file if " /run/netns/" in line]


# -- create and list ---------------------------------------------------------------------------------------


def test_a_name_is_a_new_namespace() -> None:
    assert nl.netns.list() == []
    nl.netns.create("blue")
    assert nl.netns.list() == ["blue"]
    assert stat.S_ISREG(os.lstat(f"{RUN}/blue").st_mode)
    with nl.Netns.open("blue") as blue, nl.Netns.current() as own:
        assert blue.identity != own.identity
    with nl.RTNetlink("blue") as rt:
        lo = rt.links.get("lo")
        assert not lo.up and rt.links.list() == [lo]


def test_names_are_listed_in_order() -> None:
    for name in ("b", "a", "C", "10", "9"):
        nl.netns.create(name)
    assert nl.netns.list() == ["10", "9", "C", "a", "b"]


@pytest.mark.parametrize("name", ["-", "a b", "blue\n", "ünï", "\udcff", "x" * 255, "...", ".hidden"])
def test_any_name_that_a_file_may_have(name: str) -> None:
    nl.netns.create(name)
    assert nl.netns.list() == [name]
    with nl.Netns.open(name):
        pass
    nl.netns.delete(name)
    assert nl.netns.list() == []


@each(BAD_NAMES + PATHS)
def test_a_name_that_cannot_be(name: str, container: Container) -> None:
    nl.netns.create("blue")
    before = state()
    refusals: list[Callable[[], object]] = [
        lambda: nl.netns.create(name),
        lambda: nl.netns.create_many(["fine", name]),
        lambda: nl.netns.bind(name, container.pid),
        lambda: nl.netns.delete(name),
        lambda: nl.netns.delete_many(["blue", name]),
    ]
    for refuse in refusals:
        with pytest.raises(ValueError, match="name") as caught:
            refuse()
        assert "\n" not in str(caught.value)
        assert state() == before


@each(BAD_NAMES)
def test_a_name_that_cannot_be_is_not_opened(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        nl.Netns.open(name)


@each(PATHS)
def test_a_path_that_leads_to_no_namespace_is_not_opened(name: str) -> None:
    with pytest.raises(OSError, match=r".{10}"):
        nl.Netns.open(name)


def test_a_name_that_is_taken() -> None:
    nl.netns.create("blue")
    before = state()
    with pytest.raises(FileExistsError, match=r"blue.*taken") as caught:
        nl.netns.create("blue")
    assert caught.value.errno == errno.EEXIST and caught.value.filename == f"{RUN}/blue"
    assert state() == before


def test_without_permission() -> None:
    nl.netns.create("blue")

    def work() -> list[tuple[int | None, str]]:
        unshare(CLONE_NEWUSER)
        refusals: list[tuple[int | None, str]] = []
        verbs: list[tuple[Callable[[str], None], str]] = [
            (nl.netns.create, "green"),
            (nl.netns.delete, "blue"),
        ]
        for verb, name in verbs:
            try:
                verb(name)
            except OSError as error:
                refusals.append((error.errno, str(error)))
        return refusals

    before = state()
    refusals = inside(None, work)
    assert [number in (errno.EPERM, errno.EACCES) for number, _ in refusals] == [True, True]
    assert all("not permitted" in text for _, text in refusals)
    assert state() == before


def test_a_namespace_is_seen_in_mount_namespaces_made_later_and_before() -> None:
    """/run/netns is shared between mount namespaces, as `ip netns` makes it."""
    nl.netns.create("first")

    def work() -> tuple[bool, bool]:
        unshare(CLONE_NEWNS)
        before = os.path.exists(f"{RUN}/first")
        nl.netns.create("second")
        return before, named.list() == ["first", "second"]

    assert inside(None, work) == (True, True)
    with nl.Netns.open("second"):  # mounted in the other one, and here too
        pass
    nl.netns.delete_many(["first", "second"])
    assert mounts() == []


@pytest.mark.needs("ip")
def test_the_same_names_as_iproute2() -> None:
    nl.netns.create("ours")
    subprocess.run(["ip", "netns", "add", "theirs"], check=True)
    shown = subprocess.run(["ip", "netns", "list"], check=True, capture_output=True, text=True).stdout
    assert sorted(line.split()[0] for line in shown.splitlines()) == nl.netns.list() == ["ours", "theirs"]
    subprocess.run(["ip", "netns", "delete", "ours"], check=True)
    nl.netns.delete("theirs")
    assert nl.netns.list() == [] and mounts() == []


# -- many --------------------------------------------------------------------------------------------------


def test_many_at_once_with_progress() -> None:
    names = [f"ns{number:03}" for number in range(150)]
    told: list[tuple[int, int]] = []
    nl.netns.create_many(names, progress=lambda done, of: told.append((done, of)))
    assert nl.netns.list() == names
    assert len({identity(f"{RUN}/{name}") for name in names}) == 150
    assert told[-1] == (150, 150) and [done for done, _ in told] == sorted(done for done, _ in told)
    nl.netns.delete_many(names)
    assert nl.netns.list() == [] and mounts() == []


def test_none_at_all() -> None:
    nl.netns.create_many([])
    nl.netns.delete_many([])
    assert nl.netns.list() == []


@pytest.mark.parametrize("place", [0, 1, 70, 99])
def test_many_are_all_or_none(place: int) -> None:
    nl.netns.create("taken")
    before = state()
    names = [f"ns{number}" for number in range(100)]
    names[place] = "taken"
    with pytest.raises(FileExistsError, match="taken"):
        nl.netns.create_many(names)
    assert state() == before and len(mounts()) == 1


@pytest.mark.parametrize("names", [["a", "a"], ["a", "b", "a"], [*(f"ns{n}" for n in range(90)), "ns3"]])
def test_a_name_given_twice_leaves_none(names: list[str]) -> None:
    with pytest.raises(FileExistsError, match="taken"):
        nl.netns.create_many(names)
    assert state() == {} and mounts() == []


def test_what_progress_raises_leaves_none() -> None:
    def stop(done: int, of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nl.netns.create_many([f"ns{number}" for number in range(100)], progress=stop)
    assert state() == {} and mounts() == []


# -- bind --------------------------------------------------------------------------------------------------


def test_a_bound_name_keeps_the_namespace_of_a_process(containers: Containers) -> None:
    one = containers(1)[0]
    inode = identity(one.path)
    nl.netns.bind("2778", one.pid)
    one.kill()
    assert identity(f"{RUN}/2778") == inode
    with nl.RTNetlink("2778") as rt:
        assert rt.links.get("lo").index == 1
    nl.netns.delete("2778")
    assert state() == {} and mounts() == []


def test_binding_a_name_that_is_taken(container: Container) -> None:
    nl.netns.create("blue")
    before = state()
    with pytest.raises(FileExistsError, match=r"blue.*taken"):
        nl.netns.bind("blue", container.pid)
    assert state() == before


@pytest.mark.parametrize(
    ("pid", "kind", "word"),
    [
        (0, ValueError, "0"),
        (-1, ValueError, "-1"),
        (1 << 40, ValueError, str(1 << 40)),
        (1999999999, ProcessLookupError, "1999999999"),
    ],
)
def test_binding_no_process(pid: int, kind: type[Exception], word: str) -> None:
    with pytest.raises(kind, match=word):
        nl.netns.bind("blue", pid)
    assert state() == {}


# -- delete ------------------------------------------------------------------------------------------------


def test_delete_takes_the_name_and_the_namespace() -> None:
    nl.netns.create("blue")
    nl.netns.delete("blue")
    assert state() == {} and mounts() == []
    with pytest.raises(FileNotFoundError, match="blue") as caught:
        nl.netns.delete("blue")
    assert caught.value.errno == errno.ENOENT


def test_delete_leaves_a_namespace_that_others_hold() -> None:
    nl.netns.create("blue")
    with nl.RTNetlink("blue") as rt:
        nl.netns.delete("blue")
        assert rt.links.get("lo").index == 1


def test_delete_of_a_link_by_hand(container: Container) -> None:
    os.mkdir(RUN)
    os.symlink(container.path, f"{RUN}/2778")
    nl.netns.delete("2778")
    assert state() == {} and container.alive
    assert os.path.exists(container.path)


def test_delete_many_goes_on_past_one_that_fails() -> None:
    nl.netns.create_many(["a", "b", "c"])
    with pytest.raises(FileNotFoundError, match="gone"):
        nl.netns.delete_many(["a", "gone", "c", "lost"])
    assert nl.netns.list() == ["b"]


# -- prune -------------------------------------------------------------------------------------------------


def test_prune_takes_what_dangles_and_nothing_else(containers: Containers) -> None:
    assert nl.netns.prune() == []
    dead, alive = containers(2)
    nl.netns.create("named")
    nl.netns.bind("bound", dead.pid)
    os.symlink(dead.path, f"{RUN}/dead")
    os.symlink(alive.path, f"{RUN}/alive")
    os.symlink("/nowhere", f"{RUN}/nowhere")
    open(f"{RUN}/fresh", "w").close()  # somebody may just be about to mount a namespace on it
    open(f"{RUN}/old", "w").close()
    os.utime(f"{RUN}/old", (time.time() - 60,) * 2)
    with open(f"{RUN}/notes", "w") as file:
        file.write("not empty: somebody's")
    os.utime(f"{RUN}/notes", (time.time() - 60,) * 2)
    os.mkfifo(f"{RUN}/fifo")
    os.utime(f"{RUN}/fifo", (time.time() - 60,) * 2)
    os.mkdir(f"{RUN}/folder")
    dead.kill()
    assert nl.netns.prune() == ["dead", "nowhere", "old"]
    assert nl.netns.list() == ["alive", "bound", "fifo", "folder", "fresh", "named", "notes"]
    assert nl.netns.prune() == []


def test_a_name_that_a_killed_maker_left_is_free_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named, "_ABANDONED_AFTER", 0.2)
    os.mkdir(RUN)
    for name, age in (("old", 60), ("bound", 60), ("fresh", 0), ("of tomorrow", -60)):
        open(f"{RUN}/{name}", "w").close()
        os.utime(f"{RUN}/{name}", (time.time() - age,) * 2)
    begin = time.monotonic()
    nl.netns.create("fresh")
    assert 0.2 <= time.monotonic() - begin < 2
    nl.netns.create("old")
    nl.netns.bind("bound", os.getpid())
    with pytest.raises(FileExistsError):
        nl.netns.create("of tomorrow")
    assert len(mounts()) == 3


def test_a_name_on_which_another_is_about_to_mount_is_taken() -> None:
    nl.netns.create("blue")  # /run/netns is a mount point from now on
    open(f"{RUN}/red", "w").close()
    late = threading.Timer(0.3, mount, (f"{RUN}/blue", f"{RUN}/red", None, MS_BIND))
    late.start()
    with pytest.raises(FileExistsError):
        nl.netns.create("red")
    late.join()
    assert identity(f"{RUN}/red") == identity(f"{RUN}/blue")


def test_what_is_no_regular_file_is_nobodys_leftover() -> None:
    nl.netns.create("blue")
    os.mkfifo(f"{RUN}/pipe")
    os.utime(f"{RUN}/pipe", (time.time() - 60,) * 2)
    with pytest.raises(FileExistsError):
        nl.netns.create("pipe")


def test_what_exists_may_stay() -> None:
    """So the same call completes what one that was killed began; a name is bound to its namespace twice."""
    nl.netns.create_many(["a", "b"])
    kept = [nl.Netns.open(name) for name in ("a", "b")]
    with pytest.raises(FileExistsError, match="namespace a: the name is taken"):
        nl.netns.create_many(["c", "a"])
    assert nl.netns.list() == ["a", "b"]
    nl.netns.create_many(["c", "a", "b"], exist_ok=True)
    assert nl.netns.list() == ["a", "b", "c"]
    for name, was in zip(("a", "b"), kept, strict=True):
        with was, nl.Netns.open(name) as now:
            assert now.identity == was.identity
    os.mkdir(f"{RUN}/d")
    with pytest.raises(FileExistsError):
        nl.netns.create("d", exist_ok=True)
    nl.netns.bind("own", os.getpid())
    nl.netns.bind("own", os.getpid(), exist_ok=True)
    for name, ok in (("own", False), ("a", True)):
        with pytest.raises(FileExistsError):
            nl.netns.bind(name, os.getpid(), exist_ok=ok)


def test_a_name_that_two_remove_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One unmounts, the other unlinks: there was none of that name, said the first."""
    nl.netns.create("blue")
    unlink = os.unlink

    def late(path: str) -> None:
        unlink(path)
        unlink(path)

    monkeypatch.setattr(os, "unlink", late)
    nl.netns.delete("blue")
    monkeypatch.undo()
    with pytest.raises(FileNotFoundError):
        nl.netns.delete("blue")


def test_what_is_unmounted_by_hand_is_said_to_be_no_namespace() -> None:
    nl.netns.create("blue")
    subprocess.run(["umount", f"{RUN}/blue"], check=True)
    with pytest.raises(OSError, match="blue is not a network namespace") as caught:
        nl.Netns.open("blue")
    assert caught.value.errno == errno.EINVAL


# -- makers at the same time -------------------------------------------------------------------------------


def times_mounted() -> int:
    with open("/proc/self/mountinfo") as file:
        return sum(line.split()[4] == RUN for line in file)


@pytest.mark.parametrize("turn", range(8))
def test_makers_at_the_same_time_do_not_disturb_each_other(turn: int) -> None:
    """When none has made /run/netns yet, too: it is made, and mounted, once."""
    before = times_mounted()
    read_end, write_end = os.pipe()
    children = []
    for child in range(6):

        def make(child: int = child) -> None:
            os.close(write_end)
            os.read(read_end, 1)  # all begin at once, when the parent closes its end
            for number in range(3):
                nl.netns.create(f"{child}-{number}")

        children.append(fork(make))
    os.close(read_end)
    os.close(write_end)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
    assert codes == [0] * 6
    assert len(nl.netns.list()) == 18 and len(mounts()) == 18
    assert times_mounted() == before + 1  # an earlier `ip netns add` of the machine's may have mounted it
    nl.netns.delete_many(nl.netns.list())
    assert mounts() == []


def test_run_that_is_no_directory(tmp_path: Any) -> None:
    open(RUN, "w").close()
    with pytest.raises(OSError, match=r"/run/netns|netns"):
        nl.netns.create("blue")
    os.unlink(RUN)


def test_a_read_only_run() -> None:
    mount("tmpfs", "/run", "tmpfs", 1)  # MS_RDONLY
    try:
        with pytest.raises(OSError, match="netns") as caught:
            nl.netns.create("blue")
        assert caught.value.errno == errno.EROFS and "\n" not in str(caught.value)
    finally:
        subprocess.run(["umount", "/run"], check=True)


def test_that_no_thread_can_be_had_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(Backend, "make_netns_at", refuse)
    with pytest.raises(OSError, match="makes namespace one: no more threads are allowed"):
        nl.netns.create("one")
    assert nl.netns.list() == []


def test_the_limit_of_namespaces_is_told() -> None:
    def work() -> str:
        user, group = os.geteuid(), os.getegid()
        unshare(CLONE_NEWUSER | CLONE_NEWNS)
        map_root(user, group)
        with open("/proc/sys/user/max_net_namespaces", "w") as file:
            file.write("0")
        with pytest.raises(OSError) as caught:
            nl.netns.create("one")
        assert nl.netns.list() == []
        return f"{caught.value.errno} {caught.value.strerror}"

    assert inside(None, work) == (
        f"{errno.ENOSPC} cannot create namespace one: no more are allowed "
        "(sysctl user.max_net_namespaces), or its directory is full"
    )
