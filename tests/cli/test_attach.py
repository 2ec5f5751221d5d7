"""netlinkpy attach and detach on a real bridge: JSON lines of every shape, and options that would go
unheard."""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

import netlinkpy as nl
from tests.support.command import Run
from tests.support.namespaces import BareNamespace, ping

REPOSITORY = str(pathlib.Path(__file__).parents[2])
MAIN = (
    f"import sys; sys.path.insert(0, {REPOSITORY!r}); sys.argv[0] = 'netlinkpy'; "
    "from netlinkpy.cli import main; sys.exit(main())"
)
GOOD = '{"netns": "/nowhere", "bridge": "br0"}'


@pytest.fixture
def bridge(fresh_namespace: None) -> None:
    """br0 with 10.9.0.1/16."""
    with nl.RTNetlink() as rt:
        rt.links.add("br0", kind="bridge", up=True)
        rt.addresses.add("10.9.0.1/16", dev="br0")


@pytest.mark.usefixtures("bridge")
@pytest.mark.parametrize("more", [(), ("--continue",)])
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[]", "JSON object"),
        ("{", "Expecting"),
        ("[" * 100_000, "recursion"),
        ("\udcff", "Expecting"),
        ("{}", "needs netns"),
        ('{"netns": null, "bridge": "br0"}', "netns is"),
        ('{"netns": true, "bridge": "br0"}', "netns is"),
        ('{"netns": "x", "bridge": 5}', "an interface name is text"),
        ('{"netns": "x", "bridge": "br0", "addresses": 5}', "addresses is a list"),
        ('{"netns": "x", "bridge": "br0", "addresses": [5]}', "an IP address is text"),
        ('{"netns": "x", "bridge": "br0", "gateways": {"a": 1}}', "gateways is a list"),
        ('{"netns": "x", "bridge": "br0", "routes": "10.0.0.0/8"}', "routes is a list"),
        ('{"netns": "x", "bridge": "br0", "routes": ["10.0.0.0/8"]}', "a route is"),
        ('{"netns": "x", "bridge": "br0", "mtu": "1400"}', "mtu is a number"),
    ],
)
def test_a_line_of_a_wrong_shape_is_named(
    netlinkpy: Run, tmp_path: pathlib.Path, line: str, words: str, more: tuple[str, ...]
) -> None:
    file = tmp_path / "lines"
    file.write_text(f"{GOOD}\n\n{line}\n", errors="surrogateescape")
    code, out, err = netlinkpy("attach", "--from", str(file), *more)
    assert (code, out) == (1, "")
    assert err.startswith("netlinkpy: line 3: ") and words in err and err.count("\n") == 1


@pytest.mark.usefixtures("bridge")
def test_blank_lines_count(netlinkpy: Run, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "lines"
    file.write_text(f"\n\n{GOOD}\n")
    code, out, err = netlinkpy("attach", "--from", str(file), "--continue")
    assert code == 1 and json.loads(out)["line"] == 3
    assert err.startswith("netlinkpy: line 3: ") and "/nowhere" in err
    code, out, err = netlinkpy("attach", "--from", str(file))
    assert (code, out) == (1, "") and err.startswith("netlinkpy: line 3: ") and "/nowhere" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("attach", "--from", "/dev/null", "--ip", "10.9.0.2/16"), "no --ip beside it"),
        (("attach", "--from", "/dev/null", "--bridge", "br0"), "no --bridge beside it"),
        (("attach", "--from", "/dev/null", "--ifname", "eth1"), "no --ifname beside it"),
        (("attach", "--from", "/dev/null", "--no-gateway"), "no --no-gateway beside it"),
        (("attach", "--from", "/dev/null", "blue"), "no TARGET beside it"),
        (("attach", "blue", "--bridge", "br0", "--continue"), "--continue goes with --from"),
        (
            ("attach", "blue", "--bridge", "br0", "--no-gateway", "--default-gateway", "10.9.0.1"),
            "contradict",
        ),
        (
            ("attach", "blue", "--bridge", "br0", "--mtu", "9" * 5000),
            "'999999999999999999999999999999' is not",
        ),
        (("detach", "--from", "/dev/null", "blue"), "no TARGET"),
        (("detach", "--from", "/dev/null", "--ifname", "eth1"), "no --ifname"),
    ],
)
def test_what_would_go_unheard_is_refused(netlinkpy: Run, words: tuple[str, ...], said: str) -> None:
    code, out, err = netlinkpy(*words)
    assert (code, out) == (2, "") and said in err


@pytest.mark.usefixtures("bridge")
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_closed_streams(closed: str) -> None:
    """Where there is nothing to write to it is done all the same, and nothing is written into a socket."""
    for words in ("link add br1 type bridge", "network ls", "attach --from /dev/null", "link delete br1"):
        line = f'exec "$0" -c "$1" {words} {closed}'
        done = subprocess.run(
            ["sh", "-c", line, sys.executable, MAIN], stderr=subprocess.PIPE, timeout=30, check=False
        )
        assert (done.returncode, done.stderr) == (0, b""), words


def test_a_directory_is_no_batch(ip: Run) -> None:
    assert ip("-batch", "/") == (1, "", "ip: Is a directory\n")


def test_exec_of_nothing(netlinkpy: Run) -> None:
    code, out, err = netlinkpy("exec", "web", "")
    assert (code, out) == (2, "") and "a command is needed" in err


@pytest.mark.usefixtures("bridge")
def test_what_cannot_be_told_is_taken_away_again(
    bare_namespaces: Callable[[int], list[BareNamespace]],
) -> None:
    """A full disk: the exit code says that nothing was done, and so it is."""
    (place,) = bare_namespaces(1)
    line = json.dumps({"netns": place.path, "bridge": "br0", "addresses": "10.9.0.2/16"})
    ways = [("attach", place.path, "--bridge", "br0", "--ip", "10.9.0.2/16"), ("attach", "--from", "-")]
    options: dict[str, Any] = {"input": line.encode(), "stderr": subprocess.PIPE, "timeout": 30}
    with nl.RTNetlink() as host, open("/dev/full", "w") as full:
        for words, unbuffered in itertools.product(ways, ("", "1")):
            command = [sys.executable, "-c", MAIN, *words]
            environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
            done = subprocess.run(command, stdout=full, env=environment, check=False, **options)
            assert (done.returncode, b"No space left" in done.stderr) == (1, True), done
            assert host.links.list(kind="veth") == []


@pytest.mark.needs("nft", "br_netfilter")
@pytest.mark.parametrize("handed", ["1", "0"])
def test_a_firewall_that_drops_bridged_packets_is_told(
    bridge: None, netlinkpy: Run, bare_namespaces: Callable[[int], list[BareNamespace]], handed: str
) -> None:
    """Where br_netfilter hands them to it; nowhere else."""
    switch = pathlib.Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
    switch.write_text(handed)
    one, other = bare_namespaces(2)
    rules = (
        "add table ip fw; add chain ip fw passing { type filter hook forward priority 0 ; policy drop ; };"
        'add rule ip fw passing iifname "br0" oifname "eth9" accept'
    )
    subprocess.run(["nft", rules], check=True)
    for place, address in ((one, "10.9.0.2"), (other, "10.9.0.3")):
        code, _, said = netlinkpy("attach", place.path, "--bridge", "br0", "--ip", f"{address}/16")
        assert code == 0 and said == (
            "netlinkpy: from container to container: chain passing of table ip fw drops what it does not "
            'accept; this would help: nft insert rule ip fw passing iifname "br0" accept\n'
            if handed == "1"
            else ""
        )
    assert (ping(one, "10.9.0.3") is None) == (handed == "1")
    subprocess.run(["nft", 'insert rule ip fw passing iifname "br0" accept'], check=True)
    assert netlinkpy("detach", other.path) == (0, "", "")
    assert netlinkpy("attach", other.path, "--bridge", "br0", "--ip", "10.9.0.3/16", "-q") == (0, "", "")
    assert ping(one, "10.9.0.3") is not None


def test_a_signal_when_all_is_told_changes_no_exit_code(
    bridge: None,
    netlinkpy: Run,
    bare_namespaces: Callable[[int], list[BareNamespace]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It said 130, with all made and told."""

    def stop(_: object) -> list[str]:
        raise KeyboardInterrupt

    monkeypatch.setattr("netlinkpy.nat.other_firewalls.bridged_drops", stop)
    code, out, said = netlinkpy(
        "attach", bare_namespaces(1)[0].path, "--bridge", "br0", "--ip", "10.9.0.2/16"
    )
    assert (code, said) == (0, "") and nl.Attachment.from_json(out).changed
