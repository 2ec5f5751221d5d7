"""netlinkpy's own time in an attach, with the kernel replayed, and its calls. replayed.py says what is
measured, and what is not.

    python benchmarks/replay.py [--backend NAME,...] [--many] [--before] [--tree DIR] [--profile]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

import provide
from compare import UNSHARE, Failed, measure
from contenders import BACKENDS, ours
from figures import Result, Run

ROUNDS = 3


def show(name: str, results: list[Result]) -> None:
    middle = {
        key: statistics.median(float(result[key]) for result in results)
        for key in ("replayed", "kernel", "cold", "python calls", "c calls", "sends", "receives")
    }
    us = {key: middle[key] * 1e6 for key in ("replayed", "kernel", "cold")}
    print(
        f"{name:16}{us['replayed']:7.1f} us (of it {us['kernel']:.1f} the kernel's; cold {us['cold']:.0f})"
        f"{middle['python calls']:8.1f} Python calls{middle['c calls']:8.1f} C calls"
        f"{middle['sends']:6.1f} sent{middle['receives']:6.1f} received"
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backend", metavar="NAME,...", default="cffi", help="cffi, native, python (cffi)")
    parser.add_argument(
        "--many", action="store_true", help="attach_many of 100, not one attach after the other"
    )
    parser.add_argument("--before", action="store_true", help=f"the tree {provide.BEFORE} as well, in turns")
    parser.add_argument(
        "--tree",
        type=Path,
        default=provide.HERE.parent,
        help="which one to measure (this one); its shim is built",
    )
    parser.add_argument("--profile", action="store_true", help="the functions, by their own time")
    options = parser.parse_args()
    task, count = ("many", 100) if options.many else ("one", 30)
    for backend in options.backend.split(","):
        if backend not in BACKENDS:
            sys.exit(f"no backend {backend}; there are {', '.join(BACKENDS)}")
        try:
            commands = {backend: ours(backend, "replayed.py", options.tree.resolve())}
            if options.before:
                commands[f"{backend}, before"] = ours(backend, "replayed.py", provide.before())
        except provide.MissingError as missing:
            sys.exit(str(missing))
        if options.profile:
            for name, command in commands.items():
                print(name, flush=True)
                done = subprocess.run([*UNSHARE, *command, f"profile-{task}", str(count)], cwd=provide.HERE)
                if done.returncode:
                    return done.returncode
            continue
        results: dict[str, list[Result]] = {name: [] for name in commands}
        for _ in range(ROUNDS):
            for name, command in commands.items():
                try:
                    results[name].append(measure(command, Run(name, task, count)))
                except Failed as failure:
                    sys.exit(f"{name}: {failure}")
        for name in commands:
            show(name, results[name])
        if options.before:
            now, then = results.values()
            ratios = [float(a["replayed"]) / float(b["replayed"]) for a, b in zip(now, then, strict=True)]
            print(f"{'':16}{statistics.median(ratios):7.2f} x before")
    return 0


if __name__ == "__main__":
    sys.exit(main())
