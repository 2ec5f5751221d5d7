"""KernelRecord: the form of all records of the kernel's messages: values as fields, then the message; and
when two of them say the same."""

from __future__ import annotations

from _operator import itemgetter

from ..record import Record
from ..wire.errors import MalformedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar

    from ..wire.message import Message

_body: Any = itemgetter(-1)
_last: tuple[bytes, dict[Any, Any]] = (
    b"",
    {},
)  # what was parsed last: properties are read one after the other
# Attributes, at any depth, that go on by themselves or count what passed.
_CLOCKS = frozenset(
    (
        *("cacheinfo", "probes", "stats", "stats64", "xstats", "icmp6stats", "mfc_stats", "event"),
        *("carrier_changes", "carrier_up_count", "carrier_down_count", "mcast_querier_state"),
        *("hello_timer", "tcn_timer", "topology_change_timer", "gc_timer"),
        *("message_age_timer", "forward_delay_timer", "hold_timer"),
    )
)


class KernelRecord(Record):
    """A message from the kernel. Its last field is `body`, the message without nlmsghdr.

    Two are equal if their messages say the same: all attributes, but none of the kernel's clocks and
    counters."""

    if TYPE_CHECKING:
        _message: ClassVar[Message]

    _lasting = slice(-1)  # the fields that are no clocks, without the message

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other) or _fields(self) != _fields(other):
            return False
        mine, theirs = _body(self), _body(other)
        parse = self._message.parse
        try:
            return bool(mine == theirs or _said(parse(mine)) == _said(parse(theirs)))
        except MalformedError:  # one that is not from the kernel
            return False

    def __hash__(self) -> int:
        return hash(_fields(self))

    @property
    def attributes(self) -> dict[Any, Any]:
        """The whole message by the kernel's names, unknown attributes by number: to read, not to change."""
        global _last
        body = _body(self)
        known, values = _last
        if known is not body:
            values = self._message.parse(body)
            _last = body, values
        return values


def _fields(record: Any) -> tuple[Any, ...]:
    values: tuple[Any, ...] = tuple.__getitem__(record, record._lasting)
    return values


def _said(value: Any) -> Any:
    """Return parsed attributes without the kernel's clocks."""
    if isinstance(value, dict):
        return {name: _said(one) for name, one in value.items() if name not in _CLOCKS}
    return [_said(one) for one in value] if isinstance(value, list) else value
