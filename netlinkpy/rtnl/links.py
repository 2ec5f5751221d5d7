"""Links: the verbs of links, `rt.links`."""

from __future__ import annotations

import errno
import os

from ..uapi.if_ import IFF_UP, IFNAMSIZ
from ..uapi.netlink import NLM_F_CREATE, NLM_F_ECHO, NLM_F_EXCL
from ..uapi.rtnetlink import (
    RTEXT_FILTER_SKIP_STATS,
    RTM_DELLINK,
    RTM_DELLINKPROP,
    RTM_GETLINK,
    RTM_NEWLINK,
    RTM_NEWLINKPROP,
)
from ..wire.columns import Table
from ..wire.errors import NetlinkError
from ..wire.rtnetlink.link import LINK
from .kind import check_parts, has_parent, read_options
from .link import Link, Peer, columns, plan, read
from .values import check_altname, check_ifname, check_number, name_of, parse_mac

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from collections.abc import Iterable
    from typing import Any

    from ..netns.handle import Netns, Target
    from ..wire.rtnetlink.typed_values import LinkValues
    from .netlink import RTNetlink
    from .values import Dev


class Links:
    """The links of one namespace: `rt.links`."""

    def __init__(self, rt: RTNetlink) -> None:
        self._rt = rt
        self._socket = rt.socket

    def get(self, dev: Dev) -> Link:
        """Return a link by index, name or alternative name, or as it is now by its record (so do all verbs).
        Raise NetlinkError (ENODEV) if there is none."""
        verb = f"find link {name_of(dev)}"
        values = {**_named(dev), "ext_mask": RTEXT_FILTER_SKIP_STATS}
        return Link.from_body(self._socket.get_body(LINK, RTM_GETLINK, values, verb=verb))

    def find(self, dev: Dev) -> Link | None:
        """Return a link by index, name or alternative name, None if there is none."""
        try:
            return self.get(dev)
        except NetlinkError as error:
            if error.errno != errno.ENODEV:
                raise
            return None

    def list(self, *, master: Dev | None = None, kind: str | None = None) -> builtins.list[Link]:
        """Return all links, or the ports of one bridge, or those of one kind: the kernel filters."""
        return read(self._gather(Table(plan(), keep=True), master, kind))

    def columns(self, *, master: Dev | None = None, kind: str | None = None) -> dict[str, memoryview]:
        """Return links as columns of plain buffers, which numpy wraps without a copy: index, flags, mtu,
        master, link, link_nsid, operstate, group, txqueuelen; name (16 bytes a row, padded with NUL), kind,
        address, broadcast (32 bytes a row); and present: for each row a number whose bit i says that column i
        was there (the others are zero). Filters as in list()."""
        return self._gather(Table(columns()), master, kind).columns()

    def _gather(self, table: Table, master: Dev | None, kind: str | None) -> Table:
        values: LinkValues = {"ext_mask": RTEXT_FILTER_SKIP_STATS}
        if master is not None:
            values["master"] = self._rt.index(master)
        if kind is not None:
            values["linkinfo"] = {"kind": kind}
        self._socket.gather(LINK, RTM_GETLINK, values, table, verb="list links")
        if kind is not None and table.rows and table.values("kind")[0].rstrip(b"\0") != kind.encode():
            table.clear()  # a kernel that lacks a kind ignores the filter, and has no link of it
        return table

    def add(
        self,
        name: str,
        *,
        kind: str,
        up: bool = False,
        address: str | None = None,
        mtu: int | None = None,
        master: Dev | None = None,
        link: Dev | None = None,
        peer: Peer | str | None = None,
        index: int | None = None,
        group: int | None = None,
        txqueuelen: int | None = None,
        tx_queues: int | None = None,
        rx_queues: int | None = None,
        alias: str | None = None,
        altnames: Iterable[str] = (),
        **options: Any,
    ) -> Link:
        """Create a link and return it as the kernel has it.

        kind: one of wire/rtnetlink/kinds/ ("bridge", "veth", "vlan" ...), or any that needs no options;
        options: those of the kind, by the kernel's names without prefix or by ip's words, in the kernel's
        units (bridge: ageing_time=30000 hundredths of a second, mcast_snooping=False ...); link: the parent
        of a kind that stands on another link; peer: a veth's. address: hardware address; mtu: bytes; master:
        a bridge. Alias and alternative names, which the kernel ignores in a create, are set in messages of
        their own; if they are refused the link is removed again.

        Raise TypeError if the kind does not take what is given or lacks what it needs, NetlinkError if the
        name, the peer's name or the index is taken (EEXIST), for a multicast or zero address (EADDRNOTAVAIL),
        and whatever else the kernel refuses."""
        values: LinkValues = {
            "ifi_index": 0 if index is None else check_number(index, 1, 0x7FFFFFFF, "index")
        }
        if up:
            values["ifi_flags"] = values["ifi_change"] = IFF_UP
        values["ifname"] = check_ifname(name)
        values.update(_settings(address, mtu, group, txqueuelen))
        if tx_queues is not None:
            values["num_tx_queues"] = check_number(tx_queues, 1, 4096, "tx_queues")
        if rx_queues is not None:
            values["num_rx_queues"] = check_number(rx_queues, 1, 4096, "rx_queues")
        if master is not None:
            values["master"] = self._rt.index(master)
        altnames = [check_altname(altname) for altname in altnames]
        parts = {"link": link, "peer": peer, **options}
        check_parts(kind, [part for part, value in parts.items() if value is not None])
        if link is not None and has_parent(kind):
            values["link"] = self._rt.index(link)
        elif link is not None:
            options["link"] = link
        data = read_options(self._rt, kind, options)
        opened: Netns | None = None
        try:
            if peer is not None:
                data["peer"], opened = _peer_data(peer)
                if data["peer"]["ifi_index"] and index is None:
                    raise ValueError("the kernel takes an index of the peer only beside one of the link")
            values["linkinfo"] = {"kind": kind, **({"data": data} if data else {})}
            made = self._create(values, f"add link {name}")
        finally:
            if opened is not None:
                opened.close()
        if not altnames and alias is None:
            return made
        try:
            if alias is not None:
                self.set(made.index, alias=alias)
            if altnames:
                self.add_altnames(made.index, altnames)
        except BaseException as error:
            try:
                self.delete(made.index)
            except OSError as failed:
                error.add_note(f"what was done could not be undone whole: {failed}")
            raise
        return self.get(made.index)

    def _create(self, values: LinkValues, verb: str) -> Link:
        """Create a link and return it. The echo (since 6.2) shows the link before its master is applied, so
        with a master it is looked up again."""
        flags = NLM_F_CREATE | NLM_F_EXCL | NLM_F_ECHO
        try:
            echo = self._socket.request(LINK, RTM_NEWLINK, flags, values, verb=verb)
        except NetlinkError as error:
            if error.errno == errno.EEXIST and not error.text:
                error = NetlinkError(
                    errno.EEXIST, verb, where=error.where, path=error.path, hint=self._taken(values)
                )
            raise error from None
        return self.get(echo[0]["ifi_index"] if echo else values["ifname"])

    def _taken(self, values: LinkValues) -> str:
        """Return what EEXIST, which has no text, means: ask who holds the name."""
        wanted = [values["ifname"]]
        peer = (values["linkinfo"].get("data") or {}).get("peer", {})
        if "net_ns_fd" not in peer and "ifname" in peer:
            wanted.append(peer["ifname"])
        for name in wanted:
            try:
                holder = self.get(name)
            except OSError:
                continue
            return f"the name {name} is taken by link {holder.index} ({holder.kind or 'no kind'})"
        return "the name of its peer, or the index, is taken"

    def set(
        self,
        dev: Dev,
        *,
        up: bool | None = None,
        name: str | None = None,
        address: str | None = None,
        mtu: int | None = None,
        master: Dev | None = None,
        netns: Target | None = None,
        group: int | None = None,
        txqueuelen: int | None = None,
        alias: str | None = None,
        addrgenmode: int | None = None,
        kind: str | None = None,
        **options: Any,
    ) -> None:
        """Change a link; what is None stays. master: 0 takes it out of its bridge; netns moves it (about 20
        ms: better create it where it belongs); addrgenmode: IN6_ADDR_GEN_MODE_ of linux/if_link.h; options:
        those of its kind, as in add(); kind: None: ask the kernel for it."""
        verb = f"set link {name_of(dev)}"
        told = ""  # the kind whose options are set
        named: LinkValues = _named(dev) if name is None else {"ifi_index": self._rt.index(dev)}
        values: LinkValues = {**named}
        if up is not None:
            values["ifi_flags"], values["ifi_change"] = (IFF_UP if up else 0), IFF_UP
        if name is not None:
            values["ifname"] = check_ifname(name)
        values.update(_settings(address, mtu, group, txqueuelen))
        if alias is not None:
            if len(os.fsencode(alias)) > 255:
                raise ValueError("an alias has at most 255 bytes")
            values["ifalias"] = alias
        if master is not None:
            values["master"] = self._rt.index(master) if master else 0
        if options:
            kind = kind or self.get(dev).kind
            if not kind:
                raise TypeError(
                    f"link {name_of(dev)} has no kind, and so none of the options {', '.join(options)}"
                )
            told = kind
            values["linkinfo"] = {"kind": kind, "data": read_options(self._rt, kind, options)}
        try:
            if netns is None:
                self._set(named, values, addrgenmode, verb)
            else:
                from ..netns.handle import Netns

                with Netns.open(netns) as handle:
                    values["net_ns_fd"] = handle.fileno()
                    self._set(named, values, addrgenmode, verb)
        except NetlinkError as error:
            if error.errno != errno.EOPNOTSUPP or error.text or not told:
                raise
            is_now = self.get(dev).kind
            if is_now == told:
                raise
            text = f"it is {f'a {is_now}' if is_now else 'hardware or lo'}, no {told}"
            raise NetlinkError(errno.EOPNOTSUPP, verb, where=error.where, text=text) from None

    def _set(self, named: LinkValues, values: LinkValues, addrgenmode: int | None, verb: str) -> None:
        # The kernel heeds the address generation mode only after the flags of the same message, so it goes
        # first.
        if addrgenmode is not None:
            mode: LinkValues = {**named, "af_spec": {"inet6": {"addr_gen_mode": addrgenmode}}}
            self._socket.request(LINK, RTM_NEWLINK, 0, mode, verb=verb)
        self._socket.request(LINK, RTM_NEWLINK, 0, values, verb=verb)

    def delete(self, dev: Dev) -> None:
        """Remove a link, also by its record (about 20 ms for a veth pair, whose other end goes with it).
        Raise NetlinkError (ENODEV) if there is none."""
        verb = f"delete link {name_of(dev)}"
        self._socket.delete(LINK, RTM_DELLINK, _named(dev), verb=verb, gone=errno.ENODEV)

    def add_altnames(self, dev: Dev, names: Iterable[str]) -> None:
        """Add alternative names to a link. Raise NetlinkError (EEXIST) if one is any link's name already."""
        verb, flags = f"add alternative names to link {name_of(dev)}", NLM_F_CREATE | NLM_F_EXCL
        self._socket.request(LINK, RTM_NEWLINKPROP, flags, _renamed(dev, names), verb=verb)

    def delete_altnames(self, dev: Dev, names: Iterable[str]) -> None:
        """Delete alternative names."""
        verb = f"delete alternative names of link {name_of(dev)}"
        self._socket.delete(LINK, RTM_DELLINKPROP, _renamed(dev, names), verb=verb, gone=errno.EINVAL)


def _renamed(dev: Dev, names: Iterable[str]) -> LinkValues:
    """Return the message that gives alternative names to a link, or takes them."""
    return {**_named(dev), "prop_list": {"alt_ifname": [check_altname(name) for name in names]}}


def _named(dev: Dev) -> LinkValues:
    """Return what selects a link in a message: its index (a record's too), its name, or, if it is longer than
    a name may be, its alternative name."""
    if isinstance(dev, Link):
        return {"ifi_index": dev.index}
    if isinstance(dev, int):
        return {"ifi_index": check_number(dev, 1, 0x7FFFFFFF, "an interface index")}
    check_altname(dev)
    return {"ifname": dev} if len(os.fsencode(dev)) < IFNAMSIZ else {"alt_ifname": dev}


def _settings(address: str | None, mtu: int | None, group: int | None, txqueuelen: int | None) -> LinkValues:
    values: LinkValues = {}
    if address is not None:
        values["address"] = parse_mac(address)
    if mtu is not None:
        values["mtu"] = check_number(mtu, 0, 0x7FFFFFFF, "mtu")
    if group is not None:
        values["group"] = check_number(group, 0, 0x7FFFFFFF, "group")
    if txqueuelen is not None:
        values["txqlen"] = check_number(txqueuelen, 0, 0x7FFFFFFF, "txqueuelen")
    return values


def _peer_data(peer: Peer | str) -> tuple[LinkValues, Netns | None]:
    """Return the message of a veth's peer, and the namespace to close after it is sent."""
    peer = Peer(peer) if isinstance(peer, str) else peer
    if not isinstance(peer, Peer):
        raise TypeError(f"a peer is a Peer or a name, not {peer!r}")
    index = 0 if peer.index is None else check_number(peer.index, 1, 0x7FFFFFFF, "index")
    values: LinkValues = {"ifi_index": index, "ifname": check_ifname(peer.name)}
    values.update(_settings(peer.address, peer.mtu, None, None))
    opened = None
    if peer.netns is not None:
        from ..netns.handle import Netns

        opened = Netns.open(peer.netns)
        values["net_ns_fd"] = opened.fileno()
    return values, opened
