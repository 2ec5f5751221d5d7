"""netlinkpy bench: wire N containers, prove it with packets, tear down, in namespaces of its own."""

from __future__ import annotations

import sys

from .command import Command, Option, number
from .command_error import complain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..bench.phases import Bench

COMMAND = Command(
    usage="netlinkpy bench [--containers N] [--keep] [--json]",
    summary=(
        "Make a host namespace of its own (as an ordinary user too), N containers and a bridge with\n"
        "172.17.42.1/16 in it, wire all, prove it with packets (each container pings its gateway and a\n"
        "neighbour), and tear down. Nothing outside its namespaces is touched."
    ),
    options=(
        Option(("-n", "--containers"), "N", "how many (default 200)", default=200, read=number(1, 15000)),
        Option(("--keep",), "", "wait for Enter before tearing down, to look around"),
        Option(("--json",), "", "print the result as JSON"),
    ),
    examples=("netlinkpy bench", "netlinkpy bench --containers 10000 --json"),
)


def main(arguments: list[str]) -> int:
    """Exit codes: 0 every ping was answered; 1 some were not, or the kernel refused; 2 the words do not
    fit."""
    parsed = COMMAND.parse(arguments)
    if parsed is None:
        return 0
    values, _ = parsed
    from ..bench.phases import Bench
    from ..bench.testbed import enter_own_host
    from .interrupt import interrupt_on_terminate
    from .progress import Progress

    interrupt_on_terminate()
    enter_own_host()
    bench = Bench(values["containers"], Progress)
    try:
        bench.wire()
        bench.prove()
        if values["keep"]:
            _wait()
        bench.tear_down()
    finally:
        bench.close()
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
    print(_json(bench, values["containers"]) if values["json"] else _table(bench, values["containers"]))
    for sentence in bench.unanswered[:10]:
        complain(f"netlinkpy: {sentence}")
    return 1 if bench.unanswered else 0


def _wait() -> None:
    import os

    print(
        f"wired; look around with: nsenter --user --net --target {os.getpid()} (Enter tears down)",
        file=sys.stderr,
    )
    sys.stdin.readline()


def _table(bench: Bench, count: int) -> str:
    from ..backends import backend

    bridges = "1 bridge" if len(bench.bridges) == 1 else f"{len(bench.bridges)} bridges"
    lines = [f"{count} containers on {bridges}, backend {backend()}", ""]
    lines.append(f"{'phase':<18}{'seconds':>9}{'ms each':>9}{'per second':>12}")
    for phase in bench.phases:
        each, rate = phase.seconds / count * 1e3, count / phase.seconds
        lines.append(f"{phase.name:<18}{phase.seconds:>9.3f}{each:>9.3f}{rate:>12,.0f}")
    lines += ["", f"pings answered: {bench.pings - len(bench.unanswered)} of {bench.pings}"]
    return "\n".join(lines)


def _json(bench: Bench, count: int) -> str:
    import json
    from resource import RUSAGE_SELF, getrusage

    from ..backends import backend

    return json.dumps(
        {
            "containers": count,
            "bridges": len(bench.bridges),
            "backend": backend(),
            "seconds": {phase.name: round(phase.seconds, 6) for phase in bench.phases},
            "pings": bench.pings,
            "unanswered": len(bench.unanswered),
            "peak_kib": getrusage(RUSAGE_SELF).ru_maxrss,
        }
    )
