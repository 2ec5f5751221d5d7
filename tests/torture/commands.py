"""The commands that the campaigns try: what a user types in place of a verb."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Any

import netlinkpy as nl
from netlinkpy.nat import Nat
from tests.support.namespaces import BareNamespace
from tests.support.possessions import children
from tests.support.waiting import eventually
from tests.support.wiring_testbed import BRIDGE
from tests.torture.verbs import SUBNET, Attach, Case, Connect, Create, Remove

_SAID, _STDERR = os.memfd_create("said"), os.dup(2)  # made here, since calls of do() are counted


class CommandError(Exception):
    """What a command says on stderr."""


class Command(Case):
    """A verb of the command."""

    words: tuple[str, ...] = ()

    def arguments(self) -> list[str]:
        return list(self.words)

    def do(self) -> Any:
        from netlinkpy.cli import main

        was, streams = sys.argv, (sys.stdout, sys.stderr)
        sys.argv = ["netlinkpy", *self.arguments()]
        sys.stdout, sys.stderr = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in streams)
        os.ftruncate(_SAID, 0)
        os.lseek(_SAID, 0, os.SEEK_SET)
        os.dup2(_SAID, 2)
        code: Any = 1
        try:
            code = main()
        except SystemExit as stopped:
            code = stopped.code
        finally:
            said = sys.stderr
            with contextlib.suppress(OSError):
                said.flush()
            sys.argv, (sys.stdout, sys.stderr) = was, streams
            os.dup2(_STDERR, 2)
        if code:
            words = bytearray(4096)
            size = os.preadv(_SAID, [words], 0)
            raise CommandError(f"{(said.buffer.getvalue() + words[:size]).decode()} [{code}]")


class CommandCreate(Command, Create):
    """netlinkpy network create"""

    words = ("network", "create", "web", "--subnet", SUBNET, "--aux-address", "172.30.0.9")


class CommandRemove(Command, Remove):
    """netlinkpy network rm"""

    words = ("network", "rm", "web")

    def undo(self) -> None:
        self.network = Create.do(self)


class CommandAttach(Command, Attach):
    """netlinkpy attach"""

    def arguments(self) -> list[str]:
        address = f"{self.wanted[0].addresses}"
        return ["attach", self.containers[0].path, "--bridge", BRIDGE, "--ip", address]


class CommandConnect(Command, Connect):
    """netlinkpy network connect"""

    def arguments(self) -> list[str]:
        return ["network", "connect", "web", self.containers[0].path]


class RunDetached(Command):
    """netlinkpy run -d, in a network, with a port of the host."""

    goes_on = True

    words = ("run", "-d", "--name", "one", "--net", "web", "-p", "8080:80", "sleep", "1000")

    def __init__(self, host: nl.RTNetlink, containers: list[BareNamespace]) -> None:
        super().__init__(host, containers)
        self.network = nl.Network.create("web", subnets=SUBNET)

    def undo(self) -> None:
        with nl.run.Call("one") as call:
            call.stop(0)
        reap()

    def check_complete(self) -> None:
        (one,) = nl.run.listing()
        assert one.name == "one"
        with Nat() as nat:
            assert [(port.port, port.target) for port in nat.ports()] == [(8080, 80)]
        assert nl.Attachment.find(one.pid).bridge == "web"


class Stop(Command):
    """netlinkpy stop"""

    takes_away = True

    words: tuple[str, ...] = ("stop", "-t", "1", "one")

    def __init__(self, host: nl.RTNetlink, containers: list[BareNamespace]) -> None:
        super().__init__(host, containers)
        self.started = RunDetached(host, containers)
        self.undo()

    def undo(self) -> None:
        self.started.do()

    def check_complete(self) -> None:
        assert not nl.run.listing()
        with Nat() as nat:
            assert not nat.ports()


class Run(Stop):
    """netlinkpy run"""

    words: tuple[str, ...] = ("run", "--net", "web", "-p", "8080:80", "true")

    def undo(self) -> None:
        pass


def reap() -> None:
    """Wait for the children that have ended: a command that goes on is this process's own child here."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _is_childless() -> bool:
    reap()
    return not children()


def stop_all() -> None:
    """Stop what still runs."""
    for one in nl.run.listing():
        with nl.run.Call(one.name) as call:
            call.stop(0)
    eventually(_is_childless)


#: What a user types.
COMMANDS: list[type[Case]] = [
    CommandAttach,
    CommandCreate,
    CommandRemove,
    CommandConnect,
    Run,
    RunDetached,
    Stop,
]
