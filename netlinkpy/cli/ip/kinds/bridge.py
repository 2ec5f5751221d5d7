"""bridge: ids, timers and masks are shown in special forms."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ....wire.attributes import Values
    from ....wire.rtnetlink.kind import Option
    from ...output import Field
    from ..session import Session


class _Seconds(float):
    """A time, of which JSON shows both decimals."""

    def __str__(self) -> str:
        return f"{float(self):.2f}"


def id_text(packed: bytes) -> str:
    """Return a bridge's id (struct ifla_bridge_id), 8000.2:0:0:0:0:10."""
    return f"{packed[:2].hex()}.{':'.join([f'{byte:x}' for byte in packed[2:8]])}"


def hexadecimal(number: int) -> str:
    """C's %#x: 0 has no 0x."""
    return f"{number:#x}" if number else "0"


def show_id(session: Session, option: Option, data: Values) -> Iterator[Field]:
    """Yield the field of an attribute that is a bridge's id."""
    text = id_text(data[option.name])
    yield option.key, text, f"{option.word} {text} "


def show_hexadecimal(session: Session, option: Option, data: Values) -> Iterator[Field]:
    """Yield the field of an attribute that is a mask."""
    text = hexadecimal(data[option.name])
    yield option.key, text, f"{option.word} {text} "


def show_timer(session: Session, option: Option, data: Values) -> Iterator[Field]:
    """Yield the field of an attribute that counts hundredths of a second, in seconds."""
    whole, rest = divmod(data[option.name], 100)
    yield option.key, _Seconds(data[option.name] / 100), f"{option.word} {whole:4}.{rest:02} "


SHOWN = {
    "bridge_id": show_id,
    "root_id": show_id,
    "hello_timer": show_timer,
    "tcn_timer": show_timer,
    "topology_change_timer": show_timer,
    "gc_timer": show_timer,
    "group_fwd_mask": show_hexadecimal,
}
