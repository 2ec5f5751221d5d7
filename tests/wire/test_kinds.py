"""Kinds of link: found by name alone, and their rows hold together."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from netlinkpy.wire.codecs import RAW
from netlinkpy.wire.errors import MalformedError
from netlinkpy.wire.rtnetlink import kinds
from netlinkpy.wire.rtnetlink.kind import Kind, Pairs
from netlinkpy.wire.rtnetlink.link import LINK

NAMES = sorted(file.stem for file in Path(kinds.__file__).parent.glob("[a-z]*.py"))
ALL = [kind for name in NAMES for kind in (kinds.find(name), kinds.find_port(name)) if kind is not None]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)
def test_rows_hold_together(kind: Kind) -> None:
    options = kind.options
    assert kind.name.removesuffix("_slave") in NAMES
    numbers = [option.number for option in options.values() if not option.bits]
    assert len(numbers) == len(set(numbers))
    words = [word for option in options.values() if not option.told for word in option.word.split()]
    assert len(words) == len(set(words))
    assert set(kind.shown) <= set(options) and len(kind.shown) == len(set(kind.shown))
    assert set(kind.takes) <= {"link", *options}
    for option in options.values():
        assert not option.bits or kind.attributes.type_of(option.bits)
        assert not option.other or option.other in options
        assert option.low <= option.high
        if option.words is not None:
            assert all(option.low <= number <= option.high for number in option.words.values())


def test_some_are_there() -> None:
    assert {"veth", "bridge"} <= set(NAMES) and len(ALL) > len(NAMES)


@pytest.mark.parametrize(
    "name",
    [
        "nosuch",
        "__init__",
        "../link",
        "os.path",
        "Veth",
        "v-eth",
        "veth\n",
        "",
        "kind",
        "a" * 300,
        7,
        None,
        b"veth",
    ],
)
def test_what_is_no_kind(name: object) -> None:
    """Whoever owns a namespace says what its links' kinds are called: no name leads out of the folder."""
    before = set(sys.modules)
    assert kinds.find(name) is None and kinds.find_port(name) is None
    assert set(sys.modules) - before == set()
    if isinstance(name, str):
        body = LINK.pack({"linkinfo": {"kind": name, "data": b"\x01\x02\x03"}})
        assert LINK.parse(body)["linkinfo"].get("data", RAW) == b"\x01\x02\x03"


def test_names_that_are_no_kinds_are_not_kept_without_end() -> None:
    for number in range(500):
        kinds.find(f"nosuch{number}")
    assert len(kinds._found) <= kinds._MOST + len(NAMES)
    assert kinds.find("bridge") is kinds.find("bridge")


def test_a_message_brings_the_kinds_it_holds_and_no_others() -> None:
    code = (
        "import sys; from netlinkpy.wire.rtnetlink.link import LINK\n"
        "found = lambda: [m.rpartition('.')[2] for m in sys.modules if '.kinds.' in m]\n"
        "assert not found(), found()\n"
        "LINK.pack({'linkinfo': {'kind': 'veth', 'data': {'peer': {}}}})\n"
        "assert found() == ['veth'], found()"
    )
    root = Path(__file__).parents[2]
    subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(root)!r})\n{code}"], check=True
    )


def test_pairs() -> None:
    codec = Pairs(1)
    packed = codec.pack({1: 2, 3: 4})
    assert packed == bytes.fromhex("0c000100 01000000 02000000 0c000100 03000000 04000000")
    assert codec.parse(packed + b"\0\0", {}) == {1: 2, 3: 4}
    assert codec.parse(bytes.fromhex("08000200 ffffffff") + packed, {}) == {1: 2, 3: 4}
    with pytest.raises(ValueError, match="not fit"):
        codec.pack({1: 1 << 32})
    with pytest.raises(MalformedError, match="3 bytes"):
        codec.parse(bytes.fromhex("03000100 01000000 02000000"), {})


def test_kinds_are_found_in_a_zip(tmp_path: Path) -> None:
    """No folder is listed: the name is the file's."""
    root = Path(__file__).parents[2]
    archive = tmp_path / "netlinkpy.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted((root / "netlinkpy").rglob("*.py")):
            file.write(path, path.relative_to(root))
    code = (
        f"import sys; sys.path.insert(0, {str(archive)!r})\n"
        "from netlinkpy.wire.rtnetlink.kinds import find, find_port\n"
        "from netlinkpy.cli.ip.kind import _own_file\n"
        "assert find('vlan').name == 'vlan' and find_port('bridge') and find('nosuch') is None\n"
        "assert _own_file('vxlan').WORDS and _own_file('vlan') is None"
    )
    subprocess.run([sys.executable, "-I", "-c", code], check=True)
