"""netlinkpy as a contender: with the backend NETLINKPY_BACKEND, from the tree NETLINKPY_ROOT (default: this
one)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from array import array
from pathlib import Path
from statistics import median

sys.path.insert(0, os.environ.get("NETLINKPY_ROOT") or str(Path(__file__).resolve().parent.parent))

from ground import Contender, Place, enter, make_namespaces, on_a_throwaway_thread, prepare, run, seconds

import netlinkpy as nl

ROOT = sys.path[0]
assert str(nl.__file__).startswith(ROOT), nl.__file__
made: dict[int, nl.Attachment] = {}


def endpoint(place: Place) -> nl.Endpoint:
    return nl.Endpoint(
        netns=f"/proc/self/fd/{place.netns}",
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


def links(count: int) -> dict[str, object]:
    with nl.RTNetlink() as rt:
        return {"seconds": seconds(lambda: rt.links.list())}


# Run in an interpreter of its own, so that its memory is that of the dump alone. No route leads to lo.
DUMP = f"""
import sys, time
sys.path.insert(0, {ROOT!r})
import netlinkpy
verb, expected = sys.argv[1], int(sys.argv[2])
with netlinkpy.RTNetlink() as rt:
    dump = getattr(rt.routes, verb)
    dump(dev="lo", family=2)
    start = time.perf_counter()
    got = dump(family=2)
    took = time.perf_counter() - start
rows = len(got["index"]) if verb == "columns" else len(got)
assert rows > expected, rows
"""
SAY = """
took = globals().get("took", 0)
with open("/proc/self/status") as status:
    print(took, next(line.split()[1] for line in status if line.startswith("VmHWM:")))
"""


def apart(code: str, *words: str) -> tuple[float, int]:
    """Return the seconds and the peak memory (KiB) of code in an interpreter of its own."""
    command = [sys.executable, "-I", "-c", code + SAY, *words]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr.splitlines()[-1])
    took, peak = done.stdout.split()
    return float(took), int(peak)


def routes(count: int) -> dict[str, object]:
    destinations = array("I", range(10 << 24, (10 << 24) + count))
    with nl.RTNetlink() as rt:
        rt.routes.add_many([], dev="br0")
        add = seconds(lambda: rt.routes.add_many(destinations, dev="br0"))
    columns, columns_kib = apart(DUMP, "columns", str(count))
    objects, objects_kib = apart(DUMP, "list", str(count))
    return {
        "phases": {"add": add, "columns": columns, "objects": objects},
        "columns_kib": columns_kib,
        "objects_kib": objects_kib,
        "bare_kib": apart("")[1],
    }


CONTENDER = Contender(attach, detach, routes, links)


def warm_up() -> None:
    """Attach and detach once in another namespace: what is imported at first use belongs to start-up, which
    has a row of its own."""

    def wire_one() -> None:
        enter(make_namespaces(1)[0])
        places = prepare(1)
        attach(places)
        detach(places)
        links(1)

    on_a_throwaway_thread(wire_one)


# ---- The whole process: `netlinkpy attach`, beside an interpreter that does nothing

COMMAND = f"import sys; sys.path.insert(0, {ROOT!r}); from netlinkpy.cli import main; sys.exit(main())"


def process_seconds(code: str, *words: str) -> float:
    """Return the seconds from spawn to exit."""

    def spawn_and_wait() -> None:
        process = os.posix_spawn(sys.executable, [sys.executable, "-I", "-c", code, *words], os.environ)
        if os.waitpid(process, 0)[1]:
            sys.exit(f"{' '.join(words)} failed")

    return seconds(spawn_and_wait)


def import_seconds() -> float:
    """Return the seconds of `import netlinkpy` alone, in a fresh interpreter."""
    code = f"import sys, time; sys.path.insert(0, {ROOT!r}); start = time.perf_counter(); import netlinkpy"
    code += "; print(time.perf_counter() - start)"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


def whole_process(count: int) -> None:
    """Attach one container in each process, in turns with the bare interpreter and the import alone."""
    bare, imported, attached = [], [], []
    for place in prepare(count, named=True):
        bare.append(process_seconds("pass"))
        imported.append(import_seconds())
        words = ["attach", place.name, "--quiet", "--bridge", place.bridge, "--ip", f"{place.address}/16"]
        attached.append(process_seconds(COMMAND, *words))
    medians = {"bare": median(bare), "import": median(imported), "attach": median(attached)}
    print(json.dumps({"what": "process", "n": count, "median": medians}))


if __name__ == "__main__":
    if sys.argv[1] == "process":
        whole_process(int(sys.argv[2]))
    else:
        warm_up()
        run(CONTENDER, sys.argv[1:])
