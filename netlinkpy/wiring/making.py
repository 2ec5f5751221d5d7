"""Making: the pairs of a call's rows created, configured, and their addresses claimed; and the way cleared
where it is not free.

Until the host ends are made ports of their bridge nothing passes through them, so a claim that is refused
then has disturbed nobody."""

from __future__ import annotations

import errno
import os

from ..netns.handle import Netns
from ..rtnl.netlink import RTNetlink
from ..rtnl.values import format_ip
from .bridge import remove
from .claims import Refused, claim
from .errors import AttachError
from .inside import Group, in_groups, reserve_descriptors
from .inspect import Conflicts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..transport.socket import Socket
    from .attachment import Attachment
    from .bridge import Bridge
    from .endpoint import Endpoint, Wanted
    from .errors import Failures
    from .inside import Ahead

_ROUNDS = 16  # how often a row is tried again after its way was cleared, or with another free address


class Maker:
    """Makes rows. `done` holds, by position, those that were there already, just as wanted."""

    def __init__(
        self,
        bridges: dict[str, Bridge],
        failures: Failures,
        timeout: float,
        tell: Callable[[], None],
        another: Callable[[int, str], Endpoint | None] | None,
        announce: bool,
        ahead: Ahead | None,
        whole: bool,
    ) -> None:
        """announce: all addresses are to be announced before it is finished. ahead: of a row that stands
        alone. whole: such a row goes through all phases at once, as far as it can; nothing is to be done in
        between."""
        self._announce = announce
        self._ahead = ahead
        self._whole = whole
        self._bridges = bridges
        self._failures = failures
        self._timeout = timeout
        self._tell = tell
        self._another = another
        self._seen: dict[object, int] = {}  # (namespace, ifname): the row's position
        self.done: dict[int, Attachment] = {}

    def make(self, rows: list[Wanted]) -> None:
        """Make all rows; what fails is noted."""
        with Netns.current() as here:
            reserve_descriptors(here.fileno(), len(rows))
            for _ in range(_ROUNDS):
                blocked, refused = self._create(rows, here)
                rows = [row for row in self._failures.without(rows) if row.index and not row.claimed]
                if not self._whole:
                    refused = claim(self._any_socket(), rows, self._bridges)
                if not blocked and not refused:
                    return
                rows = self._clear_way(blocked, refused)
                self._failures.check()
            for row in rows:
                self._failures.refuse(row, errno.EAGAIN, "others took its names or addresses first each time")

    def _any_socket(self) -> Socket:
        return next(iter(self._bridges.values())).group.socket

    def _create(
        self, rows: list[Wanted], here: Netns
    ) -> tuple[list[tuple[Wanted, AttachError]], list[Refused]]:
        """Create the pairs and configure the containers' ends; gives the rows whose way something is in. What
        goes through all phases at once claims its addresses too; gives the claim that is refused."""
        blocked: list[tuple[Wanted, AttachError]] = []
        refused: list[Refused] = []
        own = here.identity

        def work(rows: list[Wanted], handles: list[Netns]) -> None:
            good = [pair for pair in zip(rows, handles, strict=True) if self._may_enter(*pair, own)]
            self._failures.check()
            if not good:
                return
            rows = [row for row, _ in good]
            group = Group(rows, [handle for _, handle in good], self._timeout)
            bridges = [self._bridges[row.bridge] for row in rows]
            errors: Sequence[AttachError | Refused | None]
            if self._whole:
                finish = not self._announce and rows[0].tells_mac
                errors = [group.wire(bridges[0], here.fileno(), finish)]
            else:
                errors = group.create([bridge.group.number for bridge in bridges], here.fileno())
            for row, error in zip(rows, errors, strict=True):
                if error is None:
                    continue
                if isinstance(error, Refused):
                    refused.append(error)
                elif error.errno == errno.EEXIST and not row.index:
                    blocked.append((row, error))
                else:
                    self._failures.add(error)
            self._tell()
            self._failures.check()

        if self._ahead is not None and rows:  # of the one row that there is
            if rows[0].socket < 0:
                rows[0].socket = self._ahead.opened()
            work(rows, [self._ahead.handle])
        else:
            self._failures.add(*in_groups(rows, work))
        self._failures.check()
        return blocked, refused

    def _may_enter(self, row: Wanted, handle: Netns, own: tuple[int, int]) -> bool:
        identity = handle.identity
        if identity == own:
            self._failures.refuse(row, errno.EINVAL, "this is the host's own network namespace")
            return False
        first = self._seen.setdefault((identity, row.ifname), row.position)
        if first != row.position:
            text = f"endpoint {first} is the same container and has the same ifname {row.ifname}"
            self._failures.refuse(row, errno.EEXIST, text)
            return False
        return True

    def _clear_way(self, blocked: list[tuple[Wanted, AttachError]], refused: list[Refused]) -> list[Wanted]:
        """Look at what is in the way of each: leave what is complete, remove what a dead call left; gives the
        rows to be tried again."""
        again: list[Wanted] = []
        with RTNetlink(timeout=self._timeout) as host:
            conflicts = Conflicts(host)
            try:
                for row, error in blocked:
                    try:
                        with Netns.open(row.endpoint.netns) as handle:
                            verdict = conflicts.resolve(row, handle, self._bridges[row.bridge])
                    except OSError as gone:  # the container died meanwhile
                        self._failures.refuse(row, gone.errno or errno.EIO, gone.strerror or str(gone))
                        continue
                    if verdict is None:
                        again.append(row)
                    elif isinstance(verdict, str):
                        self._failures.refuse(row, errno.EEXIST, verdict, error.verb)
                    else:
                        self.done[row.position] = verdict
                for one in refused:
                    why = conflicts.resolve_claim(one)
                    if why is None or self._try_another(one):
                        again.append(one.row)
                    else:
                        self._failures.refuse(one.row, one.errno, why, f"claim {one.address}")
                self._failures.check()
                conflicts.remove_leftovers()
            finally:
                conflicts.close()
        again = list({row.position: row for row in again}.values())
        remove([row.host_index for row in again if row.host_index])
        for row in again:
            row.unmade()
            if row.endpoint.host_ifname is None:
                row.host_ifname = f"veth{os.urandom(4).hex()}"
        return again

    def _try_another(self, refused: Refused) -> bool:
        """Whether the caller has an endpoint to be tried in place of one whose address is taken; then the row
        is that."""
        row = refused.row
        if self._another is None or refused.errno != errno.EEXIST:
            return False
        if all(format_ip(packed) != refused.address for packed, _ in row.addresses):
            return True  # it has become another already, for a second address that was refused
        endpoint = self._another(row.position, refused.address)
        if endpoint is None:
            return False
        row.become(endpoint)
        row.gateways_from(self._bridges[row.bridge])
        row.spares_ipv6_of(self._bridges[row.bridge])
        return True
