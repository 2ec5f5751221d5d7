"""Link and Peer: the records of network interfaces, read from the kernel's messages."""

from __future__ import annotations

from ..framing import frame
from ..record import Record
from ..uapi.if_ import IFF_UP, IFNAMSIZ
from ..uapi.rtnetlink import RTM_NEWLINK
from ..wire.columns import Field, Plan, Table, number
from ..wire.errors import MalformedError
from ..wire.rtnetlink.kinds import find
from ..wire.rtnetlink.link import LINK
from .kernel_record import KernelRecord
from .values import format_mac

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from typing import Any

    from ..netns.handle import Target

OPERSTATES = (
    "unknown",
    "notpresent",
    "down",
    "lowerlayerdown",
    "testing",
    "dormant",
    "up",
)  # RFC 2863, linux/if.h
_ADDRESS_ROOM = 32  # MAX_ADDR_LEN, linux/netdevice.h
_KIND_ROOM = 32  # no kind of the kernel has a longer name


class Link(KernelRecord):
    """An interface as the kernel reports it (RTM_NEWLINK).

    kind: "veth", "bridge" ..., empty for hardware and lo; address, broadcast: hardware addresses; master: the
    index of its bridge, None if it has none; link: the index of the link it belongs to (IFLA_LINK: a vlan's
    parent, a veth's peer), None if there is none; link_nsid: the id of the namespace that `link` is in, None
    if it is this one; mtu and the rest: as `ip -d link` shows; body: the message."""

    index: int
    name: str
    kind: str
    flags: int
    mtu: int
    address: str
    broadcast: str
    master: int | None
    link: int | None
    link_nsid: int | None
    operstate: str
    group: int
    txqueuelen: int
    body: bytes

    _message = LINK

    @property
    def up(self) -> bool:
        """True if it is administratively up (IFF_UP)."""
        return bool(self.flags & IFF_UP)

    @property
    def peer(self) -> int | None:
        """The index of its peer if its kind comes in pairs (veth), else None."""
        return self.link if _is_paired(self.kind) else None

    @property
    def peer_nsid(self) -> int | None:
        """The id of the namespace that its peer is in, None if it is this one or there is none; -1 if that
        namespace is ending."""
        return self.link_nsid if _is_paired(self.kind) else None

    @property
    def altnames(self) -> tuple[str, ...]:
        """Its alternative names."""
        return tuple(self.attributes.get("prop_list", {}).get("alt_ifname", ()))

    @property
    def alias(self) -> str:
        """Its alias, a free text (`ip link set alias`)."""
        return str(self.attributes.get("ifalias", ""))

    @property
    def data(self) -> dict[Any, Any]:
        """The attributes of its kind by the kernel's names (a bridge: stp_state, ageing_time ...)."""
        found: dict[Any, Any] = self.attributes.get("linkinfo", {}).get("data", {})
        return found

    @property
    def port(self) -> dict[Any, Any]:
        """The attributes of its master's kind (a port of a bridge: state, cost ...)."""
        found: dict[Any, Any] = self.attributes.get("linkinfo", {}).get("slave_data", {})
        return found

    @classmethod
    def from_body(cls, body: bytes) -> Link:
        """Return the record of one link message without its nlmsghdr. Raise MalformedError if it is none."""
        table = Table(plan(), 2, keep=True)
        message = frame(RTM_NEWLINK, 0, 0, body)
        try:
            table.feed(message, len(message))
        except ValueError as error:
            raise MalformedError(f"link: {error}") from None
        return read(table)[0]


class Peer(Record):
    """The peer of a veth that links.add() makes: name, the namespace it is born in (None: the same), hardware
    address, MTU, index.

    It is born down and without a master: the kernel refuses the one and ignores the other. Bring it up in its
    namespace."""

    name: str
    netns: Target | None = None
    address: str | None = None
    mtu: int | None = None
    index: int | None = None


def _is_paired(name: str) -> bool:
    kind = find(name)
    return kind is not None and "peer" in kind.takes


def columns() -> Plan:
    """Return the columns of links."""
    return _plans.get("columns") or _plans.setdefault("columns", Plan(LINK, RTM_NEWLINK, _fields()))


def plan() -> Plan:
    """Return the plan by which read() reads links."""
    if "records" not in _plans:
        lengths = {
            "address_length": Field("address", 2, "H", length=True),
            "broadcast_length": Field("broadcast", 2, "H", length=True),
        }
        _plans["records"] = Plan(LINK, RTM_NEWLINK, {**_fields(), **lengths})
    return _plans["records"]


_plans: dict[str, Plan] = {}
_NAMES = ("index", "name", "kind", "flags", "mtu", "address", "broadcast", "master", "link", "link_nsid")
_MASTER, _LINK, _LINK_NSID = (1 << _NAMES.index(name) for name in ("master", "link", "link_nsid"))


def _fields() -> dict[str, Field]:
    return {
        "index": number(LINK, "ifi_index"),
        "name": Field("ifname", IFNAMSIZ),
        "kind": Field("linkinfo.kind", _KIND_ROOM),
        "flags": number(LINK, "ifi_flags"),
        "mtu": number(LINK, "mtu"),
        "address": Field("address", _ADDRESS_ROOM),
        "broadcast": Field("broadcast", _ADDRESS_ROOM),
        "master": number(LINK, "master"),
        "link": number(LINK, "link"),
        "link_nsid": Field("link_netnsid", 4, "i"),
        "operstate": number(LINK, "operstate"),
        "group": number(LINK, "group"),
        "txqueuelen": number(LINK, "txqlen"),
    }


def read(table: Table) -> builtins.list[Link]:
    """Return the links of a table that was made with plan() and keep=True."""
    links = []
    new = Link.from_row
    names = (*_NAMES, "operstate", "group", "txqueuelen", "address_length", "broadcast_length")
    columns = [table.values(name) for name in names]
    for bits, body, *row in zip(table.presence(), table.bodies, *columns, strict=True):
        index, name, kind, flags, mtu, address, broadcast, master, link, link_nsid = row[:10]
        operstate, group, txqueuelen, address_length, broadcast_length = row[10:]
        links.append(
            new(
                (
                    index,
                    name.rstrip(b"\0").decode("utf-8", "surrogateescape"),
                    kind.rstrip(b"\0").decode("utf-8", "surrogateescape"),
                    flags,
                    mtu,
                    format_mac(address[:address_length]),
                    format_mac(broadcast[:broadcast_length]),
                    master if bits & _MASTER else None,
                    link if bits & _LINK else None,
                    link_nsid if bits & _LINK_NSID else None,
                    OPERSTATES[operstate] if operstate < len(OPERSTATES) else str(operstate),
                    group,
                    txqueuelen,
                    body,
                )
            )
        )
    return links
