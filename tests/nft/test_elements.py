"""The codec of many elements, and of expressions: any of them come back as they went."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlinkpy.uapi.netfilter import NF_ACCEPT, NF_DROP
from netlinkpy.uapi.nf_tables import NFT_JUMP, NFT_SET_ELEM_CATCHALL, NFT_SET_ELEM_INTERVAL_END
from netlinkpy.wire.netfilter.elements import ELEMENT, SET_ELEMENTS, Element
from netlinkpy.wire.netfilter.expressions import EXPRESSIONS


def tlv(kind: int, payload: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) & 3)


COMMENTS = st.text("br0 -.ä", max_size=20)


@st.composite
def element(draw: st.DrawFn, key: int, data: int) -> Element:
    one = Element(
        draw(st.binary(min_size=key, max_size=key)),
        draw(st.binary(min_size=data, max_size=data)),
        draw(st.sampled_from([0, NFT_SET_ELEM_INTERVAL_END])),
    )
    if draw(st.booleans()):
        one = one.replace(userdata=Element.commented(b"", draw(COMMENTS)).userdata)
    return one


@given(st.lists(element(4, 0) | element(8, 8) | element(5, 3) | element(24, 20), max_size=20))
def test_elements_of_any_shape(elements: list[Element]) -> None:
    assert back(elements) == elements


@given(st.sampled_from([(4, 0), (8, 8), (12, 8), (24, 20), (6, 2)]), st.data())
def test_elements_of_one_shape(shape: tuple[int, int], data: st.DataObject) -> None:
    key, value = (st.binary(min_size=size, max_size=size) for size in shape)
    one = st.tuples(key, value).map(lambda pair: Element(*pair))
    elements = data.draw(st.lists(one, min_size=1, max_size=50))
    assert back(elements) == elements
    described = b"".join(
        bytes((len(one) + 4, 0, 1, 128)) + one
        for one in (
            ELEMENT.pack({"key": {"value": e.key}, "data": {"value": e.data} if e.data else None})
            for e in elements
        )
    )
    assert packed(elements)[4 + 4 :] == described


@pytest.mark.parametrize(
    "element",
    [
        tlv(2, b""),
        tlv(1, b""),
        tlv(1, tlv(2, tlv(1, b"data"))),
        tlv(1, tlv(1, b"")),
        tlv(1, tlv(1, tlv(2, b""))),
    ],
)
def test_an_element_that_lacks_what_it_should_have(element: bytes) -> None:
    """It is skipped, or has an empty key, which nothing is looked up by."""
    found = SET_ELEMENTS.parse(bytes(4) + tlv(3, element + tlv(9, bytes(20))))["elements"]
    assert all(isinstance(one, Element) and one.key == b"" for one in found)


def test_verdicts_ranges_and_the_rest_come_back_as_they_went() -> None:
    elements = [
        Element(b"br0\0", verdict=(NFT_JUMP, "inner")),
        Element(b"aaaabbbb", flags=0, end=b"aaaacccc", verdict=(NF_DROP, "")),
        Element(b"", flags=NFT_SET_ELEM_CATCHALL, verdict=(NF_ACCEPT, "")),
    ]
    assert back(elements) == elements


def packed(elements: list[Element]) -> bytes:
    return SET_ELEMENTS.pack({"elements": elements})


def back(elements: list[Element]) -> list[Element]:
    found: list[Element] = SET_ELEMENTS.parse(packed(elements))["elements"]
    return found


@given(COMMENTS)
def test_comment(text: str) -> None:
    assert Element.commented(b"key!", text).comment == text


@given(st.binary(max_size=40))
def test_userdata_of_others_is_no_comment_and_no_error(data: bytes) -> None:
    assert isinstance(Element(b"", userdata=data).comment, str)


def test_expressions_of_others_are_kept() -> None:
    """A rule with an expression that is not described here: its data stay bytes."""
    values = {"elem": [{"name": "quota", "data": b"\x0c\0\1\0\0\0\0\0\0\0\0\1"}, {"name": "notrack"}]}
    assert EXPRESSIONS.parse(EXPRESSIONS.pack(values), {}) == values
