"""`ip netns exec`: execute a program inside a namespace, with its /sys and its files in /etc."""

from __future__ import annotations

import errno
import os

from ...uapi.mount import MNT_DETACH, MS_BIND, MS_RDONLY, MS_REC, MS_SLAVE
from ...uapi.sched import CLONE_NEWNET, CLONE_NEWNS
from ..command_error import CommandError, complain
from .netns import check, names, open_named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .grammar import Words
    from .session import Session

ETC = "/etc/netns"  # files in the namespace's directory here replace those in /etc


def execute(session: Session, words: Words) -> None:
    """`ip [-all] netns exec [NAME] COMMAND ...`; return only from a batch or -all, or if it fails."""
    if session.options.all:
        _execute_in_all(words.rest())
        return
    if not words:
        raise CommandError("No netns name specified")
    name = words.next()
    command = words.rest()
    if not command:
        raise CommandError("No command specified")
    if session.options.batch is None:
        enter(name)
        become(command)
    code = _run(name, command)
    if code:
        raise CommandError("", code)


def _execute_in_all(command: list[str]) -> None:
    if not command:
        raise CommandError("No command specified")
    for name in names():
        os.write(1, f"\nnetns: {name}\n".encode("utf-8", "surrogateescape"))
        _run(name, command)


def _run(name: str, command: list[str]) -> int:
    """Run a command in a child, which alone enters the namespace; return its exit code."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    code = 255
    try:
        enter(name)
        become(command)
    except CommandError as error:
        complain(error.text)
        code = error.code
    finally:
        os._exit(code)


def enter(name: str) -> None:
    """Move this process (which has one thread, and ends or becomes another) into a named namespace and a
    mount namespace of its own, where /sys shows that network."""
    from ...backends import load

    backend = load()
    with open_named(check(name) if "/" not in name else name) as netns:
        try:
            backend.setns(netns.fileno(), CLONE_NEWNET)
        except OSError as error:
            why = f'setting the network namespace "{name}" failed: {os.strerror(error.errno or 0)}'
            raise CommandError(why, 255) from None
    try:
        backend.unshare(CLONE_NEWNS)
    except OSError as error:
        raise CommandError(f"unshare failed: {os.strerror(error.errno or 0)}", 255) from None
    try:
        backend.mount("", "/", "none", MS_SLAVE | MS_REC)  # none of these mounts may be seen outside
    except OSError as error:
        raise CommandError(f'"mount --make-rslave /" failed: {os.strerror(error.errno or 0)}', 255) from None
    _mount_sys(name)
    _bind_etc(name)


def _mount_sys(name: str) -> None:
    from ...backends import load

    backend = load()
    read_only = MS_RDONLY if os.statvfs("/sys").f_flag & os.ST_RDONLY else 0
    try:
        backend.umount("/sys", MNT_DETACH)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EPERM):  # not mounted, or held by a user namespace above
            raise CommandError(f"umount of /sys failed: {os.strerror(error.errno or 0)}", 255) from None
    try:
        backend.mount(name, "/sys", "sysfs", read_only)
    except OSError as error:
        if error.errno == errno.EPERM:
            return  # a container may not mount sysfs; the network is the right one all the same
        raise CommandError(f"mount of /sys failed: {os.strerror(error.errno or 0)}", 255) from None


def _bind_etc(name: str) -> None:
    from ...backends import load

    directory = f"{ETC}/{name}"
    if len(os.fsencode(name)) > 255 or "/" in name:
        return
    try:
        entries = os.listdir(directory)
    except OSError:
        return
    for entry in entries:
        try:
            load().mount(f"{directory}/{entry}", f"/etc/{entry}", "none", MS_BIND)
        except OSError as error:
            complain(f"Bind {directory}/{entry} -> /etc/{entry} failed: {os.strerror(error.errno or 0)}")


def become(command: list[str]) -> None:
    """execvp(), after resetting the signals that Python ignores to their defaults."""
    import _signal  # type: ignore[import-not-found]  # the C half of `signal`, which imports enum

    for number in (_signal.SIGPIPE, _signal.SIGXFSZ):
        _signal.signal(number, _signal.SIG_DFL)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        raise CommandError(f'exec of "{command[0]}" failed: {os.strerror(error.errno or 0)}') from None
    except ValueError as error:
        raise CommandError(f"exec failed: {error}") from None
