"""The parts of a row of the comparison: runs and their results, figures, checks."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from contenders import FLOOR

Result: TypeAlias = dict[str, Any]
Value: TypeAlias = Callable[[Result], float]


@dataclass(frozen=True)
class Run:
    """One contender at one task: the words of its command, and its name in the table."""

    contender: str
    task: str
    count: int
    bridges: int = 1

    @property
    def words(self) -> list[str]:
        return [self.task, str(self.count), *([str(self.bridges)] if self.bridges > 1 else [])]


Samples: TypeAlias = dict[Run, list[Result]]


@dataclass(frozen=True)
class Check:
    """A target and what was measured: `measured` must be at most (or at least) `bound`."""

    what: str
    measured: float
    bound: float
    at_least: bool = False
    unit: str = "x"

    @property
    def met(self) -> bool:
        return self.measured >= self.bound if self.at_least else self.measured <= self.bound


@dataclass(frozen=True)
class Figure:
    """One column of figures in a row: how it is read from a result, its unit (seconds are for one item), and
    whether its ratio to the reference's is shown."""

    title: str
    value: Value
    unit: str = "ms"
    compared: bool = True


@dataclass(frozen=True)
class Row:
    """One table: what is run, what is shown, and what must be reached. reference: the run that contenders are
    compared with; by: its name; asks_kernel: after each run wait for what the kernel has left to do."""

    key: str
    title: str
    runs: list[Run]
    figures: list[Figure]
    checks: Callable[[Samples], list[Check]] = field(default=lambda samples: [])
    rounds: int | None = None
    reference: Callable[[str], str] = field(default=lambda contender: FLOOR)
    by: str = "by floor"
    asks_kernel: bool = True


def each(value: Value) -> Value:
    """Return the seconds for one item."""
    return lambda result: value(result) / float(result["n"])


def total(result: Result) -> float:
    return float(result["seconds"])


def user(result: Result) -> float:
    return float(result["user"])


def system(result: Result) -> float:
    return float(result["system"])


def phase(name: str) -> Value:
    return lambda result: float(result["phases"][name])


def median_of(name: str) -> Value:
    return lambda result: float(result["median"][name])


#: The processor's part, beside the wall clock's.
PROCESSOR = [Figure("user", each(user), compared=False), Figure("system", each(system), compared=False)]


def ratio(samples: Samples, run: Run, to: Run, value: Value, to_value: Value | None = None) -> float | None:
    """Return the median over the rounds of run's value divided by to's; None if one of them did not run."""
    pairs = list(zip(samples.get(run, []), samples.get(to, []), strict=False))
    if not pairs:
        return None
    return statistics.median(value(a) / (to_value or value)(b) for a, b in pairs)
