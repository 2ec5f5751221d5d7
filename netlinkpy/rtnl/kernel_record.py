"""KernelRecord: the form of all records of the kernel's messages: values as fields, then the message."""

from __future__ import annotations

from _operator import itemgetter

from ..record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar

    from ..wire.message import Message

_body: Any = itemgetter(-1)
_last: tuple[bytes, dict[Any, Any]] = (
    b"",
    {},
)  # what was parsed last: properties are read one after the other


class KernelRecord(Record):
    """A message from the kernel. Its last field is `body`, the message without nlmsghdr."""

    if TYPE_CHECKING:
        _message: ClassVar[Message]

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
