"""wire_endpoints(): wire containers to bridges, all or nothing.

A call checks everything, runs the recipe (recipe.py, executor.py) from barrier to barrier, and runs the hooks
of each barrier. Until the commit every host end is in the call's staging group, so that all of them can be
removed at once (link_group.py)."""

from __future__ import annotations

import errno

from ..netns.handle import Netns, label_of
from ..record import Record
from ..rollback import Rollback
from ..rtnl.values import format_ip
from ..uapi.if_bridge import BR_MAX_PORTS
from .attachment import Attachment
from .bridge import Bridge
from .containers import Containers
from .endpoint import Endpoint, check
from .errors import AttachError, Failures, attach_error, of_other
from .executor import Executor, are_there
from .link_group import remove
from .recipe import PROVED, RECIPE, RESERVED
from .row import Row

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .endpoint import CheckedEndpoint
    from .executor import Refusal
    from .existing import Conflicts

_ROUNDS = 16  # how often a row is tried again after a conflict was cleared, or with another free address
_RESERVED, _PROVED, _END = RECIPE.index(RESERVED), RECIPE.index(PROVED), len(RECIPE)


class Concern(Record):
    """A bridge that the hooks concern. ipv6: whether its containers have IPv6 without an address from us."""

    ipv6: bool


class Hooks(Record):
    """What the caller of wire_endpoints() adds to a call.

    another(position, address) is called if an address turns out to be taken: it returns an endpoint to try
    instead (on the same bridge, in the same container), or None. adopt(position, attachment) is called if one
    of that name is there: it returns the endpoint with which that is compared. concerns(bridge), called for
    one with alternative names, returns a Concern if the others must be called for it, or raises the
    NetlinkError that refuses it. reserved(index of a bridge, addresses, differs, timeout) is called once the
    containers own their addresses, before any packet passes through their ports: it withdraws whatever still
    leads to the previous owners. It returns whether every new address there must be announced (announce.py),
    not only one whose MAC does not follow from it (differs: whether there is such a one), and notes for the
    first Attachment. parting(index of a bridge, timeout) is called when the bridge has its ports, and nothing
    is committed yet: it returns "" if the bridge stays, else what happens to it ("was removed")."""

    another: Callable[[int, str], Endpoint | None] | None = None
    adopt: Callable[[int, Attachment], Endpoint] | None = None
    concerns: Callable[[Bridge], Concern | None] = lambda bridge: None
    reserved: Callable[[int, list[str], bool, float], tuple[bool, list[str]]] = lambda *_: (False, [])
    parting: Callable[[int, float], str] = lambda index, timeout: ""


def wire_endpoints(
    endpoints: list[Endpoint],
    *,
    whole: bool,
    progress: Callable[[int, int], None] | None = None,
    timeout: float = 10.0,
    hooks: Hooks,
) -> list[Attachment | AttachError]:
    """Wire many endpoints of any shapes; return the results in the order given. See attach_many() in
    networks/attaching.py.

    whole: all or nothing, and raise AttachError if one fails; otherwise each endpoint stands alone, and an
    AttachError takes the place of each that failed."""
    if not endpoints:
        return []
    rollback = Rollback()
    call = _Call(endpoints, whole, progress, timeout, hooks, rollback)
    try:
        with rollback, rollback:
            try:
                call.run()
            except AttachError:
                raise
            except OSError as error:
                more = f" and {len(endpoints) - 1} more" if len(endpoints) > 1 else ""
                verb = f"attach {label_of(endpoints[0].netns)}{more}"
                raise of_other(error, verb, 0, endpoints[0]) from error
            call.close()  # a signal that comes meanwhile finds all of it still to be undone
    finally:
        call.close()
    return call.results()


class _Call:
    """One call of wire_endpoints(): its rows, their bridges, and the result of each endpoint."""

    def __init__(
        self,
        endpoints: list[Endpoint],
        whole: bool,
        progress: Callable[[int, int], None] | None,
        timeout: float,
        hooks: Hooks,
        rollback: Rollback,
    ) -> None:
        """rollback: collects what undoes the call."""
        self._rollback = rollback
        self._endpoints = endpoints
        self._progress = progress
        self._timeout = timeout
        self._hooks = hooks
        self._rows: list[Row] = []  # those still to be wired, or wired
        self._failures = Failures(whole)
        self._done: dict[int, Attachment] = {}
        self._bridges: dict[str, Bridge] = {}
        self._concerned: dict[str, Concern] = {}  # the bridges that the hooks concern
        self._notes: list[tuple[int, str]] = []  # each with the position of the row that tells it
        self._announced: set[str] = set()  # those on which every address is announced
        self._containers = Containers(self._failures)
        self._executor = Executor(self._containers, self._failures, timeout)

    def run(self) -> None:
        """Run the call. Raise the first failure at once if the call is all or nothing."""
        self._containers.find_here()
        self._check()
        self._failures.check()
        self._reserve()
        self._refuse_advertisements()
        if len(self._rows) != 1 or self._rows[0].done < _END:
            self._see_reserved()
            self._go_on(_PROVED)
            self._await_own()
            self._announce()
            self._see_parting()
            self._go_on(_END)
            self._refuse_on_host()
        for row in self._rows:
            self._done[row.position] = row.attachment()
        for position, note in self._notes:
            if position in self._done:
                told = self._done[position]
                self._done[position] = told.replace(notes=(*told.notes, note))
        if self._failures.by_position:  # a lost answer may have left a pair whose indices are unknown
            for bridge in self._bridges.values():
                bridge.group.delete_members()

    # -- before anything is made ---------------------------------------------------------------------------

    def _check(self) -> None:
        """Check everything that can be known before anything is sent, and look up the bridges."""
        names: dict[str, int] = {}
        addresses: dict[tuple[str, bytes], int] = {}
        if len(self._endpoints) == 1:
            self._containers.open_ahead(self._endpoints[0].netns)
        for position, endpoint in enumerate(self._endpoints):
            try:
                wanted = check(endpoint, self._bridge)
                if len(self._endpoints) > 1:
                    if wanted.host_ifname is not None:
                        first = names.setdefault(wanted.host_ifname, position)
                        if first != position:
                            raise ValueError(
                                f"endpoint {first} has the same host_ifname {wanted.host_ifname}"
                            )
                    for packed, _ in wanted.addresses:
                        first = addresses.setdefault((wanted.bridge, packed), position)
                        if first != position:
                            raise ValueError(f"endpoint {first} has the same address {format_ip(packed)}")
                self._rows.append(Row(position, wanted, self._bridges[wanted.bridge]))
            except ValueError as error:
                where = label_of(endpoint.netns)
                text = str(error)
                self._failures.add(
                    attach_error(position, endpoint, errno.EINVAL, "attach", where=where, text=text)
                )
            except OSError as error:
                verb = f"attach {label_of(endpoint.netns)}"
                self._failures.add(of_other(error, verb, position, endpoint))
        if len(self._rows) > 1:  # for one alone the kernel checks this as well
            self._check_room()

    def _bridge(self, name: str) -> Bridge:
        bridge = self._bridges.get(name)
        if bridge is None:
            bridge = self._bridges[name] = Bridge(name, self._timeout, self._containers.here)
            self._rollback.before(bridge.group.roll_back)
            concern = self._hooks.concerns(bridge) if bridge.has_altnames else None
            if concern is not None:
                self._concerned[name] = concern
        return bridge

    def _check_room(self) -> None:
        """Refuse the rows for which a bridge has no port left."""
        for name, bridge in self._bridges.items():
            rows = [row for row in self._rows if row.bridge is bridge]
            if len(rows) < 2:
                continue
            for row in rows[BR_MAX_PORTS:]:
                text = f"bridge {name} holds {BR_MAX_PORTS} ports at most, and {len(rows)} are wanted"
                self._failures.refuse(row, errno.EXFULL, text)
            self._failures.check()
            rows = rows[:BR_MAX_PORTS]
            room = max(BR_MAX_PORTS - bridge.count_ports(), 0)
            if len(rows) > room:  # those that are there already need no further port
                there = are_there(rows, self._containers, self._timeout)
                rows = [row for row in rows if row not in there]
            for row in rows[room:]:
                text = f"bridge {name} has room for {room} ports more, and {len(rows)} are wanted"
                self._failures.refuse(row, errno.EXFULL, text)
        self._rows = self._failures.without(self._rows)

    # -- from barrier to barrier ---------------------------------------------------------------------------

    def _reserve(self) -> None:
        """Run every row up to the barrier RESERVED (one alone as far as no hook has work); clear what is in
        the way and begin again."""
        if len(self._rows) > 1:
            self._containers.reserve(len(self._rows))
        rows = self._rows
        for _ in range(_ROUNDS):
            refusals = self._executor.run(rows, self._first_stop(), self._tell)
            if not refusals:
                break
            rows = self._clear_way(refusals)
            self._failures.check()
        else:
            for row in rows:
                self._failures.refuse(row, errno.EAGAIN, "others took its names or addresses first each time")
        if self._done:
            self._rows = [row for row in self._rows if row.position not in self._done]
        if self._progress is not None:
            self._tell()
        if self._failures.by_position:
            self._drop_failed()

    def _first_stop(self) -> int:
        """Return the place in the recipe up to which no hook has work."""
        if len(self._rows) != 1:
            return _RESERVED
        (row,) = self._rows
        if row.wanted.bridge in self._concerned:
            return _RESERVED
        return _PROVED if 16 in row.shape.families or self._is_announced(row) else _END

    def _go_on(self, last: int) -> None:
        """Run the rows up to place `last` of the recipe."""
        rows = [row for row in self._rows if row.done < last]
        if rows:
            self._executor.run(rows, last)
            self._drop_failed()

    def _clear_way(self, refusals: list[Refusal]) -> list[Row]:
        """Look at what is in the way of each row: leave what is complete, remove what a dead call left.
        Return the rows to try again."""
        from ..rtnl.netlink import RTNetlink  # which an attach has no need of, if nothing is in the way
        from .existing import Conflicts

        again: dict[int, Row] = {}
        with RTNetlink(timeout=self._timeout) as host:
            conflicts = Conflicts(host)
            try:
                for refusal in refusals:
                    row, error = refusal.row, refusal.error
                    if refusal.step == "create" and error.errno == errno.EEXIST and not row.index:
                        tries = self._resolve(conflicts, row, error)
                    elif refusal.step == "claim" and refusal.message >= 0:
                        tries = self._resolve_claim(conflicts, row, refusal)
                    else:
                        self._failures.add(error)
                        tries = False
                    if tries:
                        again[row.position] = row
                self._failures.check()
                conflicts.remove_leftovers()
            finally:
                conflicts.close()
        remove([row.host_index for row in again.values() if row.host_index])
        for row in again.values():
            row.want(row.wanted)
        return list(again.values())

    def _resolve(self, conflicts: Conflicts, row: Row, error: AttachError) -> bool:
        """Return whether to try again a row whose create was refused."""
        try:
            with Netns.open(row.endpoint.netns) as handle:
                if not self._containers.may_enter(row, handle):
                    return False
                verdict = conflicts.resolve(row, handle, self._adopted)
        except OSError as gone:  # the container died meanwhile
            self._failures.refuse(row, gone.errno or errno.EIO, gone.strerror or str(gone))
            return False
        if isinstance(verdict, str):
            self._failures.refuse(row, errno.EEXIST, verdict, error.verb)
        elif verdict is not None:
            self._done[row.position] = verdict
        return verdict is None

    def _adopted(self, row: Row, there: Attachment) -> CheckedEndpoint:
        """Return what an interface that is there is compared with."""
        if self._hooks.adopt is None:
            return row.wanted
        return check(self._hooks.adopt(row.position, there), self._bridge)

    def _resolve_claim(self, conflicts: Conflicts, row: Row, refusal: Refusal) -> bool:
        """Return whether to try again, perhaps with another address, a row of which an address was
        refused."""
        number = refusal.error.errno or errno.EIO
        packed, _ = refusal.addresses[refusal.message]
        why = conflicts.resolve_claim(row, packed, number)
        if why is None or self._has_another(row, format_ip(packed), number):
            return True
        self._failures.refuse(row, number, why, refusal.error.verb)
        return False

    def _has_another(self, row: Row, address: str, number: int) -> bool:
        """Return whether the caller has an endpoint to try in place of one whose address is taken; the row
        then takes it."""
        if self._hooks.another is None or number != errno.EEXIST:
            return False
        if all(format_ip(packed) != address for packed, _ in row.wanted.addresses):
            return True  # it has another already, for a second address that was refused
        endpoint = self._hooks.another(row.position, address)
        if endpoint is None:
            return False
        row.wanted = check(endpoint, self._bridge)
        return True

    # -- what is done at the barriers ----------------------------------------------------------------------

    def _refuse_advertisements(self) -> None:
        """Keep ends that heed router advertisements from it, and IPv6 off those whose network has none."""
        rows = [row for row in self._rows if row.advertised or self._lacks_ipv6(row)]
        if not rows:
            return
        from .advertisements import refuse_inside

        def work(alike: list[Row], handles: Sequence[Netns | None]) -> None:
            for row, handle in zip(alike, handles, strict=True):
                if handle is None:
                    continue
                why = refuse_inside(handle, row.wanted.ifname, ipv6=not self._lacks_ipv6(row))
                if why:
                    note = f"{row.wanted.ifname} of {row.wanted.label}: {why}"
                    self._notes.append((row.position, note))

        self._containers.enter(rows, work, namespaces=True)

    def _lacks_ipv6(self, row: Row) -> bool:
        concern = self._concerned.get(row.bridge.name)
        return concern is not None and not concern.ipv6 and 16 not in row.shape.families

    def _refuse_on_host(self) -> None:
        """Keep the host ends on networks from heeding advertisements if the bridge is taken from them."""
        from .advertisements import refuse

        for row in self._rows:
            why = refuse(row.host_ifname) if row.bridge.name in self._concerned else ""
            if why:
                self._notes.append((row.position, f"{row.host_ifname}: {why}"))

    def _see_reserved(self) -> None:
        """Withdraw what still leads to the previous owners of the addresses; learn on which bridges every
        address is announced, and what is to be told."""
        for bridge, rows in self._on_concerned():
            addresses = [format_ip(packed) for row in rows for packed, _ in row.wanted.addresses]
            differs = not all(row.wanted.tells_mac for row in rows)
            announced, notes = self._hooks.reserved(bridge.index, addresses, differs, self._timeout)
            if announced:
                self._announced.add(bridge.name)
            self._notes += [(rows[0].position, note) for note in notes]

    def _on_concerned(self) -> list[tuple[Bridge, list[Row]]]:
        """Return the bridges that the hooks concern, each with its rows that are not finished."""
        found = [
            (bridge, [row for row in self._rows if row.bridge is bridge and row.done < _END])
            for bridge in self._bridges.values()
            if bridge.name in self._concerned
        ]
        return [(bridge, rows) for bridge, rows in found if rows]

    def _await_own(self) -> None:
        """Wait until the containers own their IPv6 addresses."""
        rows = [row for row in self._rows if row.done < _END and 16 in row.shape.families]
        if rows:
            from .local_route import await_own

            self._containers.enter(
                rows, lambda alike, handles: await_own(alike, handles, self._timeout, self._failures)
            )
            self._drop_failed()

    def _is_announced(self, row: Row) -> bool:
        return row.wanted.bridge in self._announced or not row.wanted.tells_mac

    def _announce(self) -> None:
        """Announce the addresses that may have had another MAC."""
        rows = [row for row in self._rows if row.done < _END and self._is_announced(row)]
        if rows:
            from .announce import announce

            self._containers.enter(
                rows, lambda alike, handles: announce(alike, handles, self._failures), namespaces=True
            )
            self._drop_failed()

    def _see_parting(self) -> None:
        """Refuse the rows whose bridge is removed by one who may not have seen their ports."""
        for bridge, rows in self._on_concerned():
            what = self._hooks.parting(bridge.index, self._timeout)
            for row in rows if what else ():
                self._failures.refuse(row, errno.ENODEV, f"bridge {bridge.name} {what}")
        self._drop_failed()

    # -- what failed ---------------------------------------------------------------------------------------

    def _drop_failed(self) -> None:
        """Remove what was made of the failed rows and go on with the others; raise the first failure if the
        call is all or nothing."""
        self._failures.check()
        if not self._failures.by_position:
            return
        lost = [row.host_index for row in self._rows if row.position in self._failures.by_position]
        self._rows = self._failures.without(self._rows)
        remove([index for index in lost if index])

    def close(self) -> None:
        """Close the sockets, which frees the numbers of the staging groups."""
        self._containers.close()
        for bridge in self._bridges.values():
            bridge.group.close()

    def results(self) -> list[Attachment | AttachError]:
        """Return the result of each endpoint, in the order given."""
        outcome: dict[int, Attachment | AttachError] = {**self._failures.by_position, **self._done}
        return list(map(outcome.__getitem__, range(len(self._endpoints))))

    def _tell(self) -> None:
        if self._progress is not None:
            made = sum(1 for row in self._rows if row.host_index)
            self._progress(made + len(self._failures.by_position) + len(self._done), len(self._endpoints))
