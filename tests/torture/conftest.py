"""The campaigns run on every backend."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest

import netlinkpy as nl
from netlinkpy import backends
from netlinkpy.netns import named


@pytest.fixture(params=["cffi", "native", "python"])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    try:
        monkeypatch.setattr(backends, "_chosen", backends.get(request.param))
    except ImportError as error:
        if os.environ.get("NETLINKPY_REQUIRE") == "all":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))
    return str(request.param)


@pytest.fixture
def host(backend: str, loopback: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[nl.RTNetlink]:
    """The test's own namespace."""
    monkeypatch.setattr(named, "_AT_A_TIME", 2)  # so that create_many() calls the shim twice
    with nl.RTNetlink() as rt:
        yield rt
    gc.unfreeze()  # see settled()
