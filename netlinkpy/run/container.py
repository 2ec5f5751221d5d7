"""start(): a container from a program that goes on, by a supervisor process of its own; and the Container
that it returns."""

from __future__ import annotations

import errno
import os
import sys
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_SEQPACKET, socket, socketpair

from .options import Options, checked
from .running import TIMEOUT
from .signals import SIGKILL, exit_code
from .sync_pipe import OURS, sentence, start_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Self

    from ..wiring.attachment import Attachment
    from .networking import Connected

START_TIMEOUT = 60.0  # seconds that the making of a container may take
_OWNER_FD = 3  # where the supervisor finds the socket to its owner
_MOST = 1 << 17  # bytes of one message over it
_CODE = "import sys; sys.path.insert(0, {!r}); from netlinkpy.run.container import serve; sys.exit(serve())"


class Container:
    """A container that was started here. It ends when its command ends, when it is killed, and when the
    program that started it dies.

    name; pid: of its first process; attachment: its interface, None without one of its own; notes: what the
    user should know of the host (settings changed, packets that do not pass yet). Use `with`, or wait(): both
    leave nothing behind."""

    def __init__(self, supervisor: int, channel: socket, name: str, told: dict[str, Any]) -> None:
        self.name = name
        self.pid: int = told["pid"]
        self.attachment: Attachment | None = None
        self.notes: tuple[str, ...] = told["notes"]
        if told["attachment"] is not None:
            from ..wiring.attachment import Attachment

            self.attachment = Attachment(**told["attachment"])
        self._supervisor = supervisor
        self._channel = channel
        self._code: int | None = None

    def wait(self) -> int:
        """Wait for its end, and return its exit code, or 128 and the number of the signal that ended it.
        Nothing of it is left then."""
        if self._code is None:
            self._code = exit_code(os.waitpid(self._supervisor, 0)[1])
            self._channel.close()
        return self._code

    def poll(self) -> int | None:
        """Return its exit code if it has ended, None while it runs."""
        if self._code is None:
            pid, status = os.waitpid(self._supervisor, os.WNOHANG)
            if pid:
                self._code = exit_code(status)
                self._channel.close()
        return self._code

    def kill(self, number: int = SIGKILL) -> None:
        """Send its command a signal; SIGKILL ends all of it. Do nothing if it has ended."""
        try:
            self._channel.send(f"kill {int(number)}".encode())
            answer = self._channel.recv(64)
        except TimeoutError:
            if number == SIGKILL:
                os.kill(self._supervisor, SIGKILL)  # the kernel ends the rest
            return
        except OSError:  # it has ended
            return
        if answer == b"refused":
            raise ValueError(f"{number} is no signal that a container takes")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self.wait()

    def __repr__(self) -> str:
        return f"<Container {self.name}, process {self.pid}{'' if self._code is None else ', ended'}>"


def start(
    *command: str,
    stdin: int | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
    **options: Any,
) -> Container:
    """Start a command in namespaces of its own, wired before its first instruction; return when it runs.

    options: those of Options, "net" first among them. stdin, stdout, stderr: descriptors for the command in
    place of the caller's own (stdin is read only with interactive=True). It works in a program of many
    threads: a small fresh process makes and supervises the container (some 30 ms).

    Raise StartError (an OSError with `exit_code`) or ValueError if it cannot be."""
    wanted = checked(Options(command=command, **options))
    ours, theirs = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC)
    try:
        for end in (ours, theirs):
            end.settimeout(None)  # whatever socket.setdefaulttimeout() says
        supervisor = _spawn_supervisor(theirs.fileno(), (stdin, stdout, stderr))
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    try:
        return _introduce(supervisor, ours, wanted)
    except BaseException:
        ours.close()  # its end ends the container
        os.waitpid(supervisor, 0)
        raise


def _introduce(supervisor: int, channel: socket, wanted: Options) -> Container:
    """Tell the supervisor what to run, and hear what became of it."""
    from marshal import dumps, loads

    channel.settimeout(START_TIMEOUT)
    try:
        channel.send(dumps(wanted.as_dict()))
        answer = channel.recv(_MOST)
    except TimeoutError:
        os.kill(supervisor, SIGKILL)
        raise start_error(errno.ETIMEDOUT, "the container's supervisor did not answer in time") from None
    channel.settimeout(TIMEOUT)
    if not answer:
        raise start_error(errno.EPIPE, "the container's supervisor died while it was made")
    told: dict[str, Any] = loads(answer)
    if "error" in told:
        kind, number, why, code = told["error"]
        raise ValueError(why) if kind == "ValueError" else start_error(number, why, code)
    return Container(supervisor, channel, wanted.name or "", told)


def _spawn_supervisor(channel: int, streams: tuple[int | None, ...]) -> int:
    """Start a fresh interpreter that runs serve(). It needs no site packages unless cffi's door is in use."""
    from ..backends import backend

    root = __file__.rsplit("/", 3)[0]
    options = ["-I"] if backend() == "cffi" and "NETLINKPY_BACKEND" in os.environ else ["-I", "-S"]
    actions: list[Any] = [
        (os.POSIX_SPAWN_DUP2, fd, stream) for stream, fd in enumerate(streams) if fd is not None
    ]
    actions.append((os.POSIX_SPAWN_DUP2, channel, _OWNER_FD))
    arguments = [sys.executable, *options, "-c", _CODE.format(root)]
    return os.posix_spawn(sys.executable, arguments, os.environ, file_actions=actions)


def serve() -> int:
    """Be the supervisor: take the options from the owner, answer what became of them, supervise."""
    from marshal import dumps, loads

    from .exec_command import close_all_but
    from .supervisor import supervise

    close_all_but(_OWNER_FD)  # what the program let be inherited
    owner = socket(fileno=_OWNER_FD)
    os.set_inheritable(_OWNER_FD, False)
    told = owner.recv(_MOST)
    if not told:
        return OURS

    def announce(pid: int, connected: Connected | None) -> None:
        answer: dict[str, Any] = {"pid": pid, "attachment": None, "notes": ()}
        if connected is not None:
            answer.update(attachment=connected.attachment.as_dict(), notes=connected.notes)
        owner.send(dumps(answer))

    try:
        return supervise(Options(**loads(told)), announce, owner)
    except (OSError, ValueError) as error:
        kind = "ValueError" if isinstance(error, ValueError) else "OSError"
        number = getattr(error, "errno", None) or errno.EIO
        answer = {"error": (kind, number, sentence(error), getattr(error, "exit_code", OURS))}
        try:
            owner.send(dumps(answer))
        except OSError:  # it has died meanwhile
            return OURS
        return OURS
