"""The options of a kind of link: check them, and turn them into attributes (IFLA_INFO_DATA)."""

from __future__ import annotations

from ..wire.codecs import Flag, Integer, Sized
from ..wire.rtnetlink.kind import IFINDEX
from ..wire.rtnetlink.kinds import find
from .values import check_number, is_of_ipaddress, parse_ip, parse_mac

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ..wire.attributes import Values
    from ..wire.rtnetlink.kind import Option
    from .netlink import RTNetlink


def check_parts(name: str, given: Iterable[str]) -> None:
    """Check that a new link of a kind has what it must have: "link", "peer", options. Raise TypeError if it
    does not, or if it has a parent or a peer and its kind takes none."""
    kind = find(name)
    parts = set(given)
    for needed in kind.needs if kind else ():
        if needed not in parts:
            raise TypeError(f"a {name} needs {_WORDS.get(needed, needed)}")
    if "peer" in parts and not (kind and "peer" in kind.takes):
        raise TypeError(f"a {name} has no peer")
    if "link" in parts and kind and "link" not in kind.takes and "link" not in kind.options:
        raise TypeError(f"a {name} has no parent link")


def has_parent(name: str) -> bool:
    """Return whether a kind's parent is IFLA_LINK of the message, not an option of its own."""
    kind = find(name)
    return kind is None or "link" in kind.takes


def read_options(rt: RTNetlink, name: str, given: dict[str, Any]) -> Values:
    """Return the attributes of options by name. Raise TypeError if the kind has no such option, ValueError or
    TypeError if a value is invalid, NetlinkError (ENODEV) if it names a link that does not exist."""
    kind = find(name)
    if kind is None:
        if given:
            raise TypeError(f"the options of kind {name!r} are not known here: {', '.join(given)}")
        return {}
    values: Values = {}
    for word, value in given.items():
        option = kind.option(word)
        if option is None or option.name == "peer":
            raise TypeError(f"a {name} has no option {word!r}")
        if option.told:
            raise TypeError(f"a {name}'s {word} is told by the kernel, it cannot be set")
        if value is None:
            continue
        if option.bits:
            kind.set_bit(values, option, bool(_check_number(option, value)))
        else:
            checked = _check(rt, option, value)
            values[_attribute(option, checked)] = checked
    return values


_WORDS = {"link": "a parent: link=", "peer": "a peer"}


def _attribute(option: Option, value: Any) -> str:
    """Return the attribute that takes a value: addresses of IPv4 and IPv6 have one each."""
    codec = option.codec
    other = option.other and isinstance(codec, Sized) and len(value) not in codec.lengths
    return option.other if other else option.name


def _check(rt: RTNetlink, option: Option, value: Any) -> Any:
    codec = option.codec
    if codec is IFINDEX:
        return rt.index(value)
    if isinstance(codec, Integer):
        return _check_number(option, value)
    if isinstance(codec, Flag):
        return bool(value)
    if isinstance(codec, Sized) and (isinstance(value, str) or is_of_ipaddress(value)):
        packed = parse_mac(value) if codec.lengths == (6,) else parse_ip(value)
        if len(packed) not in codec.lengths and not option.other:
            raise ValueError(f"{option.name}: {value} has {len(packed)} bytes, not {codec.lengths[0]}")
        return packed
    return value


def _check_number(option: Option, value: Any) -> int:
    if option.words is not None:
        return _named(option, option.words, value)
    return check_number(
        int(value) if isinstance(value, bool) else value, option.low, option.high, option.name
    )


def _named(option: Option, words: Any, value: Any) -> int:
    if isinstance(value, str):
        for word, number in words.items():
            if word.lower() == value.lower():
                return int(number)
    elif isinstance(value, int) and value in words.values():
        return int(value)
    raise ValueError(f"{option.name} is one of {', '.join(words)}, not {value!r}")
