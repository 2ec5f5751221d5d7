"""iproute2 as a contender: `ip -batch` by the usual steps, and by the one-line veth whose peer is born in the
container.

In its fastest way: all lines of the host in one process, then one `ip -n NAME -batch` for each container (a
batch cannot change namespace).
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ground import Contender, Place, route_destinations, run, seconds


def batch(lines: list[str], *options: str) -> None:
    subprocess.run(["ip", *options, "-batch", "-"], input="\n".join(lines), text=True, check=True)


def inside(place: Place, lines: list[str]) -> None:
    """Run one `ip` in the container's namespace; spawned, not forked, the fastest way in Python."""
    reader, writer = os.pipe()
    os.write(writer, "\n".join(lines).encode())
    os.close(writer)
    command = ["ip", "-n", place.name, "-batch", "-"]
    process = os.posix_spawnp("ip", command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, reader, 0)])
    os.close(reader)
    if os.waitpid(process, 0)[1]:
        raise OSError(f"{' '.join(command)} failed")


def last_steps(place: Place) -> list[str]:
    return [
        "link set lo up",
        f"address add {place.address}/16 dev eth0",
        f"route add default via {place.gateway} dev eth0",
    ]


def attach_usual(places: list[Place]) -> None:
    lines = []
    for place in places:
        moved = "p" + place.host_ifname[4:]
        lines.append(f"link add {place.host_ifname} type veth peer name {moved}")
        lines.append(f"link set {place.host_ifname} master {place.bridge}")
        lines.append(f"link set {place.host_ifname} up")
        lines.append(f"link set {moved} netns {place.name}")
    batch(lines)
    for place in places:
        moved = "p" + place.host_ifname[4:]
        inside(
            place,
            [
                f"link set {moved} name eth0",
                f"link set eth0 address {place.mac}",
                "link set eth0 up",
                *last_steps(place),
            ],
        )


def attach_one_line(places: list[Place]) -> None:
    batch(
        [
            f"link add {place.host_ifname} up master {place.bridge} type veth "
            f"peer name eth0 address {place.mac} netns {place.name}"
            for place in places
        ]
    )
    for place in places:
        inside(place, ["link set eth0 up", *last_steps(place)])


def detach(places: list[Place]) -> None:
    batch([f"link delete {place.host_ifname}" for place in places])


def show(*what: str) -> float:
    return seconds(partial(subprocess.run, ["ip", "-j", *what], stdout=subprocess.DEVNULL, check=True))


def routes(count: int) -> dict[str, object]:
    lines = [f"route add {destination} dev br0" for destination in route_destinations(count)]
    return {"phases": {"add": seconds(partial(batch, lines)), "objects": show("route")}}


def links(count: int) -> dict[str, object]:
    return {"seconds": show("link")}


CONTENDERS = {
    "usual": Contender(attach_usual, detach, routes, links, named=True),
    "one-line": Contender(attach_one_line, detach, named=True),
}

if __name__ == "__main__":
    run(CONTENDERS[sys.argv[1]], sys.argv[2:])
