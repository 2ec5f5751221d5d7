"""What strangers name so that a terminal obeys it: on a terminal, as JSON, where there is only ASCII."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator

import pytest

import netlinkpy as nl
from netlinkpy.networks import Network
from tests.support.run_testbed import MAIN, detached

EVIL = "x\033[2J\033]0;owned\ay"  # clears the screen and changes the title
LATIN = "caf\udce9"  # a byte that is no UTF-8


def on_terminal(*words: str, program: str = "netlinkpy") -> tuple[int, str]:
    """Run a command of ours on a terminal; return its exit code and what came to the screen."""
    pid, screen = pty.fork()
    if not pid:
        line = MAIN.replace("'netlinkpy'; ", f"{program!r}; ")
        os.execv(sys.executable, [sys.executable, "-c", line, *words])
    seen = b""
    try:
        while piece := os.read(screen, 65536):
            seen += piece
    except OSError:  # EIO: it has ended
        pass
    os.close(screen)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen.decode(errors="replace")


def piped(*words: str, program: str = "netlinkpy", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run it with pipes."""
    line = MAIN.replace("'netlinkpy'; ", f"{program!r}; ")
    return subprocess.run(
        [sys.executable, "-c", line, *words],
        capture_output=True,
        env={**os.environ, **environment},
        timeout=30,
        check=False,
    )


def unharmed(screen: str) -> bool:
    """Whether the terminal got nothing to obey but its line ends."""
    return not any(ord(letter) < 32 and letter not in "\r\n\t" for letter in screen) and "\x9b" not in screen


@pytest.fixture
def strangers(fresh_namespace: None) -> Iterator[nl.RTNetlink]:
    """A link whose alias and alternative name are hostile."""
    with nl.RTNetlink() as host:
        host.links.add("eth7", kind="bridge", alias=EVIL)
        host.links.add_altnames("eth7", [LATIN])
        yield host


@pytest.mark.usefixtures("strangers")
@pytest.mark.parametrize(
    "words", [("link",), ("-d", "link", "show", "eth7"), ("-o", "link"), ("-br", "link")]
)
def test_ip(words: tuple[str, ...]) -> None:
    code, screen = on_terminal(*words, program="ip")
    assert code == 0 and "eth7" in screen and unharmed(screen)
    if "-br" not in words:
        assert "x\\x1b[2J\\x1b]0;owned\\x07y" in screen


@pytest.mark.usefixtures("strangers")
def test_ip_with_colours() -> None:
    """Those of ours stay, a stranger's do not."""
    _, screen = on_terminal("-c", "link", "show", "eth7", program="ip")
    assert "\033[36meth7" in screen and "\\x1b[2J" in screen and "\033[2J" not in screen


@pytest.mark.usefixtures("strangers")
def test_ip_into_a_pipe_is_as_it_is() -> None:
    assert EVIL.encode() in piped("link", "show", "eth7", program="ip").stdout


@pytest.mark.usefixtures("strangers")
@pytest.mark.parametrize("words", [("-j", "link"), ("-j", "-p", "link")])
def test_ips_json_is_json(words: tuple[str, ...]) -> None:
    """Where iproute2's is not: it writes such bytes as they are."""
    out = piped(*words, program="ip").stdout
    (link,) = [one for one in json.loads(out.decode()) if one["ifname"] == "eth7"]
    assert link["ifalias"] == EVIL and link["altnames"] == [LATIN] and b"\033" not in out


@pytest.mark.usefixtures("strangers")
def test_show() -> None:
    for words in (("show",), ("show", "--dot")):
        code, screen = on_terminal(*words)
        assert code == 0 and unharmed(screen), words
    assert json.loads(piped("show", "--json").stdout.decode())


def test_an_error_names_it_escaped() -> None:
    for words in (("network", "inspect", EVIL), ("detach", f"netns:{EVIL}"), ("port", EVIL), (EVIL,)):
        code, screen = on_terminal(*words)
        assert code in (1, 2) and unharmed(screen) and "\\x1b" in screen, (words, screen)
    code, screen = on_terminal("link", "show", EVIL, program="ip")
    assert code and unharmed(screen)


@pytest.mark.parametrize("words", [("network", "ls"), ("network", "inspect", "web"), ("ps",)])
def test_networks_and_containers(strangers: nl.RTNetlink, words: tuple[str, ...]) -> None:
    Network.create("web", subnets="172.30.0.0/16")
    strangers.links.add_altnames("web", [EVIL])
    detached("--net=web", command=("sh", "-c", f"sleep 1000 # {EVIL} {LATIN}"))
    code, screen = on_terminal(*words)
    assert code == 0 and ("web" in screen) and unharmed(screen)
    out = piped(*words, "--json").stdout.decode()
    assert unharmed(out) and [json.loads(line) for line in out.splitlines()]


@pytest.mark.parametrize(
    ("program", "words"),
    [("ip", ("link",)), ("ip", ("-j", "link")), ("netlinkpy", ("show",)), ("netlinkpy", ("ps",))],
)
def test_ascii_alone(strangers: nl.RTNetlink, program: str, words: tuple[str, ...]) -> None:
    """A terminal, or a pipe, that knows ASCII alone."""
    strangers.links.set("eth7", alias="gr\u00fcn \u2603")
    detached("--net=none", command=("sh", "-c", "sleep 1000", "gr\u00fcn"))
    nothing = {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    done = piped(*words, program=program, **nothing)
    assert (done.returncode, done.stderr) == (0, b"") and done.stdout
    assert piped("detach", "netns:gr\u00fcn", **nothing).stderr.startswith(b"netlinkpy: ")
