"""The corpus by hand: python tests/oracle/run.py [--only PATTERN] [--verbose] [--itself]; see README.md."""

from __future__ import annotations

import argparse
import difflib
import pathlib
import re
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.oracle.compare import Outcome, compare, our_programs, reference_programs
from tests.oracle.scenarios import exceptions, load


def difference(outcome: Outcome, aspects: list[str]) -> str:
    """What iproute2 showed and we did not (-), and the other way round (+)."""
    lines = []
    for aspect in aspects:
        theirs, ours = outcome.reference[aspect], outcome.ours[aspect]
        lines.append(f"  {aspect}:")
        pairs = difflib.unified_diff(
            theirs.splitlines(), ours.splitlines(), "iproute2", "ours", "", "", 2, ""
        )
        lines.extend(f"    {line}" for line in list(pairs)[2:])
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Hold our ip and brctl against iproute2's and bridge-utils'."
    )
    parser.add_argument(
        "--only", metavar="PATTERN", default="", help="scenarios whose name or text matches this"
    )
    parser.add_argument(
        "--verbose", action="store_true", help="show every command, and differences of stderr"
    )
    parser.add_argument(
        "--itself", action="store_true", help="iproute2 against itself: is the corpus repeatable?"
    )
    parser.add_argument("--commands", action="store_true", help="only list scenarios and commands")
    options = parser.parse_args()
    chosen = [s for s in load() if re.search(options.only, f"{s.name}\n{s.text}")]
    if options.commands:
        for scenario in chosen:
            print(
                f"{scenario.name}", *(f"  $ {s.command}" for s in scenario.steps if s.kind == "$"), sep="\n"
            )
        return 0
    known = {} if options.itself else exceptions()
    agreeing = excepted = same_stderr = total = 0
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        directory.chmod(0o755)
        reference = reference_programs(directory / "reference")
        programs = reference if options.itself else our_programs(directory / "ours")
        for scenario in chosen:
            for outcome in compare(scenario, programs, reference):
                total += 1
                same_stderr += outcome.same_stderr
                agreeing += not outcome.differs
                excused = [a for (s, c, a) in known if (s, c) == (scenario.name, outcome.command)]
                stale = [aspect for aspect in excused if aspect not in outcome.differs]
                unknown = [aspect for aspect in outcome.differs if aspect not in excused]
                excepted += bool(outcome.differs) and not unknown
                shown = unknown + (["stderr"] if options.verbose and not outcome.same_stderr else [])
                if shown or stale or options.verbose:
                    print(f"{scenario.name}\n  $ {outcome.command}")
                for aspect in stale:
                    print(f"  {aspect} agrees now: take the exception out")
                if shown:
                    print(difference(outcome, shown))
    print(f"{agreeing} of {total} agree, {excepted} more differ as exceptions.txt says")
    print(f"stderr: {same_stderr} of {total} equal (not asked for)")
    return agreeing + excepted != total


if __name__ == "__main__":
    sys.exit(main())
