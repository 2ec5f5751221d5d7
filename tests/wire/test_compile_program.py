"""What a step of a program may be, and what none can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netlinkpy.wire.program import Instruction, compile_program
from tests.backends.programs import links

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.backends.programs import Field

    Shape = tuple[int, Sequence[int], Sequence[tuple[int, int]]]  # length, widths that are kept, puts


def field(width: int) -> Field:
    """One of that width, which every link has."""
    return ((), 0, width, 0)


def compiled(steps: Sequence[Shape]) -> None:
    compile_program(
        [
            Instruction(
                length,
                widths=tuple(widths),
                plan=links(*map(field, widths)).plan if widths else b"",
                puts=tuple(puts),
            )
            for length, widths, puts in steps
        ]
    )


@pytest.mark.parametrize(
    "steps",
    [
        [(16, (), ())],
        [(16, (), ())] * 16,
        [(17, (), ())],
        [(1 << 20, (), ())],
        [(32, (4,) * 32, ())],
        [(32, (1, 2, 4, 8) * 4, ())] * 2,
        [(32, (4,), ()), (32, (), [(0, 0)] * 64)],
        [(32, (4,), ()), (32, (), ()), (32, (2,), [(0, 28)]), (16, (), [(1, 14), (0, 12)])],
        *[[(32, (width,), ()), (32, (), [(0, 32 - width)])] for width in (1, 2, 4, 8)],
    ],
)
def test_what_a_program_may_be(steps: list[Shape]) -> None:
    compiled(steps)


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [(16, (), ())] * 17,
        [(15, (), ())],
        [(0, (), ())],
        [(-32, (), ())],
        [(2**62, (), ())],
        [(32, (), ()), (12, (), ())],
        [(32, (1,) * 33, ())],
        [(32, (8,) * 17, ())] * 2,
        [(32, (3,), ())],
        [(32, (4, 16), ())],
        [(32, (2, 7, 2), ())],
        [(32, (4,), ()), (32, (), [(0, 0)] * 65)],
        [(32, (4,), ()), (32, (), [(0, -1)])],
        [(32, (4,), ()), (32, (), [(0, 2**32 + 4)])],
        [(32, (4,), ()), (32, (), [(0, 4), (0, 32)])],
        *[[(32, (width,), ()), (32, (), [(0, 33 - width)])] for width in (1, 2, 4, 8)],
        [(32, (), [(0, 20)])],
        [(32, (4,), [(0, 20)])],
        [(32, (4,), ()), (32, (), [(1, 20)])],
        [(32, (4,), ()), (32, (), [(-1, 20)])],
        [(32, (4,), ()), (32, (), [(1, 20)]), (32, (4,), ())],
    ],
)  # fmt: skip
def test_what_no_program_can_be(steps: list[Shape]) -> None:
    with pytest.raises(ValueError):
        compiled(steps)
