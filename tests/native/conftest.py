"""`backend`: the test runs once on each backend; one that was not built is skipped, or fails where all are
required."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from netlinkpy import native

if TYPE_CHECKING:
    from netlinkpy.native.interface import Backend


@pytest.fixture(params=["cffi", "native", "python"])
def backend(request: pytest.FixtureRequest) -> Backend:
    try:
        return native.get(request.param)
    except ImportError as error:
        if os.environ.get("NETLINKPY_REQUIRE") == "all":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))
