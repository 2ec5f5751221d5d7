"""wire: containers wired to bridges, whole or not at all.

A call checks everything, runs the recipe (recipe.py, executor.py) from barrier to barrier, and at each runs
its hooks. Until the commit every host end is in the call's staging group, by which all of it can be
removed (link_group.py)."""

from __future__ import annotations

import errno

from ..netns.handle import Netns
from ..record import Record
from ..rollback import Rollback
from ..rtnl.netlink import RTNetlink
from ..rtnl.values import format_ip
from ..uapi.if_bridge import BR_MAX_PORTS
from ..wire.errors import NetlinkError
from .attachment import Attachment
from .bridge import Bridge
from .containers import Containers
from .endpoint import Endpoint, check, label
from .errors import AttachError, Failures, attach_error
from .executor import Executor, are_there
from .existing import Conflicts
from .link_group import remove
from .recipe import PROVED, RECIPE, RESERVED
from .row import Row

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .executor import Refusal

_ROUNDS = 16  # how often a row is tried again after its way was cleared, or with another free address
_RESERVED, _PROVED, _END = RECIPE.index(RESERVED), RECIPE.index(PROVED), len(RECIPE)


class Hooks(Record):
    """What others have done in the course of a call.

    another(position, address) is called where an address turns out to be taken: it returns an endpoint to be
    tried in place of that one (on the same bridge, in the same container), or None. withdraw(addresses,
    timeout) is called once addresses on a bridge that it concerns are the containers', before anything passes
    through their ports: what still leads to those who had them before is to be withdrawn.
    concerns(alternative names of a bridge) tells whether withdraw() has to do with it. announce: tell the
    neighbours of every address, not only of those whose MAC is not their own (announce.py)."""

    another: Callable[[int, str], Endpoint | None] | None = None
    withdraw: Callable[[list[str], float], object] = lambda addresses, timeout: None
    concerns: Callable[[tuple[str, ...]], bool] = lambda altnames: False
    announce: bool = False


def wire(
    endpoints: list[Endpoint],
    *,
    whole: bool,
    progress: Callable[[int, int], None] | None = None,
    timeout: float = 10.0,
    hooks: Hooks,
) -> list[Attachment | AttachError]:
    """Wire many endpoints, of any shapes; return the results in the order given. See networks/attaching.py,
    attach_many(), for what that means.

    whole: all or nothing, and AttachError is raised; else each on its own, an AttachError in the place of
    each that failed."""
    rollback = Rollback()
    call = _Call(endpoints, whole, progress, timeout, hooks, rollback)
    try:
        with rollback:
            call.run()
    finally:
        call.close()
    return call.results()


class _Call:
    """One call of attach_many: its rows, their bridges, and what has become of each endpoint."""

    def __init__(
        self,
        endpoints: list[Endpoint],
        whole: bool,
        progress: Callable[[int, int], None] | None,
        timeout: float,
        hooks: Hooks,
        rollback: Rollback,
    ) -> None:
        """rollback: takes what removes all that this call made."""
        self._rollback = rollback
        self._endpoints = endpoints
        self._progress = progress
        self._timeout = timeout
        self._hooks = hooks
        self._rows: list[Row] = []  # those that are still to be made, or are made
        self._failures = Failures(whole)
        self._done: dict[int, Attachment] = {}
        self._bridges: dict[str, Bridge] = {}
        self._concerned: set[str] = set()  # the bridges that the hook withdraw has to do with
        self._containers = Containers(self._failures)
        self._executor = Executor(self._containers, self._failures, timeout)

    def run(self) -> None:
        """Raise the first failure at once where the call is all or nothing."""
        self._check()
        self._failures.check()
        self._reserve()
        if len(self._rows) != 1 or self._rows[0].done < _END:
            self._withdraw()
            self._go_on(_PROVED)
            self._await_own()
            self._announce()
            self._go_on(_END)
        for row in self._rows:
            self._done[row.position] = row.attachment()
        if self._failures.by_position:  # an answer that was lost may have left a pair of unknown indices
            for bridge in self._bridges.values():
                bridge.group.delete_members()

    # -- before anything is made ---------------------------------------------------------------------------

    def _check(self) -> None:
        """Everything that can be known before anything is sent, and the bridges looked up."""
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
                where = label(endpoint.netns)
                text = str(error)
                self._failures.add(
                    attach_error(position, endpoint, errno.EINVAL, "attach", where=where, text=text)
                )
            except NetlinkError as error:
                verb = f"attach {label(endpoint.netns)}: {error.verb}"
                number = error.errno or errno.EIO
                self._failures.add(
                    attach_error(position, endpoint, number, verb, text=error.text, hint=error.hint)
                )
        if len(self._rows) > 1:  # one alone may as well ask the kernel
            self._check_room()

    def _bridge(self, name: str) -> Bridge:
        bridge = self._bridges.get(name)
        if bridge is None:
            bridge = self._bridges[name] = Bridge(name, self._timeout)
            self._rollback.before(bridge.group.roll_back)
            if bridge.altnames and self._hooks.concerns(bridge.altnames):
                self._concerned.add(name)
        return bridge

    def _check_room(self) -> None:
        """Refuse what a bridge has no ports for."""
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
            if len(rows) > room:  # those that are there already need no port more
                there = are_there(rows, self._containers, self._timeout)
                rows = [row for row in rows if row not in there]
            for row in rows[room:]:
                text = f"bridge {name} has room for {room} ports more, and {len(rows)} are wanted"
                self._failures.refuse(row, errno.EXFULL, text)
        self._rows = self._failures.without(self._rows)

    # -- from barrier to barrier ---------------------------------------------------------------------------

    def _reserve(self) -> None:
        """Run every row up to the barrier RESERVED (one alone as far as no hook has anything to do); where
        something is in the way, clear it and begin again."""
        if len(self._rows) > 1:
            self._containers.reserve(len(self._rows))
        rows = self._rows
        last = self._first_stop()
        for _ in range(_ROUNDS):
            refusals = self._executor.run(rows, last, self._tell)
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
        """The place in the recipe up to which no hook has anything to do."""
        if len(self._rows) != 1:
            return _RESERVED
        (row,) = self._rows
        if row.wanted.bridge in self._concerned:
            return _RESERVED
        return _PROVED if 16 in row.shape.families or self._is_announced(row) else _END

    def _go_on(self, last: int) -> None:
        """Run the rows up to the next barrier, or the end."""
        rows = [row for row in self._rows if row.done < last]
        if rows:
            self._executor.run(rows, last)
            self._drop_failed()

    def _clear_way(self, refusals: list[Refusal]) -> list[Row]:
        """Look at what is in the way of each: leave what is complete, remove what a dead call left; return
        the rows to be tried again."""
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
        """Whether a row whose create was refused is to be tried again."""
        try:
            with Netns.open(row.endpoint.netns) as handle:
                verdict = conflicts.resolve(row, handle)
        except OSError as gone:  # the container died meanwhile
            self._failures.refuse(row, gone.errno or errno.EIO, gone.strerror or str(gone))
            return False
        if isinstance(verdict, str):
            self._failures.refuse(row, errno.EEXIST, verdict, error.verb)
        elif verdict is not None:
            self._done[row.position] = verdict
        return verdict is None

    def _resolve_claim(self, conflicts: Conflicts, row: Row, refusal: Refusal) -> bool:
        """Whether a row is to be tried again, one of whose addresses was refused; perhaps with another."""
        number = refusal.error.errno or errno.EIO
        packed, _ = refusal.addresses[refusal.message]
        why = conflicts.resolve_claim(row, packed, number)
        if why is None or self._has_another(row, format_ip(packed), number):
            return True
        self._failures.refuse(row, number, why, refusal.error.verb)
        return False

    def _has_another(self, row: Row, address: str, number: int) -> bool:
        """Whether the caller has an endpoint to be tried in place of one whose address is taken; then the row
        wants that."""
        if self._hooks.another is None or number != errno.EEXIST:
            return False
        if all(format_ip(packed) != address for packed, _ in row.wanted.addresses):
            return True  # it wants another already, for a second address that was refused
        endpoint = self._hooks.another(row.position, address)
        if endpoint is None:
            return False
        row.wanted = check(endpoint, self._bridge)
        return True

    # -- what is done at the barriers ----------------------------------------------------------------------

    def _withdraw(self) -> None:
        """Have withdrawn what still leads to those who had the addresses before."""
        rows = [row for row in self._rows if row.wanted.bridge in self._concerned]
        if rows:
            addresses = [format_ip(packed) for row in rows for packed, _ in row.wanted.addresses]
            self._hooks.withdraw(addresses, self._timeout)

    def _await_own(self) -> None:
        """Wait for the IPv6 addresses to be the containers' own."""
        rows = [row for row in self._rows if row.done < _END and 16 in row.shape.families]
        if rows:
            from .local_route import await_own

            self._containers.enter(
                rows, lambda alike, handles: await_own(alike, handles, self._timeout, self._failures)
            )
            self._drop_failed()

    def _is_announced(self, row: Row) -> bool:
        return self._hooks.announce or not row.wanted.tells_mac

    def _announce(self) -> None:
        """Announce the addresses whose MAC is not their own."""
        rows = [row for row in self._rows if row.done < _END and self._is_announced(row)]
        if rows:
            from .announce import announce

            self._containers.enter(
                rows, lambda alike, handles: announce(alike, handles, self._failures), namespaces=True
            )
            self._drop_failed()

    # -- what failed ---------------------------------------------------------------------------------------

    def _drop_failed(self) -> None:
        """Where each endpoint stands alone: remove what there is of those that failed, and go on with the
        others."""
        self._failures.check()
        if not self._failures.by_position:
            return
        lost = [row.host_index for row in self._rows if row.position in self._failures.by_position]
        self._rows = self._failures.without(self._rows)
        remove([index for index in lost if index])

    def close(self) -> None:
        """Close the sockets: the groups' numbers are free again."""
        self._containers.close()
        for bridge in self._bridges.values():
            bridge.group.close()

    def results(self) -> list[Attachment | AttachError]:
        """What has become of each endpoint, in the order given."""
        outcome: dict[int, Attachment | AttachError] = {**self._failures.by_position, **self._done}
        return list(map(outcome.__getitem__, range(len(self._endpoints))))

    def _tell(self) -> None:
        if self._progress is not None:
            made = sum(1 for row in self._rows if row.host_index)
            self._progress(made + len(self._failures.by_position) + len(self._done), len(self._endpoints))
