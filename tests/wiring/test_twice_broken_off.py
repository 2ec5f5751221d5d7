"""A second Ctrl-C while the first is on its way, or while what was made is taken back: nothing is left."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

import netlinkpy as nl
from netlinkpy import rollback
from netlinkpy.wiring import link_group
from tests.support.namespaces import Container
from tests.support.refusals import unchanged
from tests.support.wiring_testbed import endpoints

Containers = Callable[..., list[Container]]

TAKES_BACK = (rollback.__file__, link_group.__file__)


class Tracer:
    """Raises KeyboardInterrupt at the event `at` (counted from 1) in what takes back: a line, or the entry of
    a function."""

    def __init__(self, at: int) -> None:
        self.left = at

    def begin(self, done: int, of: int) -> None:
        """The progress of an attach: the first Ctrl-C."""
        if done == of:
            sys.settrace(self._trace)
            raise KeyboardInterrupt

    def _trace(self, frame: FrameType, event: str, argument: object) -> Any:
        if frame.f_code.co_filename not in TAKES_BACK or frame.f_code.co_name == "close":
            return None
        if event in ("call", "line"):
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self._trace


def test_a_second_interruption_anywhere(host: nl.RTNetlink, containers: Containers) -> None:
    wanted = endpoints([container.path for container in containers(2)])
    at, tracer = 0, Tracer(0)
    while tracer.left <= 0:
        at += 1
        tracer = Tracer(at)
        with unchanged(), pytest.raises(KeyboardInterrupt):
            try:
                nl.attach_many(wanted, progress=tracer.begin)
            finally:
                sys.settrace(None)
    assert at > 20
