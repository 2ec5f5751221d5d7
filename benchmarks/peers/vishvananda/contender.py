"""vishvananda/netlink (Go) as a contender: main.go, built by provide.py, told the places on standard
input."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from ground import Contender, Place, run

PROGRAM = Path(sys.path[0], "bin", "vishvananda")


def tell(verb: str, places: list[Place]) -> None:
    lines = [
        f"{place.path} {place.host_ifname} {place.bridge} {place.mac} {place.address}/16 {place.gateway}\n"
        for place in places
    ]
    subprocess.run([PROGRAM, verb], input="".join(lines), text=True, check=True)


CONTENDER = Contender(
    lambda places: tell("attach", places), lambda places: tell("detach", places), named=True
)

if __name__ == "__main__":
    run(CONTENDER, sys.argv[1:])
