"""Runs a scenario by two sets of programs, each in fresh namespaces, and says where they differ."""

from __future__ import annotations

import difflib
import ipaddress
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
from typing import Any, NamedTuple

from .scenarios import ASPECTS, Scenario

TESTBED = pathlib.Path(__file__).with_name("testbed.py")
FIXED = re.compile(
    r"(00:){5}00|(ff:){5}ff|33:33:.*|01:80:c2:.*"
)  # hardware addresses that nobody drew by lot
ADDRESSES = re.compile(
    r"(?P<mac>\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b)"
    # in a bridge's id, as ip and as brctl write it
    r"|(?<=\b[0-9a-f]{4}\.)(?P<id>([0-9a-f]{1,2}:){5}[0-9a-f]{1,2}\b|[0-9a-f]{12}\b)"
    r"|(?P<local>\bfe80::[0-9a-f:]+)"
)
LIFETIMES = re.compile(r'((?:valid_lft|preferred_lft|expires|"\w+_life_time":|"expires":)\s*)(\d+)')


class Outcome(NamedTuple):
    """One command: the aspects that differ, whether stderr is the same, and what each side showed."""

    command: str
    differs: list[str]
    same_stderr: bool
    reference: dict[str, Any]
    ours: dict[str, Any]


def run(scenario: Scenario, programs: str, reference: str) -> list[dict[str, Any]]:
    """The results of one run, hardware addresses drawn by lot and pids replaced by what they stand for."""
    isolate = ["unshare", "--net", "--mount", "--propagation", "private"]
    if os.geteuid():
        isolate.append("--map-root-user")
    task = {"steps": scenario.steps, "programs": programs, "reference": reference}
    done = subprocess.run(
        [*isolate, sys.executable, "-I", str(TESTBED)], input=json.dumps(task), capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{scenario.name}: {done.stderr}")
    told = json.loads(done.stdout)
    drawn: dict[str, str] = {}
    results: list[dict[str, Any]] = []
    for result in told["results"]:
        shown = {}
        for aspect, value in result.items():
            text = value if isinstance(value, str) else json.dumps(value, indent=1)
            for name, pid in told["pids"].items():
                text = re.sub(rf"\b{pid}\b", f"${name}", text)
            shown[aspect] = comparable(text, scenario.text, drawn)
        results.append(shown)
    return results


def comparable(text: str, scenario: str, drawn: dict[str, str]) -> str:
    """Hardware addresses that the scenario does not fix become (mac 1), (mac 2) ... in the order they appear,
    in bridge ids and link-local addresses too; lifetimes that run down are rounded up to tens of seconds."""

    def replaced(match: re.Match[str]) -> str:
        mac = hardware_address(match)
        if mac is None or FIXED.fullmatch(mac) or mac in scenario:
            return match.group()
        return drawn.setdefault(mac, f"(mac {len(drawn) + 1})")

    text = ADDRESSES.sub(replaced, text)
    return LIFETIMES.sub(lambda match: f"{match[1]}{-(-int(match[2]) // 10) * 10}", text)


def hardware_address(match: re.Match[str]) -> str | None:
    """The hardware address in a match of ADDRESSES; None for a link-local address not made of one."""
    if match["mac"]:
        return match["mac"]
    if match["id"]:
        parts = match["id"].split(":") if ":" in match["id"] else re.findall("..", match["id"])
        return ":".join(part.zfill(2) for part in parts)
    try:
        low = ipaddress.IPv6Address(match["local"]).packed[8:]
    except ValueError:
        return None
    if low[3:5] != b"\xff\xfe":
        return None
    return bytes([low[0] ^ 2, *low[1:3], *low[5:]]).hex(":")


def compare(scenario: Scenario, programs: str, reference: str) -> list[Outcome]:
    """Both runs of a scenario, held against each other. A difference of state that an earlier command left is
    not told again: it is no fault of the commands after it."""
    theirs = run(scenario, reference, reference)
    ours = run(scenario, programs, reference)
    commands = [step.command for step in scenario.steps if step.kind == "$"]
    outcomes = []
    left = apart("", "")
    for command, t, o in zip(commands, theirs, ours, strict=True):
        differs = [aspect for aspect in ASPECTS if t[aspect] != o[aspect]]
        before, left = left, apart(t["state"], o["state"])
        if "state" in differs and left == before:
            differs.remove("state")
        outcomes.append(Outcome(command, differs, t["stderr"] == o["stderr"], t, o))
    return outcomes


def apart(theirs: str, ours: str) -> list[str]:
    """The lines that only one of two texts has."""
    lines = difflib.ndiff(theirs.splitlines(), ours.splitlines()) if theirs != ours else ()
    return [line for line in lines if line[0] in "+-"]


def link_programs(directory: pathlib.Path, **programs: str) -> str:
    """A directory with a link for each program; gives its path."""
    directory.mkdir()
    for name, target in programs.items():
        (directory / name).symlink_to(target)
    return str(directory)


def reference_programs(directory: pathlib.Path) -> str:
    """iproute2's and bridge-utils' programs; FileNotFoundError says which is missing."""
    found = {}
    for name in ("ip", "brctl"):
        path = shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")
        if path is None:
            raise FileNotFoundError(f"{name} is not installed: it is what we compare with")
        found[name] = path
    return link_programs(directory, **found)


def our_programs(directory: pathlib.Path) -> str:
    """Links to the installed script `netlinkpy`, as ip and brctl; FileNotFoundError where it is not there."""
    script = pathlib.Path(sys.executable).with_name("netlinkpy")
    if not script.exists():
        raise FileNotFoundError(f"{script} is not there: install the project into this Python first")
    return link_programs(directory, ip=str(script), brctl=str(script))
