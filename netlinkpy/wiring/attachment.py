"""Attachment: what attach() made; enough to detach it again, in this process or, through JSON, in another."""

from __future__ import annotations

from ..record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..netns.handle import Target


_LISTS = ("addresses", "gateways", "notes")
_JSON_TYPES = {"index": int, "host_index": int, "changed": bool, **dict.fromkeys(_LISTS, list)}


class Attachment(Record):
    """One interface of a container, wired to a bridge.

    netns: the container, in words; bridge; ifname, index and mac: of the container's end; addresses,
    gateways: as text; host_ifname, host_index: of the port of the bridge; port: the port's state on return:
    "forwarding" if the first packet passes, otherwise the reason why it does not yet (the bridge is down, or
    its STP still listens or learns); changed: False if all of it was there already; notes: sentences on what
    else was changed on the host, or could not be done (in JSON only if there are some)."""

    netns: str
    bridge: str
    ifname: str
    index: int
    mac: str
    addresses: tuple[str, ...]
    gateways: tuple[str, ...]
    host_ifname: str
    host_index: int
    port: str
    changed: bool = True
    notes: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether the first packet passes."""
        return self.port == "forwarding"

    def to_json(self) -> str:
        """Return one line of JSON, from which from_json() makes an equal Attachment."""
        values = self.as_dict()
        if not self.notes:
            del values["notes"]
        return f"{{{', '.join(f'{_quote(name)}: {_json(value)}' for name, value in values.items())}}}"

    @classmethod
    def from_json(cls, line: str) -> Attachment:
        """Return the Attachment that to_json() wrote as this line. Raise ValueError if the line holds
        none."""
        import json

        values = json.loads(line)
        if not isinstance(values, dict) or not {"host_ifname", "host_index"} <= values.keys():
            raise ValueError("this JSON is no attachment: it has no host_ifname and host_index")
        known = {name: values[name] for name in cls._fields if name in values}
        for name, value in known.items():
            wanted = _JSON_TYPES.get(name, str)
            if type(value) is not wanted:  # and True is no index
                kind = wanted.__name__
                raise ValueError(f"this JSON is no attachment: its {name} is {value!r}, and no {kind}")
        for name in _LISTS:
            known[name] = tuple(known.get(name, ()))
        try:
            return cls(**known)
        except TypeError as error:
            raise ValueError(f"this JSON is no attachment: {error}") from None

    @classmethod
    def find(cls, netns: Target, ifname: str = "eth0") -> Attachment:
        """Return the attachment of a container's interface, as the kernel has it now.

        Raise NetlinkError if there is no such interface (ENODEV), or it is no veth whose other end is in the
        caller's namespace (EINVAL)."""
        from .existing import find

        return find(netns, ifname)

    @classmethod
    def find_all(cls, netns: Target) -> list[Attachment]:
        """Return the attachments of a container, as the kernel has them now: its finished interfaces that are
        wired to a bridge of the caller's namespace."""
        from .existing import find_all

        return find_all(netns)


def _json(value: str | int | tuple[str, ...]) -> str:
    """Return one value as JSON. (Importing json costs more than an attach.)"""
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, tuple):
        return f"[{', '.join(_quote(item) for item in value)}]"
    return str(value).lower()


def _quote(text: str) -> str:
    try:
        from _json import encode_basestring_ascii as quote
    except ImportError:  # a Python without the C half of json
        from json import dumps as quote
    return str(quote(text))


def warnings(attachment: Attachment) -> list[str]:
    """Return its notes, and why the first packet does not pass yet, if it does not, as sentences."""
    if attachment.ready:
        return [*attachment.notes]
    why: dict[str, Any] = {
        "disabled": f"bridge {attachment.bridge} is down",
        "listening": f"STP of bridge {attachment.bridge} still listens (twice its forward delay in all)",
        "learning": f"STP of bridge {attachment.bridge} still learns (its forward delay)",
        "blocking": f"STP of bridge {attachment.bridge} blocks the port",
    }
    reason = why.get(attachment.port, f"its port is {attachment.port}")
    return [*attachment.notes, f"{attachment.ifname} of {attachment.netns} passes no packets yet: {reason}"]
