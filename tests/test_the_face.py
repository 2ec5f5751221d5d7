"""What users see of the library when they look: dir(), help(), signatures, records as JSON."""

from __future__ import annotations

import importlib
import inspect
import json
import pydoc
import re
from pathlib import Path
from typing import Any

import pytest

import netlinkpy as nl
from netlinkpy import testing
from netlinkpy.nat import Port
from netlinkpy.networks.connection import Connection
from netlinkpy.networks.spec import NetworkSpec
from netlinkpy.record import Record
from netlinkpy.rtnl import netlink
from netlinkpy.run import Options
from tests.support.links import add_quiet

ROOT = Path(__file__).parent.parent
PLAIN = pydoc._PlainTextDoc()  # type: ignore[attr-defined]
LAZY = ["netlinkpy", *(f"netlinkpy.{name}" for name in ("engines", "nat", "netns", "networks", "run"))]


@pytest.mark.parametrize("name", LAZY)
def test_dir_and_help_show_what_is_public(name: str) -> None:
    package = importlib.import_module(name)
    assert package.__all__ and set(package.__all__) <= set(dir(package))
    text = pydoc.render_doc(package, renderer=PLAIN)
    for one in set(package.__all__) - {"__version__"}:
        assert re.search(rf"\b{re.escape(one)}\b", text), one


def test_the_objects_of_a_socket(fresh_namespace: None) -> None:
    objects = {"links", "addresses", "routes", "rules", "neighbours", "fdb", "nsids"}
    with nl.RTNetlink() as rt:
        assert {*objects, "close"} <= set(dir(rt))
        assert all(hasattr(rt, name) for name in objects)


def records() -> list[type[Record]]:
    """Every public record."""
    found = set()
    for name in LAZY:
        package = importlib.import_module(name)
        for one in package.__all__:
            value = getattr(package, one)
            if inspect.isclass(value) and issubclass(value, Record):
                found.add(value)
    return sorted(found, key=lambda one: one.__name__)


@pytest.mark.parametrize("record", records(), ids=lambda one: one.__name__)
def test_a_record_says_its_fields(record: type[Record]) -> None:
    """By signature and by help, which said itemgetter."""
    parameters = inspect.signature(record).parameters
    assert tuple(parameters) == record._fields
    required = [one for one, two in parameters.items() if two.default is inspect.Parameter.empty]
    assert not set(required) & set(record._defaults)
    text = pydoc.render_doc(record, renderer=PLAIN)
    assert "fetches the given item" not in text
    assert all(f" {field}" in text for field in record._fields)


def test_signatures() -> None:
    assert str(inspect.signature(nl.Endpoint)).startswith("(netns: 'Target', bridge: 'str'")
    assert str(inspect.signature(Port)).startswith("(protocol: 'str', port: 'int', address: 'str'")


def test_records_of_the_kernel_are_json_and_hashable(fresh_namespace: None) -> None:
    with nl.RTNetlink() as rt:
        add_quiet(rt, "eth7", kind="bridge", up=True)
        rt.addresses.add("10.1.0.1/24", dev="eth7")
        rt.routes.add("10.2.0.0/16", gateway="10.1.0.9")
        rt.neighbours.add("10.1.0.9", mac="02:00:00:00:00:01", dev="eth7")
        for table in (rt.links, rt.addresses, rt.routes, rt.neighbours, rt.rules, rt.fdb):
            first, again = table.list(), table.list()
            assert first and first == again and len({*first, *again}) == len(set(first))
            for one in first:
                said = one.to_dict()
                assert json.loads(json.dumps(said)) == said and "body" not in said


GIVEN = [
    (nl.Endpoint, {"netns": "blue", "bridge": "br0"}, ("addresses", "gateways", "routes")),
    (Connection, {"netns": "blue"}, ("ip", "gateways", "routes")),
    (NetworkSpec, {"name": "blue"}, ("subnets", "gateways", "ip_ranges", "aux_addresses")),
    (Options, {}, ("command", "gateways", "ports", "dns")),
]


@pytest.mark.parametrize(("record", "needed", "fields"), GIVEN, ids=[one[0].__name__ for one in GIVEN])
def test_what_a_caller_gives_as_a_list_cannot_change(
    record: type[Record], needed: dict[str, Any], fields: tuple[str, ...]
) -> None:
    """So that the record has a hash, and one that holds."""
    lists = {field: [["a", None], "b"] for field in fields}
    made, tuples = record(**needed, **lists), record(**needed, **dict.fromkeys(fields, (("a", None), "b")))
    assert made == tuples and hash(made) == hash(tuples)
    for one in lists.values():
        one.clear()
    assert made == tuples
    assert made.replace(**{fields[0]: {"a": 1, "b": 2}}).as_dict()[fields[0]] == ("a", "b")
    assert hash(made.replace(**{fields[0]: {"b", "a"}})) == hash(made.replace(**{fields[0]: {"a", "b"}}))
    assert hash(record(*made.as_dict().values())) == hash(made)


def test_a_message_is_part_of_what_asks() -> None:
    """A record that is none of the kernel's is equal by all that it holds."""
    assert testing.Asked(1, 2, 3, 4, b"a") != testing.Asked(1, 2, 3, 4, b"b")


def test_a_record_in_a_record_and_bytes() -> None:
    class Inner(Record):
        packed: bytes

    class Outer(Record):
        inner: tuple[Inner, ...]
        more: dict[int, bytes]
        nothing: None = None

    one = Outer((Inner(b"\xff\0"),), {1: b"a"})
    assert one.to_dict() == {"inner": [{"packed": "ff00"}], "more": {"1": "61"}, "nothing": None}


def public_names() -> set[str]:
    """Of the packages that users import, and of netlinkpy.testing, which is one module."""
    return {name for package in LAZY for name in importlib.import_module(package).__all__} | set(
        vars(testing)
    )


def our_classes() -> set[str]:
    """Every class that any module of ours defines."""
    files = (ROOT / "netlinkpy").rglob("*.py")
    return {name for file in files for name in re.findall(r"^class ([A-Z]\w*)", file.read_text(), re.M)}


@pytest.mark.parametrize("file", ["README.md", *(f"docs/{one.name}" for one in (ROOT / "docs").glob("*.md"))])
def test_a_class_that_the_docs_name_may_be_imported(file: str) -> None:
    """`BulkError` alone, too. What architecture.md names is there; it tells of what is within."""
    quoted = re.findall(r"`([^`\n]+)`", (ROOT / file).read_text())
    named = {name for one in quoted for name in re.findall(r"(?<![\w.:-])[A-Z]+[a-z]\w*[a-z]\b", one)}
    assert named & our_classes() <= (our_classes() if "architecture" in file else public_names())
    if file == "docs/library.md":
        assert {"BulkError", "NetlinkError", "RTNetlink"} <= named


def test_a_class_that_a_verb_takes_or_returns_may_be_imported() -> None:
    """By their annotations and docstrings: every verb of a socket, and every public function."""
    verbs = [
        function
        for module, name in netlink._PLACES.values()
        for function in vars(getattr(importlib.import_module(f"netlinkpy.rtnl.{module}"), name)).values()
        if inspect.isfunction(function) and not function.__name__.startswith("_")
    ]
    for package in map(importlib.import_module, LAZY):
        verbs += filter(inspect.isfunction, (getattr(package, name) for name in package.__all__))
    assert len(verbs) > 60
    for verb in verbs:
        said = " ".join(map(str, verb.__annotations__.values()))
        named = {
            *re.findall(r"[A-Z]\w+", said),
            *re.findall(r"\b[A-Z]\w*Error\b", inspect.getdoc(verb) or ""),
        }
        assert named & our_classes() <= public_names(), verb.__qualname__


def test_what_the_docs_name_is_there() -> None:
    """Every nl.NAME of the README and the docs, and nl.PACKAGE.NAME."""
    for file in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for whole in set(re.findall(r"\bnl((?:\.[A-Za-z_]\w*)+)", file.read_text())):
            value: object = nl
            for part in whole.split(".")[1:]:
                if inspect.isclass(value) and issubclass(value, Record) and part in value._fields:
                    break
                assert hasattr(value, part), f"{file.name}: nl{whole}"
                value = getattr(value, part)
