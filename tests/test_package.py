"""The package as it is imported: light, without dependencies, typed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import netlinkpy

ROOT = str(Path(__file__).parent.parent)
# What a bare import must not load: typing alone costs more than all of netlinkpy.
FORBIDDEN = (
    "argparse json ipaddress ctypes dataclasses typing enum socket threading logging collections functools"
)


def bare(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    """The code after `import netlinkpy` in an interpreter with nothing else."""
    line = f"import sys; sys.path.insert(0, {ROOT!r}); import netlinkpy; {code}"
    return subprocess.run(
        [sys.executable, "-I", "-S", *options, "-c", line], text=True, capture_output=True, check=True
    )


def test_the_bare_import_loads_no_heavy_module() -> None:
    loaded = set(bare("print(*sys.modules)").stdout.split())
    assert "netlinkpy" in loaded
    assert loaded.isdisjoint(FORBIDDEN.split())


def test_the_bare_import_costs_at_most_8_ms() -> None:
    def cost() -> int:
        """Microseconds, everything that netlinkpy imports included."""
        printed = bare("", "-X", "importtime").stderr
        found = re.search(r"\|\s+(\d+) \| netlinkpy$", printed, re.MULTILINE)
        assert found
        return int(found[1])

    assert min(cost() for _ in range(5)) <= 8000


def test_no_public_name_brings_a_heavy_module_with_it() -> None:
    code = "all(getattr(netlinkpy, name) is not None for name in netlinkpy.__all__) and print(*sys.modules)"
    assert set(bare(code).stdout.split()).isdisjoint(FORBIDDEN.split())


def test_the_backend_is_the_one_asked_for() -> None:
    asked = os.environ.get("NETLINKPY_BACKEND")
    assert netlinkpy.backend() in ([asked] if asked else ["cffi", "native", "python"])


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(netlinkpy.__file__).parent / "py.typed").is_file()
