"""stamp and gather: the same bytes from every backend, whatever the shape; a hostile dump is a ValueError
at worst."""

from __future__ import annotations

import struct
from array import array
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netlinkpy.wire.columns import compile_plan
from tests.backends.messages import attribute, available, message

if TYPE_CHECKING:
    from netlinkpy.backends.interface import Backend, Column
    from tests.backends.programs import Field

BACKENDS = available()
SEVERAL = settings(max_examples=1500, deadline=None)


def same(results: list[Any]) -> Any:
    """What all backends gave, which must be the same."""
    assert all(one == results[0] for one in results), results
    return results[0]


def outcome(call: Any, *arguments: Any) -> Any:
    """The result, or ValueError itself: the sentences may differ."""
    try:
        return call(*arguments)
    except ValueError:
        return ValueError


# -- stamp -------------------------------------------------------------------------------------------------


@st.composite
def stampings(draw: st.DrawFn) -> tuple[int, bytes, list[Column], int, int, int | None]:
    template = draw(st.binary(min_size=4, max_size=80)) + b"0000"
    template = template[: len(template) & ~3]
    start = draw(st.integers(0, 5))
    stop = start + draw(st.integers(0, 9))
    columns: list[Column] = []
    for _ in range(draw(st.integers(0, 5))):
        width = draw(st.integers(0, len(template)))
        offset = draw(st.integers(0, len(template) - width))
        stride = draw(st.sampled_from([0, 0, width, width + 1, 1]))
        size = max(0, stop - 1) * stride + width
        data = draw(st.binary(min_size=size, max_size=size + 3))
        columns.append((offset, width, data, stride, draw(st.booleans())))
    numbered = len(template) >= 16 and draw(st.booleans())
    sequence = draw(st.integers(0, 2**32 - 1)) if numbered else None
    return draw(st.integers(0, 600)), template, columns, start, stop, sequence


def stamped(template: bytes, columns: list[Column], rows: range, sequence: int | None) -> bytes:
    """What stamp means, said in the plainest way."""
    out = b""
    for number, row in enumerate(rows):
        one = bytearray(template)
        for offset, width, data, stride, swap in columns:
            value = bytes(data)[row * stride : row * stride + width]
            one[offset : offset + width] = value[::-1] if swap else value
        if sequence is not None:
            struct.pack_into("=I", one, 8, (sequence + number) & 0xFFFFFFFF)
        out += one
    return out


@SEVERAL
@given(stampings())
def test_stamp_is_the_same_everywhere(stamping: Any) -> None:
    size, template, columns, start, stop, sequence = stamping
    for backend in BACKENDS:
        out = bytearray(b"\xa5" * size)
        rows = backend.stamp(out, template, columns, start, stop, sequence)
        assert rows == min(stop - start, size // len(template))
        expected = stamped(template, columns, range(start, start + rows), sequence)
        assert out == expected + b"\xa5" * (size - len(expected))


@SEVERAL
@given(
    st.binary(max_size=40),
    st.lists(
        st.tuples(
            st.integers(-1, 50),
            st.integers(-1, 50),
            st.binary(max_size=40),
            st.integers(-1, 2**62),
            st.booleans(),
        ),
        max_size=3,
    ),
    st.integers(-1, 2**62),
    st.integers(-1, 2**62),
    st.none() | st.just(7),
)
def test_stamp_refuses_alike(
    template: bytes, columns: list[Column], start: int, stop: int, sequence: int | None
) -> None:
    same([outcome(b.stamp, bytearray(64), template, columns, start, stop, sequence) for b in BACKENDS])


def test_stamp_goes_on_where_it_was_full(backend: Backend) -> None:
    numbers = array("I", range(10))
    template = bytes(20)
    out = bytearray(3 * 20)
    start = 0
    seen: list[tuple[int, int]] = []
    while start < 10:
        rows = backend.stamp(out, template, [(16, 4, numbers, 4, False)], start, 10, 100 + start)
        seen += [struct.unpack_from("=I4xI", out, 20 * row + 8) for row in range(rows)]
        start += rows
    assert seen == [(100 + number, number) for number in range(10)]


@pytest.mark.parametrize(
    ("template", "columns", "start", "stop", "sequence"),
    [
        (b"", [], 0, 1, None),
        (bytes(18), [], 0, 1, None),
        (bytes(12), [], 0, 1, 5),
        (bytes(16), [], 2, 1, None),
        (bytes(16), [], -1, 1, None),
        (bytes(16), [(14, 4, bytes(4), 0, False)], 0, 1, None),
        (bytes(16), [(-1, 4, bytes(4), 0, False)], 0, 1, None),
        (bytes(16), [(0, 4, bytes(3), 0, False)], 0, 1, None),
        (bytes(16), [(0, 4, bytes(11), 4, False)], 0, 3, None),
        (bytes(16), [(0, 4, bytes(11), -4, False)], 0, 3, None),
        (bytes(16), [(0, 1, b"x", 0, False)] * 65, 0, 1, None),
        (bytes(16), [(0, 4, bytes(4), 2**61, False)], 0, 2**40, None),
    ],
)
def test_stamp_refuses(
    backend: Backend, template: bytes, columns: list[Column], start: int, stop: int, sequence: int | None
) -> None:
    out = bytearray(100)
    with pytest.raises(ValueError):
        backend.stamp(out, template, columns, start, stop, sequence)
    assert not any(out)


def test_buffers_must_be_contiguous_and_writable(backend: Backend) -> None:
    with pytest.raises((BufferError, ValueError)):
        backend.stamp(bytearray(64), memoryview(bytes(64))[::2], [], 0, 1, None)
    with pytest.raises((BufferError, ValueError)):
        backend.stamp(bytes(64), bytes(16), [], 0, 1, None)
    assert backend.stamp(bytearray(), bytes(16), [], 0, 1, None) == 0
    shaped = memoryview(bytearray(64)).cast("I", (4, 4))
    assert backend.stamp(shaped, b"\1" * 16, [], 0, 4, None) == 4
    assert shaped.tobytes() == b"\1" * 64


def test_the_output_may_not_lie_over_an_input() -> None:
    room = memoryview(bytearray(64))
    for backend in BACKENDS:
        if backend.NAME == "python":
            continue  # it reads such an input before it writes
        for template, columns in ((room[40:56], []), (bytes(16), [(0, 4, room[28:60], 4, False)])):
            with pytest.raises(ValueError, match="shares memory"):
                backend.stamp(room[:48], template, columns, 0, 3, None)
        assert backend.stamp(room[:48], room[48:], [], 0, 3, None) == 3
        plan = compile_plan(ROUTE, 4, [((), 0, 4, 0)])
        dump = memoryview(bytearray(message(ROUTE, 2, 1, b"abcd")))
        for column, present in ((dump[16:], None), (bytearray(4), dump[8:16])):
            with pytest.raises(ValueError, match="shares memory"):
                backend.gather(dump, 20, plan, [column], present, 0, 1)
        assert dump == message(ROUTE, 2, 1, b"abcd")


# -- gather ------------------------------------------------------------------------------------------------

ROUTE = 24
NEST = 5
paths = st.one_of(
    st.just(()),
    st.lists(st.integers(0, 6), min_size=1, max_size=4).map(tuple),
)


@st.composite
def fields(draw: st.DrawFn) -> Field:
    path = draw(paths)
    if draw(st.integers(0, 5)) == 0:
        return path, 0, 2, 1
    return path, draw(st.sampled_from([0, 0, 0, 1, 3, 9])), draw(st.sampled_from([1, 2, 4, 6, 8, 16, 17])), 0


@st.composite
def attributes(draw: st.DrawFn, depth: int = 0) -> bytes:
    parts = []
    for _ in range(draw(st.integers(0, 4))):
        kind = draw(st.integers(0, 7)) | draw(st.sampled_from([0, 0, 0x8000, 0x4000]))
        inner = (
            draw(attributes(depth + 1)) if depth < 4 and draw(st.booleans()) else draw(st.binary(max_size=20))
        )
        parts.append(attribute(kind, inner))
    return b"".join(parts)


@st.composite
def dumps(draw: st.DrawFn, header: int) -> bytes:
    parts = []
    for _ in range(draw(st.integers(0, 5))):
        kind = draw(st.sampled_from([ROUTE, ROUTE, ROUTE, ROUTE, 25, 1, 2, 3]))
        body = draw(st.binary(min_size=header, max_size=header)) + bytes(-header % 4) + draw(attributes())
        parts.append(message(kind, draw(st.integers(0, 0xFFFF)), 1, body))
    whole = bytearray(b"".join(parts))
    for _ in range(draw(st.sampled_from([0, 0, 1, 2, 8]))):  # lies, in any place
        if whole:
            whole[draw(st.integers(0, len(whole) - 1))] = draw(st.integers(0, 255))
    if whole and draw(st.integers(0, 4)) == 0:
        del whole[draw(st.integers(0, len(whole) - 1)) :]
    return bytes(whole)


@st.composite
def gatherings(draw: st.DrawFn) -> tuple[int, list[Field], bytes, int, int]:
    header = draw(st.sampled_from([0, 1, 4, 12, 16]))
    wanted = draw(st.lists(fields(), min_size=1, max_size=12))
    capacity = draw(st.integers(0, 6))
    return header, wanted, draw(dumps(header)), draw(st.integers(0, capacity)), capacity


def gathered(backend: Backend, header: int, wanted: list[Field], data: bytes, row: int, capacity: int) -> Any:
    plan = compile_plan(ROUTE, header, wanted)
    columns = [bytearray(b"\xa5" * (width * capacity)) for _, _, width, _ in wanted]
    present = bytearray(b"\xa5" * (8 * capacity))
    added, position, flags = backend.gather(data, len(data), plan, columns, present, row, capacity)
    assert 0 <= position <= len(data) and 0 <= added <= capacity - row
    return added, position, flags, columns, present


@SEVERAL
@given(gatherings())
def test_gather_is_the_same_everywhere(gathering: Any) -> None:
    same([outcome(gathered, backend, *gathering) for backend in BACKENDS])


@SEVERAL
@given(st.binary(max_size=200), st.lists(fields(), min_size=1, max_size=4))
def test_gather_of_random_bytes(data: bytes, wanted: list[Field]) -> None:
    data = struct.pack("=IH", len(data) + 8, ROUTE) + data
    same([outcome(gathered, backend, 4, wanted, data, 0, 8) for backend in BACKENDS])


FIELDS: list[Field] = [
    ((), 1, 1, 0),
    ((1,), 0, 4, 0),
    ((1,), 0, 2, 1),
    ((NEST, 2), 0, 8, 0),
    ((NEST, 3, 1, 6), 2, 2, 0),
]


def test_gather_keeps_pads_and_cuts(backend: Backend) -> None:
    deep = attribute(
        NEST | 0x8000, attribute(2, b"eth0\0") + attribute(3, attribute(1, attribute(6, b"abcd")))
    )
    body = b"\x02\x18\0\0" + attribute(1, b"\x0a\x01") + deep
    other = b"\x0a\x40\0\0" + attribute(1, bytes(range(16)))
    data = message(ROUTE, 2, 1, body) + message(99, 0x10, 1, b"") + message(ROUTE, 0x800, 1, other)
    added, position, flags, columns, present = gathered(backend, 4, FIELDS, data, 1, 4)
    assert (added, position, flags) == (2, len(data), 0x812)
    assert columns[0] == b"\xa5\x18\x40\xa5"
    assert columns[1][4:12] == b"\x0a\x01\0\0" + b"\0\1\2\3"
    assert columns[2][2:6] == struct.pack("=HH", 2, 16)
    assert columns[3][8:24] == b"eth0\0\0\0\0" + bytes(8)
    assert columns[4][2:6] == b"cd\0\0"
    assert struct.unpack("=4Q", present)[1:3] == (0b11111, 0b00111)


@pytest.mark.parametrize("ending", [2, 3])
def test_gather_stops_before_done_error_and_at_capacity(backend: Backend, ending: int) -> None:
    plan = compile_plan(ROUTE, 4, [((), 0, 4, 0)])
    column = bytearray(8)
    one = message(ROUTE, 2, 1, b"abcd")
    data = one * 3 + message(ending, 2, 1, bytes(4)) + one
    assert backend.gather(data, len(data), plan, [column], None, 0, 2) == (2, 40, 2)
    assert backend.gather(data, len(data), plan, [column], None, 0, 2, 40) == (1, 60, 2)
    assert backend.gather(data, len(data), plan, [column], None, 1, 2, 60) == (0, 60, 0)
    assert backend.gather(data, len(data), plan, [column], None, 2, 2, 0) == (0, 0, 0)
    assert backend.gather(b"", 0, plan, [column], None, 0, 2) == (0, 0, 0)


@pytest.mark.parametrize(
    "data",
    [
        bytes(15),
        struct.pack("=IHHII", 15, ROUTE, 0, 0, 0),
        struct.pack("=IHHII", 17, ROUTE, 0, 0, 0),
        struct.pack("=IHHII", 0xFFFFFFFF, ROUTE, 0, 0, 0),
        message(ROUTE, 0, 0, bytes(3))[:-1],
        message(ROUTE, 0, 0, bytes(4) + b"\3\0\1\0"),
        message(ROUTE, 0, 0, bytes(4) + b"\x09\0\1\0" + bytes(4)),
        message(ROUTE, 0, 0, bytes(4) + b"\xff\xff\1\0" + bytes(4)),
        message(ROUTE, 0, 0, bytes(4) + attribute(NEST, b"\x05\0\2\0")),
        message(ROUTE, 0, 0, bytes(4) + attribute(NEST, b"\0\0\2\0")),
    ],
)
def test_gather_refuses_lies(backend: Backend, data: bytes) -> None:
    with pytest.raises(ValueError):
        gathered(backend, 4, FIELDS, data, 0, 4)


def test_gather_refuses_what_does_not_fit(backend: Backend) -> None:
    plan = compile_plan(ROUTE, 4, [((), 0, 4, 0)])
    data = message(ROUTE, 2, 1, b"abcd")
    good = bytearray(16)
    for arguments in (
        (data, 21, plan, [good], None, 0, 4),
        (data, -1, plan, [good], None, 0, 4),
        (data, 20, plan, [], None, 0, 4),
        (data, 20, plan, [good, good], None, 0, 4),
        (data, 20, plan, [bytearray(15)], None, 0, 4),
        (data, 20, plan, [good], bytearray(31), 0, 4),
        (data, 20, plan, [good], None, 5, 4),
        (data, 20, plan, [good], None, 0, 2**62),
        (data, 20, plan, [good], None, 0, 4, 21),
    ):
        with pytest.raises(ValueError):
            backend.gather(*arguments)
    assert not any(good)
    with pytest.raises(TypeError):  # one that can be changed after it was checked is none
        backend.gather(data, 20, bytearray(plan), [good], None, 0, 4)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("message_type", "header_size", "wanted"),
    [
        (65536, 4, [((), 0, 4, 0)]),
        (24, -1, [((), 0, 4, 0)]),
        (24, 4, []),
        (24, 4, [((), 0, 4, 0)] * 65),
        (24, 4, [((1, 2, 3, 4, 5), 0, 4, 0)]),
        (24, 4, [((0x4000,), 0, 4, 0)]),
        (24, 4, [((1,), -1, 4, 0)]),
        (24, 4, [((1,), 0, 0, 0)]),
        (24, 4, [((1,), 0, 65536, 0)]),
        (24, 4, [((1,), 0, 4, 1)]),
        (24, 4, [((1,), 0, 4, 2)]),
    ],
)
def test_a_plan_refuses(message_type: int, header_size: int, wanted: list[Field]) -> None:
    with pytest.raises(ValueError):
        compile_plan(message_type, header_size, wanted)


@SEVERAL
@given(st.data())
def test_a_spoilt_plan_is_refused_or_harmless(data: st.DataObject) -> None:
    """No backend trusts a plan: one that was tampered with gives the same rows everywhere, or a ValueError,
    never an overrun."""
    header, wanted, dump, row, capacity = data.draw(gatherings())
    spoilt = bytearray(compile_plan(ROUTE, header, wanted))
    for _ in range(data.draw(st.integers(1, 4))):
        spoilt[data.draw(st.integers(0, len(spoilt) - 1))] = data.draw(st.integers(0, 255))
    told = []
    for backend in BACKENDS:
        columns = [bytearray(width * capacity) for _, _, width, _ in wanted]
        said = outcome(backend.gather, dump, len(dump), bytes(spoilt), columns, None, row, capacity)
        told.append((said, columns if said is not ValueError else None))
    assert told == told[:1] * len(told)


def plan_of(nodes: int, *fields: tuple[int, int, int, int]) -> bytes:
    """A chain of so many nodes, whose last one has the fields."""
    words = [ROUTE, 4, nodes, len(fields)]
    for node in range(1, nodes):
        words += [node, node, 1, 0, 0]
    words += [nodes, 0, 0, 0, len(fields)]
    for field in fields:
        words += field
    return struct.pack(f"={len(words)}H", *words)


def test_a_plan_that_no_compiler_makes(backend: Backend) -> None:
    """A field's column twice, attributes too deep in one another, more nodes than fields have paths."""
    data = message(ROUTE, 2, 1, b"abcd")
    one, other = (0, 0, 4, 0), (1, 0, 4, 0)
    many = struct.pack("=4H", ROUTE, 4, 258, 1) + bytes(10 * 258) + struct.pack("=4H", *one)
    for plan, amount, good in (
        (plan_of(1, one, other), 2, True),
        (plan_of(1, one, one), 2, False),
        (plan_of(5, one), 1, True),
        (plan_of(6, one), 1, False),
        (many, 1, False),
    ):
        columns = [bytearray(4) for _ in range(amount)]
        said = outcome(backend.gather, data, len(data), plan, columns, None, 0, 1)
        assert (said is not ValueError) == good
