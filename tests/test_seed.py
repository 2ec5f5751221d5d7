"""The document that the project grew from, run by examples/seed.sh: `ip` and `brctl` are netlinkpy alone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.namespaces import Container

ROOT = Path(__file__).parent.parent
OURS = ("netlinkpy", "ip", "brctl")
BUSYBOX = ("ping", "ifconfig", "route", "sleep", "kill")  # what an old container would have
SYSTEM = ("sh", "unshare", "mount", "mkdir", "ln", "ls", "id", "dirname", "readlink", "find")


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder to be the whole PATH: our names, busybox, a few of the system's, and no iproute2."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "netlinkpy"
    script.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n"
        "from netlinkpy.cli import main\nsys.exit(main())\n"
    )
    script.chmod(0o755)
    for name in OURS[1:]:
        (folder / name).symlink_to(script)
    for name in BUSYBOX:
        (folder / name).symlink_to(shutil.which("busybox") or "missing")
    for name in SYSTEM:
        (folder / name).symlink_to(shutil.which(name) or "missing")
    return folder


def run(programs: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name.startswith("NETLINKPY_")}
    return subprocess.run(
        command, env={**environment, "PATH": str(programs)}, text=True, capture_output=True, timeout=60
    )


@pytest.mark.needs("busybox", "unshare")
def test_every_line_of_the_document_works(programs: Path) -> None:
    done = run(programs, str(ROOT / "examples" / "seed.sh"))
    assert done.returncode == 0, done.stdout + done.stderr

    shown = done.stdout
    assert re.search(r"^\d+: docker0: <.*UP.*>", shown, re.MULTILINE)
    assert re.search(r"^ +inet 172\.17\.42\.1/16 scope global docker0$", shown, re.MULTILINE)
    assert re.search(r"^\d+: eth0@if\d+: <.*UP.*>", shown, re.MULTILINE)
    assert "    link/ether 12:34:56:78:9a:bc brd ff:ff:ff:ff:ff:ff" in shown
    assert "    inet 172.17.42.99/16 scope global eth0" in shown
    assert re.search(r"^default via 172\.17\.42\.1 dev eth0 *$", shown, re.MULTILINE)

    answered = re.findall(r"2 packets transmitted, ([12]) packets received", shown)
    assert len(answered) == 2, "packets pass both ways"

    assert "HWaddr 12:34:56:78:9A:BC" in shown
    assert re.search(r"inet addr:172\.17\.42\.99 .*Mask:255\.255\.0\.0", shown)
    assert re.search(r"^0\.0\.0\.0 +172\.17\.42\.1 +0\.0\.0\.0 +UG .*eth0$", shown, re.MULTILINE)

    # The container is gone: so is its port, while the bridge stays.
    assert re.search(r"^docker0\t\t8000\.[0-9a-f]{12}\tno\t\t\n\Z", shown, re.MULTILINE)


def test_prune_does_what_the_find_at_its_end_does(
    programs: Path, containers: Callable[..., list[Container]]
) -> None:
    stays, goes = containers(2)
    os.makedirs("/run/netns")
    for one in (stays, goes):
        os.symlink(one.path, f"/run/netns/{one.pid}")
    goes.kill()
    assert run(programs, "netlinkpy", "netns", "prune").returncode == 0
    assert os.listdir("/run/netns") == [str(stays.pid)]
