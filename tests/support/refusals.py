"""Refusals: the error is one clear sentence, and nothing has changed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import pytest

from tests.support.namespaces import Namespace
from tests.support.snapshot import snapshot


@contextlib.contextmanager
def unchanged(*places: Namespace) -> Iterator[None]:
    """Check that nothing changes within the block in the caller's namespace and in these."""
    where: tuple[Namespace, ...] = (None, *places)
    before = [snapshot(place) for place in where]
    yield
    for place, was in zip(where, before, strict=True):
        now = snapshot(place)
        for table in was:
            assert now[table] == was[table], (place, table)


@contextlib.contextmanager
def refused(
    kind: type[Exception], number: int, *words: str, among: Sequence[Namespace] = ()
) -> Iterator[None]:
    """Check that the block raises an error of this kind and errno (0: none), with these words in one clear
    sentence, and that nothing changes here and in these namespaces."""
    with unchanged(*among), pytest.raises(kind) as caught:
        yield
    check(caught.value, kind, number, *words)


@contextlib.contextmanager
def impossible(kind: type[Exception], *words: str) -> Iterator[None]:
    """Check that netlinkpy itself refuses the block, by exactly this kind of error, with these words in one
    line."""
    with unchanged(), pytest.raises(kind) as caught:
        yield
    text = str(caught.value)
    assert type(caught.value) is kind and len(text) > 5 and "\n" not in text
    for word in words:
        assert word in text, text


def check(error: object, kind: type[Exception], number: int, *words: str) -> None:
    """Check that an error is of this kind and errno (0: none), with these words in one clear sentence."""
    assert isinstance(error, kind), error
    text = str(error)
    assert (getattr(error, "errno", None) or 0) == number, text
    assert len(text) > 20 and "\n" not in text
    for word in words:
        assert word in text, text
