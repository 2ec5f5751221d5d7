"""Namespaces, containers and pings for tests, by system calls alone, without netlinkpy or iproute2."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import pickle
import select
import signal
import socket
import struct
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from netlinkpy.uapi.prctl import PR_SET_PDEATHSIG
from netlinkpy.uapi.sched import CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWUSER

T = TypeVar("T")

# linux/sched.h, linux/mount.h, linux/prctl.h, linux/sockios.h
MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 0x1000, 0x4000, 1 << 18, 2
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, call: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Move the calling thread into fresh namespaces (unshare(2), which Python has from 3.12 only)."""
    _checked(_libc.unshare(flags), "unshare")


def setns(fd: int, flags: int = CLONE_NEWNET) -> None:
    """Move the calling thread into the namespace behind the descriptor (setns(2))."""
    _checked(_libc.setns(fd, flags), "setns")


def mount(source: str, target: str, kind: str | None, flags: int = 0) -> None:
    """mount(2) without data."""
    kind_name = kind.encode() if kind else None
    result = _libc.mount(source.encode(), target.encode(), kind_name, ctypes.c_ulong(flags), None)
    _checked(result, f"mount on {target}")


def unmount(target: str) -> None:
    """umount2(2), with everything mounted below."""
    _checked(_libc.umount2(target.encode(), MNT_DETACH), f"unmount {target}")


def map_root(uid: int, gid: int) -> None:
    """Make us root of the user namespace just unshared; uid and gid: ours outside."""
    for name, line in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(line)


# -- the test process itself -------------------------------------------------------------------------------


def isolate() -> str:
    """Move this process, while it has one thread, away from the machine's network and mounts; return how.

    As root directly; as an ordinary user, or a root without capabilities, by a user namespace. Raises OSError
    if neither works.
    """
    uid, gid = os.geteuid(), os.getegid()
    how = "as root"
    try:
        unshare(CLONE_NEWNS | CLONE_NEWNET)
    except PermissionError:
        unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET)
        map_root(uid, gid)
        how = "by a user namespace"
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    _mount_run()
    return how


def _mount_run() -> None:
    # /run/netns can then exist only here. /var/run leads to the same place, as on every distribution.
    mount("tmpfs", "/run", "tmpfs")
    if os.path.isdir("/var/run") and not os.path.samefile("/var/run", "/run"):
        mount("/run", "/var/run", None, MS_BIND)


def renew() -> None:
    """Give this (isolated) process a fresh network namespace and an empty /run."""
    unshare(CLONE_NEWNET)
    if os.path.ismount("/var/run"):
        unmount("/var/run")
    unmount("/run")
    _mount_run()


def raise_loopback() -> None:
    """Set lo up in the calling thread's network namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        name = b"lo".ljust(16, b"\0")
        flags = struct.unpack_from("=H", fcntl.ioctl(sock, SIOCGIFFLAGS, name + bytes(24)), 16)[0]
        fcntl.ioctl(sock, SIOCSIFFLAGS, name + struct.pack("=H22x", flags | IFF_UP))


# -- containers --------------------------------------------------------------------------------------------


class Container:
    """A network namespace kept by a paused process: `pid` and `path` lead to it, `kill()` ends both.

    With user=True it has a user namespace of its own (with its root mapped), like a rootless engine's.
    """

    def __init__(self, *, user: bool = False, loopback: bool = False) -> None:
        read_end, write_end = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _be_a_container(write_end, user, loopback)
        os.close(write_end)
        with open(read_end) as pipe:
            trouble = pipe.read()  # ends when the child has closed its end: it is in its namespace then
        if trouble:
            self.kill()
            raise OSError(f"no container: {trouble}")

    @property
    def path(self) -> str:
        return f"/proc/{self.pid}/ns/net"

    @property
    def alive(self) -> bool:
        return self.pid != 0

    def kill(self) -> None:
        """End the process and wait for it. The kernel then removes the namespace in its own time."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0

    def __repr__(self) -> str:
        return f"Container(pid={self.pid})"


def _be_a_container(report: int, user: bool, loopback: bool) -> None:
    """The child's side: never returns, whatever happens."""
    try:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        # What the test has open (sockets, port ids, namespaces) must not stay alive through us.
        os.closerange(3, report)
        os.closerange(report + 1, os.sysconf("SC_OPEN_MAX"))
        uid, gid = os.geteuid(), os.getegid()
        unshare(CLONE_NEWNET | (CLONE_NEWUSER if user else 0))
        if user:
            map_root(uid, gid)
        if loopback:
            raise_loopback()
        os.close(report)
        while True:
            signal.pause()
    except BaseException as error:  # the parent must hear of it, and pytest must not run on in the child
        os.write(report, str(error).encode())
    finally:
        os._exit(1)


class BareNamespace:
    """A network namespace without a process, kept by our descriptor. `path` and `fd` lead to it."""

    def __init__(self) -> None:
        with _returning():
            unshare(CLONE_NEWNET)
            self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    @property
    def path(self) -> str:
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    def close(self) -> None:
        """Release it; a second time does nothing."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


Namespace = Container | BareNamespace | str | int | None
"""A container, a bare namespace, a path, a descriptor, or None for the caller's own."""


# -- being inside ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _returning() -> Iterator[None]:
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        setns(own)
        os.close(own)


@contextlib.contextmanager
def entered(namespace: Namespace) -> Iterator[None]:
    """Move the calling thread into the namespace within the block."""
    if namespace is None:
        yield
        return
    where = namespace if isinstance(namespace, (str, int)) else namespace.path
    fd = os.dup(where) if isinstance(where, int) else os.open(where, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with _returning():
            setns(fd)
            yield
    finally:
        os.close(fd)


def inside(namespace: Namespace, function: Callable[[], T], seconds: float = 30.0) -> T:
    """Return what function() returns (it must pickle) when a forked child runs it inside the namespace.

    Its exception is raised here, with the child's traceback as a note. Raise TimeoutError after `timeout`
    seconds; the child is dead then.
    """
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        _answer(write_end, namespace, function)
    os.close(write_end)
    deadline = time.monotonic() + seconds
    data = b""
    try:
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([read_end], [], [], left)[0]:
                raise TimeoutError(f"the function inside the namespace took longer than {seconds} s")
            piece = os.read(read_end, 1 << 16)
            if not piece:
                break
            data += piece
    finally:
        os.close(read_end)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    if not data:
        raise ChildProcessError("the child inside the namespace died without an answer")
    done, value = pickle.loads(data)
    if not done:
        raise value
    result: T = value
    return result


def _answer(pipe: int, namespace: Namespace, function: Callable[[], object]) -> None:
    """The child's side of inside(): never returns."""
    try:
        try:
            with entered(namespace):
                answer = pickle.dumps((True, function()))
        except BaseException as error:
            error.add_note("in the child:\n" + traceback.format_exc())
            answer = pickle.dumps((False, error))
        view = memoryview(answer)
        while view:
            view = view[os.write(pipe, view) :]
    finally:
        os._exit(0)


# -- packets -----------------------------------------------------------------------------------------------

ECHO_REQUEST = {socket.AF_INET: 8, socket.AF_INET6: 128}  # RFC 792, RFC 4443
ECHO_REPLY = {socket.AF_INET: 0, socket.AF_INET6: 129}
SO_TIMESTAMPNS = 35  # asm-generic/socket.h; its struct timespec:
TIMESPEC = struct.Struct("@ll")


def checksum(data: bytes) -> int:
    """Return the internet checksum (RFC 1071) of an even number of bytes."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ping(namespace: Namespace, target: str, deadline_ms: float = 100.0) -> float | None:
    """Send one ICMP echo (v4 or v6) from inside the namespace; return the round trip in ms, None without an
    answer."""
    return ping_all([(namespace, target)], deadline_ms)[0]


def ping_all(pairs: Sequence[tuple[Namespace, str]], deadline_ms: float = 100.0) -> list[float | None]:
    """Send one ICMP echo for each (namespace, target), all at once; return round trips in ms, in the pairs'
    order.

    None stands for no answer within the deadline, counted for each from its own sending to its arrival by the
    kernel's clock, so that a machine under load does not spoil it; and for a kernel that would not send (no
    route, a tentative address).
    """
    sent: dict[int, tuple[int, socket.socket, float]] = {}
    answers: list[float | None] = [None] * len(pairs)
    poll = select.poll()
    with contextlib.ExitStack() as sockets:
        ready = [(sockets.enter_context(sock), address) for sock, address in map(_echo_socket, pairs)]
        for row, (sock, address) in enumerate(ready):
            request = struct.pack("!BBHHHQ", ECHO_REQUEST[sock.family], 0, 0, *_identity(row), row)
            if sock.family == socket.AF_INET:  # over ICMPv6 the kernel computes it
                request = request[:2] + checksum(request).to_bytes(2, "big") + request[4:]
            start = time.time()
            with contextlib.suppress(OSError):
                sock.sendto(request, address)
                sent[sock.fileno()] = row, sock, start
                poll.register(sock, select.POLLIN)
        end = time.monotonic() + deadline_ms / 1000
        left = deadline_ms
        while sent and left > 0:
            left = max(0.0, (end - time.monotonic()) * 1000)
            for fd, _ in poll.poll(left):
                row, sock, start = sent[fd]
                arrival = _reply_arrival(sock, row)
                if arrival is not None:
                    took = (arrival - start) * 1000
                    answers[row] = took if took <= deadline_ms else None
                    poll.unregister(fd)
                    del sent[fd]
    return answers


def _identity(row: int) -> tuple[int, int]:
    """Return the identifier and the sequence number of a row's echo."""
    return os.getpid() & 0xFFFF, row & 0xFFFF


def _echo_socket(pair: tuple[Namespace, str]) -> tuple[socket.socket, Any]:
    namespace, target = pair
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    protocol = socket.IPPROTO_ICMPV6 if family == socket.AF_INET6 else socket.IPPROTO_ICMP
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK
    with entered(namespace):  # a scope (fe80::1%eth0) is known only there
        found = socket.getaddrinfo(target, None, family, socket.SOCK_RAW, protocol, socket.AI_NUMERICHOST)
        sock = socket.socket(family, kind, protocol)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    return sock, found[0][4]


def _reply_arrival(sock: socket.socket, row: int) -> float | None:
    """Return when a packet arrived, in seconds since the epoch, if it is the answer to the row's echo."""
    try:
        packet, control, _, _ = sock.recvmsg(2048, socket.CMSG_SPACE(TIMESPEC.size))
    except OSError:  # an ICMP error met the socket
        return None
    if sock.family == socket.AF_INET:
        packet = packet[(packet[0] & 15) * 4 :]  # a raw IPv4 socket hands over the IP header too
    if len(packet) < 8 or packet[0] != ECHO_REPLY[sock.family]:
        return None
    if struct.unpack_from("!HH", packet, 4) != _identity(row):
        return None
    seconds, nanoseconds = TIMESPEC.unpack_from(control[0][2])
    arrived: float = seconds + nanoseconds / 1e9
    return arrived
