"""What may import what: the layers as docs/architecture.md draws them, downward only, and no circles.

Imports for type checkers count for the direction alone: they never run. Imports inside functions, and those
made by text, keep a command or a bare import light; they may close a circle only where LATE says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.import_graph import PACKAGE, ROOT, Import, circles, imports, modules

# Imports inside functions that close a circle: the one is asked by the other, and asks it back.
LATE = {
    ("netlinkpy.cli.help", "netlinkpy.cli"): "the help lists the verbs, a verb with --help asks for it",
    ("netlinkpy.cli.ip.batch", "netlinkpy.cli.ip"): "a batch runs commands, one of which may be -batch",
    ("netlinkpy.cli.ip.link_words", "netlinkpy.cli.ip.kind"): "a peer is a link, with a kind's words",
    ("netlinkpy.wire.rtnetlink.kinds", "netlinkpy.wire.rtnetlink.kinds.veth"): "a veth's peer has a kind",
    ("netlinkpy.wiring.attachment", "netlinkpy.wiring.existing"): "Attachment.find() makes Attachments",
}

KNOWN = modules()
IMPORTS = imports(KNOWN)


def layers() -> dict[str, int]:
    """The rank of each package, and of each module that is in none, as drawn: the lowest is 0."""
    picture = (ROOT / "docs" / "architecture.md").read_text().split("```")[1]
    rows = [line.split("  ")[0].split() for line in picture.splitlines()[1:] if line[:1] not in ("", " ")]
    return {f"{PACKAGE}.{name}": rank for rank, row in enumerate(reversed(rows)) for name in row}


LAYERS = layers()


def part(module: str) -> str:
    """The package, or the module in none, that a module belongs to."""
    return ".".join(module.split(".")[:2])


def upward(one: Import) -> bool:
    """Whether an import leads to another part that does not stand lower."""
    importer, imported = part(one.importer), part(one.imported)
    return importer != imported and LAYERS[imported] >= LAYERS[importer]


def told(one: Import) -> str:
    return f"{one.importer}:{one.line} imports {one.imported} ({one.when})"


def test_every_part_has_its_place() -> None:
    found = {part(module) for module in KNOWN} - {PACKAGE}
    assert found == set(LAYERS)


def test_imports_lead_downward() -> None:
    """The package itself, `netlinkpy`, may fetch any public name, and is asked by the command alone."""
    inner = [one for one in IMPORTS if PACKAGE not in (one.importer, one.imported)]
    assert len(inner) > 500
    assert [told(one) for one in inner if upward(one)] == []
    asking = {part(one.importer) for one in IMPORTS if one.imported == PACKAGE}
    assert asking <= {f"{PACKAGE}.cli"}


def test_no_circle_as_modules_are_imported() -> None:
    assert circles((one.importer, one.imported) for one in IMPORTS if one.when == "module") == []


def test_no_circle_inside_functions_but_those_listed() -> None:
    edges = {(one.importer, one.imported) for one in IMPORTS if one.when != "typing"}
    assert circles(edges - set(LATE)) == []


@pytest.mark.parametrize("late", LATE, ids=lambda late: " -> ".join(late))
def test_what_is_listed_is_needed(late: tuple[str, str]) -> None:
    edges = {(one.importer, one.imported) for one in IMPORTS if one.when != "typing"}
    assert late in edges
    assert circles(edges - (set(LATE) - {late})) != []


# -- the reader itself -------------------------------------------------------------------------------------

SOURCES = {
    "__init__.py": '_PLACES = {"low": "", "High": "high"}',
    "low.py": "TYPE_CHECKING = False\nif TYPE_CHECKING:\n    from .high import High\nimport os",
    "high.py": "import a_house.low\ndef load(kind):\n    return __import__(f'{__package__}.kinds.{kind}')",
    "kinds/__init__.py": "",
    "kinds/vlan.py": "from .. import low as below\nfrom ..high import High",
}


def test_every_way_of_importing_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = tmp_path / "a_house"
    (house / "kinds").mkdir(parents=True)
    for name, text in SOURCES.items():
        (house / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    found = {(one.importer, one.imported, one.when) for one in imports(modules(house))}
    assert found == {
        ("a_house", "a_house.low", "call"),
        ("a_house", "a_house.high", "call"),
        ("a_house.low", "a_house.high", "typing"),
        ("a_house.high", "a_house.low", "module"),
        ("a_house.high", "a_house.kinds.vlan", "call"),
        ("a_house.kinds.vlan", "a_house.low", "module"),
        ("a_house.kinds.vlan", "a_house.high", "module"),
    }
    edges = [(importer, imported) for importer, imported, when in found if when == "call"]
    assert circles(edges) == []
    edges += [(importer, imported) for importer, imported, when in found if when == "module"]
    assert circles(edges) == [["a_house.high", "a_house.kinds.vlan"]]
