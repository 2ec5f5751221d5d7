"""The supervisor: the process on which a container depends. It makes the container, holds its name, passes
signals on, answers requests about it, and removes everything when it ends. If the supervisor dies, the kernel
does that."""

from __future__ import annotations

import os
from time import time

from .exec_command import ExecSpec
from .options import checked
from .pid1 import Setup, run_pid1
from .running import Running, claim, may_ask
from .signals import PASSED_ON, SIG_BLOCK, SIGKILL, exit_code, pthread_sigmask
from .spawn import Child, spawn
from .unshare import enter_network, unshare
from .watch import Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable

    from .networking import Connected
    from .options import Options
    from .shared_network import SharedNetwork
    from .terminal import Terminal

BACKLOG = 64


def supervise(
    options: Options, announce: Callable[[int, Connected | None], None], owner: socket | None = None
) -> int:
    """Run a container from its making to its end, and return its exit code: that of its command, or 128 and
    the number of the signal that ended it. The process must have one thread.

    announce(pid, connected) is called when the command runs. owner: a connection that asks as every other
    may, and whose end ends the container. Raise StartError, another OSError or ValueError if it cannot be
    started; then nothing of it is left."""
    options = checked(options)
    supervisor = _Supervisor(options, owner)
    try:
        supervisor.start()
        supervisor.watch(announce)
    finally:
        code = supervisor.end()
    return code


class _Supervisor:
    """One container: what it was asked to be, and what there is of it."""

    def __init__(self, options: Options, owner: socket | None) -> None:
        self._options = options
        self._owner = owner
        self._name = options.name or ""
        self._listener = claim(self._name)
        self._callers: dict[int, socket] = {}
        self._child: Child | None = None
        self._command = -1  # a descriptor of the command's process
        self._terminal: Terminal | None = None
        self._shared: SharedNetwork | None = None
        self._watch: Watch | None = None
        self.connected: Connected | None = None
        self._hostname = options.hostname or ""
        self._dns = options.dns
        self._started = int(time())

    def start(self) -> None:
        """Make the namespaces, wire them, and only then start the command."""
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
        setup = Setup(own, options.mode == "none", self._hostname or None, self._dns)
        command = ExecSpec(
            options.command,
            0 if options.interactive else None,
            None if self._terminal is None else self._terminal.slave,
            options.privileged,
        )
        child = self._child = spawn(self._enter, lambda pipe: run_pid1(pipe, setup, command))
        self._watch = Watch(child.pid, self._terminal)
        if options.mode == "network":
            from .networking import connect

            self.connected = connect(child.pid, options)
        child.pipe.expect("ready")
        child.pipe.say("go")
        self._command = child.pipe.take()  # at its end the command runs
        self._listener.listen(BACKLOG)

    def _enter(self) -> None:
        """Enter, in the process in the middle, the namespaces that the container gets."""
        if self._shared is not None:
            enter_network(self._shared.netns.fileno())
        unshare(network=self._options.mode in ("none", "network"))

    @property
    def pid(self) -> int:
        """The pid of its first process, 0 before there is one."""
        return self._child.pid if self._child is not None else 0

    def _running(self, now: bool) -> Running:
        """Return who it is; now: with the addresses that it has now."""
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
        """Return the addresses that it got from us."""
        return self.connected.attachment.addresses if self.connected is not None else ()

    def _addresses(self) -> tuple[str, ...]:
        """Return all that it has now, whoever added them (none with --net=host: they are the host's)."""
        if self._options.mode == "host" or self._child is None:
            return ()
        from ..rtnl.netlink import RTNetlink
        from ..uapi.rtnetlink import RT_SCOPE_LINK

        try:
            with RTNetlink(self._child.pid) as rt:
                return tuple(one.cidr for one in rt.addresses.list() if one.scope < RT_SCOPE_LINK)
        except OSError:  # it has a user namespace of its own, which its maker may not enter
            return self._given()

    # -- while it runs -------------------------------------------------------------------------------------

    def watch(self, announce: Callable[[int, Connected | None], None]) -> None:
        """Tell that it runs, and serve callers and the terminal until it has ended. Signals go to the command
        from before it is told: else one could end the supervisor of what was just told to run."""
        if self._watch is None:
            return
        with self._watch as watch:
            watch.end_with(self._command)
            watch.poller.watch(self._listener.fileno(), self._accept)
            if self.connected is not None and self.connected.held is not None:
                self.connected.held.serve(watch.poller, self.connected.attachment.addresses)
            if self._owner is not None:
                self._serve(self._owner)
            announce(self.pid, self.connected)
            watch.wait()
        self._watch = None

    def _accept(self) -> None:
        from _socket import socket as plain

        fd, _ = self._listener._accept()  # type: ignore[attr-defined]
        caller = plain(fileno=fd)
        if len(self._callers) < BACKLOG and may_ask(caller):
            self._serve(caller)
        else:
            caller.close()

    def _serve(self, caller: socket) -> None:
        caller.setblocking(False)
        self._callers[caller.fileno()] = caller
        if self._watch is not None:
            self._watch.poller.watch(caller.fileno(), lambda: self._answer(caller))

    def _answer(self, caller: socket) -> None:
        """Answer one question of one caller."""
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
            self._watch.poller.forget(caller.fileno())
            if caller is self._owner:
                self._watch.send(SIGKILL)
        self._callers.pop(caller.fileno(), None)
        caller.close()

    # -- the end -------------------------------------------------------------------------------------------

    def end(self) -> int:
        """Remove everything, and return the exit code. The name goes last, and only then the pid: the end of
        the connection tells a caller that all is gone, and until then no other process has the pid."""
        pthread_sigmask(SIG_BLOCK, PASSED_ON)  # nothing may end this half-way
        try:
            if self._child is not None:
                self._child.end()
        finally:
            try:
                if self.connected is not None:
                    from .networking import disconnect

                    disconnect(self.connected)
            finally:
                code = self._close()
        return code

    def _close(self) -> int:
        """Close what is open, and return the exit code of the child; 0 if it could not be killed."""
        if self._watch is not None:
            self._watch.close()
        if self._shared is not None:
            self._shared.netns.close()
        if self._terminal is not None:
            self._terminal.close()
        if self._command >= 0:
            os.close(self._command)
        for one in (self._listener, *self._callers.values()):
            one.close()
        if self._child is None:
            return 0
        self._child.pipe.close()
        return exit_code(os.waitpid(self._child.pid, os.WNOHANG)[1])
