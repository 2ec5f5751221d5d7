"""Records: fields by name, immutable, equal by class and values, copied and pickled."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from netlinkpy.record import Record


class Point(Record):
    """Two numbers, the second with a default."""

    x: int
    y: int = 7


class Named(Point):
    """A record made of another one."""

    name: str = "here"


class Other(Record):
    """The same fields in another class."""

    x: int
    y: int = 7


def test_fields_by_place_by_name_and_by_default() -> None:
    assert (Point(1, 2).x, Point(1, 2).y) == (1, 2)
    assert Point(y=2, x=1) == Point(1, 2) == Point(1, y=2)
    assert Point(1) == Point(1, 7) == Point(x=1)
    assert Named(1) == Named(1, 7, "here") == Named(1, name="here")


@pytest.mark.parametrize(
    ("values", "named", "word"),
    [
        ((), {}, "x"),
        ((), {"y": 1}, "x"),
        ((1, 2, 3), {}, "3"),
        ((1,), {"colour": 1}, "colour"),
        ((1,), {"x": 1}, "x"),
        ((1, 2), {"y": 1}, "y"),
    ],
)
def test_what_does_not_fit_is_a_type_error(values: tuple[Any, ...], named: dict[str, Any], word: str) -> None:
    with pytest.raises(TypeError, match=word):
        Point(*values, **named)


def test_records_cannot_be_changed() -> None:
    point: Any = Point(1)
    with pytest.raises(AttributeError):
        point.x = 2
    with pytest.raises(AttributeError):
        point.colour = 2
    with pytest.raises(AttributeError):
        del point.x
    assert not hasattr(point, "__dict__")


def test_equal_by_class_and_values() -> None:
    assert Point(1) == Point(1) and Point(1) != Point(2)
    assert Point(1) != Other(1) and Point(1) != (1, 7)
    assert hash(Point(1)) == hash(Point(1))
    assert {Point(1), Point(1), Point(2)} == {Point(2), Point(1)}


def test_copies_are_equal_and_of_the_same_class() -> None:
    for record in (Point(1), Named(1, 2, "there")):
        for other in (copy.copy(record), copy.deepcopy(record), pickle.loads(pickle.dumps(record))):
            assert other == record and type(other) is type(record)


def test_a_row_a_dict_and_a_change() -> None:
    assert Point.from_row(iter([1, 2])) == Point(1, 2)
    assert Named(1).as_dict() == {"x": 1, "y": 7, "name": "here"}
    assert Named(1).replace(y=8) == Named(1, 8)
    with pytest.raises(TypeError, match="colour"):
        Point(1).replace(colour=1)


def test_what_is_shown_and_matched() -> None:
    assert repr(Named(1)) == "Named(x=1, y=7, name='here')"
    match Named(1, 2):
        case Named(x, y, name):
            assert (x, y, name) == (1, 2, "here")


def test_methods_and_properties_stay() -> None:
    class Length(Record):
        millimetres: int

        @property
        def metres(self) -> float:
            return self.millimetres / 1000

    assert Length(1500).metres == 1.5
