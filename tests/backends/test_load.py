"""Which backend is chosen, what that costs in imports, and a build that has no compiler."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from netlinkpy import backends

ROOT = Path(__file__).parents[2]


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter, with no more than its standard library and netlinkpy, as this process has it."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("NETLINKPY_", "PYTHON"))}
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**clean, **environment},
        cwd=ROOT,
        timeout=60,
    )


NAME = "from netlinkpy import backends; print(backends.load().NAME)"


@pytest.mark.parametrize("name", ["cffi", "native", "python"])
def test_a_backend_is_forced(name: str, backend: object) -> None:
    assert run(NAME, NETLINKPY_BACKEND=name).stdout == f"{name}\n"


def test_another_word_is_an_error() -> None:
    result = run(NAME, NETLINKPY_BACKEND="rust")
    assert "ValueError: NETLINKPY_BACKEND is 'rust'; it can be cffi, native or python" in result.stderr


def test_without_cffi_the_own_door_opens() -> None:
    backends.get("native")
    block = "import sys; sys.modules['_cffi_backend'] = None; "
    assert run(block + NAME).stdout == "native\n"
    result = run(block + NAME, NETLINKPY_BACKEND="cffi")
    assert "ImportError: the cffi backend is not available" in result.stderr


def test_without_the_shared_object_the_twin_serves(tmp_path: Path) -> None:
    """A copy of the package without it, in a place of its own."""
    copy_package(tmp_path)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); " + NAME
    assert run("import os; os.chdir('/'); " + code).stdout == "python\n"
    for name in ("cffi", "native"):
        result = run("import os; os.chdir('/'); " + code, NETLINKPY_BACKEND=name)
        assert f"ImportError: the {name} backend is not available" in result.stderr


def copy_package(to: Path) -> None:
    import shutil

    shutil.copytree(
        ROOT / "netlinkpy", to / "netlinkpy", ignore=shutil.ignore_patterns("*.so", "__pycache__")
    )


FORBIDDEN = (
    "argparse ctypes importlib cffi typing enum collections functools socket threading logging dataclasses"
)


@pytest.mark.parametrize("name", ["cffi", "native", "python"])
def test_little_is_imported(name: str, backend: object) -> None:
    code = (
        "import sys; before = set(sys.modules); from netlinkpy import backends; backends.load(); "
        f"print(*sorted((set(sys.modules) - before) & set({FORBIDDEN!r}.split())))"
    )
    environment = {"NETLINKPY_BACKEND": name, "PYTHONNOUSERSITE": "1"}
    result = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; " + code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        cwd=ROOT,
        timeout=60,
    )
    assert result.stderr == ""
    assert result.stdout.split() == []


def test_the_twin_says_what_it_lacks() -> None:
    """Without os.setns and without ctypes there is one clear sentence."""
    code = (
        "import os, sys; sys.modules['ctypes'] = None; os.__dict__.pop('setns', None); "
        "from netlinkpy import backends; backends.load().setns(0, 0)"
    )
    result = run(code, NETLINKPY_BACKEND="python")
    assert (
        "this Python has neither the shim, nor os.setns, nor ctypes: setns() cannot be called"
        in result.stderr
    )
