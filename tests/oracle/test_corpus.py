"""The corpus as tests: our ip and brctl do and show what iproute2's and bridge-utils' do and show."""

from __future__ import annotations

import pathlib

import pytest

from .compare import compare, our_programs, reference_programs
from .scenarios import Scenario, exceptions, load

SCENARIOS = load()


@pytest.mark.needs("ip", "brctl", "unshare", "nsenter")
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name.replace(" ", "-"))
def test_scenario(scenario: Scenario, tmp_path: pathlib.Path) -> None:
    known = exceptions()
    outcomes = compare(scenario, our_programs(tmp_path / "ours"), reference_programs(tmp_path / "reference"))
    wrong = []
    for command, differs, _, theirs, ours in outcomes:
        excused = [a for (s, c, a) in known if (s, c) == (scenario.name, command)]
        for aspect in differs:
            if aspect not in excused:
                shown = f"{aspect} of iproute2:\n{theirs[aspect]}\n{aspect} of ours:\n{ours[aspect]}"
                wrong.append(f"$ {command}\n{shown}")
        for aspect in excused:
            if aspect not in differs:
                wrong.append(f"$ {command}\n{aspect} agrees now: take it out of exceptions.txt")
    assert not wrong, "\n".join(wrong)


def test_exceptions_are_of_the_corpus() -> None:
    commands = {(scenario.name, step.command) for scenario in SCENARIOS for step in scenario.steps}
    assert [key for key in exceptions() if key[:2] not in commands] == []


def test_corpus_is_large_enough() -> None:
    assert sum(step.kind == "$" for scenario in SCENARIOS for step in scenario.steps) >= 150
