"""Reads the golden files: the bytes as they were sent, what they mean, and the bytes in our own spelling."""

from __future__ import annotations

import ast
import pathlib
import re
import struct
from typing import Any, NamedTuple

HERE = pathlib.Path(__file__).parent
NLA_F_NESTED = 0x8000

Line = tuple[int, bytes, str]  # depth, bytes, comment


class Golden(NamedTuple):
    """One file: name, kind (RTM_NEWLINK), the whole message, the same in our spelling, its values."""

    name: str
    kind: str
    message: bytes
    respelled: bytes
    values: dict[str, Any]


def load(directory: str) -> list[Golden]:
    """Every file of a directory, in order."""
    return [read(path) for path in sorted((HERE / directory).glob("*.txt"))]


def read(path: pathlib.Path) -> Golden:
    text, _, values = path.read_text().partition("\nvalues:\n")
    kind = text.splitlines()[1].removeprefix("# ").partition(",")[0]
    lines = [line_of(line) for line in text.splitlines() if not line.startswith("#") and line]
    message = b"".join(data for _, data, _ in lines)
    body = respell(lines[5:])
    return Golden(
        path.stem,
        kind,
        message,
        struct.pack("<I", 16 + len(body)) + message[4:16] + body,
        ast.literal_eval(values),
    )


def line_of(line: str) -> Line:
    data, _, comment = line.partition("#")
    return (len(data) - len(data.lstrip())) // 2, bytes.fromhex(data), comment.strip()


def respell(lines: list[Line]) -> bytes:
    """The bytes with the two freedoms that netlink leaves taken as we take them, lengths following.

    Text ends in NUL (iproute2 leaves it out of kind and alias; the kernel takes both), and NLA_F_NESTED
    stands only where the kernel insists on it (what we do not know is kept as bytes, without the flag)."""
    out = b""
    while lines:
        depth, data, comment = lines.pop(0)
        if not comment.startswith("rta_len "):
            out += data
            continue
        inside = []
        while lines and lines[0][0] > depth:
            inside.append(lines.pop(0))
        if inside and inside[-1][2] == "alignment":
            inside.pop()
        terminator = b"\0" if inside and inside[0][2].endswith(", no NUL") and inside[0][1] else b""
        payload = respell(inside) + terminator
        (number,) = struct.unpack("<H", data[2:])
        if not re.search("IFLA_PROP_LIST|IFLA_PROTINFO|NLMSGERR_ATTR_POLICY", comment):
            number &= ~NLA_F_NESTED
        out += struct.pack("<HH", 4 + len(payload), number) + payload + bytes(-len(payload) & 3)
    return out
