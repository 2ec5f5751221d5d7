"""What `ip -d` shows of kinds, those that the kernel lacks too: iproute2 reads the message from a file."""

from __future__ import annotations

import ast
import pathlib
import subprocess
from typing import Any

import pytest

from netlinkpy.cli.ip.link_show import link_fields
from netlinkpy.cli.ip.session import GlobalOptions, Session
from netlinkpy.framing import frame
from netlinkpy.uapi.rtnetlink import RTM_NEWLINK
from netlinkpy.wire.rtnetlink.link import LINK

SAMPLES = pathlib.Path(__file__).with_name("kinds.txt")


def samples() -> list[tuple[str, Any]]:
    """Each line: a kind, and the attributes of a link of it."""
    lines = [line.split(maxsplit=1) for line in SAMPLES.read_text().splitlines() if line[:1] not in ("", "#")]
    return [(kind, ast.literal_eval(data)) for kind, data in lines]


@pytest.mark.needs("ip", "unshare")
@pytest.mark.parametrize("oneline", [False, True], ids=["lines", "oneline"])
@pytest.mark.parametrize("sample", samples(), ids=lambda sample: str(sample[0]))
def test_shown_as_iproute2_shows_it(sample: tuple[str, Any], oneline: bool, tmp_path: pathlib.Path) -> None:
    kind, data = sample
    info = {"kind": kind, "data": data}
    if kind.endswith("_slave"):
        info = {"slave_kind": kind.removesuffix("_slave"), "slave_data": data}
    body = LINK.pack({"ifi_type": 1, "ifi_index": 7, "ifname": "x7", "mtu": 1500, "linkinfo": info})
    file = tmp_path / "recorded"
    file.write_bytes(frame(RTM_NEWLINK, 0, 0, body))
    options = ["-d", "-o"] if oneline else ["-d"]
    command = ["unshare", "-rn", "ip", *options, "monitor", "link", "file", str(file)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    ours = GlobalOptions()
    ours.details, ours.oneline = 1, oneline
    session = Session(ours)
    link = LINK.parse(body)
    session.remember([{"ifi_index": 1, "ifname": "lo", "ifi_flags": 8}, link])
    fields = link_fields(session, link, alone=False)
    assert "".join([text for _, _, text in fields]) == shown
