"""The state of a host and its containers, to compare before and after."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from netlinkpy.nat.table import SETS
from netlinkpy.nft.tables import Nftables
from tests.support.namespaces import Namespace
from tests.support.snapshot import snapshot

PATIENCE = 2.0  # seconds for what the kernel, or a thread that is ending, does in its own time
#: Those of a link are in its snapshot.
SETTINGS = [
    f"{version}/conf/{place}/{name}"
    for place in ("all", "default")
    for version, names in (
        ("ipv4", "forwarding route_localnet accept_redirects rp_filter arp_ignore"),
        ("ipv6", "forwarding accept_ra accept_redirects disable_ipv6 addr_gen_mode"),
    )
    for name in names.split()
]


def state(places: list[Namespace]) -> dict[str, Any]:
    """Return the named namespaces, the packet filter's tables, the settings, the commands that run, and the
    links (their settings too), addresses, routes ... of the caller's namespace and of these."""
    with open("/proc/self/mountinfo") as file:
        mounts = sorted(line.split()[4] for line in file if "/run/netns/" in line)
    names = sorted(os.listdir("/run/netns")) if os.path.isdir("/run/netns") else []
    found: dict[str, Any] = {"mounts": mounts, "names": names, "filter": _filter()}
    found["settings"] = [f"{name} {_read(name)}" for name in ("ipv4/ip_forward", *SETTINGS)]
    found["runs"] = sorted(name for name in _abstract_names() if "netlinkpy" in name)
    for number, place in enumerate((None, *places)):
        for table, rows in snapshot(place).items():
            found[f"{table} of {'the host' if place is None else f'container {number}'}"] = rows
    return found


def _filter() -> list[str]:
    """Return the tables of the packet filter, without the numbers that the kernel gives anew."""
    told: list[str] = []
    with Nftables() as nft:
        for table in nft.tables():
            family, name = table["nfgen_family"], table["name"]
            told.append(f"table {family} {name}")
            for rule in nft.rules(family, name):
                told.append(f"rule {rule['chain']} {rule['expressions']}")
            for kept in SETS:
                told += sorted(f"element {kept} {one}" for one in nft.elements(family, name, kept))
    return told


def difference(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Return what is another, in words."""
    told = []
    for name, was in before.items():
        if now[name] != was:
            gone = [row for row in was if row not in now[name]]
            more = [row for row in now[name] if row not in was]
            told.append(f"{name}: gone {gone}, more {more}")
    return "; ".join(told)


def _read(setting: str) -> str:
    try:
        with open(f"/proc/sys/net/{setting}") as file:
            return file.read().strip()
    except FileNotFoundError:  # no IPv6
        return ""


def _abstract_names() -> list[str]:
    with open("/proc/thread-self/net/unix") as file:
        return [line.split("@", 1)[1].strip() for line in file if "@" in line]


def eventually_same(before: Any, look: Callable[[], Any]) -> Any:
    """Return what there is, as soon as it is the same as before, or in the end."""
    deadline = time.monotonic() + PATIENCE
    while (now := look()) != before and time.monotonic() < deadline:
        time.sleep(0.01)
    return now
