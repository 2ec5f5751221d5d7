"""netlinkpy's own surface: version, help, completion, and what it loads to show a link."""

from __future__ import annotations

import pathlib
import re
import signal
import subprocess
import sys

import pytest

import netlinkpy as nl
from tests.support.command import Run

REPOSITORY = pathlib.Path(__file__).parents[2]
SHOW_AND_TELL = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from netlinkpy.cli import main
sys.argv[0] = "ip"
main()
print(*sys.modules)
"""
HEAVY = {
    *("typing", "argparse", "json", "ipaddress", "ctypes", "dataclasses", "enum", "socket", "threading"),
    *("logging", "collections", "functools", "re", "subprocess", "signal", "fnmatch"),
}


def test_version_names_the_backend(netlinkpy: Run) -> None:
    expected = f"netlinkpy {nl.__version__} (backend {nl.backend()})\n"
    assert netlinkpy("--version") == (0, expected, "")


@pytest.mark.parametrize(
    "verb", ["attach", "detach", "bench", "brctl", "completion", "link", "address", "route", "netns"]
)
def test_help_of_each_verb_has_an_example(netlinkpy: Run, verb: str) -> None:
    code, out, err = netlinkpy(verb, "--help")
    assert (code, err) == (0, "")
    assert re.search(r"(?i)^usage:", out)
    assert "Example" in out


def test_help(netlinkpy: Run) -> None:
    code, out, err = netlinkpy("--help")
    assert (code, err) == (0, "")
    assert "netlinkpy attach 2778" in out
    assert netlinkpy() == (0, out, "")


def test_no_such_verb(netlinkpy: Run) -> None:
    assert netlinkpy("frobnicate") == (1, "", "netlinkpy has no verb 'frobnicate'; see netlinkpy --help\n")
    assert netlinkpy("help", "frobnicate").code == 1


def test_what_showing_a_link_does_not_load() -> None:
    """Modules that cost milliseconds each, and that the barest Python lacks in part."""
    command = [sys.executable, "-I", "-S", "-c", SHOW_AND_TELL, str(REPOSITORY), "-j", "link"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert loaded & HEAVY == set()


@pytest.mark.needs("bash")
@pytest.mark.parametrize(
    ("line", "offered"),
    [("netlinkpy att", {"attach"}), ("netlinkpy ", {"link", "attach", "brctl"}),
     ("netlinkpy link ", {"show", "set", "add"}), ("netlinkpy link set lo ma", {"master"}),
     ("netlinkpy -j route add default v", {"via"}), ("netlinkpy brctl st", {"stp"})],
)  # fmt: skip
def test_completion(netlinkpy: Run, line: str, offered: set[str]) -> None:
    completion = netlinkpy("completion", "bash").out
    words = line.split(" ")
    quoted = " ".join(f"'{word}'" for word in words)
    script = (
        f"{completion}\nCOMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _netlinkpy netlinkpy;"
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=20)
    assert done.stderr == ""
    assert offered <= set(done.stdout.split())


def test_bench_where_few_files_may_be_open_unasked() -> None:
    """1024 is usual, and what a bench of thousands needs is asked for by itself."""
    main = (
        f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); from netlinkpy.cli import main; exit(main())"
    )
    line = 'ulimit -Sn 64; exec "$0" -c "$1" bench --containers 400'
    done = subprocess.run(
        ["sh", "-c", line, sys.executable, main], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "pings answered: 800 of 800" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_when_all_is_told_changes_nothing(number: signal.Signals) -> None:
    """The exit code was -15 although all was done."""
    late = f"import atexit, os, runpy, sys; atexit.register(os.kill, os.getpid(), {int(number)})\n"
    late += "sys.argv = ['netlinkpy', '--version']; runpy.run_module('netlinkpy', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", late], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("netlinkpy ")
