"""`backend`: the test runs once on each backend; one that was not built is skipped, or fails where all are
required. `host`: the test's own namespace."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from netlinkpy import backends

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netlinkpy.backends.interface import Backend


@pytest.fixture(params=["cffi", "native", "python"])
def backend(request: pytest.FixtureRequest) -> Backend:
    try:
        return backends.get(request.param)
    except ImportError as error:
        if os.environ.get("NETLINKPY_REQUIRE") == "all":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))


@pytest.fixture
def host() -> Iterator[int]:
    """This test's own namespace, as a descriptor."""
    fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    yield fd
    os.close(fd)
