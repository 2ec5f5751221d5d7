"""Addresses, prefixes, hardware addresses and names as people write them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlinkpy.rtnl.values import (
    check_altname,
    check_ifname,
    check_number,
    format_ip,
    format_mac,
    network,
    parse_ip,
    parse_mac,
    parse_prefix,
)

PACKED = st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16)


@given(PACKED)
def test_addresses_there_and_back(packed: bytes) -> None:
    assert parse_ip(format_ip(packed)) == packed


@given(PACKED, st.integers(0, 128))
def test_prefixes_there_and_back(packed: bytes, length: int) -> None:
    length = min(length, len(packed) * 8)
    assert parse_prefix(f"{format_ip(packed)}/{length}") == (packed, length)
    low = network(packed, length)
    assert network(low, length) == low and network(low, 0) == bytes(len(packed))
    number, bits = int.from_bytes(packed, "big"), len(packed) * 8
    assert int.from_bytes(low, "big") == number >> (bits - length) << (bits - length)


@given(st.binary(min_size=6, max_size=6))
def test_hardware_addresses_there_and_back(packed: bytes) -> None:
    assert parse_mac(format_mac(packed)) == packed
    assert parse_mac(format_mac(packed).upper()) == packed


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_ip, parse_prefix, parse_mac, check_ifname, check_altname):
        try:
            parse(text)
        except ValueError as error:
            assert "\n" not in str(error)


def test_values() -> None:
    assert parse_ip("10.0.0.1") == b"\n\0\0\1" and parse_ip("::1") == bytes(15) + b"\1"
    assert parse_prefix("10.0.0.1") == (b"\n\0\0\1", 32) and parse_prefix("::/0") == (bytes(16), 0)
    assert format_ip(b"") == "" and format_ip(b"\1\2\3") == "010203"
    assert parse_mac("2:0:0:0:0:a") == b"\2\0\0\0\0\n"


@pytest.mark.parametrize("value", [None, 7, b"10.0.0.1", ["10.0.0.1"]])
def test_what_is_no_text(value: Any) -> None:
    for parse in (parse_ip, parse_prefix, parse_mac, check_ifname, check_altname):
        with pytest.raises(TypeError, match="text"):
            parse(value)


def test_numbers() -> None:
    assert check_number(0, 0, 0, "it") == 0
    for value in (-1, 11):
        with pytest.raises(ValueError, match="it is from 0 to 10"):
            check_number(value, 0, 10, "it")
    for wrong in (True, "1", 1.0, None):
        with pytest.raises(TypeError, match="it is a number"):
            check_number(wrong, 0, 10, "it")  # type: ignore[arg-type]
