"""What the tests of `netlinkpy run` share: the command line, a probe that prints what it sees, and what is
left afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import netlinkpy as nl
from netlinkpy.run import Running, listing

ROOT = str(Path(__file__).parent.parent.parent)
MAIN = (
    f"import sys; sys.path.insert(0, {ROOT!r}); sys.argv[0] = 'netlinkpy'; "
    "from netlinkpy.cli import main; sys.exit(main())"
)
BRIDGE, GATEWAY = "br0", "172.17.42.1"
DEFAULT_CAPABILITIES = (
    0xA80425FB  # CapEff in a container of dockerd 20.10 that got no --cap-add and no --cap-drop
)

#: Prints, as JSON, what a process inside sees.
PROBE = f"""
import json, os, socket, sys
sys.path.insert(0, {ROOT!r})
import netlinkpy as nl
with open("/proc/self/status") as status:
    lines = dict(line.split(":", 1) for line in status)
with nl.RTNetlink() as rt:
    links = {{link.name: link.up for link in rt.links.list()}}
    addresses = [address.cidr for address in rt.addresses.list() if address.scope != 253]
    up = any(links.values())  # or there is no table yet
    routes = [[route.destination, route.gateway] for route in rt.routes.list() if route.gateway] if up else []
print(json.dumps({{
    "pid": os.getpid(),
    "parent": os.getppid(),
    "session": os.getsid(0),
    "pids": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
    "capabilities": {{kind: int(lines[f"Cap{{kind}}"], 16) for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")}},
    "namespaces": {{kind: os.stat(f"/proc/self/ns/{{kind}}").st_ino for kind in os.listdir("/proc/self/ns")}},
    "hostname": socket.gethostname(),
    "links": links,
    "addresses": sorted(addresses),
    "routes": routes,
    "sysfs": sorted(name for name in os.listdir("/sys/class/net") if name != "bonding_masters"),
    "descriptors": sorted(os.listdir("/proc/self/fd")),
    "user": os.getuid(),
    "resolv": open("/etc/resolv.conf").read() if os.path.exists("/etc/resolv.conf") else None,
}}))
"""
PROBING = (sys.executable, "-c", PROBE)

Finished = subprocess.CompletedProcess[str]


def netlinkpy(*words: str, input: str | None = None, seconds: float = 30) -> Finished:
    """Run our command to its end."""
    stdin = {"input": input} if input is not None else {"stdin": subprocess.DEVNULL}
    options: dict[str, Any] = {"text": True, "capture_output": True, "timeout": seconds, **stdin}
    return subprocess.run([sys.executable, "-c", MAIN, *words], **options)


def run(*words: str, **options: Any) -> Finished:
    """`netlinkpy run`."""
    return netlinkpy("run", *words, **options)


def started(*words: str) -> subprocess.Popen[str]:
    """Start our command and return it."""
    return subprocess.Popen(
        [sys.executable, "-c", MAIN, *words],
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def probe(*options: str, command: Sequence[str] = PROBING) -> dict[str, Any]:
    """Return what a command sees if it is run with these options."""
    finished = run(*options, "--", *command)
    assert finished.returncode == 0, finished.stderr
    seen: dict[str, Any] = json.loads(finished.stdout)
    return seen


def on_bridge(address: str = "172.17.42.99/16") -> tuple[str, ...]:
    """Return the options that wire it to the test's bridge."""
    return ("--bridge", BRIDGE, "--ip", address)


def detached(*options: str, name: str = "one", command: Sequence[str] = ("sleep", "1000")) -> Running:
    """Start and return a container in the background."""
    finished = run("-d", "--name", name, *options, "--", *command)
    assert (finished.returncode, finished.stdout) == (0, f"{name}\n"), finished.stderr
    return found(name)


def found(name: str) -> Running:
    """Return the running container of that name."""
    return next(one for one in listing() if one.name == name)


def exists(pid: int) -> bool:
    """Return whether a process exists and is no zombie."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def inside(pid: int) -> list[int]:
    """Return the processes in the PID namespace of process `pid`, as we see them."""
    namespace = os.stat(f"/proc/{pid}/ns/pid").st_ino
    members = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.stat(f"/proc/{name}/ns/pid").st_ino == namespace:
                members.append(int(name))
        except OSError:
            continue
    return sorted(members)


def veths() -> list[str]:
    """Return the veth ends in the test's own namespace."""
    with nl.RTNetlink() as rt:
        return [link.name for link in rt.links.list(kind="veth")]
