"""The running containers, found by name, without a file or a daemon. A name is an abstract unix socket
(unix(7)) that the supervisor of the container listens at, with a random word behind it: any user may bind
any name. It is taken exactly as long as the supervisor lives, in the network namespace that the supervisor is
in, and the kernel tells there whose it is."""

from __future__ import annotations

import errno
import os
from _socket import (
    AF_UNIX,
    SO_PEERCRED,
    SO_SNDTIMEO,
    SOCK_CLOEXEC,
    SOCK_SEQPACKET,
    SOL_SOCKET,
    socket,
)
from struct import pack, unpack
from time import monotonic, sleep

from ..closing import Closing
from ..os_error import explained
from ..record import Record
from ..sockets.unix_names import bound
from ..uapi.socket import SO_PEERPIDFD
from .signals import SIGKILL, SIGTERM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from ..sockets.unix_names import UnixName

    T = TypeVar("T")

PREFIX = "netlinkpy/run/"
LONGEST = 63  # of a name, so that it may be a host name as well
MOST = 65536  # bytes of an answer
TIMEOUT = 5.0  # seconds that a supervisor has to answer, and all of them together
_CONNECT = 0.5  # seconds of those to wait for room in the queue of one


class Running(Record):
    """A running container as its supervisor reports it.

    pid: of its first process, whose namespaces are its own; holder: the pid of its supervisor, from the
    kernel; net: how it is wired, as --net says it, with "--bridge BR" on a bridge; addresses: with their
    prefix lengths; ports: the published ones, as docker shows them; command: its words (cut short if they are
    very long); started: seconds since 1970; hostname, dns: those given, or empty."""

    name: str
    pid: int
    net: str
    started: int
    hostname: str = ""
    addresses: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    holder: int = 0

    def pack(self) -> bytes:
        """Return it as it goes over the socket: key=value, each ended by a NUL; a key with several values
        comes several times."""
        fields = []
        for key, value in self.as_dict().items():
            fields += [f"{key}={one}\0" for one in (value if isinstance(value, tuple) else (value,))]
        return "".join(fields).encode("utf-8", "surrogateescape")

    @classmethod
    def parse(cls, data: bytes, holder: int) -> Running:
        """Return the record of an answer. Raise ValueError if it is none."""
        values: dict[str, Any] = {}
        for field in data.decode("utf-8", "surrogateescape").split("\0")[:-1]:
            key, _, value = field.partition("=")
            if key in ("addresses", "ports", "dns", "command"):
                values[key] = (*values.get(key, ()), value)
            elif key in ("pid", "started"):
                values[key] = int(value)
            elif key in ("name", "net", "hostname"):
                values[key] = value
        try:
            return cls(**values, holder=holder)
        except TypeError as error:
            raise ValueError(f"this is no answer of a container's supervisor: {error}") from None


def check_name(name: str) -> str:
    """Return the name if a container may have it. Raise ValueError if not."""
    good = (
        name.isascii() and name[:1].isalnum() and all(letter.isalnum() or letter in "_.-" for letter in name)
    )
    if not good or len(name) > LONGEST:
        raise ValueError(
            f"{name!r} cannot name a container: letters, digits and _.- in it, a letter or digit first, "
            f"{LONGEST} at most"
        )
    return name


def claim(name: str) -> socket:
    """Take a name: return a socket bound to it and a random word, so that no stranger can be there before us;
    it does not listen yet. Raise FileExistsError if root or our user has the name."""
    claimed = _new()
    try:
        ours = f"{PREFIX}{name}/{os.urandom(8).hex()}"
        claimed.bind(f"\0{ours}")
        deadline = monotonic() + TIMEOUT
        # All bind before they look, so of two at least one sees the other. The least waits for the others.
        while others := [one for one in _of(name) if one.name != ours]:
            if others[0].name < ours or any(one.listening for one in others) or monotonic() > deadline:
                raise FileExistsError(errno.EEXIST, f"a container named {name} runs already")
            sleep(0.002)
    except BaseException:
        claimed.close()
        raise
    return claimed


class Call(Closing):
    """A connection to the supervisor of a running container. It ends when the container has ended: until then
    its pid is its own."""

    def __init__(self, name: str, *, timeout: float | None = None) -> None:
        """timeout: seconds to wait for the supervisor (default: TIMEOUT). Raise ProcessLookupError if no
        container of that name runs, or its supervisor is neither root's nor ours."""
        self.name = check_name(name)
        seconds = TIMEOUT if timeout is None else timeout
        self._socket = _new()
        try:
            # A connect without blocking would fail where many call at once (a full backlog: EAGAIN).
            whole = int(seconds)
            self._socket.setsockopt(
                SOL_SOCKET, SO_SNDTIMEO, pack("@ll", whole, int((seconds - whole) * 1e6) or 1)
            )
            self._connect()
            self._socket.settimeout(seconds)
        except BaseException:
            self._socket.close()
            raise

    def _connect(self) -> None:
        listening = [one for one in _of(self.name) if one.listening]
        if not listening:
            raise self._gone()
        # Root's listens to root alone: our own goes first.
        first = min(listening, key=lambda one: (one.uid not in (None, os.geteuid()), one.name))
        try:
            self._socket.connect(f"\0{first.name}")
        except OSError as error:
            if error.errno == errno.EAGAIN:
                raise self._silent() from None
            if error.errno in (errno.ECONNREFUSED, errno.ENOENT):
                raise self._gone() from None
            raise
        # Where the kernel told no users, anybody may have bound it: only root and our own user are trusted.
        self.holder, user = peer_of(self._socket)
        if user not in (0, os.geteuid()):
            raise self._gone()

    def tell(self, *, now: bool = False) -> Running:
        """Return its record, with the addresses that it was given; now: with those that it has now, for which
        the supervisor asks the kernel. Raise TimeoutError if the supervisor does not answer."""
        self.ask(now=now)
        return self.told()

    def ask(self, *, now: bool = False) -> None:
        """Begin what tell() does."""
        self._say(b"look" if now else b"tell")

    def told(self, timeout: float | None = None) -> Running:
        """Return the record that was asked for. timeout: seconds to wait (default: as it was made with)."""
        if timeout is not None:
            self._socket.settimeout(timeout)
        return Running.parse(self._answer(), self.holder)

    def kill(self, number: int) -> None:
        """Send it a signal: SIGKILL ends all of it, another one goes to its command. Raise PermissionError if
        it is another user's, ValueError if it does not take that signal."""
        self._say(f"kill {number}".encode())
        answer = self._answer().decode()
        if answer == "refused":
            raise ValueError(f"{number} is no signal that a container takes")

    def wait(self, seconds: float | None) -> bool:
        """Wait until it has ended and nothing of it is left. Return False if it still runs after so many
        seconds."""
        from select import POLLIN, poll

        polled = poll()
        polled.register(self._socket.fileno(), POLLIN)
        if not self._surely(polled.poll, None if seconds is None else seconds * 1000):
            return False
        try:
            return not self._surely(self._socket.recv, 1)
        except ConnectionResetError:
            return True

    def stop(self, seconds: float) -> None:
        """Send it SIGTERM, after so many seconds SIGKILL; return when nothing of it is left."""
        self.kill(SIGTERM)
        if not self.wait(seconds):
            try:
                self.kill(SIGKILL)
            except ProcessLookupError:  # it has just ended by itself
                return
            self.wait(None)

    def check_alive(self) -> None:
        """Raise ProcessLookupError if it has ended."""
        if self.wait(0):
            raise self._gone()

    def _say(self, words: bytes) -> None:
        try:
            self._socket.send(words)
        except (BrokenPipeError, ConnectionResetError):  # it has just ended, or turned us away
            raise self._gone() from None
        except BlockingIOError:
            raise self._silent() from None

    def _answer(self) -> bytes:
        try:
            answer = self._surely(self._socket.recv, MOST)
        except (TimeoutError, BlockingIOError):
            raise self._silent() from None
        except ConnectionResetError:
            answer = b""
        if not answer:
            raise self._gone()
        return answer

    def _surely(self, hear: Callable[[Any], T], most: Any) -> T:
        """Return what a call tells. What fails without a meaning here is tried once more: what was asked for
        may be done."""
        try:
            return hear(most)
        except (ConnectionError, TimeoutError, BlockingIOError):
            raise
        except OSError:
            try:
                return hear(most)
            except OSError as error:
                raise explained(error, f"hear from the supervisor of container {self.name}") from None

    def _silent(self) -> TimeoutError:
        return TimeoutError(errno.ETIMEDOUT, f"the supervisor of container {self.name} does not answer")

    def _gone(self) -> ProcessLookupError:
        return ProcessLookupError(errno.ESRCH, f"no container named {self.name} runs here")

    def close(self) -> None:
        """End the connection; a second time does nothing."""
        self._socket.close()


def find(name: str) -> Running:
    """Return the running container of that name. Raise ProcessLookupError if there is none."""
    with Call(name) as call:
        return call.tell(now=True)


def listing() -> list[Running]:
    """Return all that run, by name: those whose supervisors are in the caller's network namespace. One whose
    supervisor does not answer is among them, with nothing but its name and its supervisor's pid; all of them
    have one TIMEOUT."""
    deadline = monotonic() + TIMEOUT
    names = {_name_in(one.name) for one in bound(PREFIX) if one.listening and one.believed()}
    found, calls = [], []
    try:
        for name in sorted(names):
            try:
                calls.append(Call(name, timeout=min(max(deadline - monotonic(), 0.01), _CONNECT)))
                calls[-1].ask(now=True)
            except TimeoutError:  # its queue is full
                found.append(Running(name, 0, "?", 0))
            except (ProcessLookupError, ValueError):  # it has just ended, or is not to be trusted
                continue
        for call in calls:
            try:
                found.append(call.told(max(deadline - monotonic(), 0.01)))
            except (TimeoutError, ValueError):
                found.append(Running(call.name, 0, "?", 0, holder=call.holder))
            except ProcessLookupError:
                continue
    finally:
        for call in calls:
            call.close()
    return sorted(found, key=lambda one: one.name)


def peer_of(connected: socket) -> tuple[int, int]:
    """Return the process id and the user id of the other side."""
    pid, user, _ = unpack("3i", connected.getsockopt(SOL_SOCKET, SO_PEERCRED, 12))
    return pid, user


def may_ask(connected: socket) -> bool:
    """Return whether the other side may ask a supervisor: root or our own user, in our own PID namespace. (A
    container with --net=host finds the names of all others, and its root is root.)"""
    pid, user = peer_of(connected)
    if user not in (0, os.geteuid()):
        return False
    process = _descriptor(connected, pid)
    try:
        with open(f"/proc/{pid}/status") as status:
            pids = next(line for line in status if line.startswith("NSpid:")).split()[1:]
        return len(pids) == 1 and not _has_ended(process)  # so the pid is still its own
    except (OSError, StopIteration):
        return False
    finally:
        if process >= 0:
            os.close(process)


def _descriptor(connected: socket, pid: int) -> int:
    """Return a descriptor of the process on the other side (pidfd_open(2)), -1 where there are none."""
    try:
        return connected.getsockopt(SOL_SOCKET, SO_PEERPIDFD)
    except OSError:  # before Linux 6.5, or it has ended
        pass
    try:
        return os.pidfd_open(pid)
    except OSError:
        return -1


def _has_ended(process: int) -> bool:
    from select import POLLIN, poll

    polled = poll()
    if process >= 0:
        polled.register(process, POLLIN)
    return bool(polled.poll(0))


def _of(name: str) -> list[UnixName]:
    """Return the believed sockets of a name, in their order."""
    return [one for one in bound(f"{PREFIX}{name}/") if one.believed()]


def _name_in(address: str) -> str:
    """Return the name in NAME and a random word."""
    return address.removeprefix(PREFIX).rpartition("/")[0]


def _new() -> socket:
    made = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC)
    made.settimeout(None)  # whatever socket.setdefaulttimeout() says
    return made
