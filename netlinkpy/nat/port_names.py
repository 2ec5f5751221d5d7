"""Published ports as alternative names of the container's host end, which die with it:

    port:tcp:0.0.0.0:8080:172.17.0.2:80               at any address of the host
    port:udp:[2001:db8::1]:53:[fd00::2]:5353          at one of its addresses
    port:tcp:0.0.0.0:8000-8099:172.17.0.2:8000-8099   a hundred, each to the port of the same place
    port:tcp:0.0.0.0:8000-8099:172.17.0.2:80          a hundred to one
    port:tcp:0.0.0.0:8080:172.17.0.2:80:localhost     also at 127.0.0.1

A name stands before its port is in the packet filter, and goes before the port goes. So a port that no link
names is nobody's, and a named port that is not in the filter was taken away by somebody else."""

from __future__ import annotations

import errno

from ..rtnl.claims import claim_name, claimed_addresses
from ..rtnl.values import format_ip, parse_ip
from ..wire.errors import NetlinkError
from .records import Port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..rtnl.link import Link
    from ..rtnl.netlink import RTNetlink

    Ports = frozenset[Port] | set[Port]

MOST_NAMES = 400  # of ports on one link: all its names must fit one attribute of 64 KiB
_ROUNDS = 8  # how often it is tried again if another call changes the same names at the same time
_SCHEME = "port:"
_LOCALHOST = ":localhost"


def encode(ports: Iterable[Port]) -> list[str]:
    """Return the names that say these ports: as few as there can be, and the same for the same ports."""
    lists: dict[tuple[str, str, str, bool], list[tuple[int, int]]] = {}
    for one in ports:
        kind = one.protocol, _host(one), one.address, one.localhost
        lists.setdefault(kind, []).append((one.port, one.target))
    return [_name(kind, run) for kind in sorted(lists) for run in _runs(sorted(set(lists[kind])))]


def decode(names: Iterable[str]) -> list[Port]:
    """Return the ports that alternative names say. A name that says none is passed over: anybody may give
    names."""
    found: list[Port] = []
    for name in names:
        if name.startswith(_SCHEME):
            try:
                found += _ports(name[len(_SCHEME) :])
            except ValueError:
                continue
    return found


def _host(port: Port) -> str:
    return port.host or ("::" if ":" in port.address else "0.0.0.0")


def _runs(pairs: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Return (port, target) pairs, in order, in runs that one name says: the ports follow each other, and so
    do the targets, or they are one."""
    runs: list[list[tuple[int, int]]] = []
    for port, target in pairs:
        run = runs[-1] if runs else []
        if run and port == run[-1][0] + 1:
            step = run[1][1] - run[0][1] if len(run) > 1 else target - run[0][1]
            if step in (0, 1) and target == run[-1][1] + step:
                run.append((port, target))
                continue
        runs.append([(port, target)])
    return runs


def _name(kind: tuple[str, str, str, bool], run: list[tuple[int, int]]) -> str:
    protocol, host, address, localhost = kind
    (first, target), (last, last_target) = run[0], run[-1]
    ports, targets = _range(first, last), _range(target, last_target)
    end = _LOCALHOST if localhost else ""
    return f"{_SCHEME}{protocol}:{_bracketed(host)}:{ports}:{_bracketed(address)}:{targets}{end}"


def _ports(text: str) -> list[Port]:
    plain = text.removesuffix(_LOCALHOST)
    protocol, _, rest = plain.partition(":")
    host, rest = _address(rest)
    ports, _, rest = rest.partition(":")
    address, targets = _address(rest)
    (first, last), (target, last_target) = _numbers(ports), _numbers(targets)
    step = int(last_target > target)
    if not 0 < first <= last < 65536 or not 0 < target <= last_target < 65536:
        raise ValueError(text)
    if step and last_target - target != last - first:
        raise ValueError(text)
    bound = host if any(parse_ip(host)) else ""
    return [
        Port(protocol, first + row, address, target + row * step, bound, plain != text)
        for row in range(last - first + 1)
    ]


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _numbers(text: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    return int(first), int(last if dash else first)


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _address(text: str) -> tuple[str, str]:
    """Return the address at the beginning of a text, as format_ip() writes it, and what comes after its
    colon."""
    inside, _, rest = text[1:].partition("]:") if text.startswith("[") else text.partition(":")
    return format_ip(parse_ip(inside)), rest


def named_ports(links: Iterable[Link]) -> list[Port]:
    """Return the ports that links name, of the addresses that these claim."""
    found: list[Port] = []
    for link in links:
        if any(name.startswith(_SCHEME) for name in link.altnames):
            claimed = claimed_addresses(link.altnames)
            found += [port for port in decode(link.altnames) if port.address in claimed]
    return found


class PortNames:
    """The names of the ports of one call, given to and taken from the links that claim their addresses.

    added: the ports that had no name before; removed: those that had one."""

    def __init__(self, host: RTNetlink, verb: str) -> None:
        """verb: what the call does, for errors."""
        self._host = host
        self._verb = verb
        self._homes: dict[str, int] = {}
        self.added: list[Port] = []
        self.removed: list[Port] = []

    def add(self, ports: Iterable[Port], homes: dict[str, int]) -> None:
        """Name ports. homes: the index of the bridge of each address. Raise NetlinkError (ENOENT) if no link
        claims an address, or (ENOSPC) if one has no room for the names."""
        self._homes = homes
        for address, theirs in _by_address(ports):
            link = self._home(address)
            if link is None:
                text = f"no container of ours has {address}"
                raise NetlinkError(errno.ENOENT, self._verb, text=text)
            self.added += [port for port in theirs if port not in set(decode(link.altnames))]
            self._rewrite(link, new=theirs)

    def remove(self, ports: Iterable[Port], homes: dict[str, int]) -> None:
        """Take the names of ports away; those that are gone, with their link or without, are passed over."""
        self._homes = homes
        for address, theirs in _by_address(ports):
            link = self._home(address)
            if link is not None:
                self.removed += theirs.intersection(decode(link.altnames))
                self._rewrite(link, gone=theirs)

    def undo(self) -> None:
        """Take the names away that add() gave, and give those that remove() took, as far as the links are
        there."""
        for address, theirs in _by_address(self.added):
            if (link := self._home(address)) is not None:
                self._rewrite(link, gone=theirs)
        for address, theirs in _by_address(self.removed):
            if (link := self._home(address)) is not None:
                self._rewrite(link, new=theirs)

    def _home(self, address: str) -> Link | None:
        """Return the link that claims an address; None if there is none."""
        if address not in self._homes:
            return None
        return self._host.links.find(claim_name(self._homes[address], parse_ip(address)))

    def _rewrite(self, link: Link, new: Ports = frozenset(), gone: Ports = frozenset()) -> None:
        """Have a link name new ports too, and others no longer. A name is added before others are
        deleted, so that no port is without one meanwhile; another call may do the same at the same time."""
        for _ in range(_ROUNDS):
            before = {name for name in link.altnames if decode([name])}
            after = set(encode(new.union(decode(before)) - gone))
            if len(after) > MOST_NAMES:
                text = f"a container has room for {MOST_NAMES} ports or ranges of ports, not for {len(after)}"
                raise NetlinkError(errno.ENOSPC, self._verb, text=text)
            try:
                if after - before:
                    self._host.links.add_altnames(link.index, sorted(after - before))
                if before - after:
                    self._host.links.delete_altnames(link.index, sorted(before - after))
                return
            except NetlinkError as error:
                if error.errno not in (errno.EEXIST, errno.ENOENT, errno.EINVAL):
                    if error.errno == errno.ENODEV:
                        return  # the container is gone, and its names with it
                    raise
                failed = error
            found = self._host.links.find(link.index)
            if found is None:
                return
            link = found
        raise failed


def _by_address(ports: Iterable[Port]) -> Iterable[tuple[str, set[Port]]]:
    found: dict[str, set[Port]] = {}
    for port in ports:
        plain = port.replace(host="") if port.host in ("0.0.0.0", "::") else port
        found.setdefault(port.address, set()).add(plain)
    return found.items()
