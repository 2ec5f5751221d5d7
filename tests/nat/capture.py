"""(Re)make golden.txt: what nft sends for the documented table, and for elements that come and go.

    python -m tests.nat.capture       as root; needs nft and strace

Runs nft under strace in namespaces of its own, and writes the type, flags and body of each message of its
batch (numbers of messages and the port id left out)."""

from __future__ import annotations

import pathlib
import struct
import tempfile

from netlinkpy.nat import table
from netlinkpy.uapi.nfnetlink import NFNL_SUBSYS_NFTABLES
from tests.golden.capture import trace

HERE = pathlib.Path(__file__).parent
NLM_F_DUMP = 0x300
NAMES = {0: "NEWTABLE", 2: "DELTABLE", 3: "NEWCHAIN", 6: "NEWRULE", 8: "DELRULE", 9: "NEWSET"}
NAMES |= {12: "NEWSETELEM", 14: "DELSETELEM"}

IN = "inet netlinkpy"
COMMANDS = {  # by the name of the paragraph
    "table": "",
    "flush chain": f"flush chain {IN} forward",
    "delete table": f"delete table {IN}",
    "add networks": f'add element {IN} networks {{ "br0" }}',
    "add within": f'add element {IN} within {{ "br0" . "br0" }}',
    "add masquerade4": f'add element {IN} masquerade4 {{ 172.17.0.0/16 comment "7" }}',
    "add routed6": f'add element {IN} routed6 {{ fd00:17::/64 comment "7" }}',
    "delete masquerade4": f"delete element {IN} masquerade4 {{ 10.0.0.0/8 }}",
    "add ports4": f"add element {IN} ports4 {{ tcp . 8080 : 172.17.0.2 . 80, udp . 53 : 172.17.0.3 . 5353 }}",
    "add bound6": f"add element {IN} bound6 {{ 2001:db8::1 . tcp . 8080 : fd00:17::2 . 80 }}",
    "delete ports4": f"delete element {IN} ports4 {{ tcp . 1 : 172.17.0.2 . 80 }}",
}
# There before: nft adds a null element to sets of intervals that are empty; and something to delete.
BRIDGES = "ip link add br0 index 7 type bridge; ip link add br1 index 8 type bridge"
THERE = [
    f"add element {IN} masquerade4 {{ 10.0.0.0/8 }}",
    f"add element {IN} routed6 {{ fd00:10::/64 }}",
    f"add element {IN} ports4 {{ tcp . 1 : 172.17.0.2 . 80 }}",
]


def documented() -> str:
    """The table as the docstring of nat.table shows it."""
    text = table.__doc__ or ""
    start = text.index("    table inet")
    lines = text[start : text.index("\n    }\n") + 7].splitlines()
    return "\n".join(line.removeprefix("    ") for line in lines)


def bare() -> str:
    """The same without elements."""
    return "\n".join(line for line in documented().splitlines() if "elements =" not in line)


def main() -> None:
    written = ["# What nft sends, by python -m tests.nat.capture: type, flags, body of each message.\n"]
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory, "ruleset")
        before = pathlib.Path(directory, "before")
        path.write_text(bare())
        before.write_text("\n".join([bare(), *THERE]))
        for name, command in COMMANDS.items():
            setup = BRIDGES + (f"; nft -f {before}" if command else "")
            messages = trace(setup, f"nft '{command}'" if command else f"nft -f {path}")
            written.append(f"[{name}] nft {command or '-f the documented table'}\n")
            written += [
                paragraph(message) for way, message in messages if way == "sent" and is_change(message)
            ]
    (HERE / "golden.txt").write_text("\n".join(written))


def is_change(message: bytes) -> bool:
    kind, flags = struct.unpack_from("=HH", message, 4)
    return kind >> 8 == NFNL_SUBSYS_NFTABLES and kind & 0xFF in NAMES and flags & NLM_F_DUMP != NLM_F_DUMP


def paragraph(message: bytes) -> str:
    kind, flags = struct.unpack_from("=HH", message, 4)
    body = message[16:]
    lines = [body[at : at + 32].hex(" ") for at in range(0, len(body), 32)]
    return "\n".join([f"{NAMES[kind & 0xFF]} {flags:#x}", *(f"    {line}" for line in lines), ""])


if __name__ == "__main__":
    main()
