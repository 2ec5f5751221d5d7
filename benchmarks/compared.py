"""What it costs connect() to compare a network with what it was made as: one connect with the comparison and
one without, in turns, in a namespace of their own.

python benchmarks/compared.py [ROUNDS]
"""

from __future__ import annotations

import sys
from statistics import median
from time import perf_counter
from unittest.mock import patch

import netlinkpy as nl
from netlinkpy import networks
from netlinkpy.bench.testbed import enter_own_host, make_containers
from netlinkpy.nat import Nat
from netlinkpy.netns.handle import Netns
from netlinkpy.networks.announce_mark import announces


def seconds(container: Netns) -> float:
    """Return how long one connect takes; it is undone."""
    begin = perf_counter()
    networks.connect("blue", container, ip="172.30.0.5")
    spent = perf_counter() - begin
    networks.disconnect("blue", container)
    return spent


def as_before(
    host: nl.RTNetlink, nat: Nat, index: int, addresses: list[str], differs: bool
) -> tuple[bool, list[str]]:
    """Do what was done for new owners of addresses before the comparison."""
    nat.forget(addresses)
    link = host.links.find(index)
    return link is not None and announces(host, link, differs), []


def main(rounds: int) -> None:
    enter_own_host()
    with nl.RTNetlink() as host:
        host.links.set("lo", up=True)
        host.links.add("up0", kind="bridge", up=True)
        host.addresses.add("192.0.2.1/24", dev="up0")
        host.routes.add("default", gateway="192.0.2.2")
    networks.Network.create("blue", subnets="172.30.0.0/16")
    (container,) = make_containers(1, lambda done, of: None)
    heeded, plain = [], []
    for _ in range(rounds):
        heeded.append(seconds(container))
        with patch("netlinkpy.networks.reconcile.receive", as_before):
            plain.append(seconds(container))
    ratio = median(one / other for one, other in zip(heeded, plain, strict=True))
    print(
        f"connect, compared {median(heeded) * 1e3:.3f} ms, without {median(plain) * 1e3:.3f} ms: {ratio:.3f}"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
