"""The one table of the campaigns: of each part, verb and backend what was tried, and how much was clean.

NETLINKPY_TORTURE_LOG names a file that gets each row at once, and what is unclean in full."""

from __future__ import annotations

import collections
import json
import os
import re
from collections.abc import Sequence
from typing import NamedTuple

#: NETLINKPY_LONG=1: all there is to try. Otherwise a sample, of some minutes in all.
LONG = bool(os.environ.get("NETLINKPY_LONG"))
LOG = os.environ.get("NETLINKPY_TORTURE_LOG", os.devnull)
ROWS = os.environ.get("NETLINKPY_TORTURE_ROWS", os.devnull)
TOLD, LONGEST = 30, 1000  # unclean cases that a failing test prints, and letters of one

#: The sample is the same each time, unless told otherwise.
SEED = int(os.environ.get("NETLINKPY_SEED", "1"))


class Known(NamedTuple):
    """What is not yet clean: patterns of part, verb and what is said of it, and why."""

    part: str
    verb: str
    said: str
    why: str

    def fits(self, part: str, verb: str, said: str) -> bool:
        return all(
            re.fullmatch(pattern, text, re.DOTALL)
            for pattern, text in ((self.part, part), (self.verb, verb), (self.said, said))
        )


#: By these only the long run fails. Both count them.
KNOWN: list[Known] = [
    Known("failures", "Run.*", "recvfrom .*left .*", "a child whose pid could not be heard of is not reaped"),
    Known("signals", "Stop", "SIGKILL.* no container named .*", "what it asked for goes on after its death"),
    Known("signals", "RunDetached", "SIGKILL.* filter: .*", "a dead one's ports go with the next verb"),
    Known(
        "signals",
        "RunDetached",
        "SIG[^:]* in the background: .*expected 1, got 0.*",
        "it ran, and its supervisor passed the signal on, or its command got it",
    ),
]


class Row(NamedTuple):
    """What was tried of a verb on a backend ("" where none is in it): how often, how often it was clean, and
    why it is known not to be."""

    part: str
    verb: str
    backend: str
    tried: int
    clean: int
    known: list[str]


class Table:
    """The rows of this process; NETLINKPY_TORTURE_ROWS names a file that gets them too, for tests.torture."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def add(self, part: str, verb: str, tried: int, unclean: Sequence[str], *, backend: str) -> None:
        """Add what was tried, and fail if some of it was unclean, which is told in words."""
        reasons = {said: why for said in unclean if (why := _why(part, verb, said))}
        known = [reasons[said] for said in unclean if said in reasons]
        self.rows.append(row := Row(part, verb, backend, tried, tried - len(unclean), known))
        with open(LOG, "a") as log, open(ROWS, "a") as rows:
            print(f"{backend} {verb} {part} {tried} tried, {row.clean} clean", file=log)
            for said in unclean:
                print(f"    {said}", file=log)
            print(json.dumps(row), file=rows)
        assert tried, f"{part}: nothing was tried"
        failing = [said for said in unclean if LONG or said not in reasons]
        assert not failing, f"{len(failing)} of {tried}:\n" + "\n".join(
            one[:LONGEST] for one in failing[:TOLD]
        )


def _why(part: str, verb: str, said: str) -> str:
    return next((known.why for known in KNOWN if known.fits(part, verb, said)), "")


def read(path: str) -> list[Row]:
    """Return the rows of a file."""
    with open(path) as file:
        return [Row(*json.loads(line)) for line in file]


def lines(rows: Sequence[Row]) -> list[str]:
    """Return the table, "clean/tried" for each backend, its sums, and what is known to be unclean."""
    doors = [door for door in ("cffi", "native", "python", "") if any(row.backend == door for row in rows)]
    cells: dict[tuple[str, str], dict[str, tuple[int, int]]] = {}
    for row in rows:
        here = cells.setdefault((row.part, row.verb), {})
        tried, clean = here.get(row.backend, (0, 0))
        here[row.backend] = tried + row.tried, clean + row.clean
    width = max(len(f"{part} {verb}") for part, verb in cells) + 1
    told = ["clean/tried".ljust(width) + "".join(f"{door or 'no backend':>22}" for door in doors)]
    for (part, verb), here in cells.items():
        texts = (f"{here[door][1]}/{here[door][0]}" if door in here else "-" for door in doors)
        told.append(f"{part} {verb}".ljust(width) + "".join(f"{text:>22}" for text in texts))
    told.append(f"{sum(row.tried for row in rows)} tried, {sum(row.clean for row in rows)} clean")
    met = collections.Counter(why for row in rows for why in row.known)
    told += [
        f"known to be unclean, met {met[one.why]} times: {one.part} {one.verb}: {one.why}" for one in KNOWN
    ]
    return told
