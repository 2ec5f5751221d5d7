"""Engine: where docker and podman listen, and one question to them, answered in JSON.

Both understand the Docker Engine API (podman calls it its compatible API), so one way serves both."""

from __future__ import annotations

import errno
import os

from ..record import Record
from .http import HttpConnection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WORDS = 200  # letters of an engine's own words that an error repeats


class Engine(Record):
    """An engine on this machine.

    variable: of the environment, says where it listens; system: where root's listens else; user: where an
    ordinary user's own does, below XDG_RUNTIME_DIR; user_first: whether that one is asked first, as the
    engine's own command does; help: what to do if nobody listens."""

    name: str
    variable: str
    system: tuple[str, ...]
    user: str
    user_first: bool
    help: str

    def ask(self, target: str, timeout: float) -> tuple[int, Any]:
        """Return (HTTP status, what the JSON of the answer holds) for one GET; timeout: seconds for all of
        it.

        Raise ValueError if the variable names no unix socket; OSError: ECONNREFUSED the engine is not there;
        EACCES we may not ask it; EPROTO, EMSGSIZE or ETIMEDOUT its answer makes no sense, is endless, or does
        not come; EXDEV it counts processes in another PID namespace."""
        path, connection = self._connect(timeout)
        try:
            with connection:
                foreign = _is_foreign(connection.peer_pid())
                status, body = (0, b"") if foreign else connection.get(target)
        except OSError as error:
            raise self._failure(path, error, timeout) from None
        if foreign:
            raise OSError(
                errno.EXDEV,
                f"{self.name} runs in another PID namespace: the process ids it tells mean nothing here",
            )
        import json

        try:
            return status, json.loads(body)
        except (ValueError, RecursionError):
            if status == 200:
                raise self.nonsense() from None
            return status, None

    def nonsense(self) -> OSError:
        """Return the error for an answer that cannot be."""
        return OSError(errno.EPROTO, f"cannot ask {self.name}: its answer makes no sense")

    def refusal(self, status: int, answer: Any) -> OSError:
        """Return the error for an answer of another status, in the engine's own words."""
        words = member(answer, "message")
        told = f": {plain(words)}" if isinstance(words, str) and words else ""
        return OSError(errno.EREMOTEIO, f"{self.name} answers with HTTP status {status}{told}")

    def _paths(self) -> list[str]:
        """Return where its socket may be, best first."""
        named = os.environ.get(self.variable, "")
        if named:
            scheme, _, path = named.partition("://")
            if scheme != "unix" or not path:
                raise ValueError(
                    f"{self.variable} is {named}: the containers of an engine that is not on a unix socket of"
                    " this machine are not here"
                )
            return [path]
        runtime = os.environ.get("XDG_RUNTIME_DIR", "")
        own = [f"{runtime}/{self.user}"] if runtime else []
        if self.user_first and os.geteuid():
            return [*own, *self.system]
        return [*self.system, *own]

    def _connect(self, timeout: float) -> tuple[str, HttpConnection]:
        """Return a connection to the first of its sockets that takes one. Raise the first refusal that tells
        more than that there is no such file."""
        paths = self._paths()
        refusals = []
        for path in paths:
            try:
                return path, HttpConnection(path, timeout)
            except OSError as error:
                refusals.append((path, error))
        for path, refusal in refusals:
            if refusal.errno not in (errno.ENOENT, errno.ENOTDIR):
                raise self._failure(path, refusal, timeout)
        raise self._absent(" or ".join(paths))

    def _absent(self, where: str) -> OSError:
        return OSError(errno.ECONNREFUSED, f"{self.name} does not listen at {where}: {self.help}")

    def _failure(self, path: str, error: OSError, timeout: float) -> OSError:
        if error.errno == errno.ECONNREFUSED:
            return self._absent(path)
        if error.errno in (errno.EACCES, errno.EPERM):
            return OSError(errno.EACCES, f"not permitted to ask {self.name} at {path}")
        if isinstance(error, TimeoutError):
            return OSError(
                errno.ETIMEDOUT, f"{self.name} at {path} does not answer within {timeout:g} seconds"
            )
        why = error.strerror or error
        return OSError(error.errno or errno.EIO, f"cannot ask {self.name} at {path}: {why}")


ENGINES = {
    "docker": Engine(
        "docker",
        "DOCKER_HOST",
        ("/run/docker.sock", "/var/run/docker.sock"),
        "docker.sock",
        user_first=False,
        help="is dockerd running?",
    ),
    "podman": Engine(
        "podman",
        "CONTAINER_HOST",
        ("/run/podman/podman.sock",),
        "podman/podman.sock",
        user_first=True,
        help=(
            "without its service podman has no API, so start that (`systemctl start podman.socket`, or"
            " `podman system service -t 0`), or give the pid that `podman inspect -f '{{.State.Pid}}'` shows"
        ),
    ),
}


def member(value: Any, key: str) -> Any:
    """Return a member of a JSON object; None if there is none, or the value is no object."""
    return value.get(key) if isinstance(value, dict) else None


def plain(text: str) -> str:
    """Return an engine's words fit for a terminal: one line, bounded, nothing that moves the cursor."""
    return "".join([letter if letter.isprintable() else " " for letter in text[:_WORDS]])


def _is_foreign(listener: int) -> bool:
    """Return whether the process that listens (0: it is not even seen from here) is in another PID namespace,
    where processes have other numbers."""
    if not listener:
        return True
    here, there = _pid_namespace("self"), _pid_namespace(str(listener))
    return None not in (here, there) and here != there


def _pid_namespace(process: str) -> str | None:
    """Return the PID namespace; None if it cannot be seen: the process is another user's, or there is no
    /proc."""
    try:
        return os.readlink(f"/proc/{process}/ns/pid")
    except OSError:
        return None
