"""brctl on the real kernel, beside what the oracle's corpus says."""

from __future__ import annotations

import pytest

import netlinkpy as nl
from tests.support.command import Run


@pytest.fixture
def bridges(brctl: Run) -> Run:
    """brctl, with br0 and br1 and the pairs v0-v1 and v2-v3; v0 is a port of br0."""
    with nl.RTNetlink() as rt:
        for name in ("br0", "br1"):
            rt.links.add(name, kind="bridge")
        for name, peer in (("v0", "v1"), ("v2", "v3")):
            rt.links.add(name, kind="veth", peer=peer)
        rt.links.set("v0", master="br0")
    return brctl


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("addif br1 v0", "device v0 is already a member of a bridge; can't add it to bridge br1."),
        ("addif v2 v0", "can't add v0 to bridge v2: Operation not supported"),
        (
            "addif br0 br1",
            "device br1 is a bridge device itself; can't add a bridge device to a bridge device.",
        ),
        ("addif nope v0", "bridge nope does not exist!"),
        ("addif br0 nope", "interface nope does not exist!"),
        ("delif br1 v0", "device v0 is not a port of br1"),
        ("delbr v0", "can't delete bridge v0: Operation not permitted"),
        ("addbr br0", "device br0 already exists; can't create bridge with the same name"),
        ("stp br0 maybe", "expect on/off for argument"),
        ("setageing br0 nan", "bad ageing time value"),
        ("sethello br0 100", "set hello timer failed: Numerical result out of range"),
        ("setpathcost br1 v0 5", "set path cost failed: No such file or directory"),
    ],
)
def test_refusals_change_nothing(bridges: Run, words: str, sentence: str) -> None:
    assert bridges(*words.split()) == (1, "", f"{sentence}\n")
    with nl.RTNetlink() as rt:
        assert rt.links.get("v0").master == rt.links.get("br0").index


def test_settings(bridges: Run) -> None:
    for words in (
        "stp br0 on",
        "setageing br0 1.5",
        "setbridgeprio br0 0x10",
        "setpathcost br0 v0 77",
        "hairpin br0 v0 on",
    ):
        assert bridges(*words.split()) == (0, "", "")
    with nl.RTNetlink() as rt:
        bridge, port = rt.links.get("br0").data, rt.links.get("v0").port
    assert (bridge["stp_state"], bridge["ageing_time"], bridge["priority"]) == (1, 150, 16)
    assert (port["cost"], port["mode"]) == (77, 1)
    stp = bridges("showstp", "br0").out
    assert "ageing time\t\t   1.50" in stp
    assert "hairpin mode\t\t   1" in stp


def test_forwarding_table(bridges: Run) -> None:
    with nl.RTNetlink() as rt:
        mac = rt.links.get("v0").address
    assert bridges("showmacs", "br0") == (
        0,
        f"port no\tmac addr\t\tis local?\tageing timer\n  1\t{mac}\tyes\t\t   0.00\n",
        "",
    )
