"""Hostile inputs, made of good ones: bits flipped, lengths that lie, pieces repeated, lost and exchanged."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

_LIES = (
    0,
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    15,
    16,
    20,
    0x7F,
    0x80,
    0xFF,
    0x100,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x7FFFFFFF,
    0xFFFFFFFF,
)
LONGEST = 4096  # bytes of one input


def mutations(seeds: Sequence[bytes], chosen: random.Random) -> Iterator[bytes]:
    """Yield inputs without end: each a seed, changed at some places."""
    choice, number = chosen.choice, chosen.randrange
    while True:
        data = bytearray(choice(seeds))
        for _ in range(1 + number(4)):
            kind, at = number(8), number(len(data) + 1)
            if kind == 0 and data:
                data[at % len(data)] ^= 1 << number(8)
            elif kind == 1 and data:
                data[at % len(data)] = number(256)
            elif kind == 2:  # a length, most often
                at &= ~1
                data[at : at + 2] = (choice(_LIES) & 0xFFFF).to_bytes(2, "little")
            elif kind == 3:
                at &= ~3
                data[at : at + 4] = choice(_LIES).to_bytes(4, choice(("little", "big")))
            elif kind == 4:
                del data[at:]
            elif kind == 5:
                del data[at : at + 1 + number(16)]
            elif kind == 6:
                data[at:at] = data[(start := number(len(data) + 1)) : start + number(64)]
            else:
                other = choice(seeds)
                data[at:] = other[number(len(other) + 1) :]
        yield bytes(data[:LONGEST])
