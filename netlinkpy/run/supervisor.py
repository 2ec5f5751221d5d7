"""The holder: the process that a container hangs on. It makes it, bears its name, passes signals on, answers
who it is, and takes everything down when it ends. When the holder dies, the kernel does that."""

from __future__ import annotations

import os
from time import time

from .options import checked
from .pid1 import Command, Inside, be_first
from .running import Running, claim, peer_of
from .signals import PASSED_ON, SIG_BLOCK, SIGKILL, exit_code, pthread_sigmask
from .spawn import Child, bear
from .unshare import enter_network, make_own
from .watch import Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable

    from .networking import Connected
    from .options import Options
    from .shared_network import Shared
    from .terminal import Terminal

BACKLOG = 64
RT_SCOPE_LINK = 253


def hold(
    options: Options, announce: Callable[[int, Connected | None], None], owner: socket | None = None
) -> int:
    """Run a container from its making to its end, and give its exit code: that of its command, 128 and the
    signal's number where one ended it. The process must have one thread.

    announce(pid, connected) is called when the command runs. owner: a connection that asks as every
    other may, and whose end ends the container. StartError, another OSError or ValueError where it could not
    be started; then nothing of it is left."""
    options = checked(options)
    holder = _Holder(options, owner)
    try:
        holder.start()
        announce(holder.pid, holder.connected)
        holder.watch()
    finally:
        code = holder.end()
    return code


class _Holder:
    """One container: what it was asked to be, what there is of it."""

    def __init__(self, options: Options, owner: socket | None) -> None:
        self._options = options
        self._owner = owner
        self._name = options.name or ""
        self._listener = claim(self._name)
        self._callers: dict[int, socket] = {}
        self._child: Child | None = None
        self._terminal: Terminal | None = None
        self._shared: Shared | None = None
        self._watch: Watch | None = None
        self.connected: Connected | None = None
        self._hostname = options.hostname or ""
        self._dns = options.dns
        self._started = int(time())

    def start(self) -> None:
        """Make the namespaces, wire them, and only then let the command start."""
        options = self._options
        if options.mode == "container":
            from .shared_network import open_target

            self._shared = open_target(options.target)
            self._hostname, self._dns = self._shared.hostname or "", self._shared.dns
        if not self._hostname and options.mode in ("none", "network"):
            self._hostname = self._name
        if options.tty:
            from .terminal import Terminal

            self._terminal = Terminal(options.interactive)
        own = options.mode != "host"
        inside = Inside(own, options.mode == "none", self._hostname or None, self._dns)
        command = Command(
            options.command,
            0 if options.interactive else None,
            None if self._terminal is None else self._terminal.slave,
            options.privileged,
        )
        child = self._child = bear(self._enter, lambda line: be_first(line, inside, command))
        if options.mode == "network":
            from .networking import connect

            self.connected = connect(child.pid, options)
        child.line.expect("ready")
        child.line.say("go")
        child.line.hear()  # its end: the command runs
        self._listener.listen(BACKLOG)

    def _enter(self) -> None:
        """In the process in the middle: into the namespaces that the container shall have."""
        if self._shared is not None:
            enter_network(self._shared.netns.fileno())
        make_own(network=self._options.mode in ("none", "network"))

    @property
    def pid(self) -> int:
        """Of its first process, 0 before there is one."""
        return self._child.pid if self._child is not None else 0

    def _running(self, now: bool) -> Running:
        """Who it is; now: with the addresses that it has now."""
        options = self._options
        net = options.net if options.bridge is None else f"{options.net} --bridge {options.bridge}"
        size = sum(map(len, options.command))
        return Running(
            name=self._name,
            pid=self.pid,
            net=net,
            started=self._started,
            hostname=self._hostname,
            addresses=self._addresses() if now else self._given(),
            ports=self.connected.shown_ports() if self.connected is not None else (),
            dns=self._dns,
            command=options.command if size < 16384 else (options.command[0][:4096], "..."),
            holder=os.getpid(),
        )

    def _given(self) -> tuple[str, ...]:
        """The addresses that it got from us."""
        return self.connected.attachment.addresses if self.connected is not None else ()

    def _addresses(self) -> tuple[str, ...]:
        """Those that it has now, by whomever (not with --net=host, whose are the host's)."""
        if self._options.mode == "host" or self._child is None:
            return ()
        from ..rtnl.netlink import RTNetlink

        try:
            with RTNetlink(self._child.pid) as rt:
                return tuple(one.cidr for one in rt.addresses.list() if one.scope < RT_SCOPE_LINK)
        except OSError:  # a user namespace of its own, into which its maker's process may not
            return self._given()

    # -- while it runs -------------------------------------------------------------------------------------

    def watch(self) -> None:
        """Until it has ended."""
        if self._child is None:
            return
        with Watch(self._child.pid, self._terminal) as watch:
            self._watch = watch
            watch.loop.watch(self._listener.fileno(), self._accept)
            if self._owner is not None:
                self._welcome(self._owner)
            watch.wait()
        self._watch = None

    def _accept(self) -> None:
        from _socket import socket as plain

        fd, _ = self._listener._accept()  # type: ignore[attr-defined]
        caller = plain(fileno=fd)
        if len(self._callers) < BACKLOG and peer_of(caller)[1] in (0, os.geteuid()):
            self._welcome(caller)
        else:
            caller.close()

    def _welcome(self, caller: socket) -> None:
        caller.setblocking(False)
        self._callers[caller.fileno()] = caller
        if self._watch is not None:
            self._watch.loop.watch(caller.fileno(), lambda: self._answer(caller))

    def _answer(self, caller: socket) -> None:
        """One question of one caller."""
        if self._watch is None:
            return
        try:
            word, _, rest = caller.recv(64).decode("ascii", "replace").partition(" ")
            if word in ("tell", "look"):
                caller.send(self._running(word == "look").pack())
            elif word == "kill":
                caller.send(b"sent" if self._signal(rest) else b"refused")
            else:
                self._dismiss(caller)
        except BlockingIOError:
            return
        except OSError:
            self._dismiss(caller)

    def _signal(self, text: str) -> bool:
        number = int(text) if text.isdigit() else 0
        if self._watch is None or number not in (*PASSED_ON, SIGKILL):
            return False
        self._watch.send(number)
        return True

    def _dismiss(self, caller: socket) -> None:
        if self._watch is not None:
            self._watch.loop.forget(caller.fileno())
            if caller is self._owner:
                self._watch.send(SIGKILL)
        self._callers.pop(caller.fileno(), None)
        caller.close()

    # -- the end -------------------------------------------------------------------------------------------

    def end(self) -> int:
        """Take down what there is; the exit code. The name goes last, and only then the pid: whoever has
        called knows by the end of the connection that all is gone, and until then whose pid it is."""
        pthread_sigmask(SIG_BLOCK, PASSED_ON)  # it is ending: nothing shall end that half-way
        try:
            if self._child is not None:
                self._child.kill()
                os.waitid(os.P_PID, self._child.pid, os.WEXITED | os.WNOWAIT)
            if self.connected is not None:
                from .networking import disconnect

                disconnect(self.connected)
        finally:
            if self._shared is not None:
                self._shared.netns.close()
            if self._terminal is not None:
                self._terminal.close()
            for one in (self._listener, *self._callers.values()):
                one.close()
            code = 0
            if self._child is not None:
                self._child.line.close()
                code = exit_code(os.waitpid(self._child.pid, 0)[1])
        return code
