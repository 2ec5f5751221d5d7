"""The rows of the comparison: what is run with which contenders, and the targets (medians of ratios in the
same round)."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import provide
from contenders import BEFORE, FLOOR, OURS, REPLAYED
from figures import (
    PROCESSOR,
    Check,
    Figure,
    Result,
    Row,
    Run,
    Samples,
    Value,
    each,
    median_of,
    phase,
    ratio,
    total,
)

CFFI, NATIVE, PYTHON = OURS
SHIM = [CFFI, NATIVE]
GO, IP_ONE_LINE, IP_USUAL = "vishvananda (Go)", "ip -batch, one-line", "ip -batch, usual"
PYROUTE2_ONE_CALL, PYROUTE2_USUAL = "pyroute2, one-call", "pyroute2, usual"
CNI, NETAVARK = "CNI bridge", "netavark"
ENGINES = [CNI, NETAVARK]
ONE_BY_ONE = 50  # containers; the median counts
PEERS = [GO, IP_ONE_LINE, IP_USUAL, PYROUTE2_ONE_CALL, PYROUTE2_USUAL, *ENGINES]


def as_it_was(contender: str) -> str:
    """Return the name of the same contender from the tree before-house."""
    return contender.removesuffix(BEFORE) + BEFORE


def _limits(
    samples: Samples, what: str, runs: dict[str, float], task: Callable[[str], Run], value: Value
) -> list[Check]:
    """Return a check for each contender in `runs` that it takes at most a multiple of the floor."""
    checks = []
    for name, bound in runs.items():
        measured = ratio(samples, task(name), task(FLOOR), value)
        if measured is not None:
            checks.append(Check(f"{name}: {what}, by the floor", measured, bound))
    return checks


def _faster(
    samples: Samples, subject: Run, rivals: dict[Run, float], value: Value, subject_value: Value | None = None
) -> list[Check]:
    """Return a check for each rival that the subject is a multiple faster."""
    checks = []
    for rival, bound in rivals.items():
        measured = ratio(samples, rival, subject, value, subject_value)
        if measured is not None:
            what = f"{rival.contender} {rival.task} by {subject.contender}"
            checks.append(Check(what, measured, bound, at_least=True))
    return checks


def one_container() -> Row:
    runs = [Run(name, "attach-one", ONE_BY_ONE) for name in [FLOOR, *OURS, *map(as_it_was, OURS), *PEERS]]

    def checks(samples: Samples) -> list[Check]:
        found = []
        for name in SHIM:
            ours, floor = Run(name, "attach-one", ONE_BY_ONE), Run(FLOOR, "attach-one", ONE_BY_ONE)
            attach = ratio(samples, ours, floor, median_of("attach"))
            if attach is None:
                continue
            found.append(Check(f"{name}: attach, by the floor", attach, 1.40))
            waits = [statistics.median(r["midmean"]["detach"] for r in samples[run]) for run in (ours, floor)]
            what = f"{name}: detach, beyond the floor's (the kernel's wait, in steps of 4 ms: midmeans)"
            found.append(Check(what, (waits[0] - waits[1]) * 1e3, 1.0, unit="ms"))
        return found

    figures = [Figure("attach", median_of("attach")), *PROCESSOR, Figure("detach", median_of("detach"))]
    return Row("one", "one container after the other", runs, figures, checks)


def attach(count: int) -> Row:
    def task(name: str) -> Run:
        return Run(name, "attach", count)

    def checks(samples: Samples) -> list[Check]:
        rivals = {
            task(IP_USUAL): 25,
            task(IP_ONE_LINE): 3.5,
            task(PYROUTE2_USUAL): 40,
            task(PYROUTE2_ONE_CALL): 12,
        }
        found = _limits(samples, "attach", {CFFI: 1.15, NATIVE: 1.15, PYTHON: 1.55}, task, each(total))
        for name in SHIM:
            found += _faster(samples, task(name), rivals, each(total))
        return found

    runs = [task(name) for name in [FLOOR, *OURS, *map(as_it_was, OURS), *PEERS]]
    title = f"attach {count} ready-made namespaces to one bridge"
    return Row("attach", title, runs, [Figure("attach", each(total)), *PROCESSOR], checks)


def detach(count: int) -> Row:
    one_by_one = Run(FLOOR, "detach-one", 50)

    def task(name: str) -> Run:
        return Run(name, "detach", count)

    def checks(samples: Samples) -> list[Check]:
        found = _limits(samples, "detach", dict.fromkeys(SHIM, 1.10), task, each(total))
        for name in SHIM:
            found += _faster(samples, task(name), {one_by_one: 25}, each(total))
        return found

    runs = [*[task(name) for name in [FLOOR, *OURS]], one_by_one, *[task(name) for name in PEERS]]
    return Row("detach", f"detach {count}", runs, [Figure("detach", each(total)), *PROCESSOR], checks)


def growth(small: int, large: int, bridges: int) -> Row:
    names = [FLOOR, CFFI, PYTHON]

    def checks(samples: Samples) -> list[Check]:
        grown: dict[str, list[float]] = {}
        for name in names:
            few, many = (samples.get(Run(name, "attach", n, bridges), []) for n in (small, large))
            grown[name] = [each(total)(b) / each(total)(a) for a, b in zip(few, many, strict=False)]
        return [
            Check(
                f"{name}: growth of the cost of a container, by the floor's own",
                statistics.median(a / b for a, b in zip(grown[name], grown[FLOOR], strict=False)),
                1.15,
            )
            for name in names[1:]
            if grown[name] and grown[FLOOR]
        ]

    runs = [Run(name, "attach", n, bridges) for n in (small, large) for name in names]
    figures = [
        Figure("attach", each(total)),
        Figure("in all", total, "s", compared=False),
        Figure("memory", lambda result: result["peak_kib"] / 1024, "MiB", compared=False),
    ]
    where = "one bridge" if bridges == 1 else f"{bridges} bridges"
    rounds = 1 if large > 2000 else None
    return Row(
        f"growth-{large}",
        f"growth from {small} to {large} containers on {where}",
        runs,
        figures,
        checks,
        rounds,
    )


def prove(count: int, bridges: int) -> Row:
    run = Run(CFFI, "prove", count, bridges)

    def checks(samples: Samples) -> list[Check]:
        return [
            Check("first packets answered", min(r["answered"] for r in results), count, True, "containers")
            for results in samples.values()
        ]

    figures = [
        Figure("made", lambda result: result["prepared"], "s"),
        Figure("attach", phase("attach"), "s"),
        Figure("detach", phase("detach"), "s"),
        Figure("memory", lambda result: result["peak_kib"] / 1024, "MiB", compared=False),
    ]
    title = f"{count} containers on {bridges} bridges: made, wired, proved by packets, removed"
    return Row("prove", title, [run], figures, checks, rounds=1)


def routes(count: int) -> Row:
    floor, cffi, native, python = (Run(name, "routes", count) for name in [FLOOR, *OURS])
    ip, pyroute2 = (
        Run(IP_USUAL, "routes", min(count, 100_000)),
        Run(PYROUTE2_USUAL, "routes", min(count, 10_000)),
    )
    add, columns, received = (each(phase(name)) for name in ("add", "columns", "dump"))

    def objects(result: Result) -> float:
        return phase("objects")(result) / float(result["dumped"] if "dumped" in result else result["n"])

    def checks(samples: Samples) -> list[Check]:
        found = []
        for run, add_bound, dump_bound in ((cffi, 1.10, 1.25), (native, 1.10, 1.25), (python, 1.6, 12)):
            if run not in samples:
                continue
            name = run.contender
            for what, bound, value, to in (
                ("routes added from columns", add_bound, add, add),
                ("routes dumped to columns", dump_bound, columns, received),
            ):
                measured = ratio(samples, run, floor, value, to)
                if measured is not None:
                    found.append(Check(f"{name}: {what}, by the floor", measured, bound))
            if run == python:
                continue
            found += _faster(samples, run, {pyroute2: 70, ip: 4}, add)
            found += _faster(samples, run, {pyroute2: 150}, objects, columns)
            results = samples[run]
            memory = (
                statistics.median(result["columns_kib"] - result["bare_kib"] for result in results) / 1024
            )
            found.append(
                Check(f"{name}: memory of the dump beyond a bare interpreter", memory, 60, unit="MiB")
            )
            took = statistics.median(objects(result) for result in results) * 1e6
            found.append(Check(f"{name}: routes dumped to objects", took, 2.5, unit="us each"))
        return found

    figures = [
        Figure("add", add, "us"),
        Figure("receive", received, "us"),
        Figure("columns", columns, "us"),
        Figure("objects", objects, "us"),
    ]
    return Row("routes", f"{count} routes", [floor, cffi, native, python, ip, pyroute2], figures, checks)


def replayed(task: str, count: int) -> Row:
    """Return the row of netlinkpy's own time in an attach, by what it was before (see replayed.py)."""
    runs = [Run(name, task, count) for now in REPLAYED for name in (now, as_it_was(now))]
    one = task == "one"

    def took(result: Result) -> float:
        return float(result["replayed"])

    def checks(samples: Samples) -> list[Check]:
        found = []
        for run in runs[:4]:  # the twin of the shim in Python weighs more than what uses it
            before = Run(as_it_was(run.contender), task, count)
            measured = None if run == before else ratio(samples, run, before, took)
            if measured is None:
                continue
            found.append(
                Check(
                    f"{run.contender}: {task} replayed, by {provide.BEFORE}", measured, 0.45 if one else 0.5
                )
            )
            if one:
                calls = statistics.median(float(result["python calls"]) for result in samples[run])
                found.append(Check(f"{run.contender}: calls of Python functions", calls, 120, unit=""))
        return found

    def figure(title: str, unit: str = "", *, compared: bool = True) -> Figure:
        return Figure(title, lambda result: float(result[title]), unit, compared)

    figures = [
        figure("replayed", "us"),
        figure("kernel", "us", compared=False),
        figure("cold", "us"),
        figure("python calls"),
        figure("c calls"),
        figure("sends", compared=False),
    ]
    title = "one attach, replayed" if one else f"attach_many of {count}, replayed: each"
    return Row(
        f"replayed-{task}",
        title,
        runs,
        figures,
        checks,
        reference=as_it_was,
        by="by before",
        asks_kernel=False,
    )


def links(count: int) -> Row:
    runs = [Run(name, "links", count) for name in [*OURS, IP_USUAL, PYROUTE2_USUAL]]

    def checks(samples: Samples) -> list[Check]:
        return [
            Check(f"{run.contender}: links listed as objects", took * 1e6, 15, unit="us each")
            for run in runs[:2]
            if run in samples
            for took in [statistics.median(each(total)(result) for result in samples[run])]
        ]

    return Row("links", f"{count} links listed", runs, [Figure("list", each(total), "us")], checks)


def process() -> Row:
    runs = [Run(name, "process", 20) for now in OURS for name in (now, as_it_was(now))]
    imported, attached = median_of("import"), median_of("attach")

    def beyond(result: Result) -> float:
        return attached(result) - median_of("bare")(result)

    def checks(samples: Samples) -> list[Check]:
        found = []
        for run in runs[::2]:
            if run not in samples:
                continue
            name = run.contender
            took = statistics.median(map(beyond, samples[run])) * 1e3
            found.append(
                Check(f"{name}: one attach, whole process, beyond a bare interpreter", took, 15, unit="ms")
            )
            measured = ratio(samples, run, Run(as_it_was(name), run.task, run.count), beyond)
            if measured is not None:  # not worse; processes vary by some percent
                found.append(Check(f"{name}: the same, by {provide.BEFORE}", measured, 1.05))
            took = statistics.median(map(imported, samples[run])) * 1e3
            found.append(Check(f"{name}: import netlinkpy", took, 1, unit="ms"))
        return found

    figures = [
        Figure("bare", median_of("bare"), compared=False),
        Figure("import", imported),
        Figure("attach", attached),
    ]
    title = "`netlinkpy attach` of one container, whole process"
    return Row("process", title, runs, figures, checks, reference=as_it_was, by="by before")


def all_rows(containers: int, *, quick: bool) -> list[Row]:
    rows = [
        replayed("one", 50),
        replayed("many", containers),
        one_container(),
        attach(containers),
        detach(containers),
        growth(100, 1000, 1),
    ]
    if quick:
        return [*rows[:5], routes(20_000), links(200), process()]
    return [*rows, growth(1000, 10_000, 10), prove(10_000, 10), routes(1_000_000), links(1000), process()]
