"""pyroute2 as a contender: the usual steps, and a veth in one call whose peer is born in the container."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ground import Contender, Place, route_destinations, run, seconds
from pyroute2 import IPRoute, NetNS  # type: ignore[import-not-found]


def configure(inside: IPRoute, place: Place, index: int) -> None:
    inside.link("set", index=1, state="up")
    inside.link("set", index=index, state="up")
    inside.addr("add", index=index, address=place.address, prefixlen=16)
    inside.route("add", dst="default", gateway=place.gateway, oif=index)


def attach_usual(places: list[Place]) -> None:
    with IPRoute() as host:
        for place in places:
            bridge = host.link_lookup(ifname=place.bridge)[0]
            moved = "p" + place.host_ifname[4:]
            host.link("add", ifname=place.host_ifname, kind="veth", peer=moved)
            port = host.link_lookup(ifname=place.host_ifname)[0]
            host.link("set", index=port, master=bridge)
            host.link("set", index=port, state="up")
            host.link("set", index=host.link_lookup(ifname=moved)[0], net_ns_fd=place.name)
            with NetNS(place.name) as inside:
                index = inside.link_lookup(ifname=moved)[0]
                inside.link("set", index=index, ifname="eth0", address=place.mac)
                configure(inside, place, index)


def attach_one_call(places: list[Place]) -> None:
    with IPRoute() as host:
        for place in places:
            host.link(
                "add",
                ifname=place.host_ifname,
                kind="veth",
                state="up",
                master=host.link_lookup(ifname=place.bridge)[0],
                peer={"ifname": "eth0", "address": place.mac, "net_ns_fd": place.name},
            )
            with NetNS(place.name) as inside:
                configure(inside, place, inside.link_lookup(ifname="eth0")[0])


def detach(places: list[Place]) -> None:
    with IPRoute() as host:
        for place in places:
            host.link("del", index=host.link_lookup(ifname=place.host_ifname)[0])


def routes(count: int) -> dict[str, object]:
    """Add routes and dump them. The dump has ten times as many as were added (by `ip`, untimed), since it
    gets slower with their number."""
    destinations = list(route_destinations(10 * count))
    with IPRoute() as host:
        bridge = host.link_lookup(ifname="br0")[0]

        def add() -> None:
            for destination in destinations[:count]:
                host.route("add", dst=f"{destination}/32", oif=bridge)

        phases = {"add": seconds(add)}
        more = "\n".join(f"route add {destination} dev br0" for destination in destinations[count:])
        subprocess.run(["ip", "-batch", "-"], input=more, text=True, check=True)
        phases["objects"] = seconds(lambda: list(host.get_routes(family=2)))
    return {"phases": phases, "dumped": len(destinations)}


def links(count: int) -> dict[str, object]:
    with IPRoute() as host:
        return {"seconds": seconds(lambda: list(host.get_links()))}


CONTENDERS = {
    "usual": Contender(attach_usual, detach, routes, links, named=True),
    "one-call": Contender(attach_one_call, detach, named=True),
}

if __name__ == "__main__":
    run(CONTENDERS[sys.argv[1]], sys.argv[2:])
