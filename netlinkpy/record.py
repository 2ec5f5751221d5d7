"""Record: an immutable, slotted, typed tuple with named fields, the form of what the kernel reports."""

from __future__ import annotations

from _operator import itemgetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from inspect import Signature
    from typing import Any, Self, dataclass_transform
else:

    def dataclass_transform(**_options):
        return lambda decorated: decorated


if TYPE_CHECKING:
    _Base = object  # that it is a tuple is an implementation detail: count() and index() are not public
else:
    _Base = tuple


@dataclass_transform(frozen_default=True)
class RecordType(type):
    """Turns the annotations of a class body into tuple positions. (dataclasses costs milliseconds to
    import.)"""

    _fields: tuple[str, ...]
    _defaults: dict[str, Any]

    def __new__(meta, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> Any:
        own = tuple(field for field in namespace.get("__annotations__", ()) if not field.startswith("_"))
        inherited: tuple[str, ...] = ()
        defaults: dict[str, Any] = {}
        for base in bases:
            inherited += getattr(base, "_fields", ())
            defaults.update(getattr(base, "_defaults", {}))
        defaults.update({field: namespace.pop(field) for field in own if field in namespace})
        fields = inherited + own
        for position, field in enumerate(own, len(inherited)):
            # Its help is its type: what it means, the class says.
            namespace[field] = property(itemgetter(position), doc=str(namespace["__annotations__"][field]))
        namespace["__slots__"] = ()
        namespace["__match_args__"] = fields
        namespace["_fields"] = fields
        namespace["_defaults"] = defaults
        return type.__new__(meta, name, bases, namespace)

    @property
    def __signature__(cls) -> Signature:
        """What inspect.signature() and help() show."""
        from inspect import Parameter, Signature, get_annotations

        types: dict[str, Any] = {}
        for base in reversed(cls.__mro__):
            types.update(get_annotations(base))
        return Signature(
            [
                Parameter(
                    field,
                    Parameter.POSITIONAL_OR_KEYWORD,
                    default=cls._defaults.get(field, Parameter.empty),
                    annotation=types[field],
                )
                for field in cls._fields
            ]
        )


_QUIET = ("body", "attributes")


class Record(_Base, metaclass=RecordType):
    """Base of all records: `class Link(Record): index: int; name: str`. Fields are read by name; two records
    are equal if they have the same class and the same values."""

    # Whether a list that a caller gives is kept as a tuple: it cannot change, and has a hash.
    _freezes = False

    if not TYPE_CHECKING:

        def __new__(cls, *values, **named):
            fields = cls._fields
            if named or len(values) != len(fields):
                if len(values) > len(fields):
                    raise TypeError(f"{cls.__name__} takes {len(fields)} values, {len(values)} given")
                rest = fields[len(values) :]
                for field in named:
                    if field not in rest:
                        raise TypeError(f"{cls.__name__} has no field {field!r}, or has it twice")
                whole = {**cls._defaults, **named}
                try:
                    values += tuple(map(whole.__getitem__, rest))
                except KeyError as missing:
                    raise TypeError(f"{cls.__name__} needs {missing.args[0]}") from None
            if cls._freezes:
                try:
                    hash(values)
                except TypeError:
                    values = tuple(map(_frozen, values))
            return tuple.__new__(cls, values)

    @classmethod
    def from_row(cls, row: Iterable[Any]) -> Self:
        """Return the record of an iterable that holds every field in order. Nothing is checked and there are
        no defaults: for bulk."""
        record: Self = new(cls, row)
        return record

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as a new dict, in order."""
        return dict(zip(type(self)._fields, _values(self), strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Return what it says as json.dumps() takes it: bytes as hexadecimal digits, tuples as lists, records
        as dicts; without the message that it came in."""
        return {name: _plain(value) for name, value in self.as_dict().items() if name not in _QUIET}

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""
        return type(self)(**{**self.as_dict(), **changes})

    def __repr__(self) -> str:
        fields = ", ".join(
            f"{name}={value!r}" for name, value in self.as_dict().items() if name not in _QUIET
        )
        return f"{type(self).__name__}({fields})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and _values(self) == _values(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(_values(self))

    def __getnewargs__(self) -> tuple[Any, ...]:
        return _values(self)


class Quietly:
    """Suspends the cyclic garbage collector (`with Quietly():`) while many records are made: none is part of
    a cycle, and the collector would walk all of them each time their number has grown by a quarter."""

    def __enter__(self) -> None:
        import gc

        self._was_on = gc.isenabled()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        import gc

        if self._was_on:
            gc.enable()


#: new(record class, all its values): as from_row(), for bulk.
new: Any = tuple.__new__


def _values(record: Any) -> tuple[Any, ...]:
    return tuple(tuple.__iter__(record))


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, Record):
        return value.to_dict()
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (tuple, list, set, frozenset)):
        return [_plain(one) for one in value]
    return str(value)


def _frozen(value: Any) -> Any:
    if isinstance(value, (set, frozenset)):
        return frozenset(value)
    if isinstance(value, (list, tuple, dict)) and not isinstance(value, Record):
        return tuple(map(_frozen, value))  # a dict's keys, as whoever iterates it gets
    return value
