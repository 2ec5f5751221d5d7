"""As an ordinary user, who has no capability: the modes that need none on the host work, in a user namespace
of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import netlinkpy
from netlinkpy.run import listing
from tests.support.run_testbed import Finished
from tests.support.waiting import eventually

NOBODY = 65534
MAIN = (
    "import sys; sys.path.insert(0, {!r}); sys.argv[0] = 'netlinkpy'; "
    "from netlinkpy.cli import main; sys.exit(main())"
)
pytestmark = pytest.mark.needs("root")


INTERPRETERS = (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3")


@pytest.fixture
def copy() -> Iterator[Path]:
    """The package where everybody may read it (a checkout may lie where only root may)."""
    place = Path("/run/copy")
    shutil.copytree(Path(netlinkpy.__file__).parent, place / "netlinkpy")
    os.chmod("/run", 0o755)
    (place / "python").symlink_to(interpreter(place))
    yield place
    shutil.rmtree(place)


def as_nobody(place: Path, *words: str) -> Finished:
    command = [str(place / "python"), "-I", "-S", "-c", MAIN.format(str(place)), *words]
    options: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": [], "cwd": "/"}
    return subprocess.run(
        command, text=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, **options
    )


def interpreter(place: Path) -> str:
    """One that everybody may run."""
    for program in INTERPRETERS:
        try:
            tried = subprocess.run(
                [program, "-I", "-c", "import tomllib"], user=NOBODY, cwd=place, check=False
            )
        except OSError:
            continue
        if tried.returncode == 0:
            return program
    pytest.skip("an ordinary user can run no Python 3.11 here")


def test_none_and_what_is_found_of_it(copy: Path) -> None:
    finished = as_nobody(copy, "run", "-d", "--name", "one", "--net=none", "--", "sleep", "1000")
    assert (finished.returncode, finished.stdout) == (0, "one\n"), finished.stderr
    assert "one " in as_nobody(copy, "ps").stdout
    assert len(listing()) == 0  # it is another user's, whom root need not believe
    seen = as_nobody(
        copy, "exec", "one", "sh", "-c", "id -u; hostname; cat /proc/self/uid_map; ls /sys/class/net"
    )
    assert seen.stdout.split() == ["0", "one", "0", str(NOBODY), "1", "lo"], seen.stderr
    shared = as_nobody(copy, "run", "--net=container:one", "--", "hostname")
    assert (shared.returncode, shared.stdout) == (0, "one\n"), shared.stderr
    assert as_nobody(copy, "stop", "-t", "1", "one").returncode == 0
    assert as_nobody(copy, "ps", "-q").stdout == ""


def test_host(copy: Path) -> None:
    finished = as_nobody(copy, "run", "--net=host", "--", "readlink", "/proc/self/ns/net")
    assert finished.stdout.strip() == os.readlink("/proc/self/ns/net"), finished.stderr


def test_a_bridge_is_not_for_an_ordinary_user(copy: Path) -> None:
    finished = as_nobody(copy, "run", "--bridge", "br0", "--ip", "172.17.42.9/16", "--", "true")
    assert finished.returncode == 125 and "not permitted" in finished.stderr
    assert finished.stderr.count("\n") == 1


def test_killed_by_sigkill(copy: Path) -> None:
    """The kernel kills the first process for a supervisor of another user namespace, too."""
    as_nobody(copy, "run", "-d", "--name", "one", "--net=none", "--", "sleep", "86399.25")

    def sleepers() -> list[int]:
        found = []
        for name in os.listdir("/proc"):
            try:
                if name.isdigit() and b"86399.25" in Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0"):
                    found.append(int(name))
            except OSError:
                continue
        return found

    table = as_nobody(copy, "ps", "--json").stdout
    supervisor = int(table.partition('"holder":')[2].strip("}\n"))
    assert len(sleepers()) == 3  # supervisor, first process, sleep
    os.kill(supervisor, 9)
    assert eventually(lambda: not sleepers())
