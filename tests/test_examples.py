"""The library's example does what it says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.support.namespaces import Container

ROOT = Path(__file__).parent.parent


def test_attach_shows_a_wired_container_and_leaves_nothing(
    container: Container, snapshot: Callable[..., object]
) -> None:
    before = snapshot()
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "attach.py"), str(container.pid)],
        env={"PYTHONPATH": str(ROOT)},
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    for word in ("eth0", "02:42:ac:11:2a:63", "172.17.42.99", "172.17.42.1"):
        assert word in done.stdout
    assert snapshot() == before
