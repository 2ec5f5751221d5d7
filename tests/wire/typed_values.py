"""(Re)make netlinkpy/wire/rtnetlink/typed_values.pyi from the tables: python -m tests.wire.typed_values"""

from __future__ import annotations

from pathlib import Path

from netlinkpy.wire import rtnetlink
from netlinkpy.wire.attributes import Attributes, Repeated
from netlinkpy.wire.codecs import Codec, Fields, Flag, Integer, Raw, Select, String
from netlinkpy.wire.message import Message
from netlinkpy.wire.rtnetlink import link
from netlinkpy.wire.rtnetlink.address import ADDRESS
from netlinkpy.wire.rtnetlink.neighbour import NEIGHBOUR
from netlinkpy.wire.rtnetlink.nsid import NSID
from netlinkpy.wire.rtnetlink.route import METRICS, ROUTE, Nexthops
from netlinkpy.wire.rtnetlink.rule import RULE

FILE = Path(rtnetlink.__file__).with_name("typed_values.pyi")
HEAD = '''"""The values of the six messages as type checkers see them, so that they find a misspelt attribute.

Made from the tables by tests/wire/typed_values.py. A stub alone: there is no such module to run."""

from typing import Any, TypedDict
'''
NESTS: dict[str, Attributes] = {  # in the order in which they are written: what is used stands first
    "LinkInfo": link.LINKINFO,
    "LinkProperties": link.PROPERTIES,
    "RouteMetrics": METRICS,
}
MESSAGES: dict[str, Message] = {
    "LinkValues": link.LINK,
    "AddressValues": ADDRESS,
    "RouteValues": ROUTE,
    "NeighbourValues": NEIGHBOUR,
    "NsidValues": NSID,
    "RuleValues": RULE,
}


def type_of(codec: Codec) -> str:
    """The type of a codec's values."""
    for name, table in NESTS.items():
        if codec is table:
            return name
    if isinstance(codec, Repeated):
        return f"list[{type_of(codec.codec)}]"
    if isinstance(codec, Integer):
        return "int"
    if isinstance(codec, String):
        return "str"
    if isinstance(codec, Flag):
        return "bool"
    if isinstance(codec, Raw):
        return "bytes"
    if isinstance(codec, Fields):
        return "dict[str, int]"
    if isinstance(codec, Nexthops):
        return "list[dict[str, Any]]"
    assert isinstance(codec, Select), codec
    return "Any"


def written(name: str, says: str, fields: dict[str, str]) -> str:
    lines = [f"    {field}: {type}" for field, type in fields.items()]
    return "\n".join(["", f"class {name}(TypedDict, total=False):", f'    """{says}"""', "", *lines, ""])


def text() -> str:
    """The whole file."""
    parts = [HEAD]
    for name, table in NESTS.items():
        says = f"Attributes of a nest: {name}."
        parts.append(
            written(name, says, {key: f"{type_of(codec)}" for key, (_, codec) in table._by_name.items()})
        )
    for name, message in MESSAGES.items():
        fields = dict.fromkeys(message.header.names, "int")
        fields.update({key: f"{type_of(codec)}" for key, (_, codec) in message.attributes._by_name.items()})
        parts.append(written(name, f"The {message.name} message: its header, then its attributes.", fields))
    return "".join(parts)


if __name__ == "__main__":
    FILE.write_text(text())
