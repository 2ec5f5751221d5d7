"""The build with cffi, without it, without a compiler, without Python.h: from a clean copy each succeeds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = (
    "csrc",
    "netlinkpy",
    "build_ffi.py",
    "setup.py",
    "MANIFEST.in",
    "pyproject.toml",
    "README.md",
    "LICENSE",
)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A clean copy of what the build needs: no shared object, no build/ that would hide a broken fallback."""
    pytest.importorskip("setuptools")
    to = tmp_path / "copy"
    to.mkdir()
    unwanted = shutil.ignore_patterns("*.so", "__pycache__", "*.o")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, to / part, ignore=unwanted)
        elif (ROOT / part).exists():
            shutil.copy(ROOT / part, to / part)
    return to


def build(copy: Path, *, hide_cffi: bool = False, **environment: str) -> tuple[str, list[str]]:
    """Build in place; gives what was said and the shared objects made."""
    hide = "import sys; sys.modules['cffi'] = None; " if hide_cffi else ""
    script = hide + "import runpy, sys; sys.argv[1:] = ['build_ext', '--inplace']; runpy.run_path('setup.py')"
    built = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=copy,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert built.returncode == 0, built.stdout
    return built.stdout, sorted(path.name for path in (copy / "netlinkpy" / "backends").glob("*.so"))


def backends(copy: Path) -> list[str]:
    """Those that the copy has."""
    script = """
from netlinkpy import backends
for name in "cffi", "native", "python":
    try:
        print(backends.get(name).NAME)
    except ImportError:
        pass
print(backends.load().NAME)
"""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("NETLINKPY_")}
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=copy, env=clean, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.split()


@pytest.mark.needs("gcc")
def test_with_everything(copy: Path) -> None:
    pytest.importorskip("cffi")
    _, made = build(copy, NETLINKPY_CFLAGS="-Wall -Wextra -Werror")
    assert made == ["_shim.abi3.so"]
    assert backends(copy) == ["cffi", "native", "python", "cffi"]


@pytest.mark.needs("gcc", "nm")
def test_nothing_but_the_doors_is_seen(copy: Path) -> None:
    build(copy)
    listed = subprocess.run(
        ["nm", "-D", "--defined-only", copy / "netlinkpy" / "backends" / "_shim.abi3.so"],
        capture_output=True,
        text=True,
        check=True,
    )
    seen = {line.split()[-1] for line in listed.stdout.splitlines()}
    assert "PyInit__native" in seen and seen <= {"PyInit__native", "PyInit__shim"}


@pytest.mark.needs("gcc")
def test_without_cffi_there_is_the_own_door(copy: Path) -> None:
    _, made = build(copy, hide_cffi=True)
    assert made == ["_shim.abi3.so"]
    assert backends(copy) == ["native", "python", "native"]


@pytest.mark.parametrize("compiler", ["/bin/false", "/nowhere/cc"])
@pytest.mark.parametrize("hide_cffi", [False, True])
def test_without_a_compiler_there_is_the_twin(copy: Path, hide_cffi: bool, compiler: str) -> None:
    said, made = build(copy, hide_cffi=hide_cffi, CC=compiler)
    assert made == []
    assert "netlinkpy.backends._shim" in said
    assert backends(copy) == ["python", "python"]


@pytest.mark.needs("gcc")
def test_without_the_headers_of_python_there_is_the_twin(copy: Path) -> None:
    """As if Python.h were missing: the preprocessor is told that it is an error."""
    (copy / "csrc" / "Python.h").write_text('#error "no Python.h"\n')
    _, made = build(copy, CFLAGS=f"-I{copy}/csrc")
    assert made == []
    assert backends(copy) == ["python", "python"]
