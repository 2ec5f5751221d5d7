"""watch(): stay, and reload each network as soon as others take something of it away.

The kernel says so: nf_tables and rtnetlink have groups that hear of every change. What it says is only a
reason to look (audit.py); so a message that is lost (ENOBUFS) costs nothing, and our own changes end it."""

from __future__ import annotations

import _socket
import errno
import select
from time import monotonic

from ..nat import Nat
from ..rtnl.netlink import RTNetlink
from ..uapi.netlink import AF_NETLINK, NETLINK_ADD_MEMBERSHIP, NETLINK_NETFILTER, NETLINK_ROUTE, SOL_NETLINK
from ..uapi.nfnetlink import NFNLGRP_NFTABLES
from ..uapi.rtnetlink import (
    RTNLGRP_IPV4_IFADDR,
    RTNLGRP_IPV4_NETCONF,
    RTNLGRP_IPV4_ROUTE,
    RTNLGRP_IPV4_RULE,
    RTNLGRP_IPV6_IFADDR,
    RTNLGRP_IPV6_NETCONF,
    RTNLGRP_IPV6_ROUTE,
    RTNLGRP_IPV6_RULE,
    RTNLGRP_LINK,
)
from .audit import Audit
from .blocks import blocks_of
from .lookup import list_networks
from .reconcile import put_all_back, reload

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_GROUPS = {
    NETLINK_NETFILTER: (NFNLGRP_NFTABLES,),
    NETLINK_ROUTE: (
        RTNLGRP_LINK,
        RTNLGRP_IPV4_IFADDR,
        RTNLGRP_IPV4_ROUTE,
        RTNLGRP_IPV4_RULE,
        RTNLGRP_IPV6_IFADDR,
        RTNLGRP_IPV6_ROUTE,
        RTNLGRP_IPV6_RULE,
        RTNLGRP_IPV4_NETCONF,
        RTNLGRP_IPV6_NETCONF,
    ),
}
_QUIET, _LONGEST = 0.005, 0.03  # seconds without news before the look, and how long they may go on
_LOOK_AGAIN = 5.0  # seconds after which what could not be put back is tried again


def watch(tell: Callable[[str], object], *, ready: Callable[[], object] = lambda: None) -> None:
    """Reload the networks of the caller's namespace whenever something of them is taken away, until an
    exception ends it (KeyboardInterrupt).

    tell: called with each sentence on what was put back, or could not be, and on what blocks a network since
    the last look; ready: called once, when it listens and all is as made. Raise OSError if the kernel does
    not let us listen."""
    poll = select.poll()
    sockets = [_listening(protocol, groups) for protocol, groups in _GROUPS.items()]
    try:
        for one in sockets:
            poll.register(one, select.POLLIN)
        failed = _mend(tell)
        blocked = _tell_blocks(tell, set())
        ready()
        while True:
            if poll.poll(_LOOK_AGAIN * 1000 if failed else None):
                _settle(poll, sockets)
            failed = _mend(tell)
            blocked = _tell_blocks(tell, blocked)
    finally:
        for one in sockets:
            one.close()


def _listening(protocol: int, groups: tuple[int, ...]) -> _socket.socket:
    kind = _socket.SOCK_RAW | _socket.SOCK_CLOEXEC | _socket.SOCK_NONBLOCK
    one = _socket.socket(AF_NETLINK, kind, protocol)
    try:
        one.bind((0, 0))
        for group in groups:
            one.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
    except BaseException:
        one.close()
        raise
    return one


def _settle(poll: select.poll, sockets: list[_socket.socket]) -> None:
    """Read away what is told, until it is quiet for a moment: a change is many messages."""
    end = monotonic() + _LONGEST
    while True:
        for one in sockets:
            _read_away(one)
        if monotonic() > end or not poll.poll(_QUIET * 1000):
            return


def _read_away(one: _socket.socket) -> None:
    while True:
        try:
            one.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise


def _mend(tell: Callable[[str], object]) -> bool:
    """Put back what the networks lack; return whether something could not be."""
    failed = False
    try:
        with RTNetlink() as host, Nat() as nat:
            for network, differences in Audit(host, nat).found():
                if differences:
                    try:
                        notes = reload(host, nat, network.name)
                    except (OSError, ValueError) as error:  # it was removed meanwhile, or not all can be had
                        failed = True
                        notes = [str(error)]
                    for note in notes:
                        tell(note)
            put_all_back(host, nat)
    except OSError as error:
        tell(str(error))
        failed = True
    return failed


def _tell_blocks(tell: Callable[[str], object], known: set[str]) -> set[str]:
    """Tell what blocks networks and was not known; return all that does."""
    try:
        with RTNetlink() as host, Nat() as nat:
            blocks = blocks_of(nat, list_networks(host))
    except OSError:  # it is busy just now: the next news is a reason to look again
        return known
    found = {f"network {name}: {what}" for name, some in blocks.items() for what in some}
    for one in sorted(found - known):
        tell(one)
    return found
