"""The settings under /proc/sys/net that networks need: changed only if necessary, and reported.

All of it acts on the network namespace of the calling thread: what /proc/sys/net shows depends on who opens
it. Source: Documentation/networking/ip-sysctl.rst of the kernel."""

from __future__ import annotations

import os

from ..record import Record
from ..rollback import Rollback
from ..uapi.ipv6_route import RTF_ADDRCONF, RTF_DEFAULT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_ROOT = "/proc/sys/"


class Setting(Record):
    """A setting that was changed: its name in sysctl(8)'s form ("net.ipv4.ip_forward"), the value before and
    after."""

    name: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.name} is {self.after} now, it was {self.before}"


def forward(bridge: str, *, ipv4: bool, ipv6: bool) -> list[Setting]:
    """Make the host forward packets, as routers do, and from a bridge.

    When IPv6 forwarding is turned on, the kernel forgets the default routes learned from router
    advertisements and learns no more (accept_ra 1); so interfaces that depend on them are set to keep
    accepting (accept_ra 2) before. Raise OSError if a setting cannot be written; then none is changed."""
    wanted = []
    if ipv4:
        wanted.append(("net/ipv4/ip_forward", "1"))
        if os.path.exists(f"{_ROOT}net/ipv4/conf/{bridge}"):
            wanted.append((f"net/ipv4/conf/{bridge}/forwarding", "1"))
    if ipv6:
        if _read("net/ipv6/conf/all/forwarding") == "0":
            names = (f"net/ipv6/conf/{dev}/accept_ra" for dev in _advertised())
            wanted += [(name, "2") for name in names if _read(name) == "1"]
        wanted.append(("net/ipv6/conf/all/forwarding", "1"))
    return _set(wanted)


def route_localnet(bridges: Iterable[str], on: bool) -> list[Setting]:
    """Let 127.0.0.0/8 pass between lo and bridges, or no longer (a bridge that is gone is skipped). Use it
    only together with the rules that drop packets with forged addresses of that net: the chain `loopback` of
    the table."""
    names = [f"net/ipv4/conf/{bridge}/route_localnet" for bridge in bridges]
    if on and _read("net/ipv4/conf/all/route_localnet") == "1":
        return []
    return _set([(name, str(int(on))) for name in names if os.path.exists(_ROOT + name)])


def undo(changes: Iterable[Setting]) -> None:
    """Give settings the values they had before."""
    for change in reversed(list(changes)):
        _write(_swapped(change.name), change.before)


def _set(wanted: Iterable[tuple[str, str]]) -> list[Setting]:
    changes: list[Setting] = []
    with Rollback() as rollback, rollback:
        for name, value in wanted:
            before = _read(name)
            if before != value:
                rollback.before(_restore, name, before)
                _write(name, value)
                changes.append(Setting(_swapped(name), before, value))
    return changes


def _restore(name: str, value: str) -> None:
    if _read(name) != value:
        _write(name, value)


def _read(name: str) -> str:
    try:
        with open(_ROOT + name) as file:
            return file.read().strip()
    except FileNotFoundError as error:
        why = "this kernel has no IPv6, or it is off" if "/ipv6/" in name else "there is no such setting"
        raise FileNotFoundError(error.errno, f"{_swapped(name)}: {why}", error.filename) from None


def _write(name: str, value: str) -> None:
    try:
        with open(_ROOT + name, "w") as file:
            file.write(value)
    except OSError as error:
        why = f"cannot set {_swapped(name)} to {value}: {error.strerror}"
        raise OSError(error.errno, why, error.filename) from None


def _advertised() -> list[str]:
    """Return the interfaces with a default route from a router advertisement (in /proc/net/ipv6_route the
    flags are the last column but one)."""
    with open("/proc/thread-self/net/ipv6_route") as file:
        rows = [line.split() for line in file]
    wanted = RTF_DEFAULT | RTF_ADDRCONF
    return sorted({row[-1] for row in rows if int(row[-2], 16) & wanted == wanted})


def _swapped(name: str) -> str:
    """Return sysctl(8)'s spelling of a path under /proc/sys, or back: slashes and dots change places."""
    return name.translate({ord("/"): ".", ord("."): "/"})
