"""Runs the steps of one scenario in the namespaces it finds itself in; run by compare.py under unshare.

Standard input, as JSON: the steps, the directory with the `ip` and `brctl` to try ("programs"), that with
iproute2's ("reference"). Standard output, as JSON: for each "$" step its stdout, stderr, exit and the state
of the kernel after it ("results"); the pid of each named process ("pids").
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import time
from typing import Any

SECONDS = 20  # that a command may take
SETTLING = 3.0  # seconds in which carrier changes and address detection have to be over
TIMERS = {
    "hello_timer", "tcn_timer", "topology_change_timer", "gc_timer",
    "message_age_timer", "forward_delay_timer", "hold_timer",
}  # fmt: skip
TABLES = "address show\nroute show table all\nrule show\nneighbour show\nnetns list-id\n"


class Testbed:
    """The namespaces of one run: the one we are in, and those under /run/netns."""

    def __init__(self, programs: str, reference: str) -> None:
        rest = os.environ.get("PATH", os.defpath)
        plain = {"HOME": "/root", "LANG": "C.UTF-8", "COLUMNS": "80"}
        self.environment = plain | {"PATH": f"{programs}:{reference}:{rest}"}
        self.set_up = plain | {"PATH": f"{reference}:{rest}"}
        self.ip = f"{reference}/ip"
        self.calmed: set[str] = set()
        self.last: dict[str, Any] = {}
        self.background: list[subprocess.Popen[bytes]] = []

    def run(
        self, command: str, environment: dict[str, str], stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", command], input=stdin, env=environment, cwd="/run", capture_output=True, text=True,
            errors="surrogateescape", timeout=SECONDS,
        )  # fmt: skip

    def start(self, name: str, command: str) -> None:
        """Start a process that goes on; wait until it has become its last word (`unshare -n sleep`)."""
        process = subprocess.Popen(
            command.split(), env=self.set_up, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        self.background.append(process)
        last = [word for word in command.split() if word.isalpha()][-1]
        deadline = time.monotonic() + SECONDS
        while pathlib.Path(f"/proc/{process.pid}/comm").read_text().strip() != last:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{command!r} has not become {last}")
            time.sleep(0.002)
        self.environment[name] = self.set_up[name] = str(process.pid)

    def namespaces(self) -> list[str]:
        names = sorted(os.listdir("/run/netns")) if os.path.isdir("/run/netns") else []
        return ["", *names]

    def inside(self, namespace: str, lines: str) -> subprocess.CompletedProcess[str]:
        chosen = ["-n", namespace] if namespace else []
        return subprocess.run(
            [self.ip, *chosen, "-d", "-j", "-force", "-batch", "-"],
            input=lines, env=self.set_up, capture_output=True, text=True, timeout=SECONDS,
        )  # fmt: skip

    def calm(self, namespace: str) -> None:
        """No duplicate address detection in a namespace just seen: it takes a second for an address."""
        if namespace not in self.calmed:
            self.calmed.add(namespace)
            enter = ["nsenter", f"--net=/run/netns/{namespace}"] if namespace else []
            files = "/proc/sys/net/ipv6/conf/all/accept_dad /proc/sys/net/ipv6/conf/default/accept_dad"
            script = f"for f in {files}; do echo 0 > $f; done"
            subprocess.run([*enter, "sh", "-c", script], stderr=subprocess.DEVNULL, timeout=SECONDS)

    def look(self) -> dict[str, Any]:
        """The state of the kernel: what iproute2 tells of each namespace, sorted, timers left out."""
        state: dict[str, Any] = {}
        self.calmed.intersection_update(self.namespaces())  # a name may come again
        for namespace in self.namespaces():
            self.calm(namespace)
            told = self.inside(namespace, TABLES)
            names = ("addresses", "routes", "rules", "neighbours", "ids")
            state[namespace or "(here)"] = (
                dict(zip(names, documents(told.stdout), strict=False)) or told.stderr
            )
        return state

    def settle(self) -> dict[str, Any]:
        """The state once it stands still: asking for a link makes the kernel work off its carrier change."""
        before = self.last
        deadline = time.monotonic() + SETTLING
        state = self.look()
        while state != before and time.monotonic() < deadline:
            for namespace in self.namespaces():
                links = state[namespace or "(here)"]
                if isinstance(links, dict):
                    names = [link["ifname"] for link in links["addresses"]]
                    self.inside(namespace, "".join(f"link show dev {name}\n" for name in names))
            before, state = state, self.look()
            while '"tentative": true' in json.dumps(state) and time.monotonic() < deadline:
                time.sleep(0.02)
                state = self.look()
        self.last = state
        return state

    def close(self) -> None:
        for process in self.background:
            process.kill()
            process.wait()


def documents(text: str) -> list[Any]:
    """The JSON documents of a -batch, one after the other; lists sorted, timers left out."""
    decoder = json.JSONDecoder()
    found = []
    at = 0
    while at < len(text):
        document, at = decoder.raw_decode(text, at)
        found.append(sorted((without_timers(entry) for entry in document if entry), key=json.dumps))
        while at < len(text) and text[at].isspace():
            at += 1
    return found


def without_timers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_timers(entry) for key, entry in value.items() if key not in TIMERS}
    return [without_timers(entry) for entry in value] if isinstance(value, list) else value


def main() -> None:
    task = json.load(sys.stdin)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    # this namespace's bridges, for brctl
    subprocess.run(["mount", "-t", "sysfs", "sysfs", "/sys"], check=True)
    testbed = Testbed(task["programs"], task["reference"])
    results = []
    try:
        testbed.look()
        for kind, command, stdin, name in task["steps"]:
            if kind == "@":
                testbed.start(name, command)
                continue
            done = testbed.run(command, testbed.environment if kind == "$" else testbed.set_up, stdin)
            state = testbed.settle()
            if kind == "$":
                told = {"stdout": done.stdout, "stderr": done.stderr, "exit": done.returncode, "state": state}
                results.append(told)
            elif done.returncode:
                raise RuntimeError(f"set-up {command!r}: {done.stderr}")
        pids = {name: testbed.environment[name] for kind, _, _, name in task["steps"] if kind == "@"}
    finally:
        testbed.close()
    json.dump({"results": results, "pids": pids}, sys.stdout)


if __name__ == "__main__":
    main()
