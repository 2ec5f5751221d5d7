"""Running a command of ours in the test's own process, as a user would see it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from netlinkpy.cli import main


class Result(NamedTuple):
    """What a command left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str


Run = Callable[..., Result]


def runner(program: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """run(*words): the program of that name with these words."""

    def run(*words: str) -> Result:
        capfd.readouterr()
        monkeypatch.setattr(sys, "argv", [program, *words])
        code = main()
        return Result(code, *capfd.readouterr())

    return run
