"""hypothesis strategies of values, derived from the descriptions: everything that a table names is tried."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from netlinkpy.uapi.nf_tables import NFT_SET_ELEM_CATCHALL, NFT_SET_ELEM_INTERVAL_END
from netlinkpy.uapi.socket import AF_BRIDGE, AF_INET6
from netlinkpy.wire.attributes import NLA_TYPE_MASK, Attributes, Repeated
from netlinkpy.wire.codecs import Codec, Fields, Flag, Integer, Raw, Select, Sized, String
from netlinkpy.wire.message import Message
from netlinkpy.wire.netfilter.elements import Element, ElementList
from netlinkpy.wire.rtnetlink import kinds
from netlinkpy.wire.rtnetlink.kind import Pairs
from netlinkpy.wire.rtnetlink.route import ROUTE, Nexthops

Values = dict[Any, Any]
KINDS = {file.stem for file in Path(kinds.__file__).parent.glob("[a-z]*.py")}
MOST = 4  # attributes on one level
DEEPEST = 3  # levels of nesting
UNKNOWN = st.integers(1, NLA_TYPE_MASK)

NUL_FREE = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
ESCAPED = st.binary(max_size=20).map(lambda data: data.replace(b"\0", b"").decode("utf-8", "surrogateescape"))


def number(form: str) -> st.SearchStrategy[int]:
    """Return numbers that fit the struct format, including its bounds."""
    bits = struct.calcsize(form) * 8
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if form[-1].islower() else (0, (1 << bits) - 1)
    return st.integers(low, high) | st.sampled_from([low, high])


def letters(form: str) -> list[str]:
    """Return the formats of a struct's members, its padding left out."""
    return [form[0] + letter for letter in form[1:] if letter != "x"]


def struct_values(form: str, names: tuple[str, ...]) -> st.SearchStrategy[dict[str, int]]:
    """Return all members of a C struct."""
    return st.fixed_dictionaries({name: number(one) for name, one in zip(names, letters(form), strict=True)})


def of(codec: Codec, depth: int, around: Mapping[Any, Any]) -> st.SearchStrategy[Any]:
    """Return values of a codec, beside the values `around`."""
    if isinstance(codec, Integer):
        return number(codec._struct.format)
    if isinstance(codec, String):
        return NUL_FREE | ESCAPED
    if isinstance(codec, Flag):
        return st.just(True)
    if isinstance(codec, Fields):
        return struct_values(codec._struct.format, codec.names)
    if isinstance(codec, Repeated):
        return st.lists(of(codec.codec, depth, around), min_size=1, max_size=3)
    if isinstance(codec, Select):
        return of(codec.case(dict(around)), depth, around)
    if isinstance(codec, Nexthops):
        return st.lists(nexthops(depth + 1), max_size=3)
    if isinstance(codec, Message):
        return message(codec, depth + 1)
    if isinstance(codec, Attributes):
        return attributes(codec, depth + 1, {})
    if isinstance(codec, Pairs):
        return st.dictionaries(number("=I"), number("=I"), max_size=3)
    if isinstance(codec, Sized):
        return st.sampled_from(codec.lengths).flatmap(
            lambda length: st.binary(min_size=length, max_size=length)
        )
    if isinstance(codec, ElementList):
        return st.lists(elements(), min_size=1, max_size=3)
    assert isinstance(codec, Raw), codec
    return st.binary(max_size=20)


def cases(codec: Codec) -> dict[Any, Codec]:
    """Return the values of a Select's key with their codecs; nothing for other codecs."""
    if not isinstance(codec, Select):
        return {}
    known = getattr(codec.find, "__self__", None)  # of a dict's get
    names = known if type(known) is dict else (*KINDS, AF_BRIDGE, AF_INET6)
    return {name: found for name in names if (found := codec.find(name)) is not None}


@st.composite
def attributes(draw: st.DrawFn, table: Attributes, depth: int, around: Values) -> Values:
    """Return some attributes of a level, in any order, unknown ones too; a Select's key comes before it."""
    values: Values = {}
    names = (
        draw(st.lists(st.sampled_from(sorted(table._by_name)), max_size=MOST, unique=True))
        if table._by_name
        else []
    )
    keys = [codec.key for _, codec in map(table.type_of, names) if isinstance(codec, Select)]
    names = [name for name in dict.fromkeys([*keys, *names]) if name in table._by_name]
    for name in names:
        codec = table.type_of(name)[1]
        if depth >= DEEPEST and not isinstance(codec, (Integer, String, Raw, Flag)):
            continue
        if name in keys and isinstance(codec, String):
            of_key = {case for _, one in table._by_name.values() for case in cases(one)}
            values[name] = draw(st.sampled_from(sorted([*of_key, "unheard-of"])))
        else:
            values[name] = draw(of(codec, depth, {**around, **values}))
    known = {kind for kind, _ in table._by_name.values()}
    unknown = UNKNOWN.filter(lambda kind: kind not in known)
    several = st.lists(st.binary(max_size=9), min_size=2, max_size=3)
    values.update(draw(st.dictionaries(unknown, st.binary(max_size=9) | several, max_size=2)))
    return values


@st.composite
def elements(draw: st.DrawFn) -> Element:
    """Return an element of a set or map."""
    data = st.binary(max_size=20)
    flags = draw(st.sampled_from([0, 0, NFT_SET_ELEM_INTERVAL_END, NFT_SET_ELEM_CATCHALL]))
    verdict = draw(st.none() | st.tuples(number(">i"), NUL_FREE))
    return Element(
        b"" if flags == NFT_SET_ELEM_CATCHALL else draw(data),
        b"" if verdict else draw(data),
        flags,
        draw(data),
        draw(data),
        verdict,
    )


@st.composite
def message(draw: st.DrawFn, description: Message, depth: int = 0) -> Values:
    """Return all the header's members, and some attributes."""
    header = description.header
    values: Values = draw(struct_values(header.struct.format, header.names))
    if "ifi_family" in values:
        values["ifi_family"] = draw(st.sampled_from([0, 2, 7, 10, 99]))
    return {**values, **draw(attributes(description.attributes, depth, values))}


@st.composite
def nexthops(draw: st.DrawFn, depth: int) -> Values:
    """Return one nexthop of a multipath route."""
    values: Values = draw(struct_values("=BBi", ("rtnh_flags", "rtnh_hops", "rtnh_ifindex")))
    return {**values, **draw(attributes(ROUTE.attributes, depth, values))}
