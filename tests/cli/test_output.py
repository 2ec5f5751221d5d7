"""JSON and text from one description, and JSON as iproute2 lays it out."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlinkpy.cli.output import Output, dump, mapping, printable

BYTES = st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF, categories=["Cs"])  # that are no UTF-8
LETTERS = st.characters(exclude_categories=["Cs"]) | BYTES
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(LETTERS),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc", min_size=1), inner),
)


@given(VALUES)
def test_json_is_json(value: object) -> None:
    """Pretty or compact, it reads back to the same."""
    for text in (dump(value, None), dump(value, 0)):
        assert json.loads(text) == value
        assert not any(ord(letter) < 32 or 0x7F <= ord(letter) < 0xA0 for letter in text if letter != "\n")
        text.encode()  # no bytes that are no UTF-8


def test_escapes() -> None:
    assert dump('a"b\\c\n\t\r\f\bé', None) == '"a\\"b\\\\c\\n\\t\\r\\f\\bé"'


def test_pretty_layout() -> None:
    """The one of iproute2's json_writer: scalars of a list on one line, members of an object each on its
    own."""
    assert dump({"a": 1, "b": ["X", "Y"], "c": [], "d": {"e": None}}, 1) == (
        "{\n"
        '        "a": 1,\n'
        '        "b": [ "X","Y" ],\n'
        '        "c": [ ],\n'
        '        "d": {\n'
        '            "e": null\n'
        "        }\n"
        "    }"
    )


@pytest.mark.parametrize(
    ("json_", "pretty", "expected"),
    [
        (False, False, "1: eth0 up\n2: eth1 up\n"),
        (True, False, '[{"index":1,"name":"eth0"},{"index":2,"name":"eth1"}]\n'),
        (
            True,
            True,
            '[ {\n        "index": 1,\n        "name": "eth0"\n    },{\n'
            '        "index": 2,\n        "name": "eth1"\n    } ]\n',
        ),
    ],
)
def test_records(json_: bool, pretty: bool, expected: str, capfd: pytest.CaptureFixture[str]) -> None:
    out = Output(json=json_, pretty=pretty)
    for index, name in ((1, "eth0"), (2, "eth1")):
        out.record([("index", index, f"{index}: "), ("name", name, f"{name} "), (None, None, "up\n")])
    out.close()
    assert capfd.readouterr().out == expected


@pytest.mark.parametrize(("json_", "expected"), [(False, ""), (True, "[]\n")])
def test_no_records(json_: bool, expected: str, capfd: pytest.CaptureFixture[str]) -> None:
    Output(json=json_).close()
    assert capfd.readouterr().out == expected


def test_long_output_is_written_as_it_grows(capfd: pytest.CaptureFixture[str]) -> None:
    out = Output()
    for _ in range(3000):
        out.text("x" * 100 + "\n")
    assert len(capfd.readouterr().out) > 200_000
    out.close()


def test_mapping_leaves_out_what_is_text_only() -> None:
    assert mapping([("a", 1, "a"), (None, None, "\n")]) == {"a": 1}


@given(st.text(LETTERS))
def test_what_is_printable_makes_no_terminal_obey(text: str) -> None:
    assert all(letter.isprintable() or letter in "\n\t" for letter in printable(text))
    assert printable(printable(text)) == printable(text)


def test_colours_of_ours_stay_and_no_others() -> None:
    ours = "\033[36meth0\033[0m "
    assert printable(ours, colours=True) == ours
    assert printable(ours) == "\\x1b[36meth0\\x1b[0m "
    assert printable(ours + "a\033[2Jb\033]0;title\a", colours=True) == ours + "a\\x1b[2Jb\\x1b]0;title\\x07"
    assert printable("\udce9\u202e\x9b", colours=True) == "\\xe9\\u202e\\x9b"
