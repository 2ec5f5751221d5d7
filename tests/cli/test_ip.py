"""ip on the real kernel: what the oracle's corpus does not say, errors above all."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

import netlinkpy as nl
from tests.support.command import Run
from tests.support.namespaces import Container

REPOSITORY = pathlib.Path(__file__).parents[2]
AS_IP = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from netlinkpy.cli import main
sys.argv[0] = "ip"
sys.exit(main())
"""


def test_a_veth_pair_from_one_line(ip: Run) -> None:
    assert ip("link", "add", "A", "type", "veth", "peer", "name", "B") == (0, "", "")
    assert ip("link", "set", "A", "up") == (0, "", "")
    links = {link["ifname"]: link for link in json.loads(ip("-j", "link").out)}
    assert links["A"]["link"] == "B"
    assert "UP" in links["A"]["flags"]
    assert "M-DOWN" in links["A"]["flags"]


def test_who_holds_a_name_is_said(ip: Run) -> None:
    """To "File exists" the kernel adds nothing."""
    ip("link", "add", "br0", "type", "bridge")
    code, out, err = ip("link", "add", "v0", "type", "veth", "peer", "name", "br0")
    assert (code, out) == (2, "")
    assert err.splitlines()[0] == "RTNETLINK answers: File exists"
    assert "br0 is taken by link 2 (bridge)" in err


def test_the_kernel_s_own_sentence(ip: Run) -> None:
    ip("link", "add", "br0", "type", "bridge")
    assert ip("link", "set", "br0", "mtu", "1") == (2, "", "Error: mtu less than device minimum.\n")


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ("link show nope", 1, 'Device "nope" does not exist.'),
        ("link set nope up", 1, 'Cannot find device "nope"'),
        ("link frobnicate", 255, 'Command "frobnicate" is unknown, try "ip link help".'),
        ("frobnicate", 1, 'Object "frobnicate" is unknown, try "ip help".'),
        ("-frobnicate", 255, 'Option "-frobnicate" is unknown, try "ip -help".'),
        ("addr add 10.0.0.1/33 dev lo", 1, 'Error: any valid prefix is expected rather than "10.0.0.1/33".'),
        ("route add default via", 255, 'Command line is not complete. Try option "help"'),
        ("-n nope link", 255, 'Cannot open network namespace "nope": No such file or directory'),
        ("-d route", 1, "netlinkpy does not have details (-d) yet; nothing was done."),
        ("-s link", 1, "netlinkpy does not have statistics (-s) yet; nothing was done."),
        ("rule add table 5", 1, "netlinkpy does not have ip rule add yet; nothing was done."),
        ("neigh add 10.0.0.1", 255, "Device and destination are required arguments."),
        ("monitor", 1, "netlinkpy does not have ip monitor yet; nothing was done."),
        ("link add x type macvlan mode bridge", 1,
        "netlinkpy does not have the options of kind macvlan (mode) yet; nothing was done."),
        ("netns add a/b", 255, 'Invalid netns name "a/b"'),
    ],
)  # fmt: skip
def test_one_sentence_and_the_exit_code(ip: Run, words: str, code: int, sentence: str) -> None:
    assert ip(*words.split()) == (code, "", f"{sentence}\n")


@pytest.mark.parametrize(
    "words", ["", "help", "link help", "addr help", "route help", "netns help", "link set lo help"]
)
def test_help_goes_to_stderr(ip: Run, words: str) -> None:
    code, out, err = ip(*words.split())
    assert (code, out) == (255, "")
    assert err.startswith("Usage: ip ")


@pytest.mark.parametrize(
    "words",
    ["link set br0 alias \udcff\udcfe", "link show \udcff", "addr add 10.0.0.1/24 dev lo label " + "x" * 300,
     "link set lo mtu 99999999999999999999", "route add 10.0.0.0/8 dev lo metric 4294967296", "link show " +
     "x" * 5000, "netns exec \udcff true"],
)  # fmt: skip
def test_whatever_is_said_there_is_no_traceback(ip: Run, words: str) -> None:
    ip("link", "add", "br0", "type", "bridge")
    code, _, err = ip(*words.split(" "))
    assert code in (0, 1, 2, 255)
    assert "Traceback" not in err


def test_names_that_are_not_utf8_come_out_as_they_are(ip: Run) -> None:
    name = b"a\xff".decode("utf-8", "surrogateescape")
    assert ip("link", "add", name, "type", "bridge").code == 0
    with nl.RTNetlink() as rt:
        assert rt.links.get(name).name == name


def test_alias_is_cleared(ip: Run) -> None:
    """An empty alias is an empty attribute; one that holds a NUL would stay as an empty line."""
    ip("link", "set", "lo", "alias", "x")
    assert "alias x" in ip("link", "show", "lo").out
    ip("link", "set", "lo", "alias", "")
    assert "alias" not in ip("link", "show", "lo").out


def test_batch_goes_on_after_a_failure_only_with_force(ip: Run, tmp_path: pathlib.Path) -> None:
    batch = tmp_path / "batch"
    batch.write_text("link set nope up # not there\nlink add br0 type bridge\n")
    code, _, err = ip("-batch", str(batch))
    assert (code, err) == (1, f'Cannot find device "nope"\nCommand failed {batch}:1\n')
    assert ip("link", "show", "br0").code == 1
    assert ip("-force", "-batch", str(batch)).code == 1
    assert ip("link", "show", "br0").code == 0


def test_neighbours(ip: Run) -> None:
    ip("link", "add", "A", "type", "veth", "peer", "name", "B")
    ip("link", "set", "A", "up")
    given = ("10.0.0.5", "lladdr", "02:00:00:00:00:05", "dev", "A")
    assert ip("neigh", "add", *given).code == 0
    assert ip("neigh", "add", *given).code == 2
    assert ip("neigh") == (0, "10.0.0.5 dev A lladdr 02:00:00:00:00:05 PERMANENT \n", "")
    assert ip("neigh", "flush", "dev", "A").code == 0  # a permanent one stays
    assert json.loads(ip("-j", "neigh", "show", "dev", "A").out) == [
        {"dst": "10.0.0.5", "lladdr": "02:00:00:00:00:05", "state": ["PERMANENT"]}
    ]
    assert ip("neigh", "del", "10.0.0.5", "dev", "A").code == 0
    assert ip("neigh").out == ""


def test_rules(ip: Run) -> None:
    code, out, _ = ip("rule")
    assert code == 0
    assert out.splitlines()[0] == "0:\tfrom all lookup local"
    assert json.loads(ip("-j", "rule", "show", "table", "main").out) == [
        {"priority": 32766, "src": "all", "table": "main"}
    ]


def test_commands_in_another_namespace(ip: Run, netlinkpy: Run) -> None:
    assert ip("netns", "add", "blue").code == 0
    assert netlinkpy("-n", "blue", "link", "add", "br7", "type", "bridge").code == 0
    assert "br7" in ip("-n", "blue", "-br", "link").out
    assert "br7" not in ip("-br", "link").out
    assert ip("netns", "del", "blue").code == 0


def test_prune(netlinkpy: Run, container: Container) -> None:
    os.makedirs("/run/netns", exist_ok=True)
    os.symlink("/proc/4000000/ns/net", "/run/netns/gone")
    os.symlink(container.path, "/run/netns/there")
    assert netlinkpy("netns", "prune") == (0, "gone\n", "")
    assert os.listdir("/run/netns") == ["there"]


@pytest.mark.needs("root")
def test_exec_becomes_the_program(ip: Run) -> None:
    ip("netns", "add", "blue")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", AS_IP, str(REPOSITORY), "netns", "exec", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=20)

    with nl.RTNetlink("blue") as rt:
        rt.links.add("inside", kind="bridge")
    shown = run("blue", "ls", "/sys/class/net")
    assert (shown.stdout, shown.returncode) == ("inside\nlo\n", 0)
    assert run("blue", "sh", "-c", "exit 7").returncode == 7
    assert (
        run("blue", "nosuchprogram").stderr == 'exec of "nosuchprogram" failed: No such file or directory\n'
    )
    assert run("nope", "true").returncode == 255
    # Python ignores SIGPIPE; the program may not inherit that
    assert "PIPE" in run("blue", "sh", "-c", "yes | head -1 >/dev/null; kill -l 13").stdout
    status = run("blue", "grep", "SigIgn", "/proc/self/status").stdout.split()[1]
    assert not int(status, 16) & 1 << 12


def test_a_reader_that_goes_away_is_no_error(ip: Run) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        command = [sys.executable, "-c", AS_IP, str(REPOSITORY), "link"]
        done = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, timeout=20)
    finally:
        os.close(write_end)
    assert (done.returncode, done.stderr) == (141, b"")
