"""The shim as plain C under the sanitizers and valgrind: hostile*.c is built and run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

BACKENDS = Path(__file__).parent
DRIVERS = sorted(BACKENDS.glob("hostile*.c"))
#: The plain C of the shim; hostile_visit.c includes two of its files itself.
SHIM = [
    source
    for source in sorted((BACKENDS.parents[1] / "csrc").glob("*.c"))
    if not source.name.startswith(("native", "visit", "netns"))
]
WARNINGS = ["-Wall", "-Wextra", "-Werror"]
SANITIZERS = "-fsanitize=address,undefined", "-fno-sanitize-recover=all"


def build(to: Path, *flags: str) -> Path:
    """The drivers with the plain C of the shim."""
    program = to / "hostile"
    command = [
        "gcc",
        "-std=gnu11",
        "-g",
        "-O1",
        "-pthread",
        *WARNINGS,
        *flags,
        *map(str, DRIVERS),
        *map(str, SHIM),
        "-o",
        str(program),
    ]
    built = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stderr
    return program


def run(*command: str | Path) -> None:
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "nothing amiss" in result.stdout


@pytest.mark.needs("gcc")
def test_under_the_sanitizers(tmp_path: Path) -> None:
    run(build(tmp_path, "-Wconversion", *SANITIZERS), "50000")


@pytest.mark.needs("gcc", "gcc -m32")
def test_where_lengths_have_32_bits(tmp_path: Path) -> None:
    run(build(tmp_path, "-m32", *SANITIZERS), "50000")


@pytest.mark.needs("gcc", "valgrind")
def test_under_valgrind(tmp_path: Path) -> None:
    run("valgrind", "-q", "--leak-check=full", "--error-exitcode=9", build(tmp_path), "5000")
