"""Compare everything in one run: the floor in C, netlinkpy with each backend, and its rivals.

    python benchmarks/compare.py [--quick] [--only ROW,...] [--with NAME,...] [--json FILE] [--chart FILE.svg]

Each contender runs in network and mount namespaces of its own, all of a row in turns (A B C A B C ...), so
that a noisy or slow machine is so for all; what counts is the median of the ratios to the floor in the same
round. Nothing outside those namespaces is touched. The exit code is 1 if a target was missed or a run failed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from itertools import zip_longest
from pathlib import Path
from typing import Any

import provide
import rows as table
from contenders import CONTENDERS, FLOOR
from figures import Check, Figure, Result, Row, Run, Samples, ratio

AS_ROOT = [] if os.geteuid() == 0 else ["--map-root-user"]
UNSHARE = ["unshare", *AS_ROOT, "--net", "--mount", "--propagation", "private"]
SCALES = {"s": 1.0, "ms": 1e3, "us": 1e6, "MiB": 1.0, "": 1.0}
TIMEOUT = 900


def find(wanted: set[str]) -> dict[str, list[str]]:
    """Return the beginning of the command of each wanted contender that is available. Print why the others
    are not."""
    found = {}
    for contender in CONTENDERS:
        if contender.name not in wanted:
            continue
        try:
            found[contender.name] = contender.command()
        except provide.MissingError as missing:
            if contender.name == FLOOR:
                sys.exit(f"the floor cannot be built: {missing}")
            print(f"left out: {contender.name}: {missing}", file=sys.stderr)
    return found


def namespaces() -> int | None:
    """Return the number of network namespaces that the kernel holds, None if we may not know."""
    try:
        with open("/proc/slabinfo") as slabs:
            return next((int(line.split()[1]) for line in slabs if line.startswith("net_namespace ")), None)
    except OSError:
        return None


def settle(before: int | None, made: int) -> None:
    """Wait until the namespaces of a run are gone: the kernel frees them gradually, holding the lock that the
    next run needs."""
    deadline = time.monotonic() + 2 + made * 0.02
    while before is not None and time.monotonic() < deadline:
        now = namespaces()
        if now is None or now <= before + max(4, made // 50):
            return
        time.sleep(0.05)


class Failed(Exception):  # noqa: N818 - a result, not an error of ours
    """A run without figures, and why."""


def measure(command: list[str], run: Run) -> Result:
    try:
        done = subprocess.run(
            [*UNSHARE, *command, *run.words],
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            cwd=provide.HERE,
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"not done after {TIMEOUT} s") from None
    if done.returncode:
        raise Failed((done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1])
    result: Result = json.loads(done.stdout)
    return result


class Progress:
    """One line on standard error, if that is a terminal."""

    def __init__(self) -> None:
        self.shown = sys.stderr.isatty()

    def say(self, text: str) -> None:
        if self.shown:
            print(f"\r\033[K{text[:110]}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        self.say("")


def sample(
    row: Row, rounds: int, found: dict[str, list[str]], progress: Progress
) -> tuple[Samples, dict[Run, str]]:
    """Run all contenders of a row, in turns. Return their results, and the runs that failed, each with its
    reason; these are not tried again."""
    samples: Samples = {}
    failed: dict[Run, str] = {}
    runs = [run for run in row.runs if run.contender in found]
    wanted = row.rounds or rounds
    for number in range(wanted):
        for run in list(runs):
            progress.say(
                f"{row.title}: round {number + 1} of {wanted}: {run.contender} {' '.join(run.words)}"
            )
            before = namespaces()
            try:
                samples.setdefault(run, []).append(measure(found[run.contender], run))
                if row.asks_kernel:
                    settle(before, run.count)
            except Failed as failure:
                failed[run] = str(failure)
                runs.remove(run)
                samples.pop(run, None)
    progress.clear()
    return samples, failed


# ---- What came out, as data and as a table


def figure_of(results: list[Result], figure: Figure) -> float | None:
    try:
        return statistics.median(figure.value(result) for result in results)
    except KeyError:
        return None


def reference_ratio(row: Row, samples: Samples, run: Run, figure: Figure) -> float | None:
    """Return a figure by that of the reference's run of the same task and size; for routes, of any size (the
    figures are for one route)."""
    reference = row.reference(run.contender)
    same = [to for to in samples if to.contender == reference and to.task == run.task]
    same.sort(key=lambda to: (to.count != run.count, to.bridges != run.bridges))
    try:
        return ratio(samples, run, same[0], figure.value) if same else None
    except KeyError:
        return None


def describe(row: Row, samples: Samples) -> dict[str, Any]:
    """Return a row's result for JSON, in seconds throughout."""
    lines = []
    for run, results in samples.items():
        figures = {figure.title: figure_of(results, figure) for figure in row.figures}
        ratios = {
            figure.title: reference_ratio(row, samples, run, figure)
            for figure in row.figures
            if figure.compared
        }
        line: dict[str, Any] = {
            "contender": run.contender,
            "task": run.task,
            "count": run.count,
            "bridges": run.bridges,
            "figures": {title: value for title, value in figures.items() if value is not None},
            row.by: {title: value for title, value in ratios.items() if value is not None},
            "samples": results,
        }
        if all("ready" in result for result in results):
            line["ready"] = min(result["ready"] for result in results)
        lines.append(line)
    targets = [
        {
            "what": check.what,
            "measured": check.measured,
            "at least" if check.at_least else "at most": check.bound,
            "unit": check.unit,
            "met": check.met,
        }
        for check in row.checks(samples)
    ]
    units = {figure.title: figure.unit for figure in row.figures}
    return {"key": row.key, "title": row.title, "units": units, "lines": lines, "targets": targets}


def cells(row: Row, line: dict[str, Any]) -> list[str]:
    usual = row.runs[0]
    same = (line["task"], line["count"]) == (usual.task, usual.count)
    name = line["contender"] if same else f"{line['contender']}, {line['task']} {line['count']}"
    made = [name]
    for figure in row.figures:
        value = line["figures"].get(figure.title)
        by_floor = line[row.by].get(figure.title)
        made.append("" if value is None else f"{value * SCALES[figure.unit]:.3g} {figure.unit}")
        made.append("" if by_floor is None else f"{by_floor:.2f} x")
    if "ready" in line:
        made.append(
            "ready" if line["ready"] == line["count"] else f"{line['ready']} of {line['count']} ready"
        )
    return made


def check_line(check: Check) -> str:
    way = "at least" if check.at_least else "at most"
    verdict = "met" if check.met else "MISSED"
    return f"  {verdict:6}  {check.what}: {check.measured:.3g} {check.unit} ({way} {check.bound:g})"


def show(row: Row, samples: Samples, failed: dict[Run, str]) -> None:
    lines = describe(row, samples)["lines"]
    head = [row.title, *[word for figure in row.figures for word in (figure.title, row.by)], ""]
    grid = [head, *[cells(row, line) for line in lines]]
    columns = [list(column) for column in zip_longest(*grid, fillvalue="")]
    columns = [column for column in columns if any(column[1:])]  # a row without the floor has no ratios
    widths = [max(map(len, column)) for column in columns]
    print()
    for line in zip(*columns, strict=True):
        name, *figures = line
        padded = [figure.rjust(width) for figure, width in zip(figures, widths[1:], strict=True)]
        print("  ".join([name.ljust(widths[0]), *padded]).rstrip())
    for run, why in failed.items():
        print(f"  FAILED  {run.contender} {' '.join(run.words)}: {why}")
    for check in row.checks(samples):
        print(check_line(check))
    sys.stdout.flush()


def arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, help="how many turns (5; with --quick 2)")
    parser.add_argument("--containers", type=int, help="in the rows attach and detach (200; with --quick 50)")
    parser.add_argument("--only", metavar="ROW,...", help="only these rows")
    parser.add_argument(
        "--with", dest="names", metavar="NAME,...", help="only contenders whose names hold one of these"
    )
    parser.add_argument(
        "--quick", action="store_true", help="small and few: does it run, and about how well?"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="all figures, with every sample")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="a chart as SVG")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> int:
    options = arguments(words)
    rounds = options.rounds or (2 if options.quick else 5)
    every = table.all_rows(options.containers or (50 if options.quick else 200), quick=options.quick)
    keys = options.only.split(",") if options.only else [row.key for row in every]
    unknown = set(keys) - {row.key for row in every}
    if unknown:
        sys.exit(f"no row {', '.join(sorted(unknown))}; there are {', '.join(row.key for row in every)}")
    chosen = [row for row in every if row.key in keys]
    names = options.names.split(",") if options.names else [""]
    found = find(
        {
            run.contender
            for row in chosen
            for run in row.runs
            if run.contender == FLOOR or any(name in run.contender for name in names)
        }
    )
    progress = Progress()
    report: dict[str, Any] = {
        "machine": {
            "kernel": platform.release(),
            "cpus": os.cpu_count(),
            "python": platform.python_version(),
        },
        "rounds": rounds,
        "rows": [],
    }
    missed = failures = 0
    for row in chosen:
        samples, failed = sample(row, rounds, found, progress)
        show(row, samples, failed)
        report["rows"].append(describe(row, samples))
        missed += sum(not check.met for check in row.checks(samples))
        failures += len(failed)
    print(f"\n{missed} targets missed, {failures} runs failed")
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    if options.chart:
        draw(report, options.chart)
    return 1 if missed or failures else 0


def draw(report: dict[str, Any], target: Path) -> None:
    """Draw the chart: by chart.py under the peers' interpreter, which has matplotlib."""
    try:
        command = [str(provide.peers_python()), str(provide.HERE / "chart.py"), str(target)]
    except provide.MissingError as missing:
        sys.exit(f"no chart: {missing}")
    subprocess.run(command, input=json.dumps(report), text=True, check=True)


if __name__ == "__main__":
    sys.exit(main())
