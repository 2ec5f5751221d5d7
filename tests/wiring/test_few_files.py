"""A bulk attach in a process that may have only few files open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from resource import RLIMIT_NOFILE, getrlimit, setrlimit

import pytest

import netlinkpy as nl
from tests.support.namespaces import Container
from tests.support.wiring_testbed import endpoints

FILES = 64


@pytest.fixture
def few_files() -> Iterator[None]:
    soft, hard = getrlimit(RLIMIT_NOFILE)
    setrlimit(RLIMIT_NOFILE, (FILES, hard))
    yield
    setrlimit(RLIMIT_NOFILE, (soft, hard))


def test_more_containers_than_open_files(
    host: nl.RTNetlink, containers: Callable[[int], list[Container]], few_files: None
) -> None:
    made = nl.attach_many(endpoints(containers(FILES + 36)))
    assert all(one.ready for one in made)
    assert nl.detach_many(made) == len(made)
