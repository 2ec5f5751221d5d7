"""Named namespaces: the files in /run/netns that keep a namespace alive and give it a name, as `ip netns`
does."""

from __future__ import annotations

import errno
import os
from stat import S_ISREG
from struct import Struct
from time import monotonic, sleep, time

from ..closing import Closing, Descriptor
from ..os_error import during, explained, reason
from ..rollback import Rollback
from ..uapi.mount import MNT_DETACH, MS_BIND, MS_REC, MS_SHARED, UMOUNT_NOFOLLOW
from .handle import RUN_DIRECTORY, Netns, is_network_namespace, named_path, open_at_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Sequence

_AT_A_TIME = 64  # namespaces made in one call of the shim: signals are served in between
_INT = Struct("=i")
_NEW = os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_NOT_TRIED = -1  # in place of an errno
_ABANDONED_AFTER = 1.0  # seconds after which a file that is no namespace is a killed process's leftover
_LOOK_AGAIN = 0.02  # seconds between two looks at a file that may become one


def create(name: str, *, exist_ok: bool = False) -> None:
    """Make a network namespace and name it; `lo` in it is down, as the kernel makes it. exist_ok: one that
    has the name already stays.

    Raise FileExistsError if the name is taken, ValueError if it cannot be one, PermissionError without
    CAP_SYS_ADMIN."""
    create_many([name], exist_ok=exist_ok)


def create_many(
    names: Sequence[str],
    *,
    exist_ok: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Make many namespaces, all or none: what was made is removed if one fails. exist_ok: those that exist
    stay, so that the same call completes the work of one that was killed. progress(done, of) is called
    meanwhile.

    Raise what create() raises, for the one that failed."""
    from ..backends import load

    backend = load()
    paths = [named_path(name) for name in names]
    if not paths:
        return
    with _Directory(names[0]), Rollback() as rollback, rollback:
        for start in range(0, len(paths), _AT_A_TIME):
            chunk = paths[start : start + _AT_A_TIME]
            for path in chunk:
                _clear_abandoned(path)
            outcomes = bytearray(_INT.pack(_NOT_TRIED) * len(chunk))
            rollback.before(_remove_made, chunk, outcomes)
            try:
                backend.make_netns_at(chunk, outcomes)
            except OSError as failed:
                raise explained(failed, f"start the thread that makes namespace {names[start]}") from None
            for path, (error,) in zip(chunk, _INT.iter_unpack(outcomes), strict=True):
                if error and not (exist_ok and error == errno.EEXIST and _is_namespace(path)):
                    raise _refusal("create", path, error)
            if progress:
                progress(start + len(chunk), len(paths))


def _remove_made(paths: builtins.list[str], outcomes: bytearray) -> None:
    for path, (error,) in zip(paths, _INT.iter_unpack(outcomes), strict=True):
        if not error:
            _remove(path)


def _is_namespace(path: str) -> bool:
    try:
        Netns.open(path).close()
    except OSError:
        return False
    return True


def bind(name: str, pid: int, *, exist_ok: bool = False) -> None:
    """Name the namespace of a process, so that it outlives the process (`ip netns attach`). exist_ok: do
    nothing if that is its name already. Raise what create() raises."""
    from ..backends import load

    path = named_path(name)
    with during(f"create namespace {name}"):
        wanted = Netns.open(pid)
    with wanted, _Directory(name), Descriptor() as made, Rollback() as rollback, rollback:
        _clear_abandoned(path)
        rollback.before(_remove_bound, path, made)
        try:
            made.open(path, _NEW)
            load().mount(f"/proc/{pid}/ns/net", path, None, MS_BIND)
        except OSError as error:
            if error.errno != errno.EEXIST or not exist_ok or not _names(path, wanted):
                raise _refusal("create", path, error.errno or errno.EIO) from None


def _names(path: str, wanted: Netns) -> bool:
    """Return whether a path is a namespace's already."""
    try:
        with Netns.open(path) as there:
            return there.identity == wanted.identity
    except OSError:
        return False


def _remove_bound(path: str, made: Descriptor) -> None:
    if made.fileno() >= 0:
        _remove(path)


def delete(name: str) -> None:
    """Remove a name; the namespace ends when nothing else holds it. Raise FileNotFoundError if there is no
    such name."""
    delete_many([name])


def delete_many(names: Sequence[str]) -> None:
    """Remove many names. If one fails, remove the others, then raise its error. Raise ValueError for a name
    that cannot be one; then none is removed."""
    failed = None
    for path in [named_path(name) for name in names]:
        try:
            _remove(path)
        except OSError as error:
            failed = failed or _refusal("delete", path, error.errno or errno.EIO)
    if failed:
        raise failed


def list() -> builtins.list[str]:
    """Return the names in /run/netns, in order; none if there is no such directory."""
    try:
        return sorted(os.listdir(RUN_DIRECTORY))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise explained(error, f"list the names in {RUN_DIRECTORY}") from None


def prune() -> builtins.list[str]:
    """Remove dangling names from /run/netns (links to a process that is gone, files that a killed process
    left). Return the names."""
    removed = []
    for name in list():
        path = f"{RUN_DIRECTORY}/{name}"
        if _dangles(path):
            _unlink(path)
            removed.append(name)
    return removed


class _Directory(Closing):
    """Holds /run/netns, made and shared between mount namespaces as `ip netns` makes it, locked against other
    makers. name: what is to be made there, for errors."""

    def __init__(self, name: str) -> None:
        from fcntl import LOCK_EX, flock

        self._opened = Descriptor()
        step = "make"
        try:
            os.makedirs(RUN_DIRECTORY, 0o755, exist_ok=True)
            step = "open"
            self._opened.open(RUN_DIRECTORY, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            step = "lock"
            flock(self._opened.fileno(), LOCK_EX)
            step = "share between mount namespaces"
            _share()
        except OSError as error:
            why = {
                errno.EEXIST: "it is no directory that we may look at",
                errno.EPERM: "not permitted: this needs CAP_SYS_ADMIN",
            }.get(error.errno or 0, "")
            raise explained(error, f"create namespace {name}: {step} {RUN_DIRECTORY}", why) from None

    def close(self) -> None:
        self._opened.close()


def _share() -> None:
    """Make /run/netns a shared mount: a namespace named in one mount namespace is then seen, and deleted, in
    all."""
    from ..backends import load

    mount = load().mount
    try:
        mount("", RUN_DIRECTORY, "none", MS_SHARED | MS_REC)
    except OSError as error:
        if error.errno != errno.EINVAL:  # EINVAL: it is no mount point yet
            raise
        mount(RUN_DIRECTORY, RUN_DIRECTORY, "none", MS_BIND | MS_REC)
        mount("", RUN_DIRECTORY, "none", MS_SHARED | MS_REC)


def _remove(path: str) -> None:
    from ..backends import load

    unmounted = True
    try:
        load().umount(path, MNT_DETACH | UMOUNT_NOFOLLOW)
    except OSError as error:
        if error.errno != errno.EINVAL:  # EINVAL: nothing is mounted there (a link, or an abandoned file)
            raise
        unmounted = False
    try:
        os.unlink(path)
    except FileNotFoundError:
        if not unmounted:  # else another one removes it at the same time
            raise


def _unlink(path: str) -> None:
    """Remove a name that stands for no namespace; that it is gone already is no error."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise explained(error, f"remove {path}, which is no namespace any more") from None


def _dangles(path: str) -> bool:
    if os.path.islink(path):
        return not os.path.exists(path)
    return _abandoned(path)


def _abandoned(path: str) -> bool:
    """Return whether a regular file is no namespace, and so old that nobody is about to mount one on it."""
    age = _unused_for(path)
    return age is not None and age > _ABANDONED_AFTER


def _unused_for(path: str) -> float | None:
    """Return for how many seconds a regular file, an empty one, has been there and no namespace; None if it
    is something else."""
    try:
        file = open_at_once(path, os.O_NOFOLLOW)
    except OSError:
        return None
    with file:
        status = os.fstat(file.fileno())
        if status.st_size or not S_ISREG(status.st_mode) or is_network_namespace(file.fileno()):
            return None
        return time() - status.st_mtime


def _clear_abandoned(path: str) -> None:
    """Remove a file that a killed process left. As long as it may be one on which another process is about to
    mount a namespace, wait."""
    deadline = monotonic() + _ABANDONED_AFTER + _LOOK_AGAIN
    while (age := _unused_for(path)) is not None:
        if age > _ABANDONED_AFTER:
            _unlink(path)
            return
        if monotonic() > deadline:  # it is from the future
            return
        sleep(_LOOK_AGAIN)


def _refusal(verb: str, path: str, number: int) -> OSError:
    name = os.path.basename(path)
    why = {
        errno.EEXIST: "the name is taken",
        errno.ENOENT: "there is none of that name",
        errno.EPERM: "not permitted: this needs CAP_SYS_ADMIN",
        errno.EACCES: "not permitted",
        errno.ENOSPC: "no more are allowed (sysctl user.max_net_namespaces), or its directory is full",
    }.get(number) or reason(number)
    return OSError(number, f"cannot {verb} namespace {name}: {why}", path)
