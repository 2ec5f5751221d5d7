"""The types of the six messages are those of the tables, and a type checker finds a misspelt attribute."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from .typed_values import FILE, text

SNIPPET = """
from netlinkpy.transport.socket import Socket
from netlinkpy.uapi.rtnetlink import RTM_NEWLINK
from netlinkpy.wire.rtnetlink.link import LINK
from netlinkpy.wire.rtnetlink.typed_values import LinkValues

values: LinkValues = {{"ifi_index": 7, "{name}": {value}}}
values["linkinfo"] = {{"{nested}": "veth"}}
with Socket() as socket:
    socket.request(LINK, RTM_NEWLINK, 0, values)
    LINK.pack(values)
"""


def test_the_types_are_those_of_the_tables() -> None:
    assert FILE.read_text() == text(), "make them anew: python -m tests.wire.typed_values"


def test_they_are_for_type_checkers_alone() -> None:
    with pytest.raises(ImportError):
        importlib.import_module("netlinkpy.wire.rtnetlink.typed_values")


@pytest.mark.parametrize(
    ("name", "value", "nested", "found"),
    [
        ("mtu", "1400", "kind", ""),
        ("mut", "1400", "kind", 'Extra key "mut" for TypedDict "LinkValues"'),
        ("mtu", "1400", "knid", 'Extra key "knid" for TypedDict "LinkInfo"'),
        ("mtu", '"1400"', "kind", '"mtu" has type "int"'),
    ],
)
def test_a_type_checker_finds_a_misspelt_attribute(
    name: str, value: str, nested: str, found: str, tmp_path: Path
) -> None:
    pytest.importorskip("mypy")
    snippet = tmp_path / "snippet.py"
    snippet.write_text(SNIPPET.format(name=name, value=value, nested=nested))
    root = Path(__file__).parents[2]
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--cache-dir",
        str(tmp_path.parent / "mypy"),
        str(snippet),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root)
    assert (done.returncode == 0) == (not found), done.stdout
    assert found in done.stdout
