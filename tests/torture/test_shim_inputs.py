"""libFuzzer, with the address and the undefined-behaviour sanitizer, into the shim's calls: see
tests/backends/fuzz.c.

By default two seconds each; with NETLINKPY_LONG=1 twenty million inputs each; NETLINKPY_INPUTS=N: so many."""

from __future__ import annotations

import os
import re
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from netlinkpy.framing import frame
from netlinkpy.rtnl import link
from netlinkpy.uapi.rtnetlink import RTM_NEWLINK
from tests.backends.test_sanitize import BACKENDS, SHIM
from tests.torture.table import LONG, SEED, Table

INPUTS = os.environ.get("NETLINKPY_INPUTS", "20000000" if LONG else "")
SECONDS = 2  # where no number is given
HOURS = 12  # at most, for one
ROUNDS = ["gather", "stamp", "exchange", "answers", "program", "whole_dump", "whole_program"]
SANITIZERS = "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"

pytestmark = pytest.mark.needs("clang")


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, built."""
    program = tmp_path_factory.mktemp("fuzz") / "fuzz"
    drivers = [path for path in sorted(BACKENDS.glob("*.c")) if path.name != "hostile_main.c"]
    sources = map(str, [*drivers, *SHIM])
    command = ["clang", "-std=gnu11", "-g", "-O1", "-pthread", *SANITIZERS, *sources, "-o", str(program)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stderr
    return program


@pytest.mark.parametrize("name", ROUNDS)
def test_any_bytes(
    name: str, fuzzer: Path, seeds: Mapping[str, list[bytes]], tmp_path: Path, table: Table
) -> None:
    corpus, found = tmp_path / "corpus", tmp_path / "found"
    corpus.mkdir()
    found.mkdir()
    plan = link.plan().compiled
    first = {
        "whole_dump": [
            struct.pack("=H", len(plan)) + plan + frame(RTM_NEWLINK, 2, 1, body) for body in seeds["link"]
        ],
        "whole_program": seeds["program"],
    }
    for number, data in enumerate(first.get(name, [bytes(512)])):
        (corpus / str(number)).write_bytes(data)
    bound = f"-runs={INPUTS}" if INPUTS else f"-max_total_time={SECONDS}"
    done = subprocess.run(
        [fuzzer, corpus, bound, "-max_len=4096", f"-seed={SEED}", f"-artifact_prefix={found}/"],
        env={**os.environ, "NETLINKPY_FUZZ": name},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=HOURS * 3600,
    )
    runs = re.search(r"Done (\d+) runs", done.stderr)
    unclean = []
    if done.returncode:
        inputs = [path.read_bytes().hex() for path in found.iterdir()]
        unclean.append(f"{done.stderr[-3000:]}\nthe input: {inputs}")
    table.add("inputs", f"C: {name}", int(runs[1]) if runs else 1, unclean, backend="")
