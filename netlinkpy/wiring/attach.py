"""attach and attach_many: containers wired to bridges, whole or not at all.

The order of a call, whatever its size (docs/recipe.md says why): check everything; in each container create
the pair, then configure its end; on each bridge one message for all new ports; in each container make ready;
see that the ports forward; commit. Until the commit every host end is in the call's private group, by which
all of it can be removed."""

from __future__ import annotations

import errno

from ..netns.handle import Netns
from ..rtnl.netlink import RTNetlink
from ..rtnl.values import format_ip, format_mac
from ..wire.errors import NetlinkError
from ..wire.rtnetlink.bridge import BR_MAX_PORTS
from .attachment import Attachment
from .bridge import Bridge, PrivateGroup, regroup
from .endpoint import Endpoint, Wanted, label
from .errors import AttachError, failure
from .inside import Group, in_groups, kernel_echoes
from .inspect import Conflicts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Literal, overload


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
    ) -> list[Attachment]: ...

    @overload
    def attach_many(
        endpoints: Iterable[Endpoint],
        *,
        on_error: Literal["continue"],
        progress: Callable[[int, int], None] | None = None,
        timeout: float = 10.0,
    ) -> list[Attachment | AttachError]: ...


def attach_many(
    endpoints: Iterable[Endpoint],
    *,
    on_error: str = "raise",
    progress: Callable[[int, int], None] | None = None,
    timeout: float = 10.0,
) -> list[Attachment] | list[Attachment | AttachError]:
    """Wire many endpoints, of any shapes, at the kernel's own speed; results in the order given.

    on_error="raise": all or nothing, and the AttachError of the first that failed (its `failures` has all);
    on_error="continue": each on its own, an AttachError in the place of each that failed.
    progress(done, of) is called as it goes. The rest as attach()."""
    if on_error not in ("raise", "continue"):
        raise ValueError(f"on_error is raise or continue, not {on_error!r}")
    call = _Call(list(endpoints), on_error == "raise", progress, timeout)
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
    ) -> None:
        self._endpoints = endpoints
        self._whole = whole
        self._progress = progress
        self._timeout = timeout
        self._rows: list[Wanted] = []  # those that are still to be made, or are made
        self._failed: dict[int, AttachError] = {}  # by position
        self._done: dict[int, Attachment] = {}
        self._bridges: dict[str, Bridge] = {}
        self._echo = kernel_echoes()
        self._ports: dict[int, str] = {}

    def run(self) -> None:
        """Every phase in turn. Raises the first failure at once where the call is all or nothing."""
        self._check()
        self._raise_failure()
        with Netns.current() as here:
            conflicts = self._create(self._rows, here, {})
            if conflicts:
                self._create_again(conflicts, here)
        self._raise_failure()
        self._drop_failed()
        for bridge in self._bridges.values():
            self._enslave(bridge)
        self._raise_failure()
        self._drop_failed()
        self._fail_all(in_groups(self._rows, self._make_ready))
        self._raise_failure()
        self._drop_failed()
        self._commit()

    # -- phases
    # ----------------------------------------------------------------------------------------------------

    def _check(self) -> None:
        """Everything that can be known before anything is sent, and the bridges looked up."""
        names: dict[str, int] = {}
        for position, endpoint in enumerate(self._endpoints):
            try:
                row = Wanted(position, endpoint)
                if endpoint.host_ifname is not None:
                    first = names.setdefault(row.host_ifname, position)
                    if first != position:
                        raise ValueError(f"endpoint {first} has the same host_ifname {row.host_ifname}")
                row.gateways_from(self._bridge(row).addresses)
                self._rows.append(row)
            except ValueError as error:
                where = label(endpoint.netns)
                self._fail(failure(position, endpoint, errno.EINVAL, "attach", where=where, text=str(error)))
            except NetlinkError as error:
                self._fail(
                    failure(
                        position,
                        endpoint,
                        error.errno or errno.EIO,
                        f"attach {label(endpoint.netns)}: {error.verb}",
                        text=error.text,
                        hint=error.hint,
                    )
                )
        self._check_room()

    def _bridge(self, row: Wanted) -> Bridge:
        bridge = self._bridges.get(row.bridge)
        if bridge is None:
            bridge = self._bridges[row.bridge] = Bridge(row.bridge)
        return bridge

    def _check_room(self) -> None:
        """Refuse what a bridge has no ports for. (One endpoint alone may as well ask the kernel.)"""
        for name, bridge in self._bridges.items():
            rows = [row for row in self._rows if row.bridge == name]
            if len(rows) < 2:
                continue
            room = BR_MAX_PORTS - bridge.count_ports()
            for row in rows[max(room, 0) :]:
                text = f"bridge {name} has room for {max(room, 0)} ports more, and {len(rows)} are wanted"
                self._fail(
                    failure(row.position, row.endpoint, errno.EXFULL, "attach", where=row.label, text=text)
                )
                self._rows.remove(row)

    def _create(self, rows: list[Wanted], here: Netns, seen: dict[object, int]) -> list[AttachError]:
        """Create the pairs and configure the containers' ends. Gives what was refused because something is in
        the way."""
        conflicts: list[AttachError] = []
        own = here.identity

        def work(rows: list[Wanted], handles: list[Netns]) -> None:
            good_rows, good_handles = [], []
            for row, handle in zip(rows, handles, strict=True):
                identity = handle.identity
                first = seen.setdefault((identity, row.ifname), row.position)
                if identity == own:
                    text = "this is the host's own network namespace"
                    self._fail(
                        failure(
                            row.position, row.endpoint, errno.EINVAL, "attach", where=row.label, text=text
                        )
                    )
                elif first != row.position:
                    text = f"endpoint {first} is the same container and has the same ifname {row.ifname}"
                    self._fail(
                        failure(
                            row.position, row.endpoint, errno.EEXIST, "attach", where=row.label, text=text
                        )
                    )
                else:
                    good_rows.append(row)
                    good_handles.append(handle)
            self._raise_failure()
            if not good_rows:
                return
            groups = [self._bridges[row.bridge].group.number for row in good_rows]
            group = Group(good_rows, good_handles, self._timeout)
            for row, error in zip(good_rows, group.create(groups, here.fileno(), self._echo), strict=True):
                if error is None:
                    continue
                if error.errno == errno.EEXIST and not row.index:
                    conflicts.append(error)
                else:
                    self._fail(error)
            self._tell()
            self._raise_failure()

        self._fail_all(in_groups(rows, work, self._echo))
        self._raise_failure()
        return conflicts

    def _create_again(self, refused: list[AttachError], here: Netns) -> None:
        """Look at what is in the way: leave what is complete, remove what a dead call left and try that once
        more."""
        by_position = {row.position: row for row in self._rows}
        again: list[Wanted] = []
        with RTNetlink() as host:
            conflicts = Conflicts(host)
            try:
                for error in refused:
                    row = by_position[error.position]
                    with Netns.open(row.endpoint.netns) as handle:
                        verdict = conflicts.resolve(row, handle, self._bridges[row.bridge])
                    if verdict is None:
                        again.append(row)
                    elif isinstance(verdict, str):
                        self._fail(
                            failure(
                                row.position,
                                row.endpoint,
                                errno.EEXIST,
                                error.verb,
                                where=row.label,
                                text=verdict,
                            )
                        )
                    else:
                        self._done[row.position] = verdict
                self._raise_failure()
                conflicts.remove_leftovers()
            finally:
                conflicts.close()
        self._rows = [row for row in self._rows if row.position not in self._done]
        self._fail_all(self._create(again, here, {}))

    def _enslave(self, bridge: Bridge) -> None:
        rows = [row for row in self._rows if row.bridge == bridge.name]
        if not rows:
            return
        try:
            bridge.enslave_group()
        except NetlinkError as error:
            if error.errno is None:
                raise
            # The group message stops at the first port that is refused: see which are in.
            for row in rows:
                refused = bridge.enslave(row.host_index)
                if refused is not None:
                    self._fail(
                        failure(
                            row.position,
                            row.endpoint,
                            refused.errno or errno.EIO,
                            f"make {row.host_ifname} a port of {bridge.name}",
                            path=refused.path,
                            text=refused.text,
                        )
                    )

    def _make_ready(self, rows: list[Wanted], handles: list[Netns]) -> None:
        for error in Group(rows, handles, self._timeout).make_ready():
            if error is not None:
                self._fail(error)

    def _commit(self) -> None:
        """See that the ports forward, and take the links out of the private groups: from here on they are
        finished."""
        for bridge in self._bridges.values():
            rows = [row for row in self._rows if row.bridge == bridge.name]
            self._ports.update(bridge.port_states([row.host_index for row in rows]))
        for bridge in self._bridges.values():
            rows = [row for row in self._rows if row.bridge == bridge.name]
            lost = dict(regroup(bridge.group.socket, [row.host_index for row in rows], 0))
            for row in rows:
                if row.host_index in lost:
                    text = "its host end went away meanwhile"
                    self._fail(
                        failure(
                            row.position,
                            row.endpoint,
                            lost[row.host_index],
                            "attach",
                            where=row.label,
                            text=text,
                        )
                    )
        self._raise_failure()
        self._drop_failed()
        for row in self._rows:
            self._done[row.position] = _attachment(row, self._ports[row.host_index])

    # -- failures
    # --------------------------------------------------------------------------------------------------

    def _fail(self, error: AttachError) -> None:
        self._failed.setdefault(error.position, error)

    def _fail_all(self, errors: list[AttachError]) -> None:
        for error in errors:
            self._fail(error)

    def _raise_failure(self) -> None:
        if self._whole and self._failed:
            failures = tuple(self._failed[position] for position in sorted(self._failed))
            failures[0].failures = failures
            raise failures[0]

    def _drop_failed(self) -> None:
        """Where each endpoint stands alone: remove what there is of those that failed, and go on with the
        others."""
        lost = [row for row in self._rows if row.position in self._failed]
        self._rows = [row for row in self._rows if row.position not in self._failed]
        remove([row.host_index for row in lost if row.host_index])

    def roll_back(self) -> None:
        """Remove all that this call made. Never called twice; errors of its own are the kernel's (then it
        says which)."""
        for bridge in self._bridges.values():
            bridge.group.delete_members()
        if self._ports:  # some were taken out of their group already
            remove([row.host_index for row in self._rows if row.host_index])

    def close(self) -> None:
        """Close the sockets: the groups' numbers are free again."""
        for bridge in self._bridges.values():
            bridge.close()

    def results(self) -> list[Attachment | AttachError]:
        """What has become of each endpoint, in the order given."""
        outcome: dict[int, Attachment | AttachError] = {**self._failed, **self._done}
        return [outcome[position] for position in range(len(self._endpoints))]

    def _tell(self) -> None:
        if self._progress is not None:
            made = sum(1 for row in self._rows if row.host_index) + len(self._failed) + len(self._done)
            self._progress(made, len(self._endpoints))


def remove(indices: list[int]) -> int:
    """Remove links of the caller's namespace by index, all at the price of one wait; gives how many were
    there."""
    if not indices:
        return 0
    group = PrivateGroup()
    try:
        gone = group.take(indices)
        group.delete_members()
    finally:
        group.close()
    return len(indices) - len(gone)


def _attachment(row: Wanted, port: str) -> Attachment:
    return Attachment(
        netns=row.label,
        bridge=row.bridge,
        ifname=row.ifname,
        index=row.index,
        mac=format_mac(row.mac),
        addresses=tuple([f"{format_ip(packed)}/{length}" for packed, length in row.addresses]),
        gateways=tuple([format_ip(gateway) for gateway in row.gateways or ()]),
        host_ifname=row.host_ifname,
        host_index=row.host_index,
        port=port,
    )
