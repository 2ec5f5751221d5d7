"""`ip`, `brctl` and `netlinkpy`: each runs the program of that name with the words given to it."""

from __future__ import annotations

import pytest

from tests.support.command import Run, runner


@pytest.fixture
def ip(fresh_namespace: None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """ip(*words)"""
    return runner("/usr/local/bin/ip", monkeypatch, capfd)


@pytest.fixture
def brctl(fresh_namespace: None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """brctl(*words)"""
    return runner("brctl", monkeypatch, capfd)


@pytest.fixture
def netlinkpy(
    fresh_namespace: None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Run:
    """netlinkpy(*words)"""
    return runner("netlinkpy", monkeypatch, capfd)
