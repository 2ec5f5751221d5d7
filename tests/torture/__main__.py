"""`make torture`: the campaigns of both backends and those of none, side by side, and one table of all.

Words are given on to pytest, all but -k. The exit code is 0 if all was clean."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from tests.torture.table import lines, read

SHARES = ("native", "python", "not native and not python")  # -k: which tests a process runs


def main(words: list[str]) -> int:
    """Run the campaigns, print what each process says, then the table."""
    folder = os.path.dirname(__file__)
    with tempfile.TemporaryDirectory() as place:
        rows = f"{place}/rows"
        open(rows, "w").close()
        environment = {**os.environ, "NETLINKPY_TORTURE_ROWS": rows}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder, *words]
        running = []
        for number, share in enumerate(SHARES):
            with open(f"{place}/{number}", "wb") as said:
                running.append(
                    subprocess.Popen(
                        [*command, "-k", share],
                        env=environment,
                        stdin=subprocess.DEVNULL,
                        stdout=said,
                        stderr=subprocess.STDOUT,
                    )
                )
        codes = [one.wait() for one in running]
        for number in range(len(SHARES)):
            with open(f"{place}/{number}") as file:
                sys.stdout.write(file.read().partition("= the campaigns =")[0])
        print(*lines(read(rows)), sep="\n")
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
