"""Our `ip link` sends what iproute2 sends for the same words, also of kinds that the kernel refuses."""

from __future__ import annotations

import pathlib
import re
import shlex
import struct
from typing import Any

import pytest

from netlinkpy.cli.ip import run
from netlinkpy.cli.ip.session import GlobalOptions, Session
from netlinkpy.wire.rtnetlink.link import LINK

from .messages import Golden, read

FOLDER = pathlib.Path(__file__).parent / "request"
LINKS = {"br0": 10, "v0": 11, "v1": 12}  # those of commands.txt
FLAGS = 0x700  # NLM_F_EXCL, NLM_F_CREATE, NLM_F_REPLACE: whether acks and echoes are asked for is ours


class Listener:
    """Stands for the socket: hears the one request."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, int, Any]] = []

    def request(self, message: object, type: int, flags: int, values: Any, **_: object) -> list[Any]:
        assert message is LINK
        self.heard.append((type, flags, values))
        return []


def commands() -> list[pathlib.Path]:
    """The changes of links that name no namespace: its descriptor is another one each time. Ports of a bridge
    are left out: iproute2 calls their kind bridge_slave, we name the bridge's in IFLA_INFO_SLAVE_KIND."""
    texts = {path: path.read_text() for path in sorted(FOLDER.glob("link-*.txt"))}
    changes = re.compile(r"# ip link [^\n]*\n# RTM_(NEW|DEL)LINK(PROP)?,")
    return [
        path
        for path, text in texts.items()
        if changes.match(text) and " netns " not in text and "_slave" not in text
    ]


def test_there_are_some() -> None:
    assert len(commands()) > 30


@pytest.mark.parametrize("path", commands(), ids=lambda path: path.stem)
def test_the_words_become_the_message_that_iproute2_sends(path: pathlib.Path) -> None:
    golden: Golden = read(path)
    command = path.read_text().splitlines()[0].removeprefix("# ").rpartition(" && ")[2]
    session = Session(GlobalOptions())
    listener: Any = Listener()
    session._socket = listener
    session.remember([{"ifi_index": index, "ifname": name} for name, index in LINKS.items()])
    assert run(session, shlex.split(command)[1:]) == 0
    ((kind, flags, values),) = listener.heard
    assert (kind, flags & FLAGS) == (golden_type(golden), golden_flags(golden) & FLAGS)
    assert LINK.parse(LINK.pack(values)) == golden.values


def golden_type(golden: Golden) -> int:
    return int(struct.unpack_from("=H", golden.message, 4)[0])


def golden_flags(golden: Golden) -> int:
    return int(struct.unpack_from("=H", golden.message, 6)[0])
