"""Words, abbreviations, numbers and addresses as iproute2 reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlinkpy.cli.command_error import CommandError
from netlinkpy.cli.ip import COMMANDS, OBJECTS
from netlinkpy.cli.ip.batch import split
from netlinkpy.cli.ip.grammar import Words, c_number, choose, matches
from netlinkpy.cli.ip.inet import lladdr, prefix


@pytest.mark.parametrize(
    ("word", "name"),
    [("a", "address"), ("l", "link"), ("r", "route"), ("n", "neighbor"), ("net", "netns"), ("ru", "rule"),
     ("ro", "route"), ("m", "maddress"), ("t", "tunnel"), ("addr", "address"), ("x", "xfrm"), ("na", None),
     ("", None)],
)  # fmt: skip
def test_objects(word: str, name: str | None) -> None:
    """The first that a word abbreviates."""
    assert choose(word, [(name, name) for name, _ in OBJECTS]) == name


@pytest.mark.parametrize(
    ("topic", "word", "name"),
    [("link", "s", "set"), ("link", "sh", "show"), ("link", "a", "add"), ("link", "l", "lst"),
     ("link", "d", "delete"), ("address", "s", "show"), ("address", "c", "change"), ("route", "s", "show"),
     ("route", "a", "add"), ("route", "ap", "append"), ("route", "r", "replace"), ("route", "p", "prepend"),
     ("route", "g", "get"), ("netns", "a", "add"), ("netns", "at", "attach"), ("netns", "l", "list"),
     ("netns", "e", "exec")],
)  # fmt: skip
def test_commands(topic: str, word: str, name: str) -> None:
    assert choose(word, COMMANDS[topic]) == dict(COMMANDS[topic])[name]


def test_an_empty_word_abbreviates_nothing() -> None:
    assert not matches("", "link")


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("10", 10), ("010", 8), ("0x10", 16), ("-5", -5), ("+5", 5), ("abc", None), ("", None),
     ("1_0", None), ("08", None), ("--5", None), ("0x", None), ("٣", None)],
)  # fmt: skip
def test_numbers_as_c_reads_them(text: str, number: int | None) -> None:
    assert c_number(text) == number


@given(st.text())
def test_no_text_is_more_than_no_number(text: str) -> None:
    assert c_number(text) is None or isinstance(c_number(text), int)


@pytest.mark.parametrize(
    ("text", "address", "length"),
    [("10.0.0.1/24", "0a000001", 24), ("10.1", "0a010000", 32), ("10/8", "0a000000", 8),
     ("010.0.0.1", "08000001", 32), ("10.0.0.0/255.0.0.0", "0a000000", 8),
     ("fd00::1/64", "fd" + "00" * 14 + "01", 64), ("default", "", 0)],
)  # fmt: skip
def test_prefixes(text: str, address: str, length: int) -> None:
    found = prefix(text)
    assert (found.address.hex(), found.length) == (address, length)


@pytest.mark.parametrize(
    "text",
    ["", "10.0.0.256", "10.0.0.1/33", "10.0.0.0/255.0.255.0", "fd00::1/129", "x", "1.2.3.4.5", "10.0.0.1/"],
)
def test_no_prefixes(text: str) -> None:
    with pytest.raises(CommandError, match="any valid prefix is expected rather than"):
        prefix(text)


def test_a_prefix_of_the_wrong_family() -> None:
    with pytest.raises(CommandError, match="inet6 prefix is expected"):
        prefix("10.0.0.1", 10)


@given(st.text(alphabet="0123456789abcdef.:/x-", max_size=24))
def test_any_text_is_a_prefix_or_a_command_error(text: str) -> None:
    try:
        found = prefix(text)
    except CommandError:
        return
    assert 0 <= found.length <= len(found.address) * 8


def test_hardware_addresses() -> None:
    assert lladdr("2:0:0:0:0:5") == bytes.fromhex("020000000005")
    assert lladdr("10.0.0.1") == bytes([10, 0, 0, 1])
    for text in ("zz", "02:00:", "", "02:000"):
        with pytest.raises(CommandError, match="is invalid lladdr"):
            lladdr(text)


def test_words_run_out() -> None:
    words = Words(["a"])
    assert words.next() == "a"
    assert not words
    with pytest.raises(CommandError, match="Command line is not complete") as caught:
        words.next()
    assert (caught.value.code, caught.value.final) == (255, True)


@pytest.mark.parametrize(
    ("line", "words"),
    [("a b", ["a", "b"]), ("  a\t b \r", ["a", "b"]), ("x 'a b' c", ["x", "a b", "c"]), ('""', [""]),
     ("", []), ('a"b', ['a"b'])],
)  # fmt: skip
def test_splitting_a_line_of_a_batch(line: str, words: list[str]) -> None:
    assert split(line) == words


def test_a_quote_that_does_not_end() -> None:
    with pytest.raises(CommandError, match="Unterminated"):
        split("a 'b")
