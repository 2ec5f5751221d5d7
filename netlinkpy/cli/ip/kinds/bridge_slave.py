"""bridge_slave, a port of a bridge: a word removes its backup port; some attributes are shown in special
forms."""

from __future__ import annotations

from ....uapi.if_bridge import PORT_STATES
from .bridge import hexadecimal, show_hexadecimal, show_id, show_timer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ....wire.attributes import Values
    from ....wire.rtnetlink.kind import Option
    from ...output import Field
    from ..grammar import Words
    from ..session import Session

LINK_LOCAL = {0: "stp", 2: "lacp", 14: "lldp"}  # bits of group_fwd_mask, the last byte of 01:80:c2:00:00:0x


def _no_backup(session: Session, words: Words, data: Values) -> None:
    data["backup_port"] = 0


def _state(session: Session, option: Option, data: Values) -> Iterator[Field]:
    state = data["state"]
    if state < len(PORT_STATES):
        yield "state", PORT_STATES[state], f"state {PORT_STATES[state]} "
    else:
        yield "state_index", state, f"state ({state}) "


def _router(session: Session, option: Option, data: Values) -> Iterator[Field]:
    yield "multicast_router", data["multicast_router"], f"mcast_router {data['multicast_router']} "
    if "fast_leave" in data:  # again, by its newer word
        yield None, None, f"mcast_fast_leave {'on' if data['fast_leave'] else 'off'} "


def _forwarded(session: Session, option: Option, data: Values) -> Iterator[Field]:
    mask = data["group_fwd_mask"]
    names = [LINK_LOCAL.get(bit, f"{1 << bit:#x}") for bit in range(16) if mask >> bit & 1]
    yield "group_fwd_mask", hexadecimal(mask), f"group_fwd_mask {hexadecimal(mask)} "
    text = ",".join(names) or "0x0"
    yield "group_fwd_mask_str", text, f"group_fwd_mask_str {text} "


WORDS = {"nobackup_port": _no_backup}
SHOWN = {
    "state": _state,
    "id": show_hexadecimal,
    "no": show_hexadecimal,
    "bridge_id": show_id,
    "root_id": show_id,
    "hold_timer": show_timer,
    "message_age_timer": show_timer,
    "forward_delay_timer": show_timer,
    "multicast_router": _router,
    "group_fwd_mask": _forwarded,
}
