"""A child whose system calls are counted, one of which fails, or gets a signal (seccomp_unotify(2)).

The kernel holds each call of the child, of all its threads and of what it forks, until `Watched` has let it
go on: so the n-th call is the n-th in time, whoever makes it, and no thread passes a call unseen. What a
process does after it has become another program is let through uncounted."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import functools
import gc
import os
import pickle
import re
import select
import signal
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

from netlinkpy.uapi.prctl import PR_SET_PDEATHSIG
from tests.support.possessions import possessions

# linux/seccomp.h, linux/filter.h, linux/bpf_common.h
SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER = 1, 1 << 3
SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 1 << 5  # else a signal breaks off a close() that has not begun
SECCOMP_RET_ALLOW, SECCOMP_RET_USER_NOTIF = 0x7FFF0000, 0x7FC00000
SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND = 0xC0502100, 0xC0182101
SECCOMP_USER_NOTIF_FLAG_CONTINUE = 1
BPF_LD_W_ABS, BPF_JMP_JEQ_K, BPF_RET_K = 0x20, 0x15, 0x06
NOTIFICATION, RESPONSE = struct.Struct("=QIIiIQ6Q"), struct.Struct("=QqiI")
PR_SET_NO_NEW_PRIVS = 38

#: The calls that are counted, with the errors that each is made to fail with: the first is what happens most.
ERRORS = {
    "socket": "EMFILE ENOBUFS",
    "bind": "EADDRINUSE ENOMEM",
    "connect": "ECONNREFUSED",
    "listen": "EADDRINUSE",
    "accept4": "EMFILE",
    "setsockopt": "ENOMEM",
    "getsockopt": "ENOMEM",
    "getsockname": "ENOBUFS",
    "sendto": "ENOBUFS EINTR",
    "sendmsg": "ENOBUFS EINTR",
    "recvfrom": "ENOBUFS EINTR",
    "recvmsg": "ENOBUFS EINTR",
    "openat": "EMFILE EACCES",
    "open": "EMFILE",
    "read": "EIO",
    "pread64": "EIO",
    "write": "ENOSPC EPERM",
    "pwrite64": "ENOSPC",
    "getdents64": "ENOENT",
    "readlink": "ENOENT",
    "readlinkat": "ENOENT",
    "newfstatat": "EACCES",
    "statx": "EACCES",
    "fcntl": "EMFILE",
    "ioctl": "EPERM",
    "dup": "EMFILE",
    "dup3": "EMFILE",
    "pipe2": "EMFILE",
    "eventfd2": "EMFILE",
    "epoll_create1": "EMFILE",
    "epoll_ctl": "ENOSPC",
    "epoll_wait": "EINTR",
    "poll": "ENOMEM EINTR",
    "ppoll": "ENOMEM",
    "pselect6": "ENOMEM",
    "signalfd4": "EMFILE",
    "timerfd_create": "EMFILE",
    "timerfd_settime": "EINVAL",
    "memfd_create": "EMFILE",
    "socketpair": "EMFILE",
    "pidfd_open": "EMFILE",
    "pidfd_getfd": "EPERM",
    "pidfd_send_signal": "EPERM",
    "flock": "ENOLCK",
    "setns": "EPERM ENOMEM",
    "unshare": "ENOSPC EPERM",
    "clone": "EAGAIN",
    "clone3": "EAGAIN",
    "fork": "EAGAIN",
    "vfork": "EAGAIN",
    "execve": "ENOMEM",
    "wait4": "EINTR",
    "waitid": "EINTR",
    "kill": "EPERM",
    "mmap": "ENOMEM",
    "mount": "EPERM",
    "umount2": "EBUSY",
    "open_tree": "EPERM",
    "move_mount": "EPERM",
    "mount_setattr": "EPERM",
    "pivot_root": "EINVAL",
    "chroot": "EPERM",
    "mkdir": "ENOSPC",
    "mkdirat": "ENOSPC",
    "rmdir": "EBUSY",
    "unlink": "EROFS",
    "unlinkat": "EROFS",
    "rename": "ENOSPC",
    "link": "EMLINK",
    "symlink": "ENOSPC",
    "mknod": "EPERM",
    "mknodat": "EPERM",
    "fchmod": "EPERM",
    "chmod": "EPERM",
    "fchown": "EPERM",
    "prctl": "EPERM",
    "capset": "EPERM",
    "setsid": "EPERM",
    "setuid": "EPERM",
    "setgid": "EPERM",
    "setgroups": "EPERM",
    "setresuid": "EPERM",
    "setresgid": "EPERM",
    "sethostname": "EPERM",
    "prlimit64": "EPERM",
    "sendfile": "EIO",
    "splice": "EIO",
}
#: Also counted, so that a signal may come there; they do not fail.
OTHERS = ("close", "shutdown", "exit_group")
MARK = "getpriority"  # which nothing of ours calls: where the counting begins and ends


class Call:
    """One call: its number among those counted (from 1), its name, and the thread that makes it."""

    def __init__(self, number: int, name: str, thread: int) -> None:
        self.number, self.name, self.thread = number, name, thread


Decision = Callable[[Call], int]
"""Told of each call; return the errno with which it fails, 0 to let it go on. It may send a signal."""


class Watched:
    """A child, and what came of its work: the names of the calls counted; the type's name and the words of
    what it raised; what it holds more than before; `killed` tells that it neither returned nor raised.

    Keep it open as long as anything that the child started goes on: its calls wait for our answer."""

    def __init__(self, work: Callable[[], Any], decide: Decision, *, seconds: float = 60.0) -> None:
        """Run work() in a child, decide each of its system calls, and wait until it has ended. Raise
        TimeoutError if it takes longer than that many seconds: it is killed then."""
        self.names: list[str] = []
        self.error = self.words = ""
        self.left: list[str] = []
        self.killed = True
        self._decide = decide
        self._closing = False
        read_end, write_end = os.pipe()
        report_end, report = os.pipe()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            os.close(read_end)
            os.close(report_end)
            _be_watched(work, write_end, report, parent)
        os.close(write_end)
        os.close(report)
        with open(read_end, "rb") as pipe, open(report_end, "rb") as told:
            number = pipe.read()  # of the descriptor that the listener gets
            process = os.pidfd_open(pid)
            self._listener = _fetch(process, int(number or -1))
            self._server = threading.Thread(target=self._serve)
            self._server.start()
            late = not select.select([process], [], [], seconds)[0]
            os.close(process)
            if late:
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            data = os.read(told.fileno(), 1 << 16) if select.select([told], [], [], 0)[0] else b""
        if late:
            self.close()
            raise TimeoutError(f"it waited for ever, after {len(self.names)} calls: {self.names[-5:]}")
        if data:
            self.killed = False
            self.error, self.words, self.left = pickle.loads(data)

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Go on answering until no one is left to make a call, at most for a while."""
        self._server.join(5)
        self._closing = True
        self._server.join()
        os.close(self._listener)

    def _serve(self) -> None:
        """Answer for each call."""
        names = {number: name for name, number in _numbers().items()}
        counting = False
        strangers: set[int] = set()
        turning: set[int] = set()  # that are about to become another program
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        while not self._closing:
            events = poll.poll(100)
            if not events:
                continue
            if not events[0][1] & select.POLLIN:
                return
            buffer = bytearray(NOTIFICATION.size)
            try:
                fcntl.ioctl(self._listener, SECCOMP_IOCTL_NOTIF_RECV, buffer)
            except OSError:  # killed meanwhile
                continue
            identity, thread, _, number, *_ = NOTIFICATION.unpack(buffer)
            name, errno = names.get(number, ""), 0
            if thread in turning:
                turning.discard(thread)
                if _program_of(thread) != _program_of(os.getpid()):
                    strangers.add(thread)
            if name == "execve":
                turning.add(thread)
            if name == MARK:
                counting = not counting
            elif counting and thread not in strangers:
                self.names.append(name)
                errno = self._decide(Call(len(self.names), name, thread))
            flags = 0 if errno else SECCOMP_USER_NOTIF_FLAG_CONTINUE
            with contextlib.suppress(OSError):  # killed meanwhile
                fcntl.ioctl(
                    self._listener, SECCOMP_IOCTL_NOTIF_SEND, RESPONSE.pack(identity, 0, -errno, flags)
                )


def _be_watched(work: Callable[[], Any], number: int, report: int, parent: int) -> None:
    """The child's side: never returns."""
    error, words = "", ""
    try:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        program, mark = _program(), _numbers()[MARK]
        listener = os.dup(report)  # the lowest that is free: it is below `number`, which is closed next
        os.close(listener)
        os.set_inheritable(report, False)
        _libc.prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0)
        os.write(number, str(listener).encode())
        os.close(number)
        flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
        if _libc.syscall(_numbers()["seccomp"], SECCOMP_SET_MODE_FILTER, flags, ctypes.byref(program)) < 0:
            os._exit(1)
        os.close(listener)
        before = possessions()
        _libc.syscall(mark, 0, 0)
        try:
            work()
        except BaseException as raised:
            error, words = type(raised).__name__, str(raised)
        finally:
            _libc.syscall(mark, 0, 0)
        gc.collect()  # what the traceback held
        os.write(report, pickle.dumps((error, words, sorted(possessions() - before))))
    finally:
        os._exit(0)


def _program_of(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def _fetch(process: int, number: int) -> int:
    """Return the descriptor `number` of a child, as soon as it has one."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found: int = _libc.syscall(_numbers()["pidfd_getfd"], process, number, 0)
        if found >= 0:
            return found
        time.sleep(0.0005)
    raise AssertionError("seccomp takes no filter here")


_libc = ctypes.CDLL(None, use_errno=True)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


@functools.cache
def _program() -> _Program:
    """Return the filter: the calls that are counted wait for us, all others go on."""
    counted = [_numbers()[name] for name in (*ERRORS, *OTHERS, MARK) if name in _numbers()]
    rows = [(BPF_LD_W_ABS, 0, 0, 0)]
    rows += [(BPF_JMP_JEQ_K, len(counted) - at, 0, number) for at, number in enumerate(counted)]
    rows += [(BPF_RET_K, 0, 0, SECCOMP_RET_ALLOW), (BPF_RET_K, 0, 0, SECCOMP_RET_USER_NOTIF)]
    data = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *row) for row in rows))
    program = _Program(len(rows), ctypes.addressof(data))
    program.kept = data
    return program


@functools.cache
def _numbers() -> dict[str, int]:
    """Return the numbers of the system calls here, by name, as the C library's headers have them."""
    command = ["gcc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", os.devnull]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    return {name: int(number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)", text)}
