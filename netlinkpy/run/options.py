"""Options: what to run and how to wire it, as the caller says it, and the check that it makes sense."""

from __future__ import annotations

import os

from ..record import Record
from .published_ports import PublishedPort
from .running import check_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal, TypeAlias

    Mode: TypeAlias = Literal["host", "none", "container", "network"]

HOST_NAME_MAX = 64  # bytes (linux/utsname.h)


class Options(Record):
    """What to run.

    command: its words. net: "bridge" or another network's name; "host": the caller's network itself; "none":
    a network of its own with lo alone; "container:TARGET": that of another container (one of ours by name,
    pid:N, a pid, netns:NAME, docker:NAME, podman:NAME). name: found by `ps` and others (None: made up).

    On a network: bridge: one of the caller's namespace, in place of a network known by name; ip, ip6: its
    addresses with prefix length; mac: see Endpoint; gateways: of the default routes (empty: the bridge's
    own); ports: published ones, "[ADDRESS:]HOST:CONTAINER[/udp]".

    dns: servers, in a resolv.conf of its own; hostname: (None: its name, the host's with "host", the other's
    with "container:"); privileged: keeps every capability, CAP_NET_ADMIN and CAP_SYS_ADMIN among them;
    interactive: standard input is passed on; tty: a terminal of its own."""

    _freezes = True

    command: tuple[str, ...]
    net: str = "bridge"
    name: str | None = None
    bridge: str | None = None
    ip: str | None = None
    ip6: str | None = None
    mac: str | None = None
    gateways: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    hostname: str | None = None
    privileged: bool = False
    interactive: bool = False
    tty: bool = False

    @property
    def mode(self) -> Mode:
        """Which of the four modes `net` names."""
        if self.net == "host":
            return "host"
        if self.net == "none":
            return "none"
        return "container" if self.net.startswith("container:") else "network"

    @property
    def target(self) -> str:
        """What stands behind "container:"."""
        return self.net.removeprefix("container:")


def checked(options: Options) -> Options:
    """Return the same with a name. Raise ValueError if they contradict one another, or cannot be."""
    options = options.replace(
        command=_words(options.command),
        gateways=_words(options.gateways),
        ports=_words(options.ports),
        dns=_words(options.dns),
    )
    if not options.command or not options.command[0]:
        raise ValueError("a command is needed")
    places = set()
    for text in options.ports:
        port = PublishedPort.parse(text)
        if port.on_loopback and port.protocol != "tcp":
            raise ValueError(f"port {text}: to {port.host} the host reaches a container by TCP alone")
        if str(port) in places:
            raise ValueError(f"port {port} is published twice")
        places.add(str(port))
    if options.dns:
        from ..rtnl.values import parse_ip

        for address in options.dns:
            parse_ip(address)
    for option, given_ip, six in (("ip", options.ip, False), ("ip6", options.ip6, True)):
        if given_ip is not None and (":" in given_ip) is not six:
            raise ValueError(f"{option}: {given_ip!r} is not an IPv{6 if six else 4} address")
    if options.hostname is not None and not 0 < len(os.fsencode(options.hostname)) <= HOST_NAME_MAX:
        raise ValueError(f"a host name has from 1 to {HOST_NAME_MAX} bytes")
    wiring = {
        "a bridge": options.bridge,
        "an address": options.ip or options.ip6,
        "a MAC address": options.mac,
        "a default gateway": options.gateways,
        "published ports": options.ports,
    }
    mode = options.mode
    given = next((what for what, value in wiring.items() if value), None)
    if mode != "network" and given:
        raise ValueError(f"{given} cannot be had with --net={options.net}: it is for a network")
    if mode == "container" and (options.dns or options.hostname):
        what = "a host name" if options.hostname else "DNS servers"
        raise ValueError(f"{what} of its own cannot be had with --net={options.net}: it shares the other's")
    if options.name is None:
        return options.replace(name=f"run-{os.urandom(4).hex()}")
    check_name(options.name)
    return options


def _words(given: str | Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)
