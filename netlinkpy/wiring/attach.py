"""attach and attach_many: containers wired to bridges, whole or not at all.

The order of a call, whatever its size (docs/recipe.md says why): check everything; in each container create
the pair, then configure its end; on each bridge one message for all new ports; in each container make ready;
see that the ports forward; commit. Until the commit every host end is in the call's private group, by which
all of it can be removed."""

from __future__ import annotations

import errno

from ..rtnl.values import format_ip, format_mac
from ..uapi.if_bridge import BR_MAX_PORTS
from ..wire.errors import NetlinkError, meaning
from .attachment import Attachment
from .bridge import Bridge, regroup, remove
from .endpoint import Endpoint, Wanted, label
from .errors import AttachError, Failures, failure
from .inside import Ahead, Group, host_index_of, in_groups, through_sockets
from .making import Maker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Literal, overload

    from ..netns.handle import Netns


def attach(endpoint: Endpoint, *, timeout: float = 10.0) -> Attachment:
    """Give a container an interface, wired to a bridge of the caller's namespace, and return when its first
    packet passes.

    Where exactly this is there already, nothing changes (Attachment.changed tells). A half-made one whose
    maker died is removed and made anew. timeout: seconds for each conversation with the kernel.

    AttachError (an OSError) says which step failed, at which attribute, and why; then nothing of it is left
    anywhere."""
    return attach_many([endpoint], timeout=timeout)[0]


if TYPE_CHECKING:

    @overload
    def attach_many(
        endpoints: Iterable[Endpoint],
        *,
        on_error: Literal["raise"] = "raise",
        progress: Callable[[int, int], None] | None = None,
        timeout: float = 10.0,
        another: Callable[[int, str], Endpoint | None] | None = None,
        announce: bool = False,
    ) -> list[Attachment]: ...

    @overload
    def attach_many(
        endpoints: Iterable[Endpoint],
        *,
        on_error: Literal["continue"],
        progress: Callable[[int, int], None] | None = None,
        timeout: float = 10.0,
        another: Callable[[int, str], Endpoint | None] | None = None,
        announce: bool = False,
    ) -> list[Attachment | AttachError]: ...


def attach_many(
    endpoints: Iterable[Endpoint],
    *,
    on_error: str = "raise",
    progress: Callable[[int, int], None] | None = None,
    timeout: float = 10.0,
    another: Callable[[int, str], Endpoint | None] | None = None,
    announce: bool = False,
) -> list[Attachment] | list[Attachment | AttachError]:
    """Wire many endpoints, of any shapes, at the kernel's own speed; results in the order given.

    on_error="raise": all or nothing, and the AttachError of the first that failed (its `failures` has all);
    on_error="continue": each on its own, an AttachError in the place of each that failed.
    progress(done, of) is called as it goes. another(position, address) is called where an address turns out
    to be taken: it gives an endpoint to be tried in place of that one (on the same bridge, in the same
    container), or None. announce: tell the neighbours of every address, not only of those whose MAC is not
    their own (wiring/announce.py). The rest as attach()."""
    if on_error not in ("raise", "continue"):
        raise ValueError(f"on_error is raise or continue, not {on_error!r}")
    call = _Call(list(endpoints), on_error == "raise", progress, timeout, another, announce)
    try:
        call.run()
    except BaseException:
        call.roll_back()
        raise
    finally:
        call.close()
    return call.results()


class _Call:
    """One call of attach_many: its rows, its bridges and groups, and what has become of each row."""

    def __init__(
        self,
        endpoints: list[Endpoint],
        whole: bool,
        progress: Callable[[int, int], None] | None,
        timeout: float,
        another: Callable[[int, str], Endpoint | None] | None,
        announce: bool,
    ) -> None:
        self._endpoints = endpoints
        self._another = another
        self._announce = announce
        self._progress = progress
        self._timeout = timeout
        self._rows: list[Wanted] = []  # those that are still to be made, or are made
        self._every: list[Wanted] = []  # besides, those that failed
        self._failures = Failures(whole)
        self._done: dict[int, Attachment] = {}
        self._bridges: dict[str, Bridge] = {}
        self._committing = False
        self._ahead: Ahead | None = None  # where there is one endpoint alone

    def run(self) -> None:
        """Every phase in turn. Raises the first failure at once where the call is all or nothing."""
        self._check()
        self._failures.check()
        if self._rows:
            maker = Maker(
                self._bridges,
                self._failures,
                self._timeout,
                self._tell,
                self._another,
                self._announce,
                self._ahead,
                self._goes_whole(),
            )
            self._done = maker.done
            maker.make(self._rows)
            self._rows = [row for row in self._rows if row.position not in self._done]
            self._tell()
        self._drop_failed()
        if not all(row.port for row in self._rows):
            self._forget_ports()
            for bridge in self._bridges.values():
                self._enslave(bridge)
            self._drop_failed()
            self._failures.add(*through_sockets(self._rows, self._make_ready))
            self._drop_failed()
            self._look_at_ports()
        self._await_own()
        self._commit()
        for row in self._rows:
            self._done[row.position] = _attachment(row)
        if (
            self._failures.by_position
        ):  # an answer that was lost may have left a pair that we know no index of
            self._delete_groups()

    def _check(self) -> None:
        """Everything that can be known before anything is sent, and the bridges looked up."""
        names: dict[str, int] = {}
        addresses: dict[tuple[str, bytes], int] = {}
        if len(self._endpoints) == 1:
            self._ahead = Ahead.begin(self._endpoints[0].netns)
        for position, endpoint in enumerate(self._endpoints):
            try:
                row = Wanted(position, endpoint)
                self._every.append(row)
                if (
                    endpoint.host_ifname is not None
                    and names.setdefault(row.host_ifname, position) != position
                ):
                    raise ValueError(
                        f"endpoint {names[row.host_ifname]} has the same host_ifname {row.host_ifname}"
                    )
                for packed, _ in row.addresses:
                    first = addresses.setdefault((row.bridge, packed), position)
                    if first != position:
                        raise ValueError(f"endpoint {first} has the same address {format_ip(packed)}")
                row.gateways_from(self._bridge(row))
                row.spares_ipv6_of(self._bridge(row))
                self._rows.append(row)
            except ValueError as error:
                where = label(endpoint.netns)
                self._failures.add(
                    failure(position, endpoint, errno.EINVAL, "attach", where=where, text=str(error))
                )
            except NetlinkError as error:
                verb = f"attach {label(endpoint.netns)}: {error.verb}"
                number = error.errno or errno.EIO
                self._failures.add(
                    failure(position, endpoint, number, verb, text=error.text, hint=error.hint)
                )
        self._check_room()

    def _bridge(self, row: Wanted) -> Bridge:
        bridge = self._bridges.get(row.bridge)
        if bridge is None:
            bridge = self._bridges[row.bridge] = Bridge(row.bridge, self._timeout)
        return bridge

    def _check_room(self) -> None:
        """Refuse what a bridge has no ports for. (One endpoint alone may as well ask the kernel.)"""
        if len(self._rows) < 2:
            return
        for name, bridge in self._bridges.items():
            rows = self._rows_of(bridge)
            if len(rows) < 2:
                continue
            for row in rows[BR_MAX_PORTS:]:
                text = f"bridge {name} holds {BR_MAX_PORTS} ports at most, and {len(rows)} are wanted"
                self._failures.refuse(row, errno.EXFULL, text)
            self._failures.check()
            rows = rows[:BR_MAX_PORTS]
            room = max(BR_MAX_PORTS - bridge.count_ports(), 0)
            if len(rows) > room:
                rows = self._missing(rows)
            for row in rows[room:]:
                text = f"bridge {name} has room for {room} ports more, and {len(rows)} are wanted"
                self._failures.refuse(row, errno.EXFULL, text)
        self._rows = self._failures.without(self._rows)

    def _missing(self, rows: list[Wanted]) -> list[Wanted]:
        """Those of the rows whose container has no such interface yet: the others need no port more."""
        missing: list[Wanted] = []

        def work(alike: list[Wanted], handles: list[Netns]) -> None:
            there = Group(alike, handles, self._timeout).look()
            missing.extend(row for row, found in zip(alike, there, strict=True) if not found)

        self._failures.add(*in_groups(rows, work))
        return sorted(missing, key=lambda row: row.position)

    def _rows_of(self, bridge: Bridge) -> list[Wanted]:
        return [row for row in self._rows if row.bridge == bridge.name]

    def _forget_ports(self) -> None:
        """Withdraw the published ports that still lead to those who had these addresses before."""
        rows = [row for row in self._rows if self._bridges[row.bridge].is_network]
        if rows:
            from ..nat import Nat

            with Nat(timeout=self._timeout) as nat:
                nat.forget(format_ip(packed) for row in rows for packed, _ in row.addresses)

    def _enslave(self, bridge: Bridge) -> None:
        rows = self._rows_of(bridge)
        if not rows:
            return
        try:
            bridge.enslave_group()
        except NetlinkError:
            # The group message stops at the first port that is refused: ask for each alone, to name those
            # that are.
            if bridge.is_gone():  # of which the kernel says no more than EINVAL
                for row in rows:
                    text = f"bridge {bridge.name} was removed meanwhile"
                    self._failures.refuse(row, errno.ENODEV, text)
                return
            for row in rows:
                refused = bridge.enslave(row.host_index)
                if refused is not None:
                    verb = f"make {row.host_ifname} a port of {bridge.name}"
                    text = refused.text or meaning(refused.errno or errno.EIO)
                    self._failures.refuse(row, refused.errno or errno.EIO, text, verb)

    def _make_ready(self, rows: list[Wanted], handles: Sequence[Netns | None]) -> None:
        group = Group(rows, handles, self._timeout)
        self._failures.add(*[error for error in group.make_ready() if error is not None])

    def _look_at_ports(self) -> None:
        """See that the ports forward."""
        for bridge in self._bridges.values():
            rows = self._rows_of(bridge)
            ports = bridge.port_states([row.host_index for row in rows])
            for row in rows:
                row.port = ports.get(row.host_index, "")
                if not row.port:
                    text = f"its host end {row.host_ifname} is no port of {row.bridge} any more"
                    self._failures.refuse(row, errno.ENODEV, text)
        self._drop_failed()

    def _await_own(self) -> None:
        """Wait for the IPv6 addresses to be the containers' own."""
        rows = [row for row in self._rows if any(len(packed) == 16 for packed, _ in row.addresses)]
        if rows:
            from .own import await_own

            def work(rows: list[Wanted], handles: Sequence[Netns | None]) -> None:
                self._failures.add(*await_own(rows, handles, self._timeout))

            self._failures.add(*through_sockets(rows, work))
            self._drop_failed()

    def _commit(self) -> None:
        """Take the links out of the private groups: now they are finished."""
        self._tell_neighbours()
        self._committing = True
        for bridge in self._bridges.values():
            rows = [row for row in self._rows_of(bridge) if not row.finished]
            lost = dict(regroup(bridge.group.socket, [row.host_index for row in rows], 0))
            for row in rows:
                if row.host_index in lost:
                    self._failures.refuse(row, lost[row.host_index], "its host end went away meanwhile")
        self._drop_failed()

    def _goes_whole(self) -> bool:
        """Whether there is one endpoint alone, with nothing to be done between the phases (on a network the
        ports of whoever had its address are withdrawn)."""
        return len(self._rows) == 1 and not self._bridges[self._rows[0].bridge].is_network

    def _tell_neighbours(self) -> None:
        """Announce the addresses whose MAC is not their own."""
        rows = [row for row in self._rows if self._announce or not row.tells_mac]
        if rows:
            from .announce import announce

            def work(rows: list[Wanted], handles: list[Netns]) -> None:
                self._failures.add(*announce(rows, handles))

            self._failures.add(*in_groups(rows, work))
            self._drop_failed()

    def _drop_failed(self) -> None:
        """Where each endpoint stands alone: remove what there is of those that failed, and go on with the
        others."""
        self._failures.check()
        if not self._failures.by_position:
            return
        lost = [row for row in self._rows if row.position in self._failures.by_position]
        self._rows = self._failures.without(self._rows)
        remove([row.host_index for row in lost if row.host_index])

    def roll_back(self) -> None:
        """Remove all that this call made."""
        self._delete_groups()
        # What may have been taken out of its group already.
        loose = [host_index_of(row) for row in self._rows if self._committing or row.visit is not None]
        remove([index for index in loose if index])

    def _delete_groups(self) -> None:
        for bridge in self._bridges.values():
            bridge.group.delete_members()

    def close(self) -> None:
        """Close the sockets: the groups' numbers are free again."""
        if self._ahead is not None:
            self._ahead.close()
        for row in self._every:
            row.close()
        for bridge in self._bridges.values():
            bridge.close()

    def results(self) -> list[Attachment | AttachError]:
        """What has become of each endpoint, in the order given."""
        outcome: dict[int, Attachment | AttachError] = {**self._failures.by_position, **self._done}
        return [outcome[position] for position in range(len(self._endpoints))]

    def _tell(self) -> None:
        if self._progress is not None:
            made = sum(1 for row in self._rows if row.host_index)
            self._progress(made + len(self._failures.by_position) + len(self._done), len(self._endpoints))


def _attachment(row: Wanted) -> Attachment:
    return Attachment(
        netns=row.label,
        bridge=row.bridge,
        ifname=row.ifname,
        index=row.index,
        mac=format_mac(row.mac),
        addresses=row.address_texts,
        gateways=row.gateway_texts,
        host_ifname=row.host_ifname,
        host_index=row.host_index,
        port=row.port,
    )
