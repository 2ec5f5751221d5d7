"""Look-ups in what sets hold, with keys that are known in part."""

from __future__ import annotations

import pytest

from netlinkpy.nft.contents import Contents
from netlinkpy.uapi.nf_tables import NFT_SET_ELEM_CATCHALL, NFT_SET_ELEM_INTERVAL_END, NFT_SET_INTERVAL
from netlinkpy.wire.netfilter.elements import Element

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netlinkpy.nft.contents import Words

REST = Element(b"", flags=NFT_SET_ELEM_CATCHALL)
A, B = Element(b"aaaa", b"1"), Element(b"bbbb", b"2")
PAIRS = [Element(b"aaaab\0", b"1"), Element(b"aaaac\0", b"2"), Element(b"ddddb\0", b"3")]
FROM_B = Element(b"bb\0\0")
TO_D = Element(b"dd\0\0", flags=NFT_SET_ELEM_INTERVAL_END)
FROM_D = Element(b"dd\0\0", b"x")
RANGES = [Element(b"aaaa\0\1", end=b"bbbb\0\3"), Element(b"cccc\0\1", end=b"cccc\0\7")]


def described(length: int, *fields: int, flags: int = 0) -> dict[str, object]:
    concat = {"desc": {"concat": {"elem": [{"len": one} for one in fields]}}} if fields else {}
    return {"key_len": length, "flags": flags, **concat}


@pytest.mark.parametrize(
    "elements, key, found",
    [
        ([A, B], [b"bbbb"], [B]),
        ([A, B], [b"cccc"], [None]),
        ([A, B, REST], [b"cccc"], [REST]),
        ([A, REST], [None], [A, REST]),
        ([REST], [None], [REST]),
        ([], [None], [None]),
    ],
)
def test_exact_keys(elements: list[Element], key: Words, found: list[Element | None]) -> None:
    assert Contents(described(4), elements).found(key) == found


@pytest.mark.parametrize(
    "key, found",
    [
        ([b"aaaa", b"c\0\0\0"], [PAIRS[1]]),
        ([b"aaaa", None], [*PAIRS[:2], None]),
        ([None, b"b\0\0\0"], [PAIRS[0], PAIRS[2], None]),
        ([b"eeee", None], [None]),
    ],
)
def test_concatenations(key: Words, found: list[Element | None]) -> None:
    assert Contents(described(6, 4, 2), PAIRS).found(key) == found


@pytest.mark.parametrize(
    "elements, key, found",
    [
        ([TO_D, FROM_B], b"bb\0\0", FROM_B),
        ([TO_D, FROM_B], b"czzz", FROM_B),
        ([TO_D, FROM_B], b"dd\0\0", None),
        ([TO_D, FROM_B], b"bazz", None),
        ([TO_D, FROM_B, FROM_D], b"dd\0\0", FROM_D),
        ([TO_D, FROM_B, FROM_D], b"zzzz", FROM_D),
        ([TO_D, FROM_B, REST], b"a\0\0\0", REST),
    ],
)
def test_intervals(elements: list[Element], key: bytes, found: Element | None) -> None:
    contents = Contents(described(4, flags=NFT_SET_INTERVAL), elements)
    assert contents.found([key]) == [found]
    assert contents.found([None])[-1] in (None, REST)


@pytest.mark.parametrize(
    "key, found",
    [
        ([b"abcd", b"\0\2\0\0"], [RANGES[0]]),
        ([b"abcd", b"\0\4\0\0"], [None]),
        ([b"cccc", b"\0\7\0\0"], [RANGES[1]]),
        ([b"cccc", None], [RANGES[1], None]),
        ([None, b"\0\2\0\0"], [*RANGES, None]),
        ([None, b"\0\t\0\0"], [None]),
    ],
)
def test_ranges_of_concatenations(key: Words, found: list[Element | None]) -> None:
    assert Contents(described(6, 4, 2, flags=NFT_SET_INTERVAL), RANGES).found(key) == found


def test_a_set_that_the_kernel_tells_nothing_of() -> None:
    assert Contents({}, [A, Element(b""), REST]).found([]) != []
