"""A network's alternative names say all that it was made as."""

from __future__ import annotations

import netlinkpy as nl
from netlinkpy.networks import Network
from netlinkpy.networks.altnames import MadeAs
from tests.support.networks_testbed import GATEWAY, GATEWAY6, SUBNET, SUBNET6


def test_what_is_written_is_read() -> None:
    made = MadeAs(
        "blue",
        frozenset({"internal", "isolate"}),
        ("10.0.0.1/8", "fd00::1/64"),
        ("10.9.0.0/16",),
        "02:42:0a:00:00:01",
    )
    assert MadeAs.read(["x", *made.altnames()]) == made
    assert MadeAs.read(["net:blue:internal", "ip:3:10.0.0.1"]) is None


def test_a_network_is_what_it_was_made_as(host: nl.RTNetlink) -> None:
    made = Network.create("blue", subnets=[SUBNET, SUBNET6], ip_ranges="172.30.9.0/24", mcast_snooping=True)
    host.addresses.delete(f"{GATEWAY}/16", dev="blue")
    host.addresses.delete(f"{GATEWAY6}/64", dev="blue")
    host.links.set("blue", address="02:00:00:00:00:99", mcast_snooping=0)
    assert Network.get("blue") == made.replace(notes=())
