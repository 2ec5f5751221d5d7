"""Forwarding, and the other settings under /proc/sys/net that networks need: changed only where necessary,
and put back with the last network of the IP version.

Only links that need it forward: the bridges of networks, the links that lead outside (the uplinks), and those
at whose addresses ports are published; the host becomes no router between its other links. An alternative
name of a link remembers what we changed there:

    forwarding4:IFINDEX   net.ipv4.conf.LINK.forwarding was 0
    forwarding6:IFINDEX   net.ipv6.conf.LINK.force_forwarding was 0 (since Linux 6.17)
    forwarding6:all       on lo: net.ipv6.conf.all.forwarding was 0 (before Linux 6.17)
    accept_ra:IFINDEX     net.ipv6.conf.LINK.accept_ra was 1

All of it acts on the network namespace of the calling thread: what /proc/sys/net shows depends on who opens
it. Source: Documentation/networking/ip-sysctl.rst of the kernel."""

from __future__ import annotations

import errno
import os
from struct import Struct

from ..os_error import explained
from ..record import Record
from ..rollback import Rollback
from ..rtnl.link import Link
from ..uapi.ip import IPV4_DEVCONF_FORWARDING
from ..uapi.ipv6 import DEVCONF_FORCE_FORWARDING
from ..uapi.ipv6_route import RTF_ADDRCONF, RTF_DEFAULT
from ..uapi.rtnetlink import (
    RT_TABLE_MAIN,
    RTEXT_FILTER_SKIP_STATS,
    RTM_GETLINK,
    RTM_GETROUTE,
    RTM_NEWLINK,
    RTM_NEWROUTE,
)
from ..uapi.socket import AF_INET, AF_INET6, AF_UNSPEC
from ..wire.columns import Field, Plan, number, pick
from ..wire.errors import NetlinkError
from ..wire.rtnetlink.link import LINK
from ..wire.rtnetlink.route import ROUTE
from ..wire.transaction import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from typing import Any

    from ..rtnl.netlink import RTNetlink
    from ..wire.rtnetlink.typed_values import LinkValues, RouteValues
    from ..wire.transaction import Answer

_ROOT = "/proc/sys/"
_ALL6 = "net/ipv6/conf/all/forwarding"
_DEVCONF = Struct("=HHI")  # an attribute of IFLA_INET_CONF: length, number of the setting, value
_U32 = 4  # bytes of a setting
_CONF_ROOM = 512  # bytes: twice what Linux 6.18 has of settings
_LO = 1  # the index of lo in every namespace
_MEANINGS = {  # by the last part of a setting's name, and its new value
    ("forwarding", "1"): "packets that arrive there for others are forwarded",
    ("force_forwarding", "1"): "IPv6 packets that arrive there for others are forwarded",
    ("ip_forward", "1"): "the host forwards between all its links",
    ("accept_ra", "2"): "it keeps its default route although the host forwards IPv6",
    ("route_localnet", "1"): "packets for 127.0.0.0/8 may pass there, and the table keeps strangers' out",
}


class Setting(Record):
    """A setting that was changed: its name in sysctl(8)'s form ("net.ipv4.ip_forward"), the value before and
    after."""

    name: str
    before: str
    after: str

    def __str__(self) -> str:
        last = "ip_forward" if self.name == "net.ipv6.conf.all.forwarding" else self.name.rpartition(".")[2]
        meaning = _MEANINGS.get((last, self.after))
        said = f"{self.name} is {self.after} now, it was {self.before}"
        return f"{said}: {meaning}" if meaning else said


def turn_on(
    host: RTNetlink, links: Iterable[Link], bridges: Collection[int], versions: Collection[int]
) -> list[Setting]:
    """Let packets of some IP versions (4, 6) be forwarded that arrive by links, and by the uplinks. bridges:
    the indices of all bridges of ours, which listen to no router advertisement. Return what was changed.

    Raise OSError if a setting cannot be written; then none is changed."""
    with Rollback() as rollback, rollback:
        changer = _Changer(host, rollback)
        for index, mark, name in _needed(host, links, versions):
            if name == _ALL6:
                _keep_advertised(changer, bridges)
            changer.set(index, mark, name, "1")
    return changer.changes


def turned_off(host: RTNetlink, links: Iterable[Link], versions: Collection[int]) -> list[str]:
    """Return the names of the settings that turn_on() would change to 1, by sysctl(8)'s spelling."""
    return [_swapped(name) for _, _, name in _needed(host, links, versions) if _read(name) != "1"]


def _needed(
    host: RTNetlink, links: Iterable[Link], versions: Collection[int]
) -> Iterator[tuple[int, str, str]]:
    """Yield (index, alternative name that remembers a change, setting) of what must be 1 for packets to be
    forwarded that arrive by links, and by the uplinks."""
    for version in sorted(versions):
        ways = {link.index: link for link in (*links, *uplinks(host, version))}
        mark = f"forwarding{version}"
        if version == 6 and not any(map(_forces, ways.values())):
            yield _LO, f"{mark}:all", _ALL6
            continue
        path = "net/ipv4/conf/{}/forwarding" if version == 4 else "net/ipv6/conf/{}/force_forwarding"
        for link in ways.values():
            yield link.index, f"{mark}:{link.index}", path.format(link.name)


def forward_all(changes: list[Setting]) -> list[Setting]:
    """Make the host forward between all its links, for good. changes: as for _set()."""
    wanted = [("net/ipv4/ip_forward", "1")]
    if os.path.exists(_ROOT + _ALL6):
        wanted.append((_ALL6, "1"))
    return _set(wanted, changes)


def put_back(host: RTNetlink, gone: int, versions: Collection[int], rollback: Rollback) -> list[Setting]:
    """Put back what links remember that we changed, and return it. gone: the index of a bridge that is no
    network's any more; versions: the IP versions for which all others still need it; rollback: learns how to
    change it again."""
    changes: list[Setting] = []
    for link in host.links.list():
        for altname in link.altnames:
            what, _, where = altname.partition(":")
            if what in _BEFORE and where in (str(link.index), "all"):
                version, path, value = _BEFORE[what]
                if where == "all":
                    path = _ALL6
                elif what == "forwarding6" and not _forces(link):
                    continue
                if version in versions and link.index != gone:
                    continue
                name = path.format(link.name)
                before = _read(name)
                rollback.before(_give_name, host, link.index, altname)
                if before != value:
                    rollback.before(_write_of_link, host, link.index, name, before)
                    _write_of_link(host, link.index, name, value)
                    changes.append(Setting(_swapped(name), before, value))
                _take_name(host, link.index, altname)
    return changes


_BEFORE = {  # by what an alternative name remembers: the IP version, the setting, its value before
    "forwarding4": (4, "net/ipv4/conf/{}/forwarding", "0"),
    "forwarding6": (6, "net/ipv6/conf/{}/force_forwarding", "0"),
    "accept_ra": (6, "net/ipv6/conf/{}/accept_ra", "1"),
}


def uplinks(host: RTNetlink, version: int) -> list[Link]:
    """Return the links that lead outside by an IP version, 4 or 6: first the one that packets take now, which
    may be a VPN's (by 0.0.0.0/1 and 128.0.0.0/1, or by a rule and a table of its own), then those of default
    routes in the main table."""
    request = Request("look for the way out", ROUTE, RTM_GETROUTE, 0, _OUTSIDE[version])
    way = _way(host.socket.ask([request])[0])
    indices = {} if way is None else {way: None}
    for route in host.routes.list(family=AF_INET if version == 4 else AF_INET6, table=None):
        if route.table == RT_TABLE_MAIN and route.destination == "default" and route.type == "unicast":
            hops = [route.index, *(hop.dev for hop in route.nexthops if isinstance(hop.dev, int))]
            indices.update(dict.fromkeys(index for index in hops if index))
    found = [host.links.find(index) for index in indices if index != _LO]
    return [link for link in found if link is not None]


class Ways:
    """A bridge, and the links by which the kernel would send packets to the outside now: one question, where
    turned_off() lists all routes. bridge: None if it is gone."""

    def __init__(self, host: RTNetlink, index: int) -> None:
        """index: of the bridge."""
        self._host = host
        links = [index, *(one for one in set(_last_ways.values()) if one != index)]
        asked = [Request("look at a link", LINK, RTM_GETLINK, 0, _by_index(one)) for one in links]
        asked += [Request("look for the way out", ROUTE, RTM_GETROUTE, 0, _OUTSIDE[one]) for one in _OUTSIDE]
        *found, way4, way6 = host.socket.ask(asked)
        self._bodies = {
            link: answer.replies[0].body for link, answer in zip(links, found, strict=True) if answer.replies
        }
        self._answers = {4: way4, 6: way6}
        self.bridge = Link.from_body(self._bodies[index]) if index in self._bodies else None
        self._index = index

    def forward(self, version: int) -> bool:
        """Return whether packets of an IP version (4, 6) are forwarded that arrive by the bridge, and by the
        way out."""
        plans = _plans or _make_plans()
        links = [self._index]
        way = _way(self._answers[version])
        if way is not None and way != _LO:
            links.append(way)
            if way not in self._bodies:
                verb = "look at the way out"
                self._bodies[way] = self._host.socket.get_body(LINK, RTM_GETLINK, _by_index(way), verb=verb)
            _last_ways[version] = way
        return all(_forwards(pick(plans[f"{version}"], self._bodies[one]), version) for one in links)


_last_ways: dict[int, int] = {}  # by IP version: the index of the link; asked for with the next question


def _way(answer: Answer) -> int | None:
    """Return the link of a route that was asked for; None if there is none."""
    plans = _plans or _make_plans()
    found: int | None = pick(plans["way"], answer.replies[0].body)[0] if answer.replies else None
    return found


def _by_index(index: int) -> LinkValues:
    return {"ifi_index": index, "ext_mask": RTEXT_FILTER_SKIP_STATS}


def _forwards(settings: list[Any], version: int) -> bool:
    """Return whether a link forwards, given its settings and their length in bytes, None if it has none."""
    conf, length = settings
    if conf is None:
        return True
    at = (IPV4_DEVCONF_FORWARDING - 1 if version == 4 else DEVCONF_FORCE_FORWARDING) * _U32
    return any(conf[at : at + _U32]) if at < length else _read(_ALL6) == "1"


_OUTSIDE: dict[int, RouteValues] = {  # addresses that no host has: class E, and RFC 9637's for documentation
    4: {"rtm_family": AF_INET, "rtm_dst_len": 32, "dst": b"\xff\xff\xff\xfe"},
    6: {"rtm_family": AF_INET6, "rtm_dst_len": 128, "dst": b"\x3f\xff\xff\xff" + bytes(11) + b"\1"},
}
_plans: dict[str, Plan] = {}


def _make_plans() -> dict[str, Plan]:
    """Return the plans for the link of a route, and for the settings of a link, by IP version."""
    _plans["way"] = Plan(ROUTE, RTM_NEWROUTE, {"index": number(ROUTE, "oif")})
    for version, suffix in (("4", ""), ("6", "6")):
        path = f"af_spec[{AF_UNSPEC}].inet{suffix}.conf"
        fields = {"conf": Field(path, _CONF_ROOM), "length": Field(path, 2, "H", length=True)}
        _plans[version] = Plan(LINK, RTM_NEWLINK, fields)
    return _plans


class _Changer:
    """Changes settings of links, each remembered by a name of its link."""

    def __init__(self, host: RTNetlink, rollback: Rollback) -> None:
        self.host = host
        self.changes: list[Setting] = []
        self._rollback = rollback

    def set(self, index: int, altname: str, name: str, value: str) -> None:
        """Set one setting, unless it is so. The name stands before: a call that dies between leaves a name
        too many, and what it says is true."""
        before = _read(name)
        if before == value:
            return
        self._rollback.before(_take_name, self.host, index, altname)
        self._rollback.before(_write_of_link, self.host, index, name, before)
        _give_name(self.host, index, altname)
        _write_of_link(self.host, index, name, value)
        self.changes.append(Setting(_swapped(name), before, value))


def _keep_advertised(changer: _Changer, bridges: Collection[int]) -> None:
    """Keep the default routes learned from router advertisements, before IPv6 is forwarded between all links
    (where it cannot be said of one: before Linux 6.17).

    When that is turned on, the kernel forgets them and learns no more (accept_ra 1); so interfaces that
    depend on them are set to keep accepting (accept_ra 2). A bridge of ours never is."""
    if _read(_ALL6) == "0":
        for name in _advertised():
            link = changer.host.links.find(name)
            path = f"net/ipv6/conf/{name}/accept_ra"
            if link is not None and link.index not in bridges and _read(path) == "1":
                changer.set(link.index, f"accept_ra:{link.index}", path, "2")


def _write_of_link(host: RTNetlink, index: int, name: str, value: str) -> None:
    """Give a setting of a link a value, unless it has it: IPv4 forwarding by netlink where /proc/sys is
    read-only. (By /proc the kernel also turns off a card's LRO, which does not go with forwarding.)"""
    if _read(name) == value:
        return
    try:
        _write(name, value)
    except OSError as error:
        is_forwarding = name.startswith("net/ipv4/conf/") and name.endswith("/forwarding")
        if error.errno not in (errno.EROFS, errno.EACCES) or not is_forwarding:
            raise
        conf = _DEVCONF.pack(_DEVCONF.size, IPV4_DEVCONF_FORWARDING, int(value))
        values = {"ifi_index": index, "af_spec": {"inet": {"conf": conf}}}
        host.socket.request(LINK, RTM_NEWLINK, 0, values, verb=f"set {_swapped(name)}")


def _forces(link: Link) -> bool:
    """Return whether IPv6 forwarding can be turned on for one link: since Linux 6.17."""
    return os.path.exists(f"{_ROOT}net/ipv6/conf/{link.name}/force_forwarding")


def _give_name(host: RTNetlink, index: int, altname: str) -> None:
    try:
        host.links.add_altnames(index, [altname])
    except NetlinkError as error:
        if error.errno != errno.EEXIST:  # it was set by us, and taken back by another program since
            raise


def _take_name(host: RTNetlink, index: int, altname: str) -> None:
    try:
        host.links.delete_altnames(index, [altname])
    except NetlinkError as error:
        if error.errno not in (errno.ENODEV, errno.ENOENT, errno.EINVAL):
            raise


def route_localnet(links: Iterable[Link], on: bool, changes: list[Setting]) -> list[Setting]:
    """Let 127.0.0.0/8 pass between lo and bridges, or no longer. Use it only together with the rules that
    drop packets with forged addresses of that net: the chain `loopback` of the table. changes: as for
    _set()."""
    wanted = [(f"net/ipv4/conf/{link.name}/route_localnet", str(int(on))) for link in links]
    return _set(wanted, changes)


def undo(changes: Iterable[Setting]) -> None:
    """Give settings the values they had before."""
    for change in reversed(list(changes)):
        _write(_swapped(change.name), change.before)


def _set(wanted: Iterable[tuple[str, str]], changes: list[Setting]) -> list[Setting]:
    """changes: gets each before it is made, so that the caller can undo them at any moment."""
    with Rollback() as rollback, rollback:
        for name, value in wanted:
            before = _read(name)
            if before != value:
                rollback.before(_restore, name, before)
                changes.append(Setting(_swapped(name), before, value))
                _write(name, value)
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
    except OSError as error:
        raise explained(error, f"read {_swapped(name)}") from None


def _write(name: str, value: str) -> None:
    try:
        with open(_ROOT + name, "w") as file:
            file.write(value)
    except OSError as error:
        raise explained(error, f"set {_swapped(name)} to {value}") from None


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
