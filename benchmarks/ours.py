"""netlinkpy as a contender, by the backend that NETLINKPY_BACKEND names."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ground import Contender, Place, enter, make_namespaces, on_a_throwaway_thread, prepare, run

import netlinkpy as nl

made: dict[int, nl.Attachment] = {}


def endpoint(place: Place) -> nl.Endpoint:
    return nl.Endpoint(
        netns=nl.Netns.from_fd(place.netns),
        bridge=place.bridge,
        addresses=f"{place.address}/16",
        mac=place.mac,
        host_ifname=place.host_ifname,
    )


def attach(places: list[Place]) -> None:
    if len(places) == 1:
        made[places[0].netns] = nl.attach(endpoint(places[0]))
    else:
        attachments = nl.attach_many([endpoint(place) for place in places])
        made.update(zip((place.netns for place in places), attachments, strict=True))


def detach(places: list[Place]) -> None:
    if len(places) == 1:
        nl.detach(made.pop(places[0].netns))
    else:
        nl.detach_many([made.pop(place.netns) for place in places])


CONTENDER = Contender(attach, detach)


def warm_up() -> None:
    """One attach and detach in a namespace of its own: what is imported at first use is start-up, which has a
    row of its own."""

    def wire_one() -> None:
        enter(make_namespaces(1)[0])
        places = prepare(1)
        attach(places)
        detach(places)

    on_a_throwaway_thread(wire_one)


if __name__ == "__main__":
    warm_up()
    run(CONTENDER, sys.argv[1:])
