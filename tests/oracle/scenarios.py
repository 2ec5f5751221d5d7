"""The corpus as data: scenarios read from corpus/*.txt, and the exceptions that are known and stand.

## heading                  a scenario: fresh namespaces, empty /run, no links but lo
+ COMMAND                   set-up, run by iproute2 for both sides
@NAME COMMAND               set-up: a process that goes on; its pid is $NAME, also in what is compared
$ COMMAND                   run by iproute2 on one side, by us on the other
< TEXT                      a line of standard input for the command above
"""

from __future__ import annotations

import pathlib
from typing import NamedTuple

HERE = pathlib.Path(__file__).parent
ASPECTS = ("stdout", "exit", "state")


class Step(NamedTuple):
    """One line of a scenario: "+", "@" or "$", the command, its standard input, the pid's name."""

    kind: str
    command: str
    stdin: str
    name: str


class Scenario(NamedTuple):
    """One heading of a corpus file and what stands under it."""

    file: str
    heading: str
    steps: list[Step]

    @property
    def name(self) -> str:
        return f"{self.file}: {self.heading}"

    @property
    def text(self) -> str:
        return "\n".join(step.command + "\n" + step.stdin for step in self.steps)


def load() -> list[Scenario]:
    """Every scenario of every corpus file. ValueError names a line that is none of the forms above."""
    scenarios: list[Scenario] = []
    for path in sorted((HERE / "corpus").glob("*.txt")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            mark, _, rest = line.partition(" ")
            if mark == "##":
                scenarios.append(Scenario(path.stem, rest, []))
            elif mark in ("+", "$"):
                scenarios[-1].steps.append(Step(mark, rest, "", ""))
            elif mark == "<":
                last = scenarios[-1].steps.pop()
                scenarios[-1].steps.append(last._replace(stdin=last.stdin + rest + "\n"))
            elif mark.startswith("@"):
                scenarios[-1].steps.append(Step("@", rest, "", mark[1:]))
            elif line and not line.startswith("# "):
                raise ValueError(f"{path}:{number}: {line!r} begins with none of ## + @ $ < #")
    return scenarios


def exceptions() -> dict[tuple[str, str, str], str]:
    """exceptions.txt: (scenario, command, aspect) -> the reason why the two sides may differ there."""
    found: dict[tuple[str, str, str], str] = {}
    scenario = command = ""
    for line in (HERE / "exceptions.txt").read_text().splitlines():
        if line.startswith("## "):
            scenario = line[3:]
        elif line.startswith("$ "):
            command = line[2:]
        elif line.startswith(" "):
            aspect, _, reason = line.strip().partition(": ")
            if aspect not in ASPECTS or not reason:
                raise ValueError(f"exceptions.txt: {line!r} is not 'ASPECT: reason' ({', '.join(ASPECTS)})")
            found[scenario, command, aspect] = reason
    return found
